"""What tests of image files share: the same scan in the patient, a label map, and the tables of files."""

from __future__ import annotations

import numpy as np
import pytest
from image_inputs import META_INPUTS, NIFTI_INPUTS, NRRD_INPUTS

from MSKSegmentLib.ct import CTVolume, to_working_grid

TABLES = {"nifti": NIFTI_INPUTS, "nrrd": NRRD_INPUTS, "meta": META_INPUTS}


def assert_same_in_the_patient(found: CTVolume, wanted: CTVolume, tolerance: int = 0, places: bool = True) -> None:
    """Each voxel has the same HU at the same place in the patient, whatever the order of axes in memory."""
    a, b = to_working_grid(found).volume, to_working_grid(wanted).volume
    assert np.abs(a.hu.astype(int) - b.hu).max() <= tolerance
    assert a.geometry.spacing == pytest.approx(b.geometry.spacing, rel=1e-4)
    if places:
        corners = np.array([[0, 0, 0], *np.diag(np.array(b.geometry.size) - 1)])
        # A quarter of a voxel is what angles may be evened out by.
        nearest = 0.25 * min(b.geometry.spacing)
        assert np.linalg.norm(a.geometry.to_physical(corners) - b.geometry.to_physical(corners), axis=1).max() <= nearest


def label_array() -> np.ndarray:
    labels = np.zeros((20, 64, 96), np.int16)
    labels[3:12, 20:40, 10:40] = 2
    labels[3:12, 20:40, 60:80] = 102
    labels[12:, 30:50, 10:30] = 22
    return labels
