"""The calibration of a bundle on cases with true labels, and its performance on patients left out of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..anatomy import StructureTable
from ..bundle import ModelBundle, check_new_version, update_calibration
from ..errors import InputError
from ..evaluation.agreement import spread
from ..evaluation.folder import check_report_folder, is_evaluation
from ..evaluation.metrics import Outcome
from ..evaluation.tables import CaseScores
from ..output.files import whole_file
from ..output.names import fresh_path, with_ending
from ..output.places import check_place
from ..quality.calibration import Calibration
from ..timing import time_logged
from .fit import calibrate
from .fit_paper_rule import FEWEST_PATIENTS
from .judging import Judged, judge_left_out, lights_table, thresholds_of
from .observations import Observation, patients_of
from .observing import (
    case_observations,
    evaluated_cases,
    is_ordinary,
    networks_of,
    segmented_cases,
    write_observations,
)
from .placing import reference_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalibrationJob:
    """What to calibrate on, and what to write.

    `data` holds cases, or is a folder that ``mskseg evaluate`` wrote for this bundle: then nothing is segmented again. The new
    bundle goes to `folder`, its version is `version`, and `source` says in words what the cases are. The performance on patients
    left out goes, with figures, into `report_folder`. With `by_condition`, patients are left out together with all others to whom
    the same was done (see `judging.judge_left_out`).
    """

    data: Path
    source: str
    version: str
    folder: Path
    device: str = "auto"
    report_folder: Path | None = None
    by_condition: bool = False


@dataclass(frozen=True)
class JobPlaces:
    """Where a job may write: the new bundle's folder and, where one is wanted, the report's, both resolved."""

    bundle: Path
    report: Path | None


def check_job(bundle: ModelBundle, job: CalibrationJob) -> JobPlaces:
    """Refuse, before any work, what would be refused only when the new version of `bundle` or its report is written.

    Raises:
        BundleError: the version is the old one, or the new bundle's folder holds something or cannot be written.
        InputError: the report's folder holds other files, cannot be written, or lies in that of the new bundle.
    """
    folder = check_new_version(bundle, job.folder, job.version)
    if job.report_folder is None:
        return JobPlaces(folder, None)
    report = check_report_folder(job.report_folder)
    # The report is written first, and a new bundle's folder must be empty.
    if report.is_relative_to(folder):
        raise InputError("The report cannot lie in the folder of the new bundle; name another folder with --report.")
    return JobPlaces(folder, report)


def calibrate_bundle(
    bundle: ModelBundle, job: CalibrationJob, checkpoint: Callable[[], None], report: Callable[[str], None] = print
) -> ModelBundle:
    """Calibrate on all cases of a folder and write a new bundle; ``<folder>_observations.csv`` beside it keeps the numbers.

    The performance on patients left out also goes to `report`, line by line. Volumes and places are compared with the true ones of
    these cases or, where they are too few, with those of the bundle's calibration.

    Raises:
        InputError: there are no cases, none can be used, or the evaluation is of another network or another number of passes.
        BundleError, InputError: before any work, what `check_job` refuses, or a table beside the bundle that cannot be written.
    """
    places = check_job(bundle, job)
    observed, report_folder = _table_beside(places.bundle), places.report
    cases = cases_of(bundle, job, checkpoint, report)
    reference: Mapping[str, Any] = reference_of((case for case in cases if is_ordinary(case.facts)), bundle.table)
    if not reference and bundle.calibration:
        reference = Calibration.from_json(bundle.calibration).reference
    observations = observed_segments(cases, reference, job.data)
    _LOG.info("%d segments of %d patients", len(observations), len(patients_of(observations)))
    with time_logged(_LOG, "Judging patients by calibrations on others"):
        judged = _left_out(observations, bundle.manifest.passes, job.by_condition)
    for line in lights_table(judged):
        report(line)
    today = date.today().isoformat()
    passes = bundle.manifest.passes
    calibration = calibrate(observations, today, job.source, passes, reference, networks_of(bundle), bundle.table)
    for line in _unlit(calibration, bundle.table):
        report(line)
    if report_folder is not None and judged:
        from .report import QUALITY_CARD, write_quality
        from .report_review import write_review_report

        others = "patients under other kinds of stress" if job.by_condition else "others"
        what = f"Calibration of {bundle.manifest.name} on {job.source}, each patient judged by a calibration on {others}"
        write_quality(report_folder, judged, calibration, what, _missed(cases))
        write_review_report(report_folder, QUALITY_CARD, cases, judged, thresholds_of(calibration, observations))
    observed.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(observed, ".csv") as temporary:
        write_observations(temporary, observations)
    return update_calibration(bundle, calibration.to_json(), job.folder, job.version)


def cases_of(
    bundle: ModelBundle, job: CalibrationJob, checkpoint: Callable[[], None], report: Callable[[str], None]
) -> list[CaseScores]:
    """The cases of a job, segmented now or read from the evaluation that it names; told line by line.

    Raises:
        InputError: there are no cases, none can be used, or the evaluation is of another network or another number of passes.
    """
    if is_evaluation(job.data):
        cases = evaluated_cases(bundle, job.data)
        report(f"{len(cases)} cases from the evaluation {job.data.name!r}")
        return cases
    cases = []
    for case in segmented_cases(bundle, job.data, job.device, checkpoint, report):
        cases.append(case)
        report(_line(case))
    return cases


def observed_segments(cases: Iterable[CaseScores], reference: Mapping[str, Any], data: Path) -> list[Observation]:
    """All segments of the cases that have evidence, their volumes and places compared with `reference`.

    Raises:
        InputError: there is none; `data` is the folder that is named then.
    """
    observations = [item for case in cases for item in case_observations(case, reference)]
    if not observations:
        raise InputError(f"The cases in {data.name!r} hold no segment with an uncertainty; evaluate a bundle, not stored labels.")
    return observations


def _table_beside(folder: Path) -> Path:
    """Where the observations go, beside the new bundle's folder.

    Raises:
        InputError: nothing can be written there.
    """
    # An earlier table of that name is kept: it may be the only record of a calibration.
    observed = fresh_path(folder.with_name(with_ending(folder.name, "_observations.csv")))
    try:
        check_place(observed.parent)
    except InputError as error:
        raise InputError(
            f"The calibration's table {observed.name} is written beside the bundle, where you may not write; name another folder "
            "with -o."
        ) from error
    return observed


def _left_out(observations: list[Observation], passes: int, by_condition: bool) -> list[Judged]:
    """Nothing where leaving patients out leaves too few."""
    if len(patients_of(observations)) <= FEWEST_PATIENTS:
        return []
    return judge_left_out(observations, passes, by_condition)


def _unlit(calibration: Calibration, table: StructureTable) -> list[str]:
    """Sentences on the structures whose lights stay grey, by either rule."""
    if calibration.model is None:
        lines = [f"All lights stay grey, unless the paper's rule is asked for: {calibration.no_model}."]
    else:
        every = dict.fromkeys((structure.abbreviation for structure in table.structures), "no calibration patient shows it")
        missing = {**every, **calibration.model.missing}
        missing = {name: why for name, why in missing.items() if name not in calibration.model.limits}
        lines = _grouped(missing, "without a light")
    return lines + _grouped(calibration.missing, "without a light by the paper's rule")


def _grouped(missing: Mapping[str, str], what: str) -> list[str]:
    """One sentence per reason."""
    names: dict[str, list[str]] = {}
    for name, why in missing.items():
        names.setdefault(why, []).append(name)
    return [f"{', '.join(found)}: {what}, as {why}." for why, found in names.items()]


def _missed(cases: list[CaseScores]) -> int:
    return sum(row.outcome is Outcome.MISSED for case in cases for row in case.rows)


def _line(case: CaseScores) -> str:
    scores = [row.dice for row in case.rows if row.outcome is Outcome.COMPARED]
    mean = spread(scores).mean
    return f"{case.name}: " + ("" if mean is None else f"mean Dice {mean:.3f} over ") + f"{len(scores)} segments"
