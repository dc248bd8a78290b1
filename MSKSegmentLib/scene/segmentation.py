"""A result's label map as a segmentation node, and an edited node back as a label map."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np

from ..anatomy import Segment, segments
from ..case_result import CaseResult, SegmentReport
from ..ct.volume import Geometry
from ..errors import InputError
from ..export.segmentation_file import (
    ABSENT_ATTRIBUTE,
    REPRESENTATION,
    SCORE_TAGS,
    SMOOTHING_FACTOR,
    absent_note,
    label_boxes,
    ras_matrix,
    segment_tags,
    serialized_geometry,
    whole_file,
)
from .geometry import Extent, array_of_image, array_of_matrix, oriented_image

if TYPE_CHECKING:
    import slicer

FILL_OPACITY_2D = 0.4
OUTLINE_OPACITY_2D = 1.0

# Share of a voxel by which two grids may differ over the whole image and still count as one.
_GRID_TOLERANCE = 0.01


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


def write_seg_nrrd(node: slicer.vtkMRMLSegmentationNode, path: str | os.PathLike[str]) -> None:
    """Write the node as it is now, edits included, to a ``.seg.nrrd``.

    Raises:
        InputError: the file cannot be written there.
    """
    import slicer

    with whole_file(path, ".seg.nrrd") as temporary:
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(temporary))
        if not storage.WriteData(node):
            raise OSError("the storage node reported a failure")


def segment_labels(node: slicer.vtkMRMLSegmentationNode, reference_geometry: Geometry) -> np.ndarray:
    """The node's segments as a label map with sides: uint8 ``[z, y, x]`` on the reference grid.

    Only segments whose identifier is a `Segment.key` count. Where segments overlap, the later one in the node's list
    wins, as in Slicer's own export. A layer on another grid is resampled to the nearest voxel. The node's parent
    transform is not applied: CT and segmentation are expected under the same one.

    Raises:
        InputError: the node holds segments of this project but no labelmap, only surfaces.
    """
    ranks = _segment_ranks(node)
    segmentation = node.GetSegmentation()
    if ranks and not segmentation.ContainsRepresentation(REPRESENTATION):
        raise InputError("The segmentation holds surfaces only: create its binary labelmap in Segmentations.")
    # Ranks instead of labels, so that the maximum over the layers is the later segment.
    merged = np.zeros(reference_geometry.shape, np.uint8)
    for layer in range(segmentation.GetNumberOfLayers(REPRESENTATION)):
        keys = [key for key in segmentation.GetSegmentIDsForLayer(layer, REPRESENTATION) if key in ranks]
        rank_of_value = {segmentation.GetSegment(key).GetLabelValue(): ranks[key] for key in keys}
        _merge_layer(merged, segmentation.GetLayerDataObject(layer, REPRESENTATION), rank_of_value, reference_geometry)
    labels = _labels_of_keys()
    label_of_rank = np.zeros(256, np.uint8)
    for key, rank in ranks.items():
        label_of_rank[rank] = labels[key]
    for plane in merged:
        plane[...] = label_of_rank[plane]
    return merged


def _fill(node: slicer.vtkMRMLSegmentationNode, result: CaseResult) -> None:
    import slicer

    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(REPRESENTATION)
    segmentation.SetConversionParameter("Reference image geometry", serialized_geometry(result.geometry))
    segmentation.SetConversionParameter("Smoothing factor", str(SMOOTHING_FACTOR))
    boxes = label_boxes(result.labels)
    node.SetAttribute(ABSENT_ATTRIBUTE, absent_note(result, set(boxes)))
    if not boxes:
        return
    # Pointing every segment at one image makes the shared layer at once, with the label values kept; importing a
    # labelmap node would search the whole volume once per label.
    image = _cropped_image(result, list(boxes.values()))
    for report in result.reports:
        if report.segment.label in boxes:
            segment = _new_segment(report.segment)
            _set_tags(segment, report)
            segment.AddRepresentation(slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName(), image)
            segmentation.AddSegment(segment, report.segment.key)


def _cropped_image(result: CaseResult, boxes: list[tuple[slice, slice, slice]]) -> slicer.vtkOrientedImageData:
    starts = [min(box[axis].start for box in boxes) for axis in range(3)]
    stops = [max(box[axis].stop for box in boxes) for axis in range(3)]
    z, y, x = (slice(start, stop) for start, stop in zip(starts, stops, strict=True))
    extent: Extent = (x.start, x.stop - 1, y.start, y.stop - 1, z.start, z.stop - 1)
    return oriented_image(result.labels[z, y, x], result.geometry, extent)


def _new_segment(segment: Segment) -> slicer.vtkSegment:
    import slicer

    created = slicer.vtkSegment()
    created.SetName(segment.name)
    created.SetNameAutoGenerated(False)
    created.SetColor(*(channel / 255 for channel in segment.color))
    created.SetColorAutoGenerated(False)
    created.SetLabelValue(segment.label)
    return created


def _set_tags(segment: slicer.vtkSegment, report: SegmentReport) -> None:
    tags = segment_tags(report)
    for tag in SCORE_TAGS:
        if tag not in tags:
            segment.RemoveTag(tag)
    for tag, value in tags.items():
        segment.SetTag(tag, value)


def _labels_of_keys() -> dict[str, int]:
    return {segment.key: segment.label for segment in segments()}


def _segment_ranks(node: slicer.vtkMRMLSegmentationNode) -> dict[str, int]:
    known = _labels_of_keys()
    keys = [key for key in node.GetSegmentation().GetSegmentIDs() if key in known]
    return {key: rank for rank, key in enumerate(keys, start=1)}


def _merge_layer(
    merged: np.ndarray, image: slicer.vtkOrientedImageData, rank_of_value: dict[int, int], geometry: Geometry
) -> None:
    if not rank_of_value or image.IsEmpty():
        return
    shift = _voxel_shift(image, geometry)
    if shift is None:
        image, shift = _resampled(image, geometry), (0, 0, 0)
    source = array_of_image(image)
    lower = image.GetExtent()[0::2]
    begin = [shift[axis] + lower[axis] for axis in (2, 1, 0)]
    # The part of the layer that lies on the reference grid, in the layer's own indices.
    first = [max(0, -start) for start in begin]
    last = [min(source.shape[axis], merged.shape[axis] - begin[axis]) for axis in range(3)]
    if any(low >= high for low, high in zip(first, last, strict=True)):
        return
    window = source[first[0] : last[0], first[1] : last[1], first[2] : last[2]]
    target = merged[tuple(slice(begin[a] + first[a], begin[a] + last[a]) for a in range(3))]
    lookup = np.zeros(max(int(source.max()), *rank_of_value) + 1, np.uint8)
    for value, rank in rank_of_value.items():
        lookup[value] = rank
    # Plane by plane: indexing with a whole volume would need eight bytes per voxel.
    for plane, values in zip(target, window, strict=True):
        np.maximum(plane, lookup[values.astype(np.intp)], out=plane)


def _voxel_shift(image: slicer.vtkOrientedImageData, geometry: Geometry) -> tuple[int, int, int] | None:
    """Whole voxels ``(x, y, z)`` from the layer's indices to the grid's, or None if their voxels do not coincide."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_reference = np.linalg.inv(ras_matrix(geometry)) @ array_of_matrix(matrix)
    shift = np.rint(to_reference[:3, 3])
    drift = np.abs(to_reference[:3, :3] - np.eye(3)).max() * max(image.GetDimensions())
    if max(drift, np.abs(to_reference[:3, 3] - shift).max()) > _GRID_TOLERANCE:
        return None
    return int(shift[0]), int(shift[1]), int(shift[2])


def _resampled(image: slicer.vtkOrientedImageData, geometry: Geometry) -> slicer.vtkOrientedImageData:
    import slicer

    reference = oriented_image(np.zeros(geometry.shape, np.uint8), geometry)
    output = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(image, reference, output, False)
    return output
