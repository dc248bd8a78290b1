"""The report of one judged segment: the light that its evidence gives, and what speaks against the mask as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..case_result import Light, SegmentReport
from ..quality.given_labels import Verdict
from ..quality.unpredicted import without_prediction
from .agreement import DISAGREEING_BELOW
from .mask_evidence import MaskEvidence
from .told import disagreement_reasons, jump_reason

UNCALIBRATED = "cannot judge: uncalibrated, the model has no calibration for masks that others made"
NOT_OURS = "cannot judge: the network does not know this structure"
IN_PARTS = "cannot judge: the network has this structure in parts, and its calibration does not know the whole"
# Of a structure that the mask lacks: not calibrated, but enough for it to be flagged.
LACKING_PROBABILITY = 0.9
# What an absent structure is called where the mask was asked for it.
_NOT_FOUND = "not found in this scan"


@dataclass(frozen=True)
class Judgement:
    """What is known of all segments of a mask.

    `rated` are reports by label, from the evidence alone; `verdict` is what speaks against the mask by itself; `slices` are the
    CT's numbers of the slices of the judging grid. Without `calibrated` nothing can be predicted, and neither can it of the labels
    in `parts`, which the network has in parts.
    """

    rated: Mapping[int, SegmentReport]
    verdict: Verdict
    evidence: MaskEvidence
    slices: Sequence[int]
    calibrated: bool
    parts: frozenset[int] = frozenset()


def judged_report(report: SegmentReport, judgement: Judgement) -> SegmentReport:
    """The report of a segment with the light of the rating; measurements and state of review stay as they are."""
    label, rated = report.segment.label, judgement.rated.get(report.segment.label)
    if rated is None or rated.scores is None:
        base, reasons = replace(report, light=Light.GREY), [NOT_OURS]
    else:
        base = replace(
            rated,
            measurements=report.measurements,
            asymmetry_percent=report.asymmetry_percent,
            state=report.state,
            dice_to_automatic=report.dice_to_automatic,
            # The paper's rule is one for what the network itself drew.
            paper_light=None,
        )
        reasons = list(rated.reasons) if judgement.calibrated else [UNCALIBRATED]
        if label in judgement.parts:
            base, reasons = without_prediction(base, ()), [IN_PARTS]
    # Of what the network does not know, its not drawing it says nothing.
    is_known = base.scores is not None
    where = _where(label, judgement, is_known)
    light = _looked_at(base.light, label, judgement) if is_known else base.light
    light, against = _with_doubts(light, label, judgement.verdict)
    return replace(base, light=light, reasons=tuple(dict.fromkeys((*against, *reasons, *where))))


def _looked_at(light: Light, label: int, judgement: Judgement) -> Light:
    """Yellow for what nothing can be predicted of, where mask and network plainly disagree: somebody should look."""
    agreement = judgement.evidence.agreements.get(label)
    plain = (not judgement.calibrated or label in judgement.parts) and agreement is not None and agreement.mean < DISAGREEING_BELOW
    return Light.YELLOW if plain and light is Light.GREY else light


def _where(label: int, judgement: Judgement, is_known: bool) -> tuple[str, ...]:
    """In which slices mask and network disagree, where it knows the structure, and in which the mask contradicts itself."""
    agreement = judgement.evidence.agreements.get(label) if is_known else None
    shape = judgement.evidence.shapes.get(label)
    found = () if agreement is None else disagreement_reasons(agreement, judgement.slices)
    if shape is None:
        return found
    return (*found, *jump_reason(_over_view(shape.jumping, shape.first_slice, judgement), judgement.slices))


def _over_view(jumping: np.ndarray, first: int, judgement: Judgement) -> np.ndarray:
    whole = np.zeros(len(judgement.slices), bool)
    whole[first : first + len(jumping)] = jumping
    return whole


def _with_doubts(light: Light, label: int, verdict: Verdict) -> tuple[Light, tuple[str, ...]]:
    """The light with what speaks against the mask by itself: red where its numbers cannot be those of the structure."""
    doubts = verdict.doubts.get(label, ())
    reasons = [doubt.reason for doubt in doubts]
    if verdict.misfit:
        reasons.append(f"the segmentation as a whole does not fit this CT: {verdict.misfit}")
    if verdict.misfit or any(doubt.grave for doubt in doubts):
        light = Light.RED
    elif doubts and light is Light.GREEN:
        light = Light.YELLOW
    return light, tuple(reasons)


def lacking_report(report: SegmentReport, volume_cc: float) -> SegmentReport:
    """The report of a structure that the mask lacks and the network finds; as it was where the mask was not asked for it."""
    if report.reasons and report.reasons[0] != _NOT_FOUND and not report.reasons[0].startswith("the segmentation lacks it"):
        return report
    reason = f"the segmentation lacks it, but the network finds {volume_cc:.0f} cc of it in this scan"
    return replace(report, light=Light.GREY, reasons=(reason,), failure_probability=LACKING_PROBABILITY)
