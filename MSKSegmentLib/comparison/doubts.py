"""What about two results makes their numbers differ although the patient did not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..anatomy import Side
from ..case_result import CaseResult
from ..findings import Finding, warning
from .changes import Change, ChangeVerdict
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
OTHER_PATIENT, CONTRAST, KVP, NOISE = "other_patient", "contrast", "kvp", "noise"
# Findings after which nothing is said of a quantity's change, and why.
_BLOCKS: Mapping[str, tuple[tuple[FollowedQuantity, ...], str]] = {
    OTHER_PATIENT: (tuple(FollowedQuantity), "the headers name different patients"),
    CONTRAST: ((FollowedQuantity.MEAN_HU, FollowedQuantity.FAT), "one scan has a contrast medium, the other has none"),
    KVP: ((FollowedQuantity.MEAN_HU, FollowedQuantity.FAT), "the tube voltages differ"),
    NOISE: ((FollowedQuantity.FAT,), "the scans differ in noise or sharpness"),
}


def differing_conditions(before: Examination, after: Examination) -> tuple[Finding, ...]:
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


def bone_doubts(found: Iterable[Change]) -> tuple[Finding, ...]:
    """A warning where the volume of bones changed by more than the error: those of adults keep theirs."""
    names = [
        change.segment.name
        for change in found
        if change.quantity is FollowedQuantity.VOLUME and change.segment.structure.is_bone and change.verdict is ChangeVerdict.REAL
    ]
    if not names:
        return ()
    sentence = (
        f"The volume of bones changed by more than the error ({', '.join(names)}), which those of adults hardly do: check that "
        "both are scans of the same patient, and the lights of these bones."
    )
    return (warning("bones_changed", sentence),)


def _patient(before: Examination, after: Examination) -> list[Finding]:
    one, two = before.protocol, after.protocol
    found = []
    pairs = zip((*one.patient, one.sex), (*two.patient, two.sex), strict=True)
    if any(first and second and first != second for first, second in pairs):
        sentence = "The headers of the scans differ in the patient's identifier, date of birth or sex: nothing is called a change."
        found.append(warning(OTHER_PATIENT, sentence))
    if before.when and after.when and after.when < before.when:
        sentence = f"{after.name} was scanned before {before.name}; give the earlier result first."
        found.append(warning("order", sentence))
    return found


def _scanner(before: Examination, after: Examination) -> list[Finding]:
    one, two = before.protocol, after.protocol
    found = []
    if one.kernel and two.kernel and one.kernel != two.kernel:
        sentence = f"The scans were reconstructed with different kernels ({one.kernel}, {two.kernel}); shares of fat depend on it."
        found.append(warning("kernel", sentence))
    if one.kvp and two.kvp and abs(one.kvp - two.kvp) > KVP_DIFFERS:
        sentence = (
            f"The tube voltages differ ({one.kvp:g} and {two.kvp:g} kV), and HU with them: changes of HU and fat are not rated."
        )
        found.append(warning(KVP, sentence))
    if one.contrast is not None and two.contrast is not None and one.contrast != two.contrast:
        which = before.name if one.contrast else after.name
        sentence = (
            f"Only {which} was scanned with a contrast medium, which raises the HU of muscle: changes of HU and fat are not rated."
        )
        found.append(warning(CONTRAST, sentence))
    if one.thickness_mm and two.thickness_mm and _ratio(one.thickness_mm, two.thickness_mm) > 1 + SPACING_DIFFERS:
        sentence = f"The slices differ in thickness ({one.thickness_mm:g} and {two.thickness_mm:g} mm)."
        found.append(warning("thickness", sentence))
    return found


def _grid(before: CaseResult, after: CaseResult) -> list[Finding]:
    one, two = sorted(before.geometry.spacing), sorted(after.geometry.spacing)
    if all(_ratio(a, b) <= 1 + SPACING_DIFFERS for a, b in zip(one, two, strict=True)):
        return []
    texts = (" x ".join(f"{value:.2g}" for value in case.geometry.spacing) for case in (before, after))
    return [
        warning("voxel_size", f"The voxels differ in size ({' and '.join(texts)} mm); borders are drawn otherwise on coarser ones.")
    ]


def _noise(before: CaseResult, after: CaseResult) -> list[Finding]:
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
    told = f"{'more' if more > less else 'less'} in {max(more, less)} of {len(ratios)} muscles"
    sentence = (
        f"HU scatter {told} of the later scan, as with another dose or kernel; shares of fat follow the noise, and their changes "
        "are not rated."
    )
    return [warning(NOISE, sentence)]


def _run(before: CaseResult, after: CaseResult) -> list[Finding]:
    one, two = before.facts, after.facts
    found = []
    if one.height_m and two.height_m and abs(one.height_m - two.height_m) > HEIGHT_DIFFERS_M:
        sentence = (
            f"The heights differ ({100 * one.height_m:.0f} and {100 * two.height_m:.0f} cm): volumes per height² cannot be "
            "compared unless the patient grew."
        )
        found.append(warning("height", sentence))
    if (one.region_lps_mm is None) != (two.region_lps_mm is None):
        found.append(warning("region", "Only one of the scans was segmented within a region of interest."))
    pairs = {
        "model bundle": (_bundle(one.record), _bundle(two.record)),
        "number of dropout passes": (one.passes, two.passes),
        "rule of the lights": (one.lights, two.lights),
        "version of the software": (_version(one.record), _version(two.record)),
    }
    others = [f"{name} ({first} and {second})" for name, (first, second) in pairs.items() if first and second and first != second]
    if others:
        told = ", ".join(others)
        sentence = f"The runs differ in {told}: segment both scans with the same, or a change of model looks like one of muscle."
        found.append(warning("run", sentence))
    return found


def _sides(before: CaseResult, after: CaseResult) -> list[Finding]:
    one, two = _found_sides(before), _found_sides(after)
    found = []
    if one and two and one != two:
        only = " and ".join(sorted(side.value for side in one ^ two))
        found.append(warning("side", f"Only one of the scans shows the {only} side."))
    if any(
        finding.code in ("side_guessed", "sides_from_muscles", "assumed_orientation")
        for finding in (*before.findings, *after.findings)
    ):
        sentence = "Right and left are in doubt in one of the scans: check that a muscle is compared with itself."
        found.append(warning("side_doubt", sentence))
    return found


def _pose(before: CaseResult, after: CaseResult) -> list[Finding]:
    one, two = femur_axes(before), femur_axes(after)
    turned = {side: angle_degrees(one[side], two[side]) for side in one if side in two}
    told = [f"{side.value} by {angle:.0f}°" for side, angle in turned.items() if angle > POSE_DIFFERS_DEGREES]
    if not told:
        return []
    sentence = f"The femora lie differently ({', '.join(told)}): the pose moves muscles and may change how they are segmented."
    return [warning("pose", sentence)]


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
