"""Right and left on two real bodies, whole, in parts and fused, at 4 mm."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from segmentation_phantom import ATLAS, classes_of, fused

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.segmentation import split_sides

STEP = 4
SACRUM = HIP_AND_THIGH.structure("SACRUM").index
PELVIS = HIP_AND_THIGH.structure("PELVIS").index
AD = HIP_AND_THIGH.structure("AD").index

pytestmark = pytest.mark.skipif(not ATLAS.is_dir(), reason="the shared anatomy is not beside the repository")


@cache
def body(name: str) -> np.ndarray:
    import SimpleITK as sitk

    image = sitk.DICOMOrient(sitk.ReadImage(str(ATLAS / f"{name}_labels.nrrd")), "LPS")
    labels = sitk.GetArrayFromImage(image)[::STEP, ::STEP, ::STEP]
    return np.where(labels >= 200, 0, labels).astype(np.uint8)


def part(labels: np.ndarray, what: str) -> np.ndarray:
    hip = int(np.flatnonzero((labels == PELVIS).any(axis=(1, 2)))[0])
    middle = int(np.nonzero(labels == SACRUM)[2].mean())
    return {
        "whole": lambda: labels,
        "pelvis": lambda: labels[hip:],
        "thighs": lambda: labels[:hip],
        "right": lambda: labels[:, :, :middle],
        "left": lambda: labels[:, :, middle:],
        "right thigh": lambda: labels[:hip] * (labels[:hip] < 100),
        "left thigh": lambda: labels[:hip] * (labels[:hip] > 100),
        "right and 60 mm": lambda: labels[:, :, : middle + 60 // STEP],
        "left and 60 mm": lambda: labels[:, :, middle - 60 // STEP :],
        "fused symphysis": lambda: fused(labels, PELVIS, 2),
        "fused adductors": lambda: fused(labels, AD, 5),
    }[what]()


@pytest.mark.parametrize("name", ["vhf", "vhm"])
@pytest.mark.parametrize(
    "what",
    [
        "whole", "pelvis", "thighs", "right", "left", "right thigh", "left thigh", "right and 60 mm", "left and 60 mm",
        "fused symphysis", "fused adductors",
    ],
)  # fmt: skip
def test_sides_of_a_body(name, what):
    labels = np.ascontiguousarray(part(body(name), what))
    classes = classes_of(labels)
    result = split_sides(classes, Geometry((labels.shape[2], labels.shape[1], labels.shape[0]), (float(STEP),) * 3), HIP_AND_THIGH)
    assert np.array_equal(classes_of(result.labels), classes)
    assert result.findings == ()
    inside = labels > 0
    assert np.mean(result.labels[inside] == labels[inside]) >= 0.995
