"""The phantom with a CT, and what tests of given label maps ask of a result."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ROOT
from segmentation_phantom import phantom

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.ct.volume import CTVolume

SHARED_CT = ROOT.parent / "shared" / "ct" / "pelvis_3mm.nii.gz"
LABEL = {segment.key: segment.label for segment in HIP_AND_THIGH.segments}


BONES = (1, 2, 3, 101, 102)


def body() -> tuple[np.ndarray, CTVolume]:
    """The phantom with a CT: bones with a dense shell, muscle, fat around it in an ellipse, air."""
    from scipy.ndimage import binary_erosion

    labels, grid = phantom()
    z, y, x = np.indices(labels.shape)
    around = ((y - 28) / 28.0) ** 2 + ((x - 42) / 42.0) ** 2 <= 1
    hu = np.where(around, -95, -1000)
    hu[labels > 0] = 50
    bone = np.isin(labels, BONES)
    hu[bone] = np.where(binary_erosion(bone), 180, 700)[bone]
    noise = np.random.default_rng(3).normal(0, 12, hu.shape)
    return labels, CTVolume(np.rint(hu + noise * around).astype(np.int16), grid)


def by_key(result):
    return {report.segment.key: report for report in result.reports}


def told(result, code):
    return [finding.sentence for finding in result.findings if finding.code == code]


def box_of(geometry, start_zyx, stop_zyx):
    """The part of a grid between two corners, and the slices of its array."""
    start, size = start_zyx[::-1], [b - a for a, b in zip(start_zyx[::-1], stop_zyx[::-1], strict=True)]
    return geometry.cropped(tuple(start), tuple(size)), tuple(slice(a, b) for a, b in zip(start_zyx, stop_zyx, strict=True))


def tight(labels, geometry):
    where = np.argwhere(labels)
    return box_of(geometry, [int(v) for v in where.min(axis=0)], [int(v) + 1 for v in where.max(axis=0)])


@pytest.fixture(scope="module")
def case():
    return body()
