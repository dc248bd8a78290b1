"""The scores of what the network drew in one scan, those that its task has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..case_result import Measurements, Scores
from ..ct.volume import CTVolume, Geometry
from ..tasks import Task
from .guards import metal_distances
from .plausibility import SegmentPlacement, placements
from .scores import make_scores, structure_uncertainty

if TYPE_CHECKING:
    from ..inference.evidence import SliceEvidence
    from ..segmentation.components import Stray


@dataclass(frozen=True)
class Drawn:
    """What the network drew.

    `labels` and `uncertainty` lie on the scan's own grid; `seen`, the labels with sides, on `seen_geometry`, the slices that were
    looked at. `strays` are the components removed there, `evidence` that of the passes.
    """

    labels: np.ndarray
    uncertainty: np.ndarray
    seen: np.ndarray
    seen_geometry: Geometry
    strays: Sequence[Stray]
    evidence: Sequence[SliceEvidence]


def placed_of(drawn: Drawn, measurements: Mapping[int, Measurements]) -> Mapping[int, SegmentPlacement]:
    """Volume and place of each segment that was found, by label with sides."""
    return placements(drawn.seen, drawn.seen_geometry, [label for label, found in measurements.items() if found.truncated_by])


def scores_of(drawn: Drawn, volume: CTVolume, task: Task) -> dict[int, Scores]:
    """The scores of each segment, by label with sides, but those of its place; of scans without Hounsfield units none about density
    or fat.
    """
    uncertainties = structure_uncertainty(drawn.labels, drawn.uncertainty)
    metal_mm = metal_distances(drawn.labels, volume.hu, volume.geometry) if task.runs("metal") else {}
    found = make_scores(drawn.evidence, drawn.seen, task.table, drawn.strays, uncertainties, metal_mm)
    if task.in_hounsfield:
        return found
    return {label: replace(scores, sd_mean_hu=None, sd_fat_fraction=None) for label, scores in found.items()}
