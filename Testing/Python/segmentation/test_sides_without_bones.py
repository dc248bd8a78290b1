"""Right and left where no bone tells them: pairs of muscles decide, the plane between them follows the patient, doubt is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import rotate
from segmentation_phantom import INDEX, SPACING, classes_of, grid_of, truth, without

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.quality.guards import scan_cautions, segment_cautions
from MSKSegmentLib.segmentation import split_sides

BONES = ("PELVIS", "FEMUR", "SACRUM")


def askew(labels: np.ndarray, degrees: float) -> np.ndarray:
    """A patient who lies askew on the table: turned about the axis from front to back."""
    return rotate(np.pad(labels, ((0, 0), (0, 0), (20, 20))), degrees, axes=(0, 2), order=0, reshape=True)


@pytest.mark.parametrize("degrees", [-14, 14])
def test_pieces_of_muscles_of_a_patient_askew_without_bones(degrees):
    """Muscles in pieces have no pair to go by: only the plane between the sides tells where the lower ones belong."""
    labels = without(truth()[0], *BONES)
    labels[60:64] = labels[25:29] = 0
    turned = askew(labels, degrees)
    result = split_sides(classes_of(turned), grid_of(turned), HIP_AND_THIGH)
    assert np.count_nonzero(result.labels != turned) < 0.001 * np.count_nonzero(turned)


def test_muscles_found_on_one_side_alone_do_not_push_the_midline():
    """Beside the gracilis, broken near the midline, the right adductors and vasti were missed."""
    labels = without(truth()[0], *BONES)
    labels[np.isin(labels, [INDEX[name] for name in ("AD", "SM", "VM", "SART", "PSOAS", "PE")])] = 0
    gracilis = labels == INDEX["GRAC"]
    labels[gracilis] = 0
    upper = np.zeros_like(gracilis)
    upper[78:] = gracilis[78:]
    moved = np.roll(upper, round(24 / SPACING), axis=2)
    labels[moved & (labels == 0)] = INDEX["GRAC"]
    result = split_sides(classes_of(labels), grid_of(labels), HIP_AND_THIGH)
    assert np.array_equal(result.labels, labels)


def test_a_piece_at_the_midline_is_said_where_no_bone_tells_the_sides():
    labels = without(truth()[0], *BONES)
    whole = split_sides(classes_of(labels), grid_of(labels), HIP_AND_THIGH)
    assert all(finding.where is None for finding in whole.findings)
    gracilis = labels == INDEX["GRAC"] + 100
    labels[gracilis] = 0
    middle = np.zeros_like(gracilis)
    middle[78:] = gracilis[78:]
    labels[np.roll(middle, -round(26 / SPACING), axis=2) & (labels == 0)] = INDEX["GRAC"] + 100
    result = split_sides(classes_of(labels), grid_of(labels), HIP_AND_THIGH)
    unsure = {finding.where for finding in result.findings if finding.code == "side_unsure"}
    assert "GRAC_right" in unsure and unsure <= {"GRAC_right", "GRAC_left"}
    assert set(segment_cautions(result.findings)) == unsure and scan_cautions(result.findings)
    with_bones = truth()[0].copy()
    with_bones[labels == 0] = np.where(np.isin(classes_of(with_bones), [INDEX[name] for name in BONES]), with_bones, 0)[labels == 0]
    with_bones[labels > 0] = labels[labels > 0]
    assert not split_sides(classes_of(with_bones), grid_of(with_bones), HIP_AND_THIGH).findings
