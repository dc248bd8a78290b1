"""A case and its review as nodes of the scene, so that a saved scene opens with table, states and history.

One node without data of its own, hidden from users, ties the others together and holds the review as JSON. What the network
drew is kept for the segments that were corrected, in a second segmentation that is switched off.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..case_result import CaseResult
from ..ct.volume import CTVolume
from ..errors import InputError
from ..results.result_folder import result_json
from ..results.result_reading import task_of_result
from ..review.masks import SegmentMask
from ..review.session import ReviewSession
from ..review.stored_session import session_from_json
from .edits import put_mask
from .geometry import array_of_image
from .label_map import segment_labels
from .roles import find_nodes, set_role
from .segmentation import GRID_ATTRIBUTE, add_segmentation, grid_of_node
from .structures import set_table, table_of_node
from .uncertainty import add_uncertainty

if TYPE_CHECKING:
    import slicer

_ROLE = "case"
_STATE_CLASS = "vtkMRMLScriptedModuleNode"
_REVIEW_PARAMETER = "review"
_CORRECTED_PARAMETER = "corrected"
_CT, _SEGMENTATION, _UNCERTAINTY, _AUTOMATIC = "ct", "segmentation", "uncertainty", "automatic"


@dataclass(frozen=True)
class CaseNodes:
    """The nodes of one case, found through its `state` node; a node that the user deleted is None."""

    state: slicer.vtkMRMLScriptedModuleNode

    @property
    def ct(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The CT."""
        return self.state.GetNodeReference(_CT)

    @property
    def segmentation(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The segments as they stand."""
        return self.state.GetNodeReference(_SEGMENTATION)

    @property
    def uncertainty(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        """The voxel uncertainty; also None when the result has none."""
        return self.state.GetNodeReference(_UNCERTAINTY)

    @property
    def automatic(self) -> slicer.vtkMRMLSegmentationNode | None:
        """What the network drew in the corrected segments; None before the first correction was stored."""
        return self.state.GetNodeReference(_AUTOMATIC)


def add_case(scene: slicer.vtkMRMLScene, result: CaseResult, ct_node: slicer.vtkMRMLScalarVolumeNode) -> CaseNodes:
    """Add a result to the scene: segmentation, uncertainty where there is one, and the state of its review."""
    state = scene.AddNewNodeByClass(_STATE_CLASS, "MSKSegment case")
    set_role(state, _ROLE)
    state.SetNodeReferenceID(_CT, ct_node.GetID())
    segmentation = add_segmentation(scene, result, ct_node, scene.GetUniqueNameByString("MSKSegment"))
    state.SetNodeReferenceID(_SEGMENTATION, segmentation.GetID())
    if result.uncertainty is not None:
        name = scene.GetUniqueNameByString("Uncertainty")
        uncertainty = add_uncertainty(scene, result, name, reference_volume_node=ct_node)
        state.SetNodeReferenceID(_UNCERTAINTY, uncertainty.GetID())
    _store(state, result_json(result, automatic=result.reports), [])
    return CaseNodes(state)


def find_case_nodes(scene: slicer.vtkMRMLScene) -> list[CaseNodes]:
    """The cases of the scene whose segmentation is still there, in the order in which they were added."""
    cases = [CaseNodes(state) for state in find_nodes(scene, _STATE_CLASS, _ROLE)]
    return [case for case in cases if case.segmentation is not None]


def store_session(nodes: CaseNodes, session: ReviewSession) -> None:
    """Note the review in the scene: reports, states, history, and what the network drew in corrected segments.

    Quick enough to be called after every change. The front end keeps the segmentation itself in step.
    """
    corrected = [row.key for row in session.rows() if session.report(row.key).dice_to_automatic is not None]
    _store(nodes.state, session.to_json(), corrected)
    if nodes.segmentation is not None and (corrected or nodes.automatic is not None):
        node = nodes.automatic or _new_automatic_node(nodes, nodes.segmentation)
        _keep_automatic(node, session, corrected)


def stored_modality(nodes: CaseNodes) -> str:
    """The modality of the scan of a stored case, by its task.

    Raises:
        InputError: the stored review is damaged.
    """
    try:
        return task_of_result(json.loads(nodes.state.GetParameter(_REVIEW_PARAMETER))).modality
    except (ValueError, AttributeError) as error:
        raise InputError("The review stored in this scene is damaged; run the segmentation again.") from error


def restore_session(nodes: CaseNodes, volume: CTVolume, author: str = "") -> ReviewSession:
    """The review as it was stored, on the segments as they are now; `volume` is the CT (`volume_of_node`).

    Segments that were painted on since are measured again and count as edited.

    Raises:
        InputError: the segmentation was deleted, the stored review is damaged, or the CT is another one.
    """
    if nodes.segmentation is None:
        raise InputError("The segmentation of this case was deleted; run the segmentation again.")
    if not volume.geometry.matches(grid_of_node(nodes.segmentation)):
        raise InputError("The CT has another grid than the one that was segmented; choose that CT.")
    try:
        data = json.loads(nodes.state.GetParameter(_REVIEW_PARAMETER))
        corrected = json.loads(nodes.state.GetParameter(_CORRECTED_PARAMETER))
    except ValueError as error:
        raise InputError("The review stored in this scene is damaged; run the segmentation again.") from error
    labels = segment_labels(nodes.segmentation, volume.geometry)
    uncertainty = None if nodes.uncertainty is None else array_of_image(nodes.uncertainty.GetImageData())
    automatic = _automatic_labels(nodes, labels, volume, corrected)
    return session_from_json(data, labels, uncertainty, volume, automatic, author)


def _store(state: slicer.vtkMRMLScriptedModuleNode, review: dict[str, Any], corrected: list[str]) -> None:
    modified = state.StartModify()
    state.SetParameter(_REVIEW_PARAMETER, json.dumps(review))
    state.SetParameter(_CORRECTED_PARAMETER, json.dumps(corrected))
    state.EndModify(modified)


def _keep_automatic(node: slicer.vtkMRMLSegmentationNode, session: ReviewSession, corrected: list[str]) -> None:
    """Make the node hold what the network drew in the corrected segments; what it drew never changes."""
    segmentation = node.GetSegmentation()
    for key in set(segmentation.GetSegmentIDs()) - set(corrected):
        segmentation.RemoveSegment(key)
    for key in corrected:
        if segmentation.GetSegment(key) is None:
            put_mask(node, key, session.automatic_mask(key) or SegmentMask.empty())


def _new_automatic_node(nodes: CaseNodes, source: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLSegmentationNode:
    # Not hidden from editors: Slicer's Save dialog leaves hidden nodes out.
    node = source.GetScene().AddNewNodeByClass("vtkMRMLSegmentationNode", f"{source.GetName()} before correction")
    node.SetAttribute(GRID_ATTRIBUTE, source.GetAttribute(GRID_ATTRIBUTE))
    set_table(node, table_of_node(source))
    node.GetSegmentation().CopyConversionParameters(source.GetSegmentation())
    node.SetAndObserveTransformNodeID(source.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetVisibility(False)
    nodes.state.SetNodeReferenceID(_AUTOMATIC, node.GetID())
    return node


def _automatic_labels(nodes: CaseNodes, labels: np.ndarray, volume: CTVolume, corrected: list[str]) -> np.ndarray | None:
    """The label map that the network made: outside the corrected segments it is as now."""
    if not corrected or nodes.segmentation is None:
        return None
    table = table_of_node(nodes.segmentation)
    keep = np.arange(256, dtype=np.uint8)
    keep[[table.segment(key).label for key in corrected]] = 0
    automatic = np.stack([keep[plane] for plane in labels])
    if nodes.automatic is not None:
        before = segment_labels(nodes.automatic, volume.geometry)
        np.copyto(automatic, before, where=before > 0)
    return automatic
