"""The calibration of a bundle on cases with true labels: pairs of Dice and uncertainty per segment, and what lights they give."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np

from ..bundle import ModelBundle, update_calibration
from ..case_result import CaseResult, Light
from ..errors import InputError
from ..pipeline import Settings, segment_case
from ..quality.calibration import FEWEST_PATIENTS, Observation, calibrate
from ..quality.traffic_light import rate
from .evaluation_folder import is_evaluation, read_evaluation
from .labelled_cases import CaseFiles, find_cases, read_case
from .metrics import Outcome, Scope, overlap_rows


def observe(
    bundle: ModelBundle, cases: list[CaseFiles], device: str, checkpoint: Callable[[], None]
) -> Iterator[tuple[str, CaseResult, list[Observation]]]:
    """Segment each case (seed: its number) and compare with its labels; yields name, result and observations.

    Segments that were missed, that the truth lacks, or of which it holds a sliver only, give no observation.

    Raises:
        InputError: a case cannot be used.
    """
    for number, files in enumerate(cases):
        case = read_case(files)
        result = segment_case(case.volume, bundle, Settings(device=device, seed=number), checkpoint=checkpoint)
        scope = Scope(case.slices, case.structures, case.outside)
        rows = overlap_rows(case.truth, result.labels, case.volume.geometry, case.volume.hu, scope)
        uncertainties = {report.segment: report.uncertainty for report in result.reports}
        found = [
            Observation(case.name, row.segment.structure.abbreviation, row.segment.side.value, uncertainty, row.dice)
            for row in rows
            if row.outcome is Outcome.COMPARED and (uncertainty := uncertainties[row.segment]) is not None
        ]
        yield case.name, result, found


def calibrate_bundle(
    bundle: ModelBundle,
    data: Path,
    source: str,
    version: str,
    device: str,
    folder: Path,
    checkpoint: Callable[[], None],
    report: Callable[[str], None] = print,
) -> ModelBundle:
    """Calibrate on all cases of a folder and write a new bundle; ``<folder>_observations.csv`` beside it keeps the numbers.

    `data` holds cases, or is a folder that ``mskseg evaluate`` wrote for this bundle: then nothing is segmented again.

    Raises:
        InputError: there are no cases, one cannot be used, or the evaluation is of another bundle or another number of passes.
    """
    if is_evaluation(data):
        observations = _observations_of(bundle, data)
        report(f"{len({item.patient for item in observations})} cases from the evaluation {data.name!r}")
    else:
        observations = []
        for name, _, found in observe(bundle, find_cases(data), device, checkpoint):
            observations += found
            mean = f"mean Dice {np.mean([item.dice for item in found]):.3f} over " if found else ""
            report(f"{name}: {mean}{len(found)} segments")
    for line in lights_left_out(observations, bundle.manifest.passes):
        report(line)
    calibration = calibrate(observations, date.today().isoformat(), source, bundle.manifest.passes)
    for abbreviation, why in calibration.missing.items():
        report(f"{abbreviation} stays without a light: {why}")
    write_observations(folder.with_name(f"{folder.name}_observations.csv"), observations)
    return update_calibration(bundle, calibration.to_json(), folder, version)


def _observations_of(bundle: ModelBundle, folder: Path) -> list[Observation]:
    """Observations from the rows of an evaluation."""
    observations = []
    for key, scores in read_evaluation(folder):
        if key.get("bundle") != bundle.digest or key.get("passes") != bundle.manifest.passes:
            raise InputError(
                f"The evaluation {folder.name!r} is not one of the bundle {bundle.manifest.name!r} with {bundle.manifest.passes} "
                "passes; evaluate this bundle first, or name a folder of cases."
            )
        observations += [
            Observation(scores.name, row.segment.structure.abbreviation, row.segment.side.value, row.uncertainty, row.dice)
            for row in scores.rows
            if row.outcome is Outcome.COMPARED and row.uncertainty is not None and row.dice is not None
        ]
    return observations


def lights_left_out(observations: list[Observation], passes: int) -> list[str]:
    """What the lights are worth: each patient is rated by a calibration on all others; a Markdown table, line by line.

    Empty where leaving one out leaves too few patients. Guards and truncation, which only take greens away, are left out.
    """
    patients = sorted({item.patient for item in observations})
    if len(patients) <= FEWEST_PATIENTS:
        return []
    rated: dict[Light, list[float]] = {light: [] for light in (Light.GREEN, Light.YELLOW, Light.RED)}
    for patient in patients:
        others = calibrate([item for item in observations if item.patient != patient], "", "", passes)
        for item in observations:
            light = rate(item.abbreviation, item.uncertainty, (), others, passes).light
            if item.patient == patient and light in rated:
                rated[light].append(item.dice)
    lines = ["| Light | Segments | Mean Dice | Dice below 0.80 | below 0.70 | below 0.60 |", "|---|---|---|---|---|---|"]
    for light, scores in rated.items():
        below = [sum(score < limit for score in scores) for limit in (0.8, 0.7, 0.6)]
        mean = f"{np.mean(scores):.3f}" if scores else "-"
        share = f" ({below[0] / len(scores):.1%})" if scores else ""
        lines.append(f"| {light.word} | {len(scores)} | {mean} | {below[0]}{share} | {below[1]} | {below[2]} |")
    return lines


def write_observations(path: Path, observations: list[Observation]) -> None:
    """One row per segment and case."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "abbreviation", "side", "uncertainty", "dice"])
        for item in observations:
            writer.writerow([item.patient, item.abbreviation, item.side, f"{item.uncertainty:.6g}", f"{item.dice:.4f}"])
