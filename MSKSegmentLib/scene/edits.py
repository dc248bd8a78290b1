"""Between the segmentation node that a user paints on and the session that measures: edits go both ways."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..ct.boxes import Box, union_box
from ..ct.volume import Geometry
from ..errors import InputError
from ..results.segmentation_file import REPRESENTATION
from ..review import LabelEdit, ReviewSession
from ..review.masks import SegmentMask
from .geometry import oriented_image
from .label_map import segment_labels
from .segmentation import grid_of_node, new_segment
from .structures import table_of_node

if TYPE_CHECKING:
    import slicer


def take_edit(node: slicer.vtkMRMLSegmentationNode, session: ReviewSession, box: Box | None = None) -> LabelEdit | None:
    """Have a session measure what was changed in the node; returns the difference, None when nothing was changed.

    A segment that was painted over by another one, erased or deleted counts as well. Segments of other origin than this
    project's count as background. Overlaps are resolved as `segment_labels` does. `box` is the part of the CT to look at.

    Raises:
        InputError: the node holds surfaces only.
    """
    part = box or Box.whole(session.geometry.size)
    return session.edit_labels(part, segment_labels(node, session.geometry.cropped(part.start_xyz, part.size_xyz)))


def put_edit(node: slicer.vtkMRMLSegmentationNode, session: ReviewSession, edit: LabelEdit) -> None:
    """Give the segments that an edit changed the voxels that the session holds now, see `put_mask`."""
    for key in edit.keys:
        put_mask(node, key, session.mask(key) or SegmentMask.empty())


def put_labels(node: slicer.vtkMRMLSegmentationNode, session: ReviewSession, box: Box, labels: np.ndarray) -> LabelEdit | None:
    """Give the voxels of a box these labels, in session and node, see `ReviewSession.edit_labels`."""
    edit = session.edit_labels(box, labels)
    if edit is not None:
        put_edit(node, session, edit)
    return edit


def draw_anew(
    node: slicer.vtkMRMLSegmentationNode, session: ReviewSession, key: str, mask: SegmentMask, draw: Callable[[], object]
) -> LabelEdit | None:
    """Have a session give a segment the voxels of `mask` by `draw`, and the node, too; returns what `put_labels` takes back.

    None where the segment neither had nor gets a voxel.
    """
    before = session.mask(key)
    box = union_box([mask.box, before.box if before else None])
    labels = None if box is None else session.result.labels[box.slices].copy()
    draw()
    if box is None or labels is None:
        return None
    put_mask(node, key, mask)
    return LabelEdit(box, labels, session.result.labels[box.slices].copy(), session.table)


def take_from(
    node: slicer.vtkMRMLSegmentationNode, session: ReviewSession, key: str, mask: SegmentMask, source: str
) -> LabelEdit | None:
    """Give a segment the voxels that another result, `source`, gives it: a correction that says where it comes from."""
    return draw_anew(node, session, key, mask, lambda: session.edit({key: mask}, source))


def take_back(node: slicer.vtkMRMLSegmentationNode, session: ReviewSession, edit: LabelEdit) -> LabelEdit | None:
    """Undo an edit, except where voxels have been changed again since; returns what was changed, None for nothing."""
    now = session.result.labels[edit.box.slices]
    undone = (edit.before != edit.after) & (now == edit.after)
    return put_labels(node, session, edit.box, np.where(undone, edit.before, now).astype(np.uint8))


def put_mask(node: slicer.vtkMRMLSegmentationNode, key: str, mask: SegmentMask) -> None:
    """Give a segment of the node these voxels and no others; other segments lose the voxels that it takes.

    The mask's box counts in voxels of the CT that the node was made from. The segment is added if the node lacks it;
    an empty mask leaves it empty. A closed surface that the node holds is made anew.

    Raises:
        InputError: the node was not made by this project.
        KeyError: there is no such segment in the node's table of structures.
    """
    grid = grid_of_node(node)
    ensure_segment(node, key)
    if not (_paint(node, key, mask, grid) if mask.mask.any() else _erase(node, key)):
        raise InputError(f"The segment {key} could not be changed; reload the segmentation.")


def _paint(node: slicer.vtkMRMLSegmentationNode, key: str, mask: SegmentMask, grid: Geometry) -> bool:
    import slicer

    (x, y, z), (nx, ny, nz) = mask.box.start_xyz, mask.box.size_xyz
    voxels, extent = mask.mask.astype(np.uint8), (x, x + nx - 1, y, y + ny - 1, z, z + nz - 1)
    logic, segmentation = slicer.vtkSlicerSegmentationsModuleLogic, node.GetSegmentation()
    others = [other for other in segmentation.GetSegmentIDs() if other != key]
    painted = oriented_image(voxels, grid, extent)
    if not logic.SetBinaryLabelmapToSegment(painted, node, key, logic.MODE_REPLACE, None, False, others):
        return False
    # In its own layer the segment has painted over the others.
    layer = segmentation.GetLayerIndex(key, REPRESENTATION)
    kept = oriented_image(1 - voxels, grid, extent)
    for other in others:
        if segmentation.GetLayerIndex(other, REPRESENTATION) != layer:
            logic.SetBinaryLabelmapToSegment(kept, node, other, logic.MODE_MERGE_MIN, extent)
    return True


def _erase(node: slicer.vtkMRMLSegmentationNode, key: str) -> bool:
    """Take all voxels from a segment. Replacing it by nothing would do so, too, but tells nobody who observes the node."""
    import slicer

    layer = node.GetSegmentation().GetSegment(key).GetRepresentation(REPRESENTATION)
    if layer is None or layer.IsEmpty():
        return True
    nothing = slicer.vtkOrientedImageData()
    nothing.DeepCopy(layer)
    nothing.GetPointData().GetScalars().Fill(0)
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    return bool(logic.SetBinaryLabelmapToSegment(nothing, node, key, logic.MODE_MERGE_MIN))


def ensure_segment(node: slicer.vtkMRMLSegmentationNode, key: str) -> None:
    """Add an empty segment with its name, colour and code, for example to paint a structure that was not found.

    Raises:
        KeyError: there is no such segment in the node's table of structures.
    """
    segmentation = node.GetSegmentation()
    if segmentation.GetSegment(key) is not None:
        return
    table = table_of_node(node)
    segment = table.segment(key)
    created = new_segment(segment, table)
    layer = _layer_without(node, segment.label)
    if layer is not None:
        created.AddRepresentation(REPRESENTATION, layer)
    segmentation.AddSegment(created, key)


def _layer_without(node: slicer.vtkMRMLSegmentationNode, label: int) -> slicer.vtkOrientedImageData | None:
    """The first labelmap in which that label value is free; a segment that shares it needs no layer of its own."""
    segmentation = node.GetSegmentation()
    for number in range(segmentation.GetNumberOfLayers(REPRESENTATION)):
        keys = segmentation.GetSegmentIDsForLayer(number, REPRESENTATION)
        if label not in [segmentation.GetSegment(key).GetLabelValue() for key in keys]:
            return segmentation.GetLayerDataObject(number, REPRESENTATION)
    return None
