"""All evidence on a mask put together: the scores from which its lights follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..anatomy import StructureTable
from ..case_result import Measurements, Scores
from ..quality.plausibility import SegmentPlacement, deviations, placements
from ..quality.scores import structure_uncertainty
from .agreement import PassAgreement, pass_agreements
from .mask_shape import MaskShape, mask_shapes
from .network_view import NetworkView
from .reference import SegmentForm, form_deviations, form_of

# An agreement counts up to where the passes agree with each other: a mask that agrees with passes which disagree among themselves
# may share their error, which no agreement shows. The network's own errors are about so many times the disagreement of its passes.
DOUBT_FACTOR = 2.5


@dataclass(frozen=True)
class Usual:
    """What is usual: volumes and places (`quality.plausibility`), and shapes and densities (`reference`)."""

    volumes: Mapping[str, Any]
    forms: Mapping[str, Any]


@dataclass(frozen=True)
class MaskEvidence:
    """What is known of a mask, by label with sides.

    `scores` do not yet say how far volume, place, shape and density are from the usual: `compared_with` tells that.
    """

    scores: Mapping[int, Scores]
    agreements: Mapping[int, PassAgreement]
    shapes: Mapping[int, MaskShape]
    placements: Mapping[int, SegmentPlacement]
    forms: Mapping[int, SegmentForm]

    def compared_with(self, usual: Usual, table: StructureTable) -> dict[int, Scores]:
        """The scores with the deviations from what is usual; `table` are the structures that the labels stand for."""
        placed, formed = deviations(self.placements, usual.volumes, table), form_deviations(self.forms, usual.forms, table)
        result = {}
        for label, scores in self.scores.items():
            volume, position = placed.get(label, (None, None))
            shape, density = formed.get(label, (None, None))
            result[label] = replace(
                scores, volume_deviation=volume, position_deviation=position, shape_deviation=shape, density_deviation=density
            )
        return result


def mask_evidence(
    mask: np.ndarray,
    view: NetworkView,
    measurements: Mapping[int, Measurements],
    metal_mm: Mapping[int, float],
    table: StructureTable,
) -> MaskEvidence:
    """The evidence on a mask.

    Args:
        mask: uint8 ``[z, y, x]`` with sides, on the view's grid.
        view: what the network says of the scan.
        measurements: of the mask, by label.
        metal_mm: distance to metal by label; empty without metal.
        table: the structures that the labels stand for.
    """
    agreed, shapes = pass_agreements(mask, view), mask_shapes(mask, view.geometry)
    inside = structure_uncertainty(mask, view.uncertainty)
    cut = [label for label, found in measurements.items() if found.truncated_by]
    scores = {}
    for label, agreement in agreed.items():
        shape, own = shapes[label], view.scores.get(label, Scores())
        scores[label] = Scores(
            mean_variance=inside[label],
            pairwise_dice=own.pairwise_dice or 0.0,
            low_slice_dice=own.low_slice_dice or 0.0,
            stray_components=shape.stray_components,
            stray_share=shape.stray_share,
            metal_distance_mm=metal_mm.get(label),
            agreement=agreement.mean,
            agreement_sd=float(agreement.dice.std()),
            low_slice_agreement=agreement.low_slice,
            disagreeing_share=agreement.disagreeing_share,
            volume_to_network=agreement.volume_ratio,
            sure_agreement=max(0.0, min(agreement.mean, 1 - DOUBT_FACTOR * (1 - (own.pairwise_dice or 0.0)))),
            hole_share=shape.hole_share,
            jump_share=shape.jump_share,
        )
    placed = placements(mask, view.geometry, cut)
    return MaskEvidence(scores, agreed, shapes, placed, form_of(shapes, measurements, table))
