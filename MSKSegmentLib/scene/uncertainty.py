"""The CT and the voxel uncertainty as volume nodes with displays that show what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..case_result import CaseResult
from ..ct.volume import CTVolume
from ..results.segmentation_file import uncertainty_of
from .ct_window import usual_window
from .geometry import add_scalar_volume

if TYPE_CHECKING:
    import slicer

COLOR_NODE_NAME = "MSKSegment uncertainty"
_COLOR_COUNT = 256

# Black, purple, orange, yellow, each at the place of its lightness (CIE L*, as a share of the last one's). Lightness
# thus rises evenly: equal steps of uncertainty look equal, and a print in grey still reads from low to high.
_CONTROL_COLORS = {
    0.000: (0, 0, 4),
    0.039: (20, 5, 38),
    0.117: (44, 8, 76),
    0.260: (98, 16, 112),
    0.389: (156, 32, 98),
    0.520: (205, 64, 60),
    0.661: (236, 112, 28),
    0.819: (248, 172, 40),
    1.000: (252, 236, 120),
}

# Beyond the top of the window: a few single voxels are always far more uncertain than all others.
_BRIGHTEST_PERCENT = 0.5
# Below this share of the window voxels are drawn transparent: zero, and what would only darken the CT.
_TRANSPARENT_SHARE = 0.02
_MOST_VALUES = 2_000_000


def add_ct(scene: slicer.vtkMRMLScene, volume: CTVolume, name: str = "CT") -> slicer.vtkMRMLScalarVolumeNode:
    """Add a CT (int16, HU) to the scene, displayed in grey with window 400 HU and level 40 HU, or an MR scan in one of its own."""
    node = add_scalar_volume(scene, volume.hu, volume.geometry, name)
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(*usual_window(volume))
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    return node


def add_uncertainty(
    scene: slicer.vtkMRMLScene,
    result: CaseResult,
    name: str = "Uncertainty",
    reference_volume_node: slicer.vtkMRMLScalarVolumeNode | None = None,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add the voxel uncertainty (float32) to the scene, displayed in its own colours over `uncertainty_range`.

    Voxels below a fiftieth of the range's top are transparent. The node follows the transform of
    `reference_volume_node`, the CT it was made from.

    Raises:
        InputError: the result holds no uncertainty.
    """
    uncertainty = uncertainty_of(result)
    node = add_scalar_volume(scene, uncertainty, result.geometry, name)
    if reference_volume_node is not None:
        node.SetAndObserveTransformNodeID(reference_volume_node.GetTransformNodeID())
    set_uncertainty_window(node, *uncertainty_range(uncertainty))
    node.GetDisplayNode().SetAndObserveColorNodeID(uncertainty_color_node(scene).GetID())
    return node


def set_uncertainty_window(node: slicer.vtkMRMLScalarVolumeNode, low: float, high: float) -> None:
    """Spread the colours of an uncertainty node from `low` to `high`; what is far below `high` is transparent."""
    display = node.GetDisplayNode()
    modified = display.StartModify()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(low, high)
    display.SetAutoThreshold(False)
    display.SetThreshold(low + _TRANSPARENT_SHARE * (high - low), float(np.finfo(np.float32).max))
    display.SetApplyThreshold(True)
    display.EndModify(modified)


def uncertainty_range(uncertainty: np.ndarray, brightest_percent: float = _BRIGHTEST_PERCENT) -> tuple[float, float]:
    """Display range of a voxel uncertainty ``[z, y, x]``: from 0 to the value that so many percent of its positive values exceed.

    Two million values at most, evenly spread, are looked at. Without positive values the range is 0 to 1.
    """
    step = max(1, uncertainty.size // _MOST_VALUES)
    values = uncertainty.ravel()[::step]
    positive = values[np.isfinite(values) & (values > 0)]
    return (0.0, float(np.percentile(positive, 100 - brightest_percent))) if positive.size else (0.0, 1.0)


def uncertainty_colors() -> np.ndarray:
    """The colour table, ``[256, 3]`` in 0..1, from low to high uncertainty."""
    places = list(_CONTROL_COLORS)
    channels = np.array(list(_CONTROL_COLORS.values())).T / 255
    return np.stack([np.interp(np.linspace(0, 1, _COLOR_COUNT), places, channel) for channel in channels], axis=1)


def uncertainty_color_node(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLColorTableNode:
    """The scene's colour node for uncertainty; added if the scene has none yet."""
    existing = scene.GetFirstNode(COLOR_NODE_NAME, "vtkMRMLColorTableNode")
    if existing is not None:
        return existing
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", COLOR_NODE_NAME)
    node.SetTypeToUser()
    node.SetNumberOfColors(_COLOR_COUNT)
    for index, (red, green, blue) in enumerate(uncertainty_colors()):
        node.SetColor(index, f"level {index}", red, green, blue, 1.0)
    return node
