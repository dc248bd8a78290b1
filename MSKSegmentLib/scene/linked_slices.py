"""Two slice views of different scans that move together from two places that belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .geometry import array_of_matrix
from .own_views import show_width, shown_width

if TYPE_CHECKING:
    import slicer


class LinkedSlices:
    """Where one of two slice views goes the other one follows: by as many millimetres, with the same pan and the same scale.

    Slicer's own link sets both views to one coordinate, which is another place of the body in another scan. `close` ends it.
    """

    def __init__(self, one: slicer.vtkMRMLSliceNode, other: slicer.vtkMRMLSliceNode) -> None:
        """Link two views as they stand."""
        self._nodes = (one, other)
        self._at = [_place(node) for node in self._nodes]
        self._busy = False
        self._tags = [node.AddObserver("ModifiedEvent", self._moved) for node in self._nodes]

    def close(self) -> None:
        """Let both views go."""
        for node, tag in zip(self._nodes, self._tags, strict=False):
            node.RemoveObserver(tag)
        self._tags = []

    def _moved(self, caller: slicer.vtkMRMLSliceNode, _event: str) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            leader = 0 if caller is self._nodes[0] else 1
            self._follow(self._nodes[1 - leader], caller, _place(caller) - self._at[leader])
            self._at = [_place(node) for node in self._nodes]
        finally:
            self._busy = False

    def _follow(self, follower: slicer.vtkMRMLSliceNode, leader: slicer.vtkMRMLSliceNode, moved: np.ndarray) -> None:
        modified = follower.StartModify()
        to_ras = follower.GetSliceToRAS()
        for row, length in enumerate(moved):
            to_ras.SetElement(row, 3, to_ras.GetElement(row, 3) + float(length))
        follower.UpdateMatrices()
        follower.SetXYZOrigin(*leader.GetXYZOrigin())
        show_width(follower, shown_width(leader))
        follower.EndModify(modified)


def _place(node: slicer.vtkMRMLSliceNode) -> np.ndarray:
    """Where a view stands, RAS in mm ``[3]``."""
    return array_of_matrix(node.GetSliceToRAS())[:3, 3]
