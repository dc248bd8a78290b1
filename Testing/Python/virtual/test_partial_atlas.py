"""A body of which a few structures are labelled becomes a body that can be scanned, and its cases say what was labelled."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from virtual_cases import made_up_atlas

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.cases import find_labelled_cases, read_labelled_case
from MSKSegmentLib.virtual.atlas import OTHER_MUSCLE, Atlas
from MSKSegmentLib.virtual.partial_atlas import complete_atlas, labelled_structures

KNOWN = (1, 2, 3, 4, 101)


@pytest.fixture(scope="module")
def donor():
    return made_up_atlas()


@pytest.fixture(scope="module")
def partial(donor):
    """The donor 15 % larger and elsewhere, labelled on the right and in few structures only."""
    labels = np.where(np.isin(donor.labels, KNOWN), donor.labels, 0)
    return Atlas("partial", np.pad(labels, ((4, 2), (3, 5), (6, 2))), (4.6, 4.6, 4.6))


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def test_what_is_labelled_is_said(partial, donor):
    assert labelled_structures(partial) == ("PELVIS", "FEMUR", "SACRUM", "GMAX")
    assert len(labelled_structures(donor)) == 8


def test_missing_muscles_come_from_the_donor_where_they_belong(partial, donor):
    whole = complete_atlas(partial, donor)
    inside = whole.labels[4:-2, 3:-5, 6:][:, :, :100]
    right = np.arange(100) < 50
    for value in KNOWN:
        assert dice(inside == value, (donor.labels == value)) > (0.85 if value > 100 else 0.99), value
    unknown = np.isin(donor.labels, (12, 13, 17, 21)) & right
    assert dice((inside == OTHER_MUSCLE) & right, unknown) > 0.9


def test_the_right_side_stands_on_both_sides(partial, donor):
    labels = complete_atlas(partial, donor).labels
    volumes = np.bincount(labels.ravel(), minlength=256)
    for value in (1, 2, 4):
        assert volumes[value + 100] == pytest.approx(volumes[value], rel=0.05) and volumes[value] > 0
    assert volumes[OTHER_MUSCLE + 10] == pytest.approx(volumes[OTHER_MUSCLE], rel=0.05)
    assert volumes[3] == np.count_nonzero(partial.labels == 3)


def test_a_left_side_that_lies_askew_is_replaced_whole(partial, donor):
    """Labels of the left that the mirrored right does not cover are not left over."""
    labels = partial.labels.copy()
    labels[2, 2, -2] = 101
    whole = complete_atlas(replace(partial, labels=labels), donor).labels
    assert whole[2, 2, labels.shape[2] - 2] == 0


def test_bodies_without_landmarks_are_refused(partial, donor):
    headless = replace(partial, labels=np.where(partial.labels == 2, 0, partial.labels))
    with pytest.raises(InputError, match="'partial' lacks the labels 2;"):
        complete_atlas(headless, donor)


def test_command_writes_what_was_labelled(partial, donor, tmp_path):
    for body, folder in ((partial, "partial"), (donor, "donor")):
        (tmp_path / folder).mkdir()
        image = sitk.GetImageFromArray(body.labels)
        image.SetSpacing(body.spacing[::-1])
        sitk.WriteImage(image, str(tmp_path / folder / f"{body.name}_labels.nrrd"))
    arguments = ["virtual", "-n", "1", "--seed", "3", "--spacing", "8", "6", "6", "-o", str(tmp_path / "cases")]
    assert main([*arguments, "--atlas", str(tmp_path / "partial"), "--donor", str(tmp_path / "donor")]) == 0
    (files,) = find_labelled_cases(tmp_path / "cases")
    assert json.loads(files.labelled.read_text()) == {"structures": ["PELVIS", "FEMUR", "SACRUM", "GMAX"]}
    case = read_labelled_case(files, HIP_AND_THIGH)
    assert set(np.unique(case.truth)) == {0, 1, 2, 3, 4, 101, 102, 104}
    # There is muscle that nobody labelled: more soft tissue than gluteus maximus.
    muscle = (case.volume.hu > 10) & (case.volume.hu < 90)
    assert np.count_nonzero(muscle & (case.truth == 0)) > np.count_nonzero(np.isin(case.truth, (4, 104)))
