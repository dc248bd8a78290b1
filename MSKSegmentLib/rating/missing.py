"""Structures that a mask lacks although the network is sure that the scan shows them."""

from __future__ import annotations

import numpy as np

from .network_view import NetworkView

# So much of a structure, on which the passes agree so far, is no sliver at the edge of the scan.
LEAST_CC = 2.0
LEAST_AGREEMENT = 0.75


def missing_labels(mask: np.ndarray, view: NetworkView) -> dict[int, float]:
    """Label -> volume in cc that the network finds, for labels of which a mask uint8 ``[z, y, x]`` on the view's grid has none."""
    there = np.bincount(mask.ravel(), minlength=256) > 0
    voxels = np.bincount(view.own.ravel(), minlength=256)
    found = {}
    for label in map(int, np.flatnonzero(~there & (voxels > 0))):
        volume_cc = float(voxels[label]) * view.geometry.voxel_volume_mm3 / 1000
        scores = view.scores.get(label)
        if volume_cc >= LEAST_CC and scores is not None and (scores.pairwise_dice or 0.0) >= LEAST_AGREEMENT:
            found[label] = volume_cc
    return found
