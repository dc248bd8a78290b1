"""Segmentation nodes as the extensions of other programs leave them in the scene."""

from __future__ import annotations

import numpy as np

from MSKSegmentLib.ct.volume import Geometry


def musclemap_node(scene, values: np.ndarray, geometry: Geometry):
    """A label map without names that Slicer imported, as MuscleMap's extension does: segments are called after their values."""
    import slicer

    labelmap = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "input_dseg")
    _fill(labelmap, values, geometry)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "MuscleMapSegmentation")
    assert slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelmap, node)
    scene.RemoveNode(labelmap)
    node.CreateDefaultDisplayNodes()
    return node


def totalsegmentator_node(scene, values: np.ndarray, geometry: Geometry, names: dict[int, str]):
    """Segments as TotalSegmentator's extension leaves them: its names as identifiers, names for people, terminology with sides."""
    from slicer import vtkSegment

    node = musclemap_node(scene, values, geometry)
    node.SetName("TotalSegmentator segmentation")
    segmentation = node.GetSegmentation()
    for old in list(segmentation.GetSegmentIDs()):
        segment = segmentation.GetSegment(old)
        name = names[segment.GetLabelValue()]
        word, _, side = name.rpartition("_")
        is_sided = side in ("left", "right")
        meaning = (word if is_sided else name).replace("_", " ").capitalize()
        segment.SetName(f"{side} {meaning.lower()} muscle" if is_sided else meaning)
        code = {"left": "SCT^7771000^Left", "right": "SCT^24028007^Right"}.get(side, "^^")
        kind = f"Segmentation category~SCT^123037004^Anatomical Structure~SCT^0^{meaning}~{code}~Anatomic codes~^^~^^"
        segment.SetTag(vtkSegment.GetTerminologyEntryTagName(), kind)
        copy = vtkSegment()
        copy.DeepCopy(segment)
        segmentation.RemoveSegment(old)
        segmentation.AddSegment(copy, name)
    return node


def _fill(node, values: np.ndarray, geometry: Geometry) -> None:
    import vtk

    from MSKSegmentLib.results.segmentation_file import ras_matrix
    from MSKSegmentLib.scene.geometry import full_extent, set_scalars, vtk_matrix

    image = vtk.vtkImageData()
    set_scalars(image, values.astype(np.int16), full_extent(geometry))
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(vtk_matrix(ras_matrix(geometry)))
    # A volume's image has neither spacing nor origin of its own.
    image.SetSpacing(1, 1, 1)
    image.SetOrigin(0, 0, 0)
