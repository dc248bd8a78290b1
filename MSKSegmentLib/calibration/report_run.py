"""The failure detection of a bundle's calibration, judged on an evaluation of its network: nothing is segmented again."""

from __future__ import annotations

from pathlib import Path

from .. import RESEARCH_USE_ONLY, __version__
from ..bundle import ModelBundle
from ..errors import InputError
from ..evaluation.folder import check_report_folder
from ..evaluation.metrics import Outcome
from ..packages import require
from ..quality.calibration import Calibration
from .judging import CALIBRATED_RULE, judge_observations, thresholds_of
from .observing import case_observations, evaluated_cases
from .report import QUALITY_CARD, write_quality
from .report_measures import POOLED
from .report_review import write_review_report


def check_calibrated(bundle: ModelBundle) -> ModelBundle:
    """The bundle, if its calibration can be judged.

    Raises:
        InputError: it has none.
        DependencyError: a package is missing.
    """
    if not bundle.calibration:
        raise InputError(f"The bundle {bundle.manifest.name!r} is not calibrated; run mskseg calibrate first.")
    require("matplotlib", purpose="--quality")
    return bundle


def judge_evaluation(bundle: ModelBundle, evaluation: Path, folder: Path) -> str:
    """Write ``quality.csv``, ``quality.md`` and figures into `folder`; returns the outcome in a sentence.

    The calibration should not have seen the patients of the evaluation.

    Raises:
        InputError: the evaluation is of another network, or holds nothing to judge.
        BundleError: the bundle's calibration cannot be read.
    """
    folder = check_report_folder(folder)
    cases = evaluated_cases(bundle, evaluation)
    calibration = Calibration.from_json(bundle.calibration or {})
    observations = [item for case in cases for item in case_observations(case, calibration.reference)]
    if not observations:
        raise InputError(f"The evaluation {evaluation.name!r} holds no segment that the network found; evaluate other cases.")
    manifest = bundle.manifest
    thresholds = thresholds_of(calibration, observations)
    judged = judge_observations(observations, calibration, manifest.passes, thresholds)
    what = f"The model bundle {manifest.name} {manifest.version}, {manifest.passes} dropout passes. MSKSegment {__version__}. "
    missed = sum(row.outcome is Outcome.MISSED for case in cases for row in case.rows)
    measures = write_quality(folder, judged, calibration, what + RESEARCH_USE_ONLY, missed)
    write_review_report(folder, QUALITY_CARD, cases, judged, thresholds)
    found = {measure.measure: measure for measure in measures if measure.judge == CALIBRATED_RULE and measure.structure == POOLED}
    area, wrong = found["auroc_inaccurate"], found["wrong_greens"]
    ranked = "cannot be ranked (too few cases)" if area.value is None else f"are told with an AUROC of {area.value:.3f}"
    return (
        f"{area.events} inaccurate segments {ranked}; {wrong.events} of {wrong.n} green lights were wrong. "
        f"The report is {folder / QUALITY_CARD}."
    )
