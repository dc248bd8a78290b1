"""Observations for the calibration of `rating`: masks of patients with true labels, good and damaged ones, with their evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..anatomy import StructureTable
from ..ct.volume import Geometry
from ..measurement import measure
from ..quality.guards import metal_distances
from ..quality.plausibility import make_reference
from ..rating.mask_evidence import MaskEvidence, Usual, mask_evidence
from ..rating.missing import missing_labels
from ..rating.network_view import NetworkView
from ..rating.reference import make_forms
from .observations import Observation
from .rating_masks import OWN, TRUE, MadeMask, comparison, made_masks, overlap


@dataclass(frozen=True)
class Patient:
    """A patient for the calibration, on the judging grid.

    `truth` is uint8 ``[z, y, x]`` with sides, `hu` int16, `view` what the network says. `ordinary` is False for stress tests and
    bodies unlike those of training, `cautions` are reasons against green for the scan as a whole.
    """

    name: str
    truth: np.ndarray
    hu: np.ndarray
    view: NetworkView
    ordinary: bool
    cautions: tuple[str, ...] = ()

    @property
    def geometry(self) -> Geometry:
        """The judging grid."""
        return self.view.geometry


@dataclass(frozen=True)
class RatedMask:
    """One mask of a patient: its evidence, and by label an observation whose scores lack the deviations from the usual.

    `kind` is what was done to the mask as a whole. `missing` are the true labels that the mask lacks, `told_missing` those that
    `rating` tells to be missing, rightly or not.
    """

    patient: str
    kind: str
    ordinary: bool
    evidence: MaskEvidence
    observations: Mapping[int, Observation]
    missing: tuple[int, ...]
    told_missing: tuple[int, ...]


def rated_masks(patient: Patient, table: StructureTable, seed: int) -> list[RatedMask]:
    """All masks of a patient with their evidence; the same seed makes the same masks."""
    spacing = patient.geometry.spacing[::-1]
    true = measure(patient.truth, patient.hu, patient.geometry, table, None)
    found = []
    for made in made_masks(patient.truth, patient.view.own, (spacing[0], spacing[1], spacing[2]), table, seed):
        measured = measure(made.labels, patient.hu, patient.geometry, table, None)
        metal_mm = metal_distances(made.labels, patient.hu, patient.geometry)
        evidence = mask_evidence(made.labels, patient.view, measured, metal_mm, table)
        dice = overlap(patient.truth, made.labels)
        observations = {}
        for label, scores in evidence.scores.items():
            segment = table.segment_of_label(label)
            if segment is None:
                continue
            volume_ratio, hu_difference = comparison(label, true, measured)
            kind = made.kind(label, dice[label])
            observations[label] = Observation(
                patient=patient.name,
                abbreviation=segment.structure.abbreviation,
                side=segment.side.value,
                uncertainty=None,
                dice=dice[label],
                scores=scores,
                volume_ratio=volume_ratio,
                hu_difference=hu_difference,
                # What is usual for a structure, and from which Dice on it is inaccurate, is that of the network's own lights.
                ordinary=patient.ordinary and kind == OWN and made.rest == OWN and not made.kinds,
                truncated=bool(measured[label].truncated_by),
                condition=kind,
                scan_cautions=patient.cautions,
                mask=made.name,
            )
        found.append(_rated(patient, made, evidence, observations))
    return found


def _rated(patient: Patient, made: MadeMask, evidence: MaskEvidence, observations: dict[int, Observation]) -> RatedMask:
    there = {int(label) for label in np.unique(made.labels)}
    lost = tuple(int(label) for label in np.unique(patient.truth) if label and int(label) not in there)
    told = tuple(sorted(missing_labels(made.labels, patient.view)))
    return RatedMask(patient.name, made.rest, patient.ordinary, evidence, observations, lost, told)


def usual_of(masks: Iterable[RatedMask], table: StructureTable) -> Usual:
    """What is usual, from the true masks of all patients but those under stress."""
    true = [mask for mask in masks if mask.kind == TRUE and mask.ordinary and not _damaged(mask)]
    volumes: dict[str, Any] = make_reference((mask.evidence.placements for mask in true), table)
    return Usual(volumes, make_forms((mask.evidence.forms for mask in true), table))


def _damaged(mask: RatedMask) -> bool:
    return any(item.condition != TRUE for item in mask.observations.values())


def observations_of(masks: Sequence[RatedMask], usual: Usual, table: StructureTable) -> list[Observation]:
    """The observations of all masks, with the deviations from what is usual among their scores."""
    found = []
    for mask in masks:
        scores = mask.evidence.compared_with(usual, table)
        found += [replace(item, scores=scores[label]) for label, item in mask.observations.items()]
    return found
