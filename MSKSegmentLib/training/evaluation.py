"""A bundle on cases with true labels: Dice per segment, and the calibration that follows from it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import numpy as np

from ..anatomy import segments
from ..bundle import ModelBundle, update_calibration
from ..case_result import CaseResult
from ..ct import read_ct, read_labels
from ..errors import InputError
from ..pipeline import Settings, segment_case
from ..quality.calibration import Observation, calibrate
from ..quality.scores import dice
from ..virtual.cases import CT_FILE, LABELS_FILE

# A sliver of a structure at the edge of the field of view says nothing about the network.
FEWEST_TRUE_VOXELS = 50


def case_folders(data: Path) -> list[Path]:
    """The cases in a folder, sorted.

    Raises:
        InputError: there is none.
    """
    cases = sorted(path.parent for path in data.glob(f"*/{CT_FILE}") if (path.parent / LABELS_FILE).exists())
    if not cases:
        raise InputError(f"The folder {data.name!r} holds no case; each needs a folder with {CT_FILE} and {LABELS_FILE}.")
    return cases


def observe(
    bundle: ModelBundle, cases: list[Path], device: str, checkpoint: Callable[[], None]
) -> Iterator[tuple[str, CaseResult, list[Observation]]]:
    """Segment each case (seed: its number) and compare with its labels; yields name, result and observations."""
    labels_known = np.array([segment.label for segment in segments()])
    for number, case in enumerate(cases):
        volume = read_ct(case / CT_FILE)
        truth, geometry = read_labels(case / LABELS_FILE)
        if not geometry.matches(volume.geometry):
            raise InputError(f"CT and labels of the case {case.name!r} have different grids; give labels on the CT's grid.")
        result = segment_case(volume, bundle, Settings(device=device, seed=number), checkpoint=checkpoint)
        scores = dice(truth, result.labels, labels_known)
        sizes = np.bincount(truth.ravel(), minlength=256)
        found = [
            Observation(
                case.name,
                report.segment.structure.abbreviation,
                report.segment.side.value,
                report.uncertainty,
                scores[report.segment.label],
            )
            for report in result.reports
            if report.uncertainty is not None and sizes[report.segment.label] >= FEWEST_TRUE_VOXELS
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

    Raises:
        InputError: there are no cases, or one cannot be used.
    """
    observations: list[Observation] = []
    for name, _, found in observe(bundle, case_folders(data), device, checkpoint):
        observations += found
        report(f"{name}: mean Dice {np.mean([item.dice for item in found]):.3f} over {len(found)} segments")
    calibration = calibrate(observations, date.today().isoformat(), source, bundle.manifest.passes)
    for abbreviation, why in calibration.missing.items():
        report(f"{abbreviation} stays without a light: {why}")
    write_observations(folder.with_name(f"{folder.name}_observations.csv"), observations)
    return update_calibration(bundle, calibration.to_json(), folder, version)


def write_observations(path: Path, observations: list[Observation]) -> None:
    """One row per segment and case."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "abbreviation", "side", "uncertainty", "dice"])
        for item in observations:
            writer.writerow([item.patient, item.abbreviation, item.side, f"{item.uncertainty:.6g}", f"{item.dice:.4f}"])
