"""The segments of a node as one label map, whatever layers Slicer keeps them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ct.volume import Geometry
from ..errors import InputError
from ..results.segmentation_file import REPRESENTATION, ras_matrix
from .geometry import array_of_image, array_of_matrix, oriented_image
from .structures import table_of_node

if TYPE_CHECKING:
    import slicer

# Share of a voxel by which two grids may differ over the whole image and still count as one.
_GRID_TOLERANCE = 0.01


def segment_labels(node: slicer.vtkMRMLSegmentationNode, reference_geometry: Geometry) -> np.ndarray:
    """The node's segments as a label map with sides: uint8 ``[z, y, x]`` on the reference grid.

    Only segments whose identifier is a `Segment.key` of the node's table of structures count. Where segments overlap, the later
    one in the node's list wins, as in Slicer's own export. A layer on another grid is resampled to the nearest voxel. The node's
    parent transform is not applied: CT and segmentation are expected under the same one.

    Raises:
        InputError: the node holds segments of this project but no labelmap, only surfaces.
    """
    labels = {segment.key: segment.label for segment in table_of_node(node).segments}
    segmentation = node.GetSegmentation()
    known = [key for key in segmentation.GetSegmentIDs() if key in labels]
    if known and not segmentation.ContainsRepresentation(REPRESENTATION):
        raise InputError("The segmentation holds surfaces only: create its binary labelmap in Segmentations.")
    merged = np.zeros(reference_geometry.shape, np.uint8)
    layers = _layers(segmentation, known)
    if len(layers) == 1:
        # The only layer cannot overlap with another one.
        image, keys = layers[0]
        _merge_layer(merged, image, {_value(segmentation, key): labels[key] for key in keys}, reference_geometry)
        return merged
    # Ranks instead of labels, so that the maximum over the layers is the later segment.
    ranks = {key: rank for rank, key in enumerate(known, start=1)}
    for image, keys in layers:
        _merge_layer(merged, image, {_value(segmentation, key): ranks[key] for key in keys}, reference_geometry)
    label_of_rank = np.zeros(256, np.uint8)
    for key, rank in ranks.items():
        label_of_rank[rank] = labels[key]
    for plane in merged:
        plane[...] = label_of_rank[plane]
    return merged


def _layers(segmentation: slicer.vtkSegmentation, known: list[str]) -> list[tuple[slicer.vtkOrientedImageData, list[str]]]:
    """Image and known segments of each layer that has any."""
    layers = []
    for number in range(segmentation.GetNumberOfLayers(REPRESENTATION)):
        image = segmentation.GetLayerDataObject(number, REPRESENTATION)
        keys = [key for key in segmentation.GetSegmentIDsForLayer(number, REPRESENTATION) if key in known]
        if keys and not image.IsEmpty():
            layers.append((image, keys))
    return layers


def _value(segmentation: slicer.vtkSegmentation, key: str) -> int:
    return segmentation.GetSegment(key).GetLabelValue()


def _merge_layer(merged: np.ndarray, image: slicer.vtkOrientedImageData, code_of_value: dict[int, int], geometry: Geometry) -> None:
    """Write the layer's codes where they are larger than what is there."""
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
    lookup = np.zeros(max(int(source.max()), *code_of_value) + 1, np.uint8)
    for value, code in code_of_value.items():
        lookup[value] = code
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
