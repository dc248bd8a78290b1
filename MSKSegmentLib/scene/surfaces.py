"""Closed surfaces of single segments for the 3D views.

Slicer converts all segments of a node as soon as a view asks for one surface, which takes ten seconds for a large scan.
Therefore a node beside the segmentation holds the surfaces; each is added when it is asked for. They are made for the eye
(`smooth_surface`), while all numbers come from the voxels. Where the segmentation itself has surfaces already, as after
"Show 3D", Slicer keeps them up to date and those serve.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..ct.bounds import Bounds, bounds_of_points, corners_of
from ..ct.boxes import box_of_labels
from ..results.segmentation_file import REPRESENTATION
from .geometry import array_of_image, set_scalars
from .navigation import to_world
from .smooth_surface import smooth_surface
from .structures import table_of_node

if TYPE_CHECKING:
    import slicer

CLOSED_SURFACE = "Closed surface"
_REFERENCE_ROLE = "MSKSegment.Surfaces"
# In three dimensions bones look like bones; the colours of the table are made for outlines on bright bone.
BONE_3D_COLOR = (0.89, 0.84, 0.72)
_TIME_TAG = "MSKSegment.Time"
_CHECKSUM_TAG = "MSKSegment.Checksum"


def show_only_3d(node: slicer.vtkMRMLSegmentationNode, keys: Iterable[str] | None) -> None:
    """Show the surfaces of these segments in the 3D views and no others of this node; None shows all.

    Missing surfaces are made (`ensure_closed_surface`). Slice views stay as they are.
    """
    wanted = set(node.GetSegmentation().GetSegmentIDs() if keys is None else keys)
    ensure_closed_surface(node, wanted)
    beside = surface_node(node)
    _set_visible_3d(node, wanted)
    if beside is not None:
        _set_visible_3d(beside, set() if has_own_surfaces(node) else wanted)


def has_own_surfaces(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Whether the segmentation itself holds closed surfaces, as after "Show 3D" in Slicer."""
    return bool(node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE))


def ensure_closed_surface(node: slicer.vtkMRMLSegmentationNode, keys: Iterable[str]) -> None:
    """Make the surfaces of these segments where they are missing or older than the segment; unknown keys are passed over.

    About 0.3 s for one muscle of a 512 x 512 x 400 scan; a surface that is still right costs a few milliseconds.
    """
    if has_own_surfaces(node):
        return
    for key in keys:
        segment = node.GetSegmentation().GetSegment(key)
        if segment is not None:
            _update_surface(node, key, segment)


def surface_node(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLSegmentationNode | None:
    """The node that holds the surfaces of a segmentation; None before the first one was made."""
    return node.GetNodeReference(_REFERENCE_ROLE)


def bounds_ras(node: slicer.vtkMRMLSegmentationNode, keys: Iterable[str]) -> Bounds | None:
    """Box ``(r0, r1, a0, a1, s0, s1)`` in mm of the world around these segments' surfaces; None when there is no surface."""
    corners = []
    for key in keys:
        for source in (surface_node(node), node):
            segment = source.GetSegmentation().GetSegment(key) if source is not None else None
            surface = segment.GetRepresentation(CLOSED_SURFACE) if segment is not None else None
            if surface is not None and surface.GetNumberOfPoints():
                corners += [[*corner, 1.0] for corner in corners_of(surface.GetBounds())]
    if not corners:
        return None
    return bounds_of_points((np.array(corners) @ to_world(node).T)[:, :3])


def _set_visible_3d(node: slicer.vtkMRMLSegmentationNode, keys: set[str]) -> None:
    display = node.GetDisplayNode()
    modified = display.StartModify()
    for key in node.GetSegmentation().GetSegmentIDs():
        display.SetSegmentVisibility3D(key, key in keys)
    display.EndModify(modified)


def _update_surface(node: slicer.vtkMRMLSegmentationNode, key: str, segment: slicer.vtkSegment) -> None:
    """Make one surface unless the one at hand was made from the same voxels."""
    target = surface_node(node) or _new_surface_node(node)
    target.SetAndObserveTransformNodeID(node.GetTransformNodeID())
    image = segment.GetRepresentation(REPRESENTATION)
    # The image is shared by many segments: its time tells that something changed, the checksum whether it was this one.
    time = str(image.GetMTime())
    existing = target.GetSegmentation().GetSegment(key)
    if existing is not None and _tag(existing, _TIME_TAG) == time:
        return
    labelmap = _own_labelmap(image, segment.GetLabelValue())
    checksum = _checksum(labelmap)
    if existing is None or _tag(existing, _CHECKSUM_TAG) != checksum:
        if existing is not None:
            target.GetSegmentation().RemoveSegment(key)
        existing = _surface_segment(segment, labelmap, _is_bone(node, key))
        target.GetSegmentation().AddSegment(existing, key)
    existing.SetTag(_TIME_TAG, time)
    existing.SetTag(_CHECKSUM_TAG, checksum)


def _is_bone(node: slicer.vtkMRMLSegmentationNode, key: str) -> bool:
    return any(segment.structure.is_bone for segment in table_of_node(node).segments if segment.key == key)


def _own_labelmap(image: slicer.vtkOrientedImageData, value: int) -> slicer.vtkOrientedImageData:
    """The voxels of one segment alone (0 and 1), cropped to them."""
    import slicer

    alone = slicer.vtkOrientedImageData()
    alone.CopyDirections(image)
    alone.SetOrigin(image.GetOrigin())
    alone.SetSpacing(image.GetSpacing())
    voxels = None if image.IsEmpty() else array_of_image(image)
    box = None if voxels is None else box_of_labels(voxels, [value])
    if voxels is None or box is None:
        return alone
    start = [first + shift for first, shift in zip(image.GetExtent()[0::2], box.start_xyz, strict=True)]
    (x, y, z), (nx, ny, nz) = start, box.size_xyz
    mask = (voxels[box.slices] == value).astype(np.uint8)
    set_scalars(alone, mask, (x, x + nx - 1, y, y + ny - 1, z, z + nz - 1))
    return alone


def _checksum(labelmap: slicer.vtkOrientedImageData) -> str:
    place = zlib.crc32(repr(labelmap.GetExtent()).encode())
    return "empty" if labelmap.IsEmpty() else str(zlib.crc32(array_of_image(labelmap).tobytes(), place))


def _surface_segment(segment: slicer.vtkSegment, labelmap: slicer.vtkOrientedImageData, is_bone: bool) -> slicer.vtkSegment:
    """A segment that has only the closed surface."""
    import slicer
    import vtk

    surface = slicer.vtkSegment()
    surface.SetName(segment.GetName())
    surface.SetNameAutoGenerated(False)
    surface.SetColor(*(BONE_3D_COLOR if is_bone else segment.GetColor()))
    surface.SetColorAutoGenerated(False)
    surface.AddRepresentation(CLOSED_SURFACE, vtk.vtkPolyData() if labelmap.IsEmpty() else smooth_surface(labelmap, is_bone))
    return surface


def _new_surface_node(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLSegmentationNode:
    surfaces = node.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", f"{node.GetName()} surfaces")
    surfaces.SetHideFromEditors(True)
    surfaces.GetSegmentation().SetSourceRepresentationName(CLOSED_SURFACE)
    surfaces.CreateDefaultDisplayNodes()
    display = surfaces.GetDisplayNode()
    display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
    display.SetVisibility2D(False)
    for temporary in (surfaces, display):
        temporary.SetSaveWithScene(False)
    node.SetNodeReferenceID(_REFERENCE_ROLE, surfaces.GetID())
    return surfaces


def _tag(segment: slicer.vtkSegment, name: str) -> str | None:
    import vtk

    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else None
