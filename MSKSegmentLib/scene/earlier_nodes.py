"""An earlier scan of the patient with its segments in the scene, beside the current one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..case_result import CaseResult
from ..ct.volume import CTVolume
from .own_views import EARLIER
from .roles import nodes_of_class, set_role
from .segment_views import show_in_views
from .segmentation import add_segmentation
from .uncertainty import add_ct

if TYPE_CHECKING:
    import slicer

_ROLE = "earlier"


@dataclass(frozen=True)
class EarlierNodes:
    """The earlier scan and its segments in the scene; they are not saved with it."""

    ct: slicer.vtkMRMLScalarVolumeNode
    segmentation: slicer.vtkMRMLSegmentationNode


def add_earlier(scene: slicer.vtkMRMLScene, result: CaseResult, volume: CTVolume, name: str) -> EarlierNodes:
    """Add an earlier result and its scan; only the view of the earlier scan shows its segments."""
    ct = add_ct(scene, volume, scene.GetUniqueNameByString(name))
    nodes = EarlierNodes(ct, add_segmentation(scene, result, ct, ct.GetName()))
    for node in (nodes.ct, nodes.segmentation):
        set_role(node, _ROLE)
        node.SetSaveWithScene(False)
        node.GetDisplayNode().SetSaveWithScene(False)
    for view in nodes_of_class(scene, "vtkMRMLSliceNode"):
        if view.GetLayoutName() == EARLIER.name:
            show_in_views(nodes.segmentation.GetDisplayNode(), [view.GetID()])
    return nodes


def remove_earlier(nodes: EarlierNodes) -> None:
    """Take both out of the scene; what the user deleted already is passed over."""
    for node in (nodes.segmentation, nodes.ct):
        if node.GetScene() is not None:
            node.GetScene().RemoveNode(node)


def same_window(earlier: slicer.vtkMRMLScalarVolumeNode, current: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Show the earlier CT in the window of the current one."""
    source, display = current.GetDisplayNode(), earlier.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(source.GetWindow(), source.GetLevel())
