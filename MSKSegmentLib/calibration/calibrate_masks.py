"""The calibration of a bundle for masks that others made, on cases with true labels, which are damaged for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import date
from pathlib import Path

from ..bundle import ModelBundle, update_rating
from ..errors import InputError
from ..evaluation.cases import CaseFiles, find_true_cases, patient_of, read_labelled_case
from ..output.files import whole_file
from ..quality.calibration import Calibration
from ..quality.conformal import FEWEST_FOR_INTERVALS
from ..quality.guards import scan_cautions
from ..rating.mask_evidence import Usual
from ..rating.network_view import on_pixels
from ..rating.rating_calibration import JUDGING_PASSES, RatingCalibration
from ..rating.scan_view import JudgeRun, view_scan
from .calibrate_bundle import CalibrationJob, check_job
from .fit import calibrate
from .judging import lights_table
from .judging_masks import judge_masks_left_out, network_thresholds
from .observations import Observation, patients_of
from .observing import is_ordinary, networks_of
from .rating_cases import Patient, RatedMask, observations_of, rated_masks, usual_of
from .report import QUALITY_CARD, write_quality

_LOG = logging.getLogger(__name__)


def calibrate_masks(
    bundle: ModelBundle, job: CalibrationJob, checkpoint: Callable[[], None], report: Callable[[str], None] = print
) -> ModelBundle:
    """Damage the true labels of all cases, see how the network's passes tell, and write a new bundle with ``rating.json``.

    The data of the job are a folder of cases; with `by_condition` patients are left out together with the kind of damage.

    Raises:
        InputError: there are no cases, those that can be used are too few, or the bundle has no lights of its own, whose
            thresholds hold for masks as well.
        BundleError, InputError: before any work, what `check_job` refuses.
    """
    report_folder = check_job(bundle, job).report
    own, cases = _own_calibration(bundle), find_true_cases(job.data)
    # Known before the network has worked for hours.
    _check_number({patient_of(files.name) for files in cases})
    masks: list[RatedMask] = []
    for number, files in enumerate(cases):
        try:
            patient = _patient(bundle, files, number, job.device, checkpoint)
        except InputError as error:
            report(f"{files.name}: left out; {error}")
            continue
        made = rated_masks(patient, bundle.table, number)
        report(f"{files.name}: {sum(len(mask.observations) for mask in made)} segments of masks")
        masks += made
    fitted = fit_masks(masks, bundle, own, job.source, JUDGING_PASSES)
    observations = observations_of(masks, fitted.usual, bundle.table)
    if report_folder is not None:
        for line in write_mask_report(report_folder, masks, observations, fitted, job.by_condition):
            report(line)
    return update_rating(bundle, fitted.to_json(), job.folder, job.version)


def fit_masks(masks: Sequence[RatedMask], bundle: ModelBundle, own: Calibration, source: str, passes: int) -> RatingCalibration:
    """The calibration for masks: fitted as the network's own, with the thresholds and the usual volumes of that one.

    Raises:
        InputError: the patients are too few.
    """
    patients = {mask.patient for mask in masks}
    _check_number(patients)
    forms = usual_of(masks, bundle.table).forms
    observations = observations_of(masks, Usual(own.reference, forms), bundle.table)
    _LOG.info("%d segments of masks of %d patients", len(observations), len(patients))
    calibration = calibrate(
        observations,
        date.today().isoformat(),
        source,
        passes,
        own.reference,
        networks_of(bundle),
        bundle.table,
        network_thresholds(own),
    )
    return RatingCalibration(calibration, forms)


def _check_number(patients: Collection[str]) -> None:
    if len(patients) < FEWEST_FOR_INTERVALS:
        raise InputError(
            f"A calibration for masks needs {FEWEST_FOR_INTERVALS} patients or more, and these cases show {len(patients)}; "
            "add cases."
        )


def write_mask_report(
    folder: Path, masks: Sequence[RatedMask], observations: Sequence[Observation], fitted: RatingCalibration, unseen_damage: bool
) -> list[str]:
    """Judge every patient by a calibration on others and write the report; returns the table of the lights, line by line."""
    given = network_thresholds(fitted.calibration)
    if given is None:
        return []
    judged = judge_masks_left_out(observations, fitted.calibration.passes, given, unseen_damage)
    others = "others" + (" that had not met the kind of damage either" if unseen_damage else "")
    patients, source = len(patients_of(observations)), fitted.calibration.source
    what = f"Masks of {patients} patients ({source}), each judged by a calibration on {others}"
    write_quality(folder, judged, fitted.calibration, what, sum(len(mask.missing) for mask in masks))
    lines = [*lights_table(judged), "", _missing_line(masks)]
    with whole_file(folder / QUALITY_CARD, ".md") as temporary:
        text = (folder / QUALITY_CARD).read_text(encoding="utf-8")
        temporary.write_text(f"{text}\n\n{_missing_line(masks)}\n", encoding="utf-8", newline="")
    return lines


def _missing_line(masks: Sequence[RatedMask]) -> str:
    lost = sum(len(mask.missing) for mask in masks)
    right = sum(len(set(mask.missing) & set(mask.told_missing)) for mask in masks)
    needless = sum(len(set(mask.told_missing) - set(mask.missing)) for mask in masks)
    return f"Structures that a mask lacks altogether: {right} of {lost} were told; {needless} were told that the truth lacks, too."


def _own_calibration(bundle: ModelBundle) -> Calibration:
    own = Calibration.from_json(bundle.calibration) if bundle.calibration else None
    if own is None or network_thresholds(own) is None:
        raise InputError(
            f"The bundle {bundle.manifest.name!r} has no lights of its own, whose thresholds masks are held against; run mskseg "
            "calibrate without --masks first."
        )
    return own


def _patient(bundle: ModelBundle, files: CaseFiles, seed: int, device: str, checkpoint: Callable[[], None]) -> Patient:
    from ..inference.devices import choose_device

    case = read_labelled_case(files, bundle.table)
    seen = view_scan(case.volume, bundle, JudgeRun(JUDGING_PASSES, seed, choose_device(device).name), checkpoint=checkpoint)
    grid = seen.view.own.shape[1], seen.view.own.shape[2]
    hu = on_pixels(seen.scan.body.hu[:: seen.scan.step], grid)
    return Patient(
        patient_of(case.name),
        seen.on_judging_grid(case.truth),
        hu,
        seen.view,
        is_ordinary(case.facts),
        scan_cautions(seen.findings),
    )
