"""Checks of a label map that the user gives: no network made it, so no uncertainty says whether it is right.

The limits are so wide that every structure of a living adult lies within them. A label beyond them is another structure, lies
elsewhere, or comes from a program with other label values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..anatomy import LEFT_OFFSET, Segment, StructureTable, Tissue
from ..case_result import Light, Measurements, Scores, SegmentReport
from ..ct.label_grid import PlacedLabels
from ..ct.volume import Geometry
from ..findings import Finding, warning
from ..measurement.density import HISTOGRAM_BIN_HU, HISTOGRAM_FIRST_HU
from ..measurement.extent import BEYOND_THE_CT, EDGE_OF_LABELS
from ..tasks import Task
from .guards import score_cautions
from .plausibility import deviations, placements
from .traffic_light import cut_reason

# A structure that the scan does not cut and that is smaller than this share of the largest one is a piece.
SMALLEST_SHARE = 0.01
LEAST_BONE_HU = 60.0
MUSCLE_HU = (-120.0, 120.0)
# Denser voxels are bone: every bone has some, a muscle hardly any. Voxels below the end of the first bin are gas.
CORTICAL_FROM_HU = 200
LEAST_CORTICAL_SHARE = 0.03
MOST_CORTICAL_SHARE = 0.25
MOST_GAS_SHARE = 0.10
# No number of a label map is trusted when so many of its structures are in doubt, ...
LOST_SHARE = 0.5
# ... or when muscle labels cover so much of its bone: more than the rim of a bone or streaks beside metal explain.
MOST_BONE_IN_MUSCLES = 0.25
LEAST_SHARE_OF_MUSCLES = 0.02
MOST_NAMED = 3


@dataclass(frozen=True)
class Doubt:
    """A reason against a structure's numbers; `grave` where they belong to something else."""

    reason: str
    grave: bool = True


@dataclass(frozen=True)
class Verdict:
    """What speaks against a label map: `doubts` by label, and `misfit`, the reason to trust none of its numbers, or None."""

    doubts: Mapping[int, tuple[Doubt, ...]]
    misfit: str | None = None

    @property
    def grave(self) -> list[int]:
        """The labels whose numbers belong to something else."""
        return [label for label, found in self.doubts.items() if any(doubt.grave for doubt in found)]


def with_lost_parts(measurements: Mapping[int, Measurements], placed: PlacedLabels) -> dict[int, Measurements]:
    """Measurements in which structures with voxels beyond the CT, and those that the label map's own edge cuts, count as cut."""
    lost = ((BEYOND_THE_CT, placed.outside), (EDGE_OF_LABELS, placed.cut_at_edge))
    return {
        label: replace(found, truncated_by=(*found.truncated_by, *(name for name, of_label in lost if of_label[label])))
        for label, found in measurements.items()
    }


def outside_shares(measurements: Mapping[int, Measurements], outside: np.ndarray) -> dict[int, float]:
    """Label -> share (0..1] of its voxels that lie beyond the CT, for those that have some there."""
    inside = {label: found.voxels for label, found in measurements.items()}
    return {int(label): float(outside[label] / (outside[label] + inside.get(int(label), 0))) for label in np.flatnonzero(outside)}


def judge_given_labels(
    labels: np.ndarray,
    geometry: Geometry,
    task: Task,
    measurements: Mapping[int, Measurements],
    reference: Mapping[str, Any] | None = None,
) -> Verdict:
    """What speaks against the numbers of a given label map.

    Args:
        labels: uint8 ``[z, y, x]`` with sides.
        geometry: their grid.
        task: the structures that the labels stand for, and which checks are run on their numbers.
        measurements: by label.
        reference: what `plausibility.make_reference` made, for the place among the bones; None: it is not judged. The volume is
            not held against it: labels that an expert drew of a wasted muscle are right.
    """
    from .given_sides import side_doubts

    table = task.table
    cut = [label for label, found in measurements.items() if found.truncated_by]
    off = deviations(placements(labels, geometry, cut), reference or {}, table)
    sides = side_doubts(labels, geometry, table)
    result: dict[int, tuple[Doubt, ...]] = {}
    for segment in table.segments:
        found = measurements.get(segment.label)
        if found is None:
            continue
        doubts = [*(_of_volume(segment, found) if task.runs("plausible_volume") else ())]
        doubts += _of_density(segment, found) if task.runs("plausible_density") else ()
        doubts += (Doubt(reason) for reason in sides.get(segment.label, ()))
        _, place = off.get(segment.label, (None, None))
        doubts += [Doubt(reason, False) for reason in score_cautions(Scores(position_deviation=place))]
        if doubts:
            result[segment.label] = tuple(doubts)
    return Verdict(result, _misfit(table, measurements, result))


def judged_reports(reports: Iterable[SegmentReport], verdict: Verdict, shares: Mapping[int, float]) -> tuple[SegmentReport, ...]:
    """The reports of a given label map with what speaks against them; `shares` are those beyond the CT (`outside_shares`)."""
    return tuple(_judged(report, verdict, shares.get(report.segment.label)) for report in reports)


def given_findings(
    table: StructureTable, measurements: Mapping[int, Measurements], verdict: Verdict, shares: Mapping[int, float]
) -> tuple[Finding, ...]:
    """Findings on the whole label map: the share beyond the CT, what its own edge cuts, and the implausible structures."""
    names = {segment.label: segment.name for segment in table.segments}
    implausible = _implausible(names, table, measurements, verdict)
    return (*_beyond(names, shares), *_cut_by_edge(names, measurements), *implausible)


def _judged(report: SegmentReport, verdict: Verdict, share: float | None) -> SegmentReport:
    found, doubts = report.measurements, verdict.doubts.get(report.segment.label, ())
    if found is None:
        return report if share is None else replace(report, reasons=("all of it lies outside the CT, so it was not measured",))
    reasons = [doubt.reason for doubt in doubts]
    light = report.light
    if doubts or verdict.misfit:
        light = Light.RED if verdict.misfit or any(doubt.grave for doubt in doubts) else Light.YELLOW
    if verdict.misfit:
        reasons.append(f"the segmentation as a whole does not fit this CT: {verdict.misfit}")
    if share is not None:
        reasons.append(f"{_percent(share)} of it lies outside the CT, and only the rest was measured")
    cut = tuple(name for name in found.truncated_by if share is None or name == EDGE_OF_LABELS)
    if cut:
        reasons.append(cut_reason(cut))
    return replace(report, light=light, reasons=(*reasons, *report.reasons))


def _of_volume(segment: Segment, found: Measurements) -> list[Doubt]:
    """Doubts from the volume of a structure."""
    largest = segment.structure.largest_cc
    if largest is not None and found.volume_cc > largest:
        return [Doubt(f"its volume of {found.volume_cc:,.0f} cc is too large for it (at most {largest:,g} cc)")]
    if largest is not None and found.volume_cc < SMALLEST_SHARE * largest and not found.truncated_by:
        return [Doubt(f"its volume of {found.volume_cc:.3g} cc is too small for all of it", False)]
    return []


def _of_density(segment: Segment, found: Measurements) -> list[Doubt]:
    """Doubts from the Hounsfield units of a structure; none where they were not measured."""
    tissue, doubts = segment.structure.group.tissue, []
    if found.mean_hu is None:
        return []
    gas, cortical = found.histogram[0] / found.voxels, _share_from(found, CORTICAL_FROM_HU)
    mean = f"its mean of {found.mean_hu:.0f} HU"
    if gas > MOST_GAS_SHARE:
        doubts.append(Doubt(f"{_percent(gas)} of it lies in air or gas"))
    if tissue is Tissue.BONE:
        if found.mean_hu < LEAST_BONE_HU:
            doubts.append(Doubt(f"{mean} is too low for bone"))
        elif cortical < LEAST_CORTICAL_SHARE:
            doubts.append(Doubt(f"{mean} without a dense shell is not that of bone"))
    elif tissue is not Tissue.MUSCLE:
        return doubts
    elif not MUSCLE_HU[0] <= found.mean_hu <= MUSCLE_HU[1]:
        doubts.append(Doubt(f"{mean} is too {'low' if found.mean_hu < 0 else 'high'} for muscle"))
    elif cortical > MOST_CORTICAL_SHARE:
        doubts.append(Doubt(f"{_percent(cortical)} of it is as dense as bone"))
    return doubts


def _share_from(found: Measurements, hu: int) -> float:
    """The share (0..1) of voxels from a density on; 0 where no densities were measured."""
    return sum(found.histogram[(hu - HISTOGRAM_FIRST_HU) // HISTOGRAM_BIN_HU :]) / found.voxels


def _misfit(table: StructureTable, measurements: Mapping[int, Measurements], doubts: Mapping[int, tuple[Doubt, ...]]) -> str | None:
    """The reason to trust none of the numbers: most structures or most bones are in doubt, or bone is called muscle."""
    grave = set(Verdict(doubts).grave)
    tissues = {segment.label: segment.structure.group.tissue for segment in table.segments}
    bones = {label for label in measurements if tissues.get(label) is Tissue.BONE}
    muscles = {label for label in measurements if tissues.get(label) is Tissue.MUSCLE}
    if grave and len(doubts) >= LOST_SHARE * len(measurements):
        return f"{len(doubts)} of its {len(measurements)} structures are in doubt"
    if len(bones & grave) > LOST_SHARE * len(bones):
        return f"{len(bones & grave)} of its {len(bones)} bones are implausible"
    dense = {label: _share_from(found, CORTICAL_FROM_HU) * found.voxels for label, found in measurements.items()}
    in_muscles = sum(voxels for label, voxels in dense.items() if label in muscles)
    all_muscles = sum(found.voxels for label, found in measurements.items() if label in muscles)
    if in_muscles > LEAST_SHARE_OF_MUSCLES * all_muscles and in_muscles > MOST_BONE_IN_MUSCLES * sum(dense.values()):
        return f"{_percent(in_muscles / sum(dense.values()))} of what is as dense as bone in it is called muscle"
    return None


def _beyond(names: Mapping[int, str], shares: Mapping[int, float]) -> tuple[Finding, ...]:
    if not shares:
        return ()
    parts = ", ".join(f"{names.get(label, label)} {_percent(share)}" for label, share in shares.items())
    return (
        warning(
            "labels_beyond_ct",
            f"A part of the segmentation lies outside the CT and was not measured ({parts}); these structures count as cut. For "
            "whole numbers give the CT that was segmented.",
        ),
    )


def _cut_by_edge(names: Mapping[int, str], measurements: Mapping[int, Measurements]) -> tuple[Finding, ...]:
    cut = [names.get(label, str(label)) for label, found in measurements.items() if EDGE_OF_LABELS in found.truncated_by]
    if not cut:
        return ()
    is_single = len(cut) == 1
    sentence = (
        f"The segmentation's own grid ends inside the CT and cuts {len(cut)} structure{'' if is_single else 's'} "
        f"({', '.join(cut)}), which {'counts' if is_single else 'count'} as cut; for whole numbers give the segmentation as it "
        "was before it was cropped."
    )
    return (warning("labels_cropped", sentence),)


def _implausible(
    names: Mapping[int, str], table: StructureTable, measurements: Mapping[int, Measurements], verdict: Verdict
) -> tuple[Finding, ...]:
    grave, doubts = verdict.grave, verdict.doubts
    if not grave and verdict.misfit is None:
        return ()
    named = "; ".join(f"{names.get(label, label)}: {doubts[label][0].reason}" for label in grave[:MOST_NAMED])
    more = f"; and {len(grave) - MOST_NAMED} more" if len(grave) > MOST_NAMED else ""
    examples = f" Implausible structures: {len(grave)} of {len(measurements)} ({named}{more})." if grave else ""
    misfit = verdict.misfit
    last = len(table.structures)
    start = f"The segmentation does not fit this CT: {misfit}." if misfit else "Parts of the segmentation do not fit this CT."
    return (
        warning(
            "implausible_labels",
            f"{start}{examples} Do not use these numbers; give labels that were drawn on this CT, with this software's numbers "
            f"(1 to {last} on the patient's right, paired structures {LEFT_OFFSET + 1} to {LEFT_OFFSET + last} on the left), or a "
            ".seg.nrrd with its names.",
        ),
    )


def _percent(share: float) -> str:
    """A share in percent, never as nothing or all where it is not."""
    percent = 100 * share
    if share < 1 and percent > 99:
        return "over 99 %"
    return "under 1 %" if percent < 1 else f"{percent:.0f} %"
