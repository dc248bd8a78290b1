"""The review session: what an edit changes and what stays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from review_cases import LABEL, Clock, assert_consistent, grown, make_case, mask_of, protected_case

from MSKSegmentLib.case_result import Light, ReviewState
from MSKSegmentLib.ct.boxes import Box
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review import ReviewSession, SegmentMask


@pytest.fixture(scope="module")
def case():
    return protected_case()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def session(case, clock):
    return ReviewSession(*case, author="Dr. Sato", clock=clock)


def test_an_untouched_session_is_the_result(session, case):
    result, volume = case
    assert session.result == replace(result, labels=session.result.labels) and session.result.labels is result.labels
    assert session.volume is volume and session.history == () and session.automatic is result
    assert session.report("GMAX_right").dice_to_automatic is None


def test_an_edit_measures_what_changed_and_nothing_else(session, case, clock):
    labels, before = case[0].labels, case[0].labels.copy()
    new = grown(labels, "GMAX_right") & ((labels == 0) | (labels == LABEL["GMAX_right"]))
    changed = session.edit({"GMAX_right": mask_of(new)})
    # The other side's row shows another asymmetry.
    assert changed == ("GMAX_right", "GMAX_left")
    report = session.report("GMAX_right")
    assert (report.state, report.light, report.uncertainty, report.predicted_dice) == (ReviewState.EDITED, Light.GREY, None, None)
    assert report.reasons == ("edited by hand; the automatic version was rated failed",)
    assert session.row("GMAX_right").needs_review and session.row("GMAX_right").texts["state"] == "edited"
    assert session.report("GMAX_left").light is Light.GREEN and session.report("GMAX_left").state is ReviewState.AUTOMATIC
    assert_consistent(session)
    np.testing.assert_array_equal(labels, before)
    np.testing.assert_array_equal(session.automatic.labels, before)
    (event,) = session.history
    assert (event.when, event.who, event.what, event.key) == ("2026-03-01T12:00:00+00:00", "Dr. Sato", "edited", "GMAX_right")
    found = case[0].reports[5].measurements
    assert event.details == {
        "volume_before_cc": pytest.approx(found.volume_cc, abs=1e-4),
        "volume_after_cc": pytest.approx(report.measurements.volume_cc, abs=1e-4),
        "dice_to_automatic": pytest.approx(report.dice_to_automatic, abs=1e-4),
        "strokes": 1,
    }


def test_taking_voxels_from_a_neighbour_edits_it_too(session, case):
    labels = case[0].labels
    new = grown(labels, "GMED_left", 4)
    hit = {key for key, label in LABEL.items() if (labels[new] == label).any()} - {"GMED_left"}
    assert hit
    changed = session.edit({"GMED_left": mask_of(new)})
    assert hit | {"GMED_left"} <= set(changed)
    assert_consistent(session)
    by = {event.key: event.details.get("by") for event in session.history}
    assert by.pop("GMED_left") is None and by == dict.fromkeys(hit, ["GMED_left"])


def test_the_mask_may_come_in_any_box_that_holds_it(case):
    labels = case[0].labels
    new = grown(labels, "ILI_left")
    z, y, x = (slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(new))
    cut = SegmentMask(Box((x.start, y.start, z.start), (x.stop - x.start, y.stop - y.start, z.stop - z.start)), new[z, y, x])
    results = []
    for mask in (cut, mask_of(new)):
        session = ReviewSession(*case)
        session.edit({"ILI_left": mask})
        results.append(session.result)
    np.testing.assert_array_equal(results[0].labels, results[1].labels)
    assert results[0].reports == results[1].reports


def test_several_segments_at_once_where_the_later_wins(session, case):
    labels = case[0].labels
    one, two = grown(labels, "RF_right", 5), grown(labels, "VLVI_right", 5)
    assert (one & two).any()
    session.edit({"RF_right": mask_of(one), "VLVI_right": mask_of(two)})
    np.testing.assert_array_equal(session.result.labels == LABEL["VLVI_right"], two)
    np.testing.assert_array_equal(session.result.labels == LABEL["RF_right"], one & ~two)
    assert_consistent(session)


def test_what_changes_nothing_leaves_no_trace(session, case):
    told = []
    session.subscribe(told.append)
    assert session.edit({"GMAX_right": session.mask("GMAX_right"), "PI_left": SegmentMask.empty()}) == ()
    assert session.history == () and told == [] and session.result.labels is case[0].labels


def test_labels_of_a_box_are_measured_as_masks_of_all_that_changed_are(case):
    """A stroke in the browser, an edit in Slicer and masks from a script end in the same numbers and the same history."""
    labels = case[0].labels
    new = labels.copy()
    new[grown(labels, "GMED_left", 4)] = LABEL["GMED_left"]
    changed = [key for key, label in LABEL.items() if ((labels == label) != (new == label)).any()]
    one, two = ReviewSession(*case, clock=Clock()), ReviewSession(*case, clock=Clock())
    rows = one.edit({key: mask_of(new == LABEL[key]) for key in changed})
    edit = two.edit_labels(Box.whole(case[0].geometry.size), new)
    assert edit.rows == rows and set(edit.keys) == set(changed) and len(changed) > 1
    np.testing.assert_array_equal(two.result.labels, new)
    assert (one.result.reports, one.history) == (two.result.reports, two.history)
    assert_consistent(two)
    # The difference is as small as can be, and takes the edit back.
    different = np.argwhere(labels != new)
    assert edit.box.start_xyz == tuple(different.min(axis=0)[::-1]) and edit.box.stop_xyz == tuple(different.max(axis=0)[::-1] + 1)
    np.testing.assert_array_equal(edit.before, labels[edit.box.slices])
    two.edit_labels(edit.box, edit.before)
    np.testing.assert_array_equal(two.result.labels, labels)
    assert two.result.reports == case[0].reports


def test_the_labels_that_are_there_already_are_no_edit(session, case):
    told = []
    session.subscribe(told.append)
    part = Box((3, 4, 5), (20, 10, 9))
    assert session.edit_labels(part, case[0].labels[part.slices].copy()) is None
    assert session.history == () and told == [] and session.result.labels is case[0].labels


@pytest.mark.parametrize(
    ("box", "shape", "dtype"),
    [
        (Box((-1, 0, 0), (3, 3, 3)), (3, 3, 3), np.uint8),
        (Box((0, 0, 0), (3, 3, 10_000)), (10_000, 3, 3), np.uint8),
        (Box((0, 0, 0), (3, 2, 1)), (3, 2, 1), np.uint8),
        (Box((0, 0, 0), (2, 2, 2)), (2, 2, 2), np.int16),
    ],
)
def test_labels_that_are_not_those_of_a_box_of_the_scan_are_refused(session, case, box, shape, dtype):
    with pytest.raises(ValueError, match="box"):
        session.edit_labels(box, np.full(shape, 4, dtype))
    assert session.result.labels is case[0].labels and session.history == ()


def test_a_segment_that_the_network_missed_can_be_drawn(session, case):
    new = np.zeros(case[0].labels.shape, bool)
    new[60:66, 2:6, 3:9] = True
    assert session.mask("PI_left") is None and session.automatic_mask("PI_left") is None
    # Both sides are there now, so both rows show an asymmetry.
    assert session.edit({"PI_left": mask_of(new)}) == ("PI_right", "PI_left")
    report = session.report("PI_left")
    assert report.measurements.voxels == new.sum() and report.dice_to_automatic == 0.0
    assert report.reasons == ("drawn by hand; the automatic version had not found it",)
    assert_consistent(session)
    assert session.revert("PI_left").mask.size == 0
    assert session.report("PI_left") == session.automatic_report("PI_left")


def test_a_segment_can_be_erased_wholly(session, case):
    shape = case[0].labels.shape
    assert session.edit({"SART_left": mask_of(np.zeros(shape, bool))}) == ("SART_right", "SART_left")
    row = session.row("SART_left")
    assert not row.found and row.needs_review and row.texts["light"] == "not found" and session.histogram("SART_left") is None
    report = session.report("SART_left")
    assert report.reasons == ("erased by hand; the automatic version was rated good",) and report.dice_to_automatic == 0.0
    assert session.mask("SART_left") is None and session.worst_slices("SART_left") == ()
    assert_consistent(session)


def test_undone_by_hand_it_is_automatic_again(session, case):
    before = session.result.reports
    original = session.mask("GMAX_right")
    session.edit({"GMAX_right": mask_of(grown(case[0].labels, "GMAX_right"))})
    neighbours = {key: session.automatic_mask(key) for key in LABEL if session.report(key).state is ReviewState.EDITED}
    session.edit({**neighbours, "GMAX_right": original})
    assert session.result.reports == before
    assert {event.what for event in session.history[-len(neighbours) :]} == {"reverted"}


def test_revert_returns_the_automatic_mask_and_its_report(session, case):
    before = session.report("TFL_right")
    session.edit({"TFL_right": SegmentMask(session.mask("TFL_right").box, session.mask("TFL_right").mask & False)})
    back = session.revert("TFL_right")
    np.testing.assert_array_equal(case[0].labels[back.box.slices] == LABEL["TFL_right"], back.mask)
    assert session.report("TFL_right") == before and [event.what for event in session.history] == ["edited", "reverted"]
    assert_consistent(session)


def test_revert_leaves_what_others_lost(session, case):
    labels = case[0].labels
    session.edit({"GMED_left": mask_of(grown(labels, "GMED_left", 4))})
    lost = [key for key in LABEL if session.report(key).state is ReviewState.EDITED and key != "GMED_left"]
    session.revert("GMED_left")
    assert session.report("GMED_left").state is ReviewState.AUTOMATIC
    assert all(session.report(key).state is ReviewState.EDITED for key in lost)
    assert_consistent(session)


def test_masks_must_fit(session):
    with pytest.raises(ValueError, match="beyond the grid"):
        session.edit({"GMAX_right": SegmentMask(Box((-1, 0, 0), (3, 3, 3)), np.ones((3, 3, 3), bool))})
    with pytest.raises(ValueError, match="shape"):
        SegmentMask(Box((0, 0, 0), (3, 2, 1)), np.ones((3, 2, 1), bool))
    with pytest.raises(ValueError, match="bool"):
        SegmentMask(Box((0, 0, 0), (1, 1, 1)), np.ones((1, 1, 1), np.uint8))
    with pytest.raises(KeyError):
        session.edit({"LIVER": SegmentMask.empty()})
    assert session.history == ()


def test_a_scan_whose_slices_lie_otherwise(clock):
    result, volume = make_case(turned=True)
    session = ReviewSession(result, volume, clock=clock)
    session.edit({"GMAX_right": mask_of(grown(result.labels, "GMAX_right"))})
    assert_consistent(session)
    straight = ReviewSession(*make_case())
    straight.edit({"GMAX_right": mask_of(grown(straight.result.labels, "GMAX_right"))})
    assert [r.measurements.voxels for r in session.result.reports if r.measurements] == [
        r.measurements.voxels for r in straight.result.reports if r.measurements
    ]


def small_case():
    """A case of a few thousand voxels, so that hundreds of edits can be measured from scratch."""
    labels = np.zeros((10, 12, 14), np.uint8)
    labels[2:8, 2:10, 1:6] = LABEL["GMAX_right"]
    labels[2:8, 2:10, 8:13] = LABEL["GMAX_left"]
    labels[4:9, 3:7, 6:8] = LABEL["SACRUM"]
    hu = np.random.default_rng(1).integers(-120, 120, labels.shape).astype(np.int16)
    volume = CTVolume(hu, Geometry(labels.shape[::-1], (9.0, 8.0, 7.0)))
    return measure_case(labels, volume.geometry, volume, 1.7), volume


boxes = st.tuples(*(st.tuples(st.integers(0, n - 1), st.integers(1, 6)) for n in (10, 12, 14)))
keys = st.sampled_from(["GMAX_right", "GMAX_left", "SACRUM", "PE_left"])
actions = st.lists(st.tuples(st.sampled_from(["paint", "erase", "move", "revert"]), keys, boxes), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
def test_after_any_edits_all_numbers_are_those_of_the_voxels(steps):
    session = ReviewSession(*small_case())
    expected = session.result.labels.copy()
    for action, key, limits in steps:
        where = tuple(slice(start, start + size) for start, size in limits)
        stroke = np.zeros(expected.shape, bool)
        stroke[where] = True
        own = expected == LABEL[key]
        automatic = session.automatic.labels == LABEL[key]
        new = {"paint": own | stroke, "erase": own & ~stroke, "move": stroke, "revert": automatic}[action]
        if action == "revert":
            session.revert(key)
        else:
            session.edit({key: mask_of(new)})
        expected[own] = 0
        expected[new] = LABEL[key]
        np.testing.assert_array_equal(session.result.labels, expected)
    assert_consistent(session)
