"""Made-up evaluations, as folders that ``mskseg evaluate`` could have written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import Scores
from MSKSegmentLib.evaluation.folder import CASES, MARKER, scores_json
from MSKSegmentLib.evaluation.metrics import Outcome, SegmentComparison
from MSKSegmentLib.evaluation.tables import CaseScores

# From case name and segment to what differs from a plain row; None leaves the segment out.
Change = Callable[[str, Any], Mapping[str, Any] | None]


def segment_row(segment, dice=0.95, **changes) -> SegmentComparison:
    """A plain row of a segment that was found."""
    volumes = {"volume_true_cc": 100.0, "volume_predicted_cc": 102.0, "mean_hu_true": 40.0, "mean_hu_predicted": 41.0}
    values = {"outcome": Outcome.COMPARED, "voxels_true": 1000, **volumes, "asd_mm": 1.0, "hd95_mm": 3.0, "uncertainty": 3e-4}
    values |= {name: value for name, value in changes.items() if name != "missed"}
    true, found = values["volume_true_cc"], values["volume_predicted_cc"]
    values.setdefault("rve_percent", 100 * (found - true) / true)
    values.setdefault("ave_percent", abs(values["rve_percent"]))
    if values["mean_hu_true"] is not None:
        values.setdefault("aie_hu", abs(values["mean_hu_predicted"] - values["mean_hu_true"]))
    values.setdefault("scores", Scores(mean_variance=values["uncertainty"], mean_entropy=0.1))
    return SegmentComparison(segment=segment, dice=dice, **values)


def missed_row(segment) -> SegmentComparison:
    """A row of a segment that was not found."""
    return SegmentComparison(
        segment, Outcome.MISSED, 1000, 100.0, 0.0, 0.0, rve_percent=-100.0, ave_percent=100.0, mean_hu_true=40.0
    )


def write_evaluation(
    folder: Path, cases, change: Change = lambda case, segment: {}, only=None, passes=10, seed=0, bundle="a" * 64
) -> Path:
    """An evaluation of cases; `only` names structures, `change` what differs from `segment_row` (``{"missed": True}``: all)."""
    (folder / CASES).mkdir(parents=True)
    (folder / MARKER).write_text(json.dumps({"format": "mskseg-evaluation", "version": "0", "segmentations": "made up"}))
    for case in cases:
        rows = []
        for segment in HIP_AND_THIGH.segments:
            changes = change(case, segment) if only is None or segment.structure.abbreviation in only else None
            if changes is not None:
                rows.append(missed_row(segment) if changes.get("missed") else segment_row(segment, **changes))
        key = {"bundle": bundle, "passes": passes, "seed": seed}
        content = {"key": key, **scores_json(CaseScores(case, tuple(rows), 0.0, HIP_AND_THIGH))}
        (folder / CASES / f"{case}.json").write_text(json.dumps(content))
    return folder


def plausible(seed: int, quality: float = 1.0) -> Change:
    """Errors, uncertainties and true values that depend on patient, side and structure as in a real evaluation, drawn by `seed`.

    The patient's own numbers are the same for every seed; `quality` divides the errors.
    """
    noise = np.random.default_rng(seed)

    def change(case: str, segment) -> dict[str, float]:
        own = np.random.default_rng([*case.encode(), segment.label])
        patient = float(np.exp(np.random.default_rng([*case.encode()]).normal(0, 0.35)))
        size = 20.0 * (1 + segment.label % 100 % 7) * float(np.exp(own.normal(0, 0.15)))
        density = (350.0 if segment.structure.is_bone else 35.0) + float(own.normal(0, 6))
        error = 0.05 * patient / quality * float(np.exp(own.normal(0, 0.3) + noise.normal(0, 0.15)))
        found = size * float(np.exp(noise.normal(0, 0.5 * error)))
        uncertainty = 6e-3 * error * float(np.exp(noise.normal(0, 0.25)))
        shown = density + float(noise.normal(0, 15 * error))
        return {
            "dice": 1 - error,
            "asd_mm": 9 * error,
            "hd95_mm": 40 * error,
            "uncertainty": uncertainty,
            "volume_true_cc": size,
            "volume_predicted_cc": found,
            "mean_hu_true": density,
            "mean_hu_predicted": shown,
            "scores": Scores(mean_variance=uncertainty, mean_entropy=2 * error**0.8 * float(np.exp(noise.normal(0, 0.2)))),
        }

    return change
