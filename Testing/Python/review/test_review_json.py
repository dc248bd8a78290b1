"""The review session through JSON and back, with the labels as they are or changed by others."""

import json
from dataclasses import replace

import numpy as np
import pytest
from review_cases import LABEL, Clock, assert_consistent, grown, mask_of, protected_case

from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.review import ReviewSession, SegmentMask
from MSKSegmentLib.review.stored_session import session_from_json


@pytest.fixture(scope="module")
def case():
    return protected_case()


@pytest.fixture
def clock():
    return Clock()


def edited(case, clock):
    session = ReviewSession(*case, author="Dr. Sato", clock=clock)
    session.edit({"GMED_left": mask_of(grown(case[0].labels, "GMED_left", 3))})
    session.edit({"SART_left": SegmentMask.empty()})
    session.accept("TFL_right")
    session.set_height(1.71)
    return session


def test_through_json_and_back(case, clock):
    session = edited(case, clock)
    data = json.loads(json.dumps(session.to_json()))
    assert "not a medical device" in data["notice"].lower()
    again = session_from_json(
        data, session.result.labels, case[0].uncertainty, case[1], session.automatic.labels, "Dr. Ito", clock=clock
    )
    assert again.result.reports == session.result.reports and again.history == session.history
    assert again.automatic.reports == session.automatic.reports and again.height_m == 1.71
    assert json.loads(json.dumps(again.to_json())) == data
    again.revert("SART_left")
    again.accept("GMED_left")
    assert again.history[-1].who == "Dr. Ito"
    again.revert("GMED_left")
    # The sessions share the arrays they were given, and neither writes to them.
    assert session.mask("SART_left") is None and session.report("GMED_left").state is ReviewState.EDITED
    assert_consistent(session)


def test_without_the_automatic_labels_a_correction_stays_but_cannot_be_reverted(case, clock):
    session = edited(case, clock)
    again = session_from_json(session.to_json(), session.result.labels, None, case[1])
    assert again.result.reports == session.result.reports
    with pytest.raises(InputError, match="Sartorius, left was not stored"):
        again.revert("SART_left")
    again.edit({"SART_left": mask_of(case[0].labels == LABEL["SART_left"])})
    report = again.report("SART_left")
    assert report.state is ReviewState.EDITED and report.dice_to_automatic is None and report.measurements


def test_voxels_that_another_program_changed_are_measured_when_it_opens(case, clock):
    session = edited(case, clock)
    labels = session.result.labels.copy()
    labels[labels == LABEL["GMIN_right"]] = 0
    labels[80:84, 3:9, 3:9] = LABEL["GMAX_left"]
    again = session_from_json(session.to_json(), labels, None, case[1], session.automatic.labels, clock=clock)
    assert again.report("GMIN_right").state is again.report("GMAX_left").state is ReviewState.EDITED
    accepted = replace(again.report("TFL_right"), state=ReviewState.AUTOMATIC)
    assert accepted == again.automatic_report("TFL_right")
    again.reopen("TFL_right")
    assert_consistent(again)


def test_another_ct_on_the_same_grid_is_refused(case, clock):
    session = edited(case, clock)
    other = CTVolume(np.roll(case[1].hu, 1, axis=2), case[1].geometry)
    with pytest.raises(InputError, match="not the one"):
        session_from_json(session.to_json(), session.result.labels, None, other, session.automatic.labels)


@pytest.mark.parametrize("damage", [{"segments": []}, {"format": "other"}, {"history": [{"when": 3}]}, {"provenance": None}])
def test_damaged_json_is_refused_in_words(case, damage):
    data = ReviewSession(*case).to_json() | damage
    with pytest.raises(InputError, match="cannot be read"):
        session_from_json(data, case[0].labels, None, case[1])
