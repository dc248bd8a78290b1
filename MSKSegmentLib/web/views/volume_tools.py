"""Tools that work through whole volumes, run on a small copy: a segment with its surroundings in a scene of its own.

Finding the islands of one muscle takes trame-slicer half a minute on a scan of 512 x 512 x 400 voxels, and a fraction of a
second on the box around that muscle.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ct.boxes import Box
from ...ct.volume import CTVolume, Geometry
from ...scene.geometry import add_scalar_volume, array_of_image, oriented_image

if TYPE_CHECKING:
    import vtk

_SEGMENT = "segment"


class CroppedEditor:
    """One segment to work on. `run` gives it to a tool and returns what the tool made of it."""

    def __init__(self) -> None:
        import slicer
        from trame_slicer.core.segmentation_editor import SegmentationEditor

        self._scene = slicer.vtkMRMLScene()
        logic = slicer.vtkSlicerSegmentationsModuleLogic()
        logic.SetMRMLScene(self._scene)
        # There are no views in this scene that a view manager could ask for.
        self._editor = SegmentationEditor(self._scene, logic, None)

    def run(self, mask: np.ndarray, volume: CTVolume, box: Box, work: Callable[[Any], None]) -> np.ndarray:
        """Let `work` change a segment through the editor it is given.

        `mask` is bool ``[z, y, x]`` of `box`, a part of `volume`'s grid. Returns the new mask of the same box.
        """
        geometry = volume.geometry.cropped(box.start_xyz, box.size_xyz)
        ct = add_scalar_volume(self._scene, volume.hu[box.slices], geometry, "CT")
        node = self._segmentation(mask, geometry)
        try:
            self._editor.set_active_segmentation(node, ct)
            self._editor.set_active_segment_id(_SEGMENT)
            work(self._editor)
            result = _content(self._editor, mask.shape)
        finally:
            self._editor.deactivate_effect()
            self._scene.RemoveNode(node)
            self._scene.RemoveNode(ct)
        return result

    def _segmentation(self, mask: np.ndarray, geometry: Geometry) -> Any:
        import slicer

        node = self._scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        node.CreateDefaultDisplayNodes()
        segment = slicer.vtkSegment()
        name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
        segment.AddRepresentation(name, oriented_image(mask.astype(np.uint8), geometry))
        node.GetSegmentation().SetSourceRepresentationName(name)
        node.GetSegmentation().AddSegment(segment, _SEGMENT)
        return node


def keep_largest(editor: Any) -> None:
    """Remove all but the largest piece."""
    _islands(editor).keep_largest_island()


def remove_small(voxels: int) -> Callable[[Any], None]:
    """Remove pieces of fewer voxels."""
    return lambda editor: _islands(editor).remove_small_islands(voxels)


def smooth(mode: str, size_mm: float) -> Callable[[Any], None]:
    """Smooth by "median", "opening", "closing" (kernel of `size_mm`) or "gaussian" (standard deviation of half of it)."""

    def work(editor: Any) -> None:
        from trame_slicer.segmentation import SegmentationEffectSmoothing

        effect = editor.set_active_effect_type(SegmentationEffectSmoothing)
        apply = {
            "median": effect.apply_median_smoothing,
            "opening": effect.apply_opening,
            "closing": effect.apply_closing,
            "gaussian": effect.apply_gaussian_smoothing,
        }[mode]
        apply(size_mm / 2 if mode == "gaussian" else size_mm, _SEGMENT)

    return work


def threshold(low_hu: float, high_hu: float) -> Callable[[Any], None]:
    """Keep the part of the segment within a range of HU, ends included."""

    def work(editor: Any) -> None:
        from trame_slicer.segmentation import ModificationMode, SegmentationEffectThreshold

        inside = editor.get_segment_labelmap(_SEGMENT, as_numpy_array=True) > 0
        effect = editor.set_active_effect_type(SegmentationEffectThreshold)
        effect.set_mode(ModificationMode.Set)
        effect.set_threshold_min_max_values((low_hu, high_hu))
        effect.apply()
        within = editor.get_segment_labelmap(_SEGMENT, as_numpy_array=True) > 0
        editor.active_segment_modifier.set_segment_labelmap(_SEGMENT, (within & inside).astype(np.uint8))

    return work


def scissors_cut(points: vtk.vtkPoints, view: Any, mode: str, slice_only: bool) -> Callable[[Any], None]:
    """Cut along a line that was drawn in a view: "erase_inside", "erase_outside" or "fill_inside".

    With `slice_only` the cut stays in the view's slice; erasing outside always goes through all of them.
    """

    def work(editor: Any) -> None:
        from trame_slicer.segmentation import (
            ScissorsEffectFillMode,
            ScissorsEffectRangeMode,
            SegmentationEffectScissors,
        )

        effect = editor.set_active_effect_type(SegmentationEffectScissors)
        effect.set_fill_mode(ScissorsEffectFillMode[mode.upper()])
        # Outside of a single slice would be all other slices as well. A distance of 0 is a single slice.
        shallow = slice_only and mode != "erase_outside"
        effect.set_range_mode(ScissorsEffectRangeMode.SYMMETRIC if shallow else ScissorsEffectRangeMode.UNLIMITED)
        effect.set_symmetric_distance(0.0)
        effect.apply_points_display_coordinates(points, view)

    return work


def _islands(editor: Any) -> Any:
    from trame_slicer.segmentation import SegmentationEffectIslands

    return editor.set_active_effect_type(SegmentationEffectIslands)


def _content(editor: Any, shape: tuple[int, ...]) -> np.ndarray:
    labelmap = editor.get_segment_labelmap(_SEGMENT)
    result = array_of_image(labelmap) > 0
    if result.shape != shape:
        raise AssertionError(f"the tool left {result.shape} voxels of {shape}")
    return result
