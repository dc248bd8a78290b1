"""The slices of each judged segment that are worth a look, those of most disagreement with the network first."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..anatomy import StructureTable
from ..ct.boxes import label_boxes, union_box
from ..ct.orientation import axis_order
from ..ct.volume import Geometry, Vector
from ..review.masks import SegmentMask
from ..review.worst_slices import worst_slices
from .network_view import NetworkView

MOST_SLICES = 5
# The mean share of passes that disagree, over what mask or network call the structure in a slice.
LEAST_DISAGREEMENT = 0.15
_COLUMNS = ("abbreviation", "side", "rank", "slice", "x_mm", "y_mm", "z_mm", "disagreement", "area_cm2")


@dataclass(frozen=True)
class SliceToLookAt:
    """A slice of a segment: `slice_number` of the CT's along the body, `point_lps` in mm where mask and network disagree most,
    `disagreement` 0..1."""

    key: str
    slice_number: int
    point_lps: Vector
    disagreement: float
    area_cm2: float


def slices_to_look_at(
    mask: np.ndarray, view: NetworkView, labels: Mapping[int, str], ct: Geometry
) -> dict[str, tuple[SliceToLookAt, ...]]:
    """Key -> slices, worst first, for the `labels` (label -> key) of a mask uint8 ``[z, y, x]`` on the view's grid."""
    boxes, own = label_boxes(mask), label_boxes(view.own)
    axis = axis_order(ct.direction).axes[2]
    found = {}
    for label, key in labels.items():
        box = union_box((boxes.get(label), own.get(label)))
        if box is None:
            continue
        inside = mask[box.slices] == label
        segment = SegmentMask(box, inside | (view.own[box.slices] == label))
        values = np.zeros(mask.shape, np.float32)
        values[box.slices] = (view.passes[(slice(None), *box.slices)] == label).mean(axis=0)
        values[box.slices] = np.where(inside, 1 - values[box.slices], values[box.slices])
        chosen = []
        for worst in worst_slices(segment, values, view.geometry, MOST_SLICES):
            if worst.uncertainty is not None and worst.uncertainty >= LEAST_DISAGREEMENT:
                number = int(np.clip(round(ct.to_index(worst.point_lps)[axis]), 0, ct.size[axis] - 1))
                chosen.append(SliceToLookAt(key, number, worst.point_lps, worst.uncertainty, worst.area_cm2))
        found[key] = tuple(chosen)
    return found


def write_slices_to_look_at(path: Path, slices: Mapping[str, Iterable[SliceToLookAt]], table: StructureTable) -> None:
    """A table with one row per slice, worst first within each segment."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for key, chosen in slices.items():
            segment = table.segment(key)
            for rank, one in enumerate(chosen, start=1):
                point = [f"{value:.1f}" for value in one.point_lps]
                numbers = [*point, f"{one.disagreement:.3f}", f"{one.area_cm2:.2f}"]
                writer.writerow([segment.structure.abbreviation, segment.side.value, rank, one.slice_number, *numbers])
