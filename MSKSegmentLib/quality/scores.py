"""Scores of a segment: evidence of how far it can be trusted (see `case_result.Scores`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from ..anatomy import LEFT_OFFSET, StructureTable
from ..case_result import Scores
from ..ct.boxes import labelled
from ..inference.evidence import SliceEvidence, strips_of
from ..segmentation import Stray
from .pass_sums import PassSums, Sides, sums_by_segment


def make_scores(
    evidence: Iterable[SliceEvidence],
    labels: np.ndarray,
    table: StructureTable,
    strays: Iterable[Stray],
    uncertainties: Mapping[int, float],
    metal_mm: Mapping[int, float],
) -> dict[int, Scores]:
    """Label -> scores, for all labels of `uncertainties`; what the bones say of volume and place, `with_placement` adds.

    Args:
        evidence: of the slices that were sampled.
        labels: uint8 ``[z, y, x]`` with sides on the grid that the network was run on, without the strays.
        table: the structures that the labels stand for.
        strays: the components that were removed, on the same grid.
        uncertainties: mean voxel uncertainty by label.
        metal_mm: distance to metal by label; empty without metal.
    """
    sides = Sides(labels, table)
    sums, voxels = sums_by_segment(evidence, sides), sides.voxels
    removed = _by_segment(strays, sides, strips_of(labels.shape[2]))
    found = {}
    for label, mean_variance in uncertainties.items():
        mine, count, stray = sums.get(label, PassSums()), int(voxels[label]), removed.get(label, [])
        found[label] = Scores(
            mean_variance=mean_variance,
            mean_entropy=mine.mean_entropy(),
            soft_dice=mine.soft_dice(),
            pairwise_dice=mine.pairwise_dice(),
            pairwise_iou=mine.pairwise_iou(),
            low_slice_dice=mine.low_slice_dice(),
            volume_cv=mine.volume_cv(),
            sd_mean_hu=mine.sd_of_mean(1),
            sd_fat_fraction=mine.sd_of_mean(2),
            stray_components=len(stray),
            stray_share=sum(stray) / (sum(stray) + count) if count else None,
            metal_distance_mm=metal_mm.get(label),
        )
    return found


def with_placement(scores: Mapping[int, Scores], deviations: Mapping[int, tuple[float, float]]) -> dict[int, Scores]:
    """The scores with the deviations of volume and place by label (`plausibility.deviations`)."""
    return {
        label: replace(of_label, volume_deviation=volume, position_deviation=position)
        for label, of_label in scores.items()
        for volume, position in (deviations.get(label, (None, None)),)
    }


def _by_segment(strays: Iterable[Stray], sides: Sides, strips: np.ndarray) -> dict[int, list[int]]:
    """Label -> voxels of each removed component; a component belongs to the side on which it lies."""
    found: dict[int, list[int]] = {}
    for stray in strays:
        z, _, x = stray.centroid
        is_left = sides.is_left(stray.structure, z, strips[round(x)])
        found.setdefault(stray.structure + LEFT_OFFSET * is_left, []).append(stray.voxels)
    return found


def structure_uncertainty(labels: np.ndarray, uncertainty: np.ndarray) -> dict[int, float]:
    """Mean voxel uncertainty inside each label: the structure-wise predictive uncertainty of Soufi et al. 2025.

    `labels` is uint8 ``[z, y, x]``, `uncertainty` float32 of the same shape; returns label -> mean for labels present.
    """
    count, total = np.zeros(256), np.zeros(256)
    for plane, values in zip(labels, uncertainty, strict=True):
        inside = labelled(plane)
        if inside.size:
            found = plane.ravel()[inside]
            count += np.bincount(found, minlength=256)
            total += np.bincount(found, weights=values.ravel()[inside], minlength=256)
    return {int(label): float(total[label] / count[label]) for label in np.flatnonzero(count)}
