"""``mskseg study failure``: how well uncertainty finds inaccurate and failed segments (tables 3 and 6, figure 5 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..calibration.fit_paper_rule import FEWEST_PATIENTS
from ..calibration.ranking import RESAMPLES
from ..errors import InputError
from ..evaluation.agreement import pearson
from ..training.folds import patient_of
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .failure_detection import Detection, detections, published_area
from .failure_figures import plot_areas, plot_detection
from .inputs import Evaluated
from .values import ALL_STRUCTURES, DICE, MEAN_UNCERTAINTY, PatientOf

MEDIAN = "MEDIAN"


def detect_failures(evaluations: Sequence[Evaluated], model: str, seed: int, patient: PatientOf = patient_of) -> Analysis:
    """Failure detection in each evaluation; `model` is the published one to stand beside, `seed` that of the bootstrap.

    Raises:
        InputError: no structure of any evaluation has patients enough.
    """
    found = {evaluation.name: detections(evaluation, seed, patient) for evaluation in evaluations}
    if not any(one.areas for every in found.values() for one in every):
        raise InputError(
            f"Failure detection needs at least {FEWEST_PATIENTS} ordinary patients that show a structure; evaluate more cases."
        )
    lines = [line for name, every in found.items() for line in _lines(name, every, model)]
    return Analysis(
        name="failure",
        title="Failure detection by uncertainty",
        tables=(AnalysisTable("failure", "Structures", _COLUMNS, lines),),
        notes=(
            "Inaccurate: Dice below median - 2 x 1.4826 MAD of the ordinary patients; failed: - 3 x. AUROC with the 95 % "
            f"bootstrap interval over {RESAMPLES} draws of patients (seed {seed}): with a handful of failures it says little.",
            f"{ALL_STRUCTURES}: patients' means over all structures. {MEDIAN}: of the structures' AUROCs. r: Pearson's, of Dice "
            "with uncertainty.",
            "Uncertainty from which a segment of an unlabelled scan counts as inaccurate or failed: where the regression line of "
            "Dice on uncertainty crosses the two Dice thresholds.",
            f"Published: model {model} on DB#1 (Table 3); of GMED in an evaluation called as a published database, Table 6.",
        ),
        facts={"seed": seed, "resamples": RESAMPLES, "published_model": model},
        figures={
            "failure.png": (plot_detection(found), "Patients' means over all structures, with line and thresholds; ROC curves."),
            "failure_auroc.png": (
                plot_areas(found, model),
                "AUROC for inaccurate segments with 95 % intervals; n of them at the right.",
            ),
        },
    )


def _lines(name: str, every: Sequence[Detection], model: str) -> list[dict[str, Any]]:
    lines = [_line(name, one, model) for one in every]
    middle: dict[str, Any] = {"evaluation": name, "structure": MEDIAN}
    for target in ("inaccurate", "failed"):
        areas = [line[f"auroc_{target}"] for line in lines[:-1] if line.get(f"auroc_{target}") is not None]
        middle[f"auroc_{target}"] = float(np.median(areas)) if areas else None
        middle[f"published_{target}"] = published_area(name, MEDIAN, model, target)
    return [*lines, middle]


def _line(name: str, one: Detection, model: str) -> dict[str, Any]:
    line: dict[str, Any] = {
        "evaluation": name,
        "structure": one.structure,
        "n": len(one.scores),
        "patients": one.patients,
        "missed": one.missed,
        "pearson": pearson(one.uncertainties, one.scores),
        "reason": one.reason,
    }
    for target, place in (("inaccurate", 0), ("failed", 1)):
        line[f"published_{target}"] = published_area(name, one.structure, model, target)
        if one.areas is not None and one.limits is not None:
            found = one.areas[place]
            line |= {
                f"dice_{target}": getattr(one.limits, target),
                target: found.positives,
                f"auroc_{target}": found.value,
                f"auroc_{target}_low": found.low,
                f"auroc_{target}_high": found.high,
            }
        if one.line is not None:
            line[f"uncertainty_{target}"] = getattr(one.line, f"uncertainty_{target}")
    if one.line is not None:
        line |= {"slope": one.line.slope, "intercept": one.line.intercept}
    return line


def _shown(key: str, digits: int, scale: float = 1.0) -> Any:
    def show(line: Mapping[str, Any]) -> str:
        value = line.get(key)
        return "-" if value is None else f"{value * scale:.{digits}f}"

    return show


def _area_text(target: str) -> Any:
    def show(line: Mapping[str, Any]) -> str:
        value, low, high = (line.get(f"auroc_{target}{end}") for end in ("", "_low", "_high"))
        if value is None:
            return "-"
        return f"{value:.3f}" if low is None else f"{value:.3f} ({low:.3f}-{high:.3f})"

    return show


def _target_columns(target: str) -> list[AnalysisColumn]:
    return [
        AnalysisColumn(f"dice_{target}", f"Dice, {target} below", _shown(f"dice_{target}", DICE.digits)),
        AnalysisColumn(target, f"n {target}", _shown(target, 0)),
        AnalysisColumn(f"auroc_{target}", f"AUROC {target}", _area_text(target)),
        AnalysisColumn(f"auroc_{target}_low"),
        AnalysisColumn(f"auroc_{target}_high"),
        AnalysisColumn(f"published_{target}", "published", _shown(f"published_{target}", 3)),
        AnalysisColumn(
            f"uncertainty_{target}",
            f"uncertainty, {target} from (10⁻⁴)",
            _shown(f"uncertainty_{target}", MEAN_UNCERTAINTY.digits, MEAN_UNCERTAINTY.scale),
        ),
    ]


_COLUMNS = (
    AnalysisColumn("evaluation", "Evaluation", lambda line: line["evaluation"]),
    AnalysisColumn("structure", "structure", lambda line: line["structure"]),
    AnalysisColumn("n", "n", _shown("n", 0)),
    AnalysisColumn("patients", "patients", _shown("patients", 0)),
    AnalysisColumn("missed", "missed", _shown("missed", 0)),
    AnalysisColumn("pearson", "r", _shown("pearson", 2)),
    *_target_columns("inaccurate"),
    *_target_columns("failed"),
    AnalysisColumn("slope"),
    AnalysisColumn("intercept"),
    AnalysisColumn("reason"),
)
