"""What about two results makes their numbers differ although the patient did not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..anatomy import Side
from ..case_result import CaseResult
from ..findings import Finding
from .changes import Change, ChangeVerdict
from .doubt_sentences import CONTRAST, KVP, NOISE, OTHER_PATIENT, ComparisonDoubt, doubt
from .examination import Examination
from .intervals import FollowedQuantity
from .pose import angle_degrees, femur_axes

# Slices this much thicker, or pixels this much larger, in parts of one.
SPACING_DIFFERS = 0.25
HEIGHT_DIFFERS_M = 0.02
KVP_DIFFERS = 1.0
# A femur that lies this much differently; within it people lie down as they did before.
POSE_DIFFERS_DEGREES = 10.0
# The scatter of HU inside of muscles, in parts of one, and in how many of them it differs the same way.
SCATTER_DIFFERS, SCATTER_IN = 0.15, 0.8
FEWEST_MUSCLES = 5
# Findings after which nothing is said of a quantity's change, and why.
_BLOCKS: Mapping[str, tuple[tuple[FollowedQuantity, ...], str]] = {
    OTHER_PATIENT: (tuple(FollowedQuantity), "the headers name different patients"),
    CONTRAST: ((FollowedQuantity.MEAN_HU, FollowedQuantity.FAT), "one scan has a contrast medium, the other has none"),
    KVP: ((FollowedQuantity.MEAN_HU, FollowedQuantity.FAT), "the tube voltages differ"),
    NOISE: ((FollowedQuantity.FAT,), "the scans differ in noise or sharpness"),
}


def differing_conditions(before: Examination, after: Examination) -> tuple[ComparisonDoubt, ...]:
    """What differs between two examinations beside the patient's muscles, as warnings."""
    return (
        *_patient(before, after),
        *_scanner(before, after),
        *_grid(before.result, after.result),
        *_noise(before.result, after.result),
        *_run(before.result, after.result),
        *_sides(before.result, after.result),
        *_pose(before.result, after.result),
    )


def blocked(found: Iterable[Finding]) -> dict[FollowedQuantity, str]:
    """The quantities that these warnings forbid to compare, each with the reason."""
    reasons: dict[FollowedQuantity, str] = {}
    for finding in found:
        quantities, reason = _BLOCKS.get(finding.code, ((), ""))
        for quantity in quantities:
            reasons.setdefault(quantity, reason)
    return reasons


def bone_doubts(found: Iterable[Change]) -> tuple[ComparisonDoubt, ...]:
    """A warning where the volume of bones changed by more than the error: those of adults keep theirs."""
    bones = tuple(
        change.segment
        for change in found
        if change.quantity is FollowedQuantity.VOLUME and change.segment.structure.is_bone and change.verdict is ChangeVerdict.REAL
    )
    return (doubt("bones_changed", bones=bones),) if bones else ()


def same_patient(before: Examination, after: Examination) -> bool | None:
    """Whether the headers name the same patient: None where they do not tell, so that people have to see to it.

    One entry that both state and that differs (identifier, date of birth, sex) says no; the same identifier says yes.
    """
    one, two = before.protocol, after.protocol
    pairs = list(zip((*one.patient, one.sex), (*two.patient, two.sex), strict=True))
    if any(first and second and first != second for first, second in pairs):
        return False
    return True if pairs[0][0] and pairs[0][1] else None


def _patient(before: Examination, after: Examination) -> list[ComparisonDoubt]:
    found = []
    if same_patient(before, after) is False:
        found.append(doubt(OTHER_PATIENT))
    if before.when and after.when and after.when < before.when:
        found.append(doubt("order"))
    return found


def _scanner(before: Examination, after: Examination) -> list[ComparisonDoubt]:
    one, two = before.protocol, after.protocol
    found = []
    if one.kernel and two.kernel and one.kernel != two.kernel:
        found.append(doubt("kernel", one=one.kernel, two=two.kernel))
    if one.kvp and two.kvp and abs(one.kvp - two.kvp) > KVP_DIFFERS:
        found.append(doubt(KVP, one=f"{one.kvp:g}", two=f"{two.kvp:g}"))
    if one.contrast is not None and two.contrast is not None and one.contrast != two.contrast:
        found.append(doubt(f"{CONTRAST}:{'first' if one.contrast else 'second'}"))
    if one.thickness_mm and two.thickness_mm and _ratio(one.thickness_mm, two.thickness_mm) > 1 + SPACING_DIFFERS:
        found.append(doubt("thickness", one=f"{one.thickness_mm:g}", two=f"{two.thickness_mm:g}"))
    return found


def _grid(before: CaseResult, after: CaseResult) -> list[ComparisonDoubt]:
    one, two = sorted(before.geometry.spacing), sorted(after.geometry.spacing)
    if all(_ratio(a, b) <= 1 + SPACING_DIFFERS for a, b in zip(one, two, strict=True)):
        return []
    texts = (" x ".join(f"{value:.2g}" for value in case.geometry.spacing) for case in (before, after))
    return [doubt("voxel_size", **dict(zip(("one", "two"), texts, strict=True)))]


def _noise(before: CaseResult, after: CaseResult) -> list[ComparisonDoubt]:
    """Noise pushes voxels of muscle below -30 HU; it shows in all muscles at once, unlike a disease of some."""
    later = {report.segment.key: report.measurements for report in after.reports}
    ratios = [
        two.sd_hu / one.sd_hu
        for report in before.reports
        if (one := report.measurements) and (two := later.get(report.segment.key)) and report.segment.structure.has_composition
        if one.sd_hu and two.sd_hu is not None
    ]
    more = sum(ratio > 1 + SCATTER_DIFFERS for ratio in ratios)
    less = sum(ratio < 1 / (1 + SCATTER_DIFFERS) for ratio in ratios)
    if len(ratios) < FEWEST_MUSCLES or max(more, less) < SCATTER_IN * len(ratios):
        return []
    return [doubt(f"{NOISE}:{'more' if more > less else 'less'}", count=str(max(more, less)), all=str(len(ratios)))]


def _run(before: CaseResult, after: CaseResult) -> list[ComparisonDoubt]:
    one, two = before.facts, after.facts
    found = []
    if one.height_m and two.height_m and abs(one.height_m - two.height_m) > HEIGHT_DIFFERS_M:
        found.append(doubt("height", one=f"{100 * one.height_m:.0f}", two=f"{100 * two.height_m:.0f}"))
    if (one.region_lps_mm is None) != (two.region_lps_mm is None):
        found.append(doubt("region"))
    pairs = {
        "run:bundle": (_bundle(one.record), _bundle(two.record)),
        "run:passes": (one.passes, two.passes),
        "run:lights": (one.lights, two.lights),
        "run:version": (_version(one.record), _version(two.record)),
    }
    for name, (first, second) in pairs.items():
        if first and second and first != second:
            found.append(doubt(name, one=str(first), two=str(second)))
    return found


def _sides(before: CaseResult, after: CaseResult) -> list[ComparisonDoubt]:
    one, two = _found_sides(before), _found_sides(after)
    found = []
    if one and two and one != two:
        only = one ^ two
        found.append(doubt("side:both" if len(only) > 1 else f"side:{only.pop().value}"))
    if any(
        finding.code in ("side_guessed", "sides_from_muscles", "sides_from_pairs", "side_unsure", "assumed_orientation")
        for finding in (*before.findings, *after.findings)
    ):
        found.append(doubt("side_doubt"))
    return found


def _pose(before: CaseResult, after: CaseResult) -> list[ComparisonDoubt]:
    one, two = femur_axes(before), femur_axes(after)
    turned = {side.value: angle_degrees(one[side], two[side]) for side in one if side in two}
    told = {side: f"{angle:.0f}" for side, angle in turned.items() if angle > POSE_DIFFERS_DEGREES}
    if not told:
        return []
    return [doubt("pose:both" if len(told) > 1 else f"pose:{next(iter(told))}", **told)]


def _found_sides(case: CaseResult) -> set[Side]:
    return {report.segment.side for report in case.reports if report.measurements and report.segment.side is not Side.MIDLINE}


def _bundle(record: Mapping[str, Any]) -> str:
    bundle = record.get("bundle") or {}
    return " ".join(
        str(bundle[key]) if key != "digest" else str(bundle[key])[:8] for key in ("name", "version", "digest") if key in bundle
    )


def _version(record: Mapping[str, Any]) -> str:
    return str((record.get("software") or {}).get("version", ""))


def _ratio(one: float, two: float) -> float:
    return max(one, two) / min(one, two) if min(one, two) > 0 else 1.0
