"""What is labelled below the knee of a scan of whole legs: the network was never shown a lower leg, so nothing there is thigh.

No femur is longer than `LONGEST_FEMUR_MM`: what lies that far below the top of a leg's femur cannot belong to its hip or thigh,
whatever the network calls it. The knee itself lies higher; how much is not known without trusting the labels that are in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import Landmark, StructureTable
from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from ..findings import Finding, warning

# Femora of adults measure 430 to 480 mm on average, with a standard deviation of about 25 mm: this is four above the longer ones.
LONGEST_FEMUR_MM = 580.0
# A scan that ends this much below ends a little below a long thigh.
MARGIN_MM = 20.0


@dataclass(frozen=True)
class KneeCut:
    """`labels` is uint8 ``[z, y, x]`` with sides, without what cannot be thigh; `findings` tell that the scan reaches that far."""

    labels: np.ndarray
    findings: tuple[Finding, ...] = ()


def cut_below_knee(labels: np.ndarray, geometry: Geometry, table: StructureTable) -> KneeCut:
    """Remove labels that lie farther below the top of a leg's femur than any femur is long.

    Each side is cut by its own femur, which may be a stump. Where the scan shows no femur nothing is removed.

    Args:
        labels: uint8 ``[z, y, x]`` with sides, on any grid; not changed.
        geometry: its grid.
        table: what the labels stand for.
    """
    order = axis_order(geometry.direction)
    spacing = order.geometry(geometry).spacing[2]
    cut = labels.copy()
    ordered = order.apply(cut)
    ends = {
        segment.side: top - round(LONGEST_FEMUR_MM / spacing)
        for segment in table.segments
        if segment.structure.landmark is Landmark.FEMUR and (top := _top(ordered == segment.label)) is not None
    }
    beyond_mm = max(ends.values(), default=0) * spacing
    if beyond_mm < MARGIN_MM:
        return KneeCut(labels)
    for side, end in ends.items():
        below = ordered[: max(0, end)]
        below[np.isin(below, [segment.label for segment in table.segments if segment.side is side])] = 0
    removed = int(np.count_nonzero(cut != labels))
    return KneeCut(cut, (_finding(beyond_mm, removed * geometry.voxel_volume_mm3 / 1000),))


def _top(femur: np.ndarray) -> int | None:
    """The slice above the femur, bool ``[z, y, x]``; a piece apart, such as a vertebra called femur, does not count."""
    from scipy import ndimage

    voxels = np.count_nonzero(femur, axis=(1, 2))
    runs, number = ndimage.label(voxels)
    if number == 0:
        return None
    largest = 1 + int(np.argmax(ndimage.sum_labels(voxels, runs, range(1, number + 1))))
    return int(np.flatnonzero(runs == largest)[-1]) + 1


def _finding(beyond_mm: float, removed_cc: float) -> Finding:
    if removed_cc < 1:
        return warning(
            "below_knee",
            f"The scan reaches at least {beyond_mm:.0f} mm below the knee. The network does not know lower legs: look at "
            "the lower ends of the structures of the thigh, or segment a region of interest that ends at the knee.",
        )
    return warning(
        "below_knee",
        f"The scan reaches at least {beyond_mm:.0f} mm below the knee, from where labels of {removed_cc:,.0f} cc were removed. The "
        "network does not know lower legs: look at the lower ends of the structures of the thigh, or segment a region of interest "
        "that ends at the knee.",
    )
