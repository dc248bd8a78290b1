"""A result's label map as a segmentation node with names, colours, codes and lights."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from ..anatomy import Segment, StructureTable
from ..anatomy.terminology import terminology_entry
from ..case_result import CaseResult, SegmentReport
from ..ct.boxes import Box, union_box
from ..ct.volume import Geometry
from ..errors import InputError
from ..output.files import whole_file
from ..results.segmentation_file import (
    ABSENT_ATTRIBUTE,
    REPRESENTATION,
    SCORE_TAGS,
    SMOOTHING_FACTOR,
    absent_note,
    segment_boxes,
    segment_tags,
    serialized_geometry,
)
from .geometry import Extent, geometry_of_serialized, oriented_image
from .structures import set_table

if TYPE_CHECKING:
    import slicer

# The grid of the CT that the segments were found in: users may change the node's own reference geometry.
GRID_ATTRIBUTE = "MSKSegment.Grid"

FILL_OPACITY_2D = 0.4
OUTLINE_OPACITY_2D = 1.0
# Pixels. One pixel is lost where bone is white and pixels are small.
OUTLINE_THICKNESS_2D = 2


def add_segmentation(
    scene: slicer.vtkMRMLScene,
    result: CaseResult,
    reference_volume_node: slicer.vtkMRMLScalarVolumeNode | None = None,
    name: str = "MSKSegment",
) -> slicer.vtkMRMLSegmentationNode:
    """Add the label map to the scene as a segmentation with names, colours, codes, lights and review status.

    Segment identifiers are `Segment.key` and all segments share one labelmap, whose values are those of the label map
    with sides. Segments without a voxel are left out; `absent_segments` tells which. The node follows the transform of
    `reference_volume_node`, the CT it was made from.
    """
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    modified = node.StartModify()
    _fill(node, result)
    if reference_volume_node is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(reference_volume_node)
        node.SetAndObserveTransformNodeID(reference_volume_node.GetTransformNodeID())
    node.EndModify(modified)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetOpacity2DFill(FILL_OPACITY_2D)
    display.SetOpacity2DOutline(OUTLINE_OPACITY_2D)
    display.SetSliceIntersectionThickness(OUTLINE_THICKNESS_2D)
    return node


def update_tags(node: slicer.vtkMRMLSegmentationNode, reports: tuple[SegmentReport, ...]) -> None:
    """Bring lights, reasons, states and scores of the node's segments up to date, for example after an edit.

    Reports of segments that the node does not hold are passed over.
    """
    segmentation = node.GetSegmentation()
    for report in reports:
        segment = segmentation.GetSegment(report.segment.key)
        if segment is not None:
            _set_tags(segment, report)


def absent_segments(node: slicer.vtkMRMLSegmentationNode) -> tuple[str, ...]:
    """Keys of the segments that the result behind the node did not find; empty for a node made elsewhere."""
    return tuple(entry["key"] for entry in json.loads(node.GetAttribute(ABSENT_ATTRIBUTE) or "[]"))


def grid_of_node(node: slicer.vtkMRMLSegmentationNode) -> Geometry:
    """The grid of the CT that the node was made from, in its own frame.

    Raises:
        InputError: the node was not made by this project.
    """
    text = node.GetAttribute(GRID_ATTRIBUTE)
    if text is None:
        raise InputError(f"{node.GetName()} was not made by MSKSegment; choose its segmentation.")
    return geometry_of_serialized(text)


def write_seg_nrrd(node: slicer.vtkMRMLSegmentationNode, path: str | os.PathLike[str], compressed: bool = True) -> None:
    """Write the node as it is now, edits included, to a ``.seg.nrrd``.

    Raises:
        InputError: the file cannot be written there.
    """
    import slicer

    with whole_file(path, ".seg.nrrd") as temporary:
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(temporary))
        storage.SetUseCompression(compressed)
        if not storage.WriteData(node):
            raise OSError("the storage node reported a failure")


def _fill(node: slicer.vtkMRMLSegmentationNode, result: CaseResult) -> None:
    import slicer

    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(REPRESENTATION)
    segmentation.SetConversionParameter("Reference image geometry", serialized_geometry(result.geometry))
    segmentation.SetConversionParameter("Smoothing factor", str(SMOOTHING_FACTOR))
    node.SetAttribute(GRID_ATTRIBUTE, serialized_geometry(result.geometry))
    set_table(node, result.table)
    boxes = segment_boxes(result.labels, result.table)
    node.SetAttribute(ABSENT_ATTRIBUTE, absent_note(result, set(boxes)))
    around = union_box(boxes.values())
    if around is None:
        return
    # Pointing every segment at one image makes the shared layer at once, with the label values kept; importing a
    # labelmap node would search the whole volume once per label.
    image = _cropped_image(result, around)
    for report in result.reports:
        if report.segment.label in boxes:
            segment = new_segment(report.segment, result.table)
            _set_tags(segment, report)
            segment.AddRepresentation(slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName(), image)
            segmentation.AddSegment(segment, report.segment.key)


def _cropped_image(result: CaseResult, box: Box) -> slicer.vtkOrientedImageData:
    (x0, y0, z0), (x1, y1, z1) = box.start_xyz, box.stop_xyz
    extent: Extent = (x0, x1 - 1, y0, y1 - 1, z0, z1 - 1)
    return oriented_image(result.labels[box.slices], result.geometry, extent)


def new_segment(segment: Segment, table: StructureTable) -> slicer.vtkSegment:
    """A segment without voxels that has name, colour, code and label value of the table of structures."""
    import slicer

    created = slicer.vtkSegment()
    created.SetName(segment.name)
    created.SetNameAutoGenerated(False)
    created.SetColor(*(channel / 255 for channel in segment.color))
    created.SetColorAutoGenerated(False)
    created.SetLabelValue(segment.label)
    created.SetTerminology(terminology_entry(segment, table))
    return created


def _set_tags(segment: slicer.vtkSegment, report: SegmentReport) -> None:
    tags = segment_tags(report)
    for tag in SCORE_TAGS:
        if tag not in tags:
            segment.RemoveTag(tag)
    for tag, value in tags.items():
        segment.SetTag(tag, value)
