"""The window of the CT: a bone is looked at in that for bone, everything else in the one that the user chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ct.cropping import coarse_stride, subsampled
from ..ct.modality import CT_MODALITY
from ..ct.volume import CTVolume

if TYPE_CHECKING:
    import slicer

# Window and level in HU.
SOFT_TISSUE = (400.0, 40.0)
BONE = (1800.0, 400.0)

# Of MR so many per cent of the voxels are darker and brighter than the window, as its values have no unit.
_BEYOND_WINDOW = 0.5

_BEFORE_ATTRIBUTE = "MSKSegment.WindowBefore"


def usual_window(volume: CTVolume) -> tuple[float, float]:
    """Window and level in which a scan is shown at first: soft tissue of a CT, all but the darkest and brightest voxels of MR."""
    if volume.modality == CT_MODALITY:
        return SOFT_TISSUE
    values = subsampled(volume.intensities, coarse_stride(volume.geometry))
    low, high = np.percentile(values, (_BEYOND_WINDOW, 100 - _BEYOND_WINDOW))
    return float(max(high - low, 1)), float(low + high) / 2


def set_bone_window(ct_node: slicer.vtkMRMLScalarVolumeNode, on: bool) -> None:
    """Show a CT in the window for bone, or give back the window that it had before.

    What the user changes meanwhile stays: neither call touches it.
    """
    display = ct_node.GetDisplayNode()
    before = display.GetAttribute(_BEFORE_ATTRIBUTE)
    if on == (before is not None):
        return
    modified = display.StartModify()
    if before is None:
        display.SetAttribute(_BEFORE_ATTRIBUTE, f"{display.GetAutoWindowLevel()} {display.GetWindow()!r} {display.GetLevel()!r}")
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(*BONE)
    else:
        display.RemoveAttribute(_BEFORE_ATTRIBUTE)
        if (display.GetWindow(), display.GetLevel()) == BONE:
            automatic, window, level = before.split()
            display.SetWindowLevel(float(window), float(level))
            display.SetAutoWindowLevel(bool(int(automatic)))
    display.EndModify(modified)
