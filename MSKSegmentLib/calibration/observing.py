"""Observations for a calibration: from the rows of an evaluation, or from cases that are segmented for it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..bundle import Manifest, ModelBundle
from ..case_result import SCORE_NAMES
from ..errors import InputError
from ..evaluation.cases import CaseFiles, find_true_cases, patient_of, read_labelled_case
from ..evaluation.folder import read_evaluation
from ..evaluation.metrics import (
    Outcome,
    Scope,
    SegmentComparison,
    false_muscle_cc,
    overlap_rows,
    whole_reports,
    with_centroids,
    with_reports,
    within,
    without_densities,
)
from ..evaluation.tables import CaseScores
from ..pipeline import segment_case
from ..quality.calibration import Calibration
from ..quality.guards import scan_cautions, segment_cautions
from ..settings import Settings
from .observations import Observation
from .placing import with_deviations

# Virtual patients with stress up to this strength count as ordinary.
ORDINARY_STRENGTH = 0.2


def case_observations(case: CaseScores, reference: Mapping[str, Any] | None = None) -> list[Observation]:
    """The observations of one case: segments that were found, or called where the truth has none (Dice 0).

    Missed segments have no scores and slivers say nothing about the network; both are left out. With a `reference` the deviations
    of volumes and places are those from it, also where the run had none.
    """
    ordinary, condition, cautions = is_ordinary(case.facts), _condition(case.facts), scan_cautions(case.findings)
    own = segment_cautions(case.findings)
    rows = with_deviations(case, reference).rows if reference else case.rows
    return [
        _observation(patient_of(case.name), row, ordinary, condition, cautions, own.get(row.segment.key, ()))
        for row in rows
        if row.outcome in (Outcome.COMPARED, Outcome.FALSE) and (row.uncertainty is not None or row.scores is not None)
    ]


def is_ordinary(facts: Mapping[str, Any]) -> bool:
    """Whether the scan is an ordinary one and not a stress test."""
    stress = facts.get("stress")
    return not isinstance(stress, Mapping) or stress.get("kind") == "none" or stress.get("strength", 1.0) <= ORDINARY_STRENGTH


def _condition(facts: Mapping[str, Any]) -> str:
    stress = facts.get("stress")
    return str(stress.get("kind", "")) if isinstance(stress, Mapping) else ""


def evaluated_cases(bundle: ModelBundle, folder: Path) -> list[CaseScores]:
    """The cases of an evaluation of this bundle, or of one with the same network that it was calibrated from.

    Raises:
        InputError: the evaluation cannot be read, or is of another network or another number of passes.
        BundleError: the bundle's calibration cannot be read.
    """
    networks, manifest = networks_of(bundle), bundle.manifest
    found = read_evaluation(folder)
    for key, _ in found:
        if key.get("bundle") not in networks or not drawn_alike(key, manifest):
            passes = f"{manifest.passes} passes{' at most' if manifest.auto_passes else ''}"
            raise InputError(
                f"The evaluation {folder.name!r} is not one of the bundle {manifest.name!r} with {passes}; evaluate this bundle "
                "first, or name a folder of cases."
            )
    return [case for _, case in found]


def drawn_alike(key: Mapping[str, Any], manifest: Manifest) -> bool:
    """Whether a case that an evaluation keeps by `key` was run with the passes of a bundle: other scores do not compare."""
    return key.get("passes") == manifest.passes and key.get("auto_passes", False) == manifest.auto_passes


def networks_of(bundle: ModelBundle) -> tuple[str, ...]:
    """The digests of this bundle and of those that it was calibrated from.

    Raises:
        BundleError: the bundle's calibration cannot be read.
    """
    earlier = Calibration.from_json(bundle.calibration).networks if bundle.calibration else ()
    return tuple(dict.fromkeys((*earlier, bundle.digest)))


def segmented_cases(
    bundle: ModelBundle, data: Path, device: str, checkpoint: Callable[[], None], report: Callable[[str], None]
) -> Iterator[CaseScores]:
    """Segment each case of a folder (seed: its number) and compare it with its labels.

    A case that cannot be used is told to `report` with the reason, and left out.

    Raises:
        InputError: there is no case, or none can be used.
    """
    first: InputError | None = None
    usable = False
    for number, files in enumerate(find_true_cases(data)):
        try:
            case = _segmented(bundle, files, number, device, checkpoint)
        except InputError as error:
            first = first or error
            report(f"{files.name}: left out; {error}")
            continue
        usable = True
        yield case
    if first is not None and not usable:
        raise first


def _segmented(bundle: ModelBundle, files: CaseFiles, seed: int, device: str, checkpoint: Callable[[], None]) -> CaseScores:
    case = read_labelled_case(files, bundle.table)
    result = segment_case(case.volume, bundle, Settings(device=device, seed=seed), checkpoint=checkpoint)
    scope = Scope.of(case)
    rows = overlap_rows(case.truth, result.labels, case.volume.geometry, case.volume.hu, scope)
    if not bundle.task.in_hounsfield:
        # Means of MR have no unit: a range of densities that was learned from them would mean nothing.
        rows = without_densities(rows)
    rows = with_reports(rows, whole_reports({report.segment.key: report for report in result.reports}, result.labels, scope))
    rows = with_centroids(rows, within(case.truth, scope), within(result.labels, scope), case.volume.geometry)
    false_cc = false_muscle_cc(case.truth, result.labels, case.volume.geometry, scope)
    return CaseScores(case.name, tuple(rows), false_cc, case.table, case.facts, result.findings)


def write_observations(path: Path, observations: Iterable[Observation]) -> None:
    """A table with one row per segment and case: the calibration's observations."""
    identity_columns = ["case", "abbreviation", "side", "condition", "ordinary", "truncated"]
    columns = [*identity_columns, "uncertainty", "dice", "volume_ratio", "hu_difference"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*columns, *SCORE_NAMES])
        writer.writeheader()
        for item in observations:
            numbers = asdict(item)
            line = {"case": item.patient, **{name: numbers[name] for name in columns[1:]}, **(numbers["scores"] or {})}
            writer.writerow({name: _cell(value) for name, value in line.items()})


def _observation(
    patient: str,
    row: SegmentComparison,
    ordinary: bool,
    condition: str,
    cautions: tuple[str, ...],
    own_cautions: tuple[str, ...],
) -> Observation:
    found = row.outcome is Outcome.COMPARED
    shift = None
    if found and row.mean_hu_true is not None and row.mean_hu_predicted is not None:
        shift = row.mean_hu_true - row.mean_hu_predicted
    uncertainty = row.uncertainty
    if uncertainty is None and row.scores is not None:
        uncertainty = row.scores.mean_variance
    return Observation(
        patient=patient,
        abbreviation=row.segment.structure.abbreviation,
        side=row.segment.side.value,
        uncertainty=uncertainty,
        dice=row.dice,
        scores=row.scores,
        volume_ratio=row.volume_true_cc / row.volume_predicted_cc if found else None,
        hu_difference=shift,
        ordinary=ordinary,
        truncated=bool(row.truncated),
        condition=condition,
        scan_cautions=cautions,
        own_cautions=own_cautions,
    )


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else value
