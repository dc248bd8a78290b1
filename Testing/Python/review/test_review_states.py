"""The review session: what is accepted, who did what and when, what the height and the region of interest change."""

from dataclasses import replace

import numpy as np
import pytest
from review_cases import HEIGHT_M, LABEL, Clock, assert_consistent, grown, mask_of, protected_case

from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.ct.region import Region, region_box
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.review import ReviewSession, worst_first


@pytest.fixture(scope="module")
def case():
    return protected_case()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(case, clock):
    return ReviewSession(*case, author="Dr. Sato", clock=clock)


def test_accept_keeps_the_light_and_reopen_takes_it_back(session):
    told = []
    end = session.subscribe(told.append)
    session.accept("GMAX_right")
    assert session.report("GMAX_right").state is ReviewState.ACCEPTED and session.report("GMAX_right").light is Light.RED
    session.accept("GMAX_right")
    assert told == [("GMAX_right",)] and len(session.history) == 1
    assert session.history[0].details == {"light": "red", "state": "automatic"}
    session.reopen("GMAX_right")
    session.reopen("GMAX_right")
    assert session.report("GMAX_right").state is ReviewState.AUTOMATIC
    assert [event.what for event in session.history] == ["accepted", "reopened"]
    end()
    session.accept("GMAX_right")
    assert len(told) == 2


def test_an_accepted_correction_stays_corrected(session, case):
    session.edit({"GMAX_right": mask_of(grown(case[0].labels, "GMAX_right", 1))})
    overlap = session.report("GMAX_right").dice_to_automatic
    session.accept("GMAX_right")
    assert session.report("GMAX_right").light is Light.GREY and session.report("GMAX_right").dice_to_automatic == overlap < 1
    session.reopen("GMAX_right")
    assert session.report("GMAX_right").state is ReviewState.EDITED
    session.accept("GMAX_right")
    # A later edit needs another look.
    session.edit({"GMAX_right": mask_of(grown(case[0].labels, "GMAX_right", 2))})
    assert session.report("GMAX_right").state is ReviewState.EDITED and session.row("GMAX_right").needs_review


def test_strokes_that_follow_each_other_are_one_entry(session, case, clock):
    labels = case[0].labels
    free = (labels == 0) | (labels == LABEL["ILI_left"])
    volumes = []
    for minutes, reach in ((0, 1), (3, 2), (9, 3), (11, 4)):
        clock.forward(minutes)
        session.edit({"ILI_left": mask_of(grown(labels, "ILI_left", reach) & free)})
        volumes.append(session.report("ILI_left").measurements.volume_cc)
    first, second = session.history
    assert first.when == "2026-03-01T12:00:00+00:00" and first.details["until"] == "2026-03-01T12:12:00+00:00"
    assert first.details["strokes"] == 3 and first.details["volume_after_cc"] == pytest.approx(volumes[2], abs=1e-4)
    automatic = session.automatic_report("ILI_left").measurements.volume_cc
    assert first.details["volume_before_cc"] == pytest.approx(automatic, abs=1e-4)
    assert second.details["volume_before_cc"] == pytest.approx(volumes[2], abs=1e-4) and second.details["strokes"] == 1


def test_next_flagged_goes_round_worst_first(session):
    order = ["GMAX_right", "GMED_left", "OE_right", "PI_left", "ST_left", "TFL_right"]
    assert session.next_flagged() == "GMAX_right"
    assert [session.next_flagged(key) for key in order] == [*order[1:], order[0]]
    # From a row that is not flagged it goes on below that row.
    assert session.next_flagged(worst_first(session.rows())[-1].key) == "GMAX_right"
    session.accept("GMED_left")
    assert session.next_flagged("GMAX_right") == "OE_right" and session.next_flagged("GMED_left") == "GMAX_right"
    for key in order:
        session.accept(key)
    assert session.next_flagged("ST_left") is None


def test_height_normalises_all_volumes_again(session, case):
    session.edit({"GMAX_right": mask_of(grown(case[0].labels, "GMAX_right"))})
    session.set_height(1.8)
    assert session.height_m == 1.8 and session.result.facts.height_m == 1.8
    assert case[0].facts.height_m == HEIGHT_M
    for reports in (session.result.reports, session.automatic.reports):
        found = [report.measurements for report in reports if report.measurements]
        assert all(m.volume_cc_per_m2 == pytest.approx(m.volume_cc / 1.8**2) for m in found)
    assert_consistent(session)
    session.revert("GMAX_right")
    assert_consistent(session)
    event = next(event for event in session.history if event.what == "height")
    assert event.key is None and event.details == {"from_m": HEIGHT_M, "to_m": 1.8}
    session.set_height(None)
    assert session.row("FEMUR_left").texts["volume_cc_per_m2"] == "–"
    with pytest.raises(InputError, match="17 cm is impossible"):
        session.set_height(0.17)
    assert session.height_m is None


def test_a_height_given_at_the_start_replaces_the_measured_one(case):
    session = ReviewSession(*case, height_m=1.75)
    assert session.height_m == 1.75 and session.history[0].what == "height"
    assert ReviewSession(*case, height_m=HEIGHT_M).history == ()


def test_a_ct_on_another_grid_is_refused(case):
    result, volume = case
    moved = CTVolume(volume.hu, replace(volume.geometry, origin=(0.0, 0.0, 0.0)))
    with pytest.raises(InputError, match="different grids"):
        ReviewSession(result, moved)


def test_the_border_of_a_region_of_interest_still_cuts_after_an_edit(case):
    result, volume = case
    low, high = volume.geometry.to_physical((0, 0, 60)), volume.geometry.to_physical(np.asarray(volume.geometry.size) - 1)
    bounds = [float(value) for pair in zip(low, high, strict=True) for value in pair]
    box = region_box(Region(tuple(bounds)), volume.geometry)
    labels = np.zeros_like(result.labels)
    labels[box.slices] = result.labels[box.slices]
    facts = replace(result.facts, height_m=None, region_lps_mm=tuple(bounds))
    session = ReviewSession(replace(result, labels=labels, facts=facts), volume)
    session.edit({"RF_left": mask_of(grown(labels, "RF_left", 1) & (np.arange(len(labels)) >= 60)[:, None, None])})
    assert session.report("RF_left").measurements.truncated_by == ("inferior",)
    assert session.report("RF_left").reasons[1] == "cut by the field of view (inferior)"
    # Drawn on beyond the region, it is whole.
    session.edit({"RF_left": mask_of(result.labels == LABEL["RF_left"])})
    assert session.report("RF_left").measurements.truncated_by == ()
