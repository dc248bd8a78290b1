"""Virtual patients as files: a folder per patient with ``ct.nii.gz``, ``labels.nii.gz`` and ``facts.json``.

If only a part of the body is labelled, ``labelled.json`` names the labelled structures (see `evaluation.cases`). In MR
the scan is ``mr.nii.gz``, and ``fat.nii.gz`` and ``water.nii.gz`` are the images of a fat-water sequence.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..anatomy import StructureTable
from ..ct.modality import CT_MODALITY, MR_MODALITY
from ..ct.volume import Geometry
from ..errors import InputError
from ..output.files import whole_file
from ..output.filling import whole_folder
from ..output.places import check_no_file, check_place, resolved
from ..timing import time_logged
from .atlas import Atlas, load_atlases
from .ingredients import PLAIN, Ingredients
from .mr_patient import make_mr_patient
from .partial_atlas import complete_atlas, labelled_structures
from .patient import make_patient
from .stress import check_stress, draw_stress, make_stressed_patient

_LOG = logging.getLogger(__name__)
CT_FILE, LABELS_FILE, FACTS_FILE = "ct.nii.gz", "labels.nii.gz", "facts.json"
MR_FILE, FAT_FILE, WATER_FILE = "mr.nii.gz", "fat.nii.gz", "water.nii.gz"
LABELLED_FILE = "labelled.json"
_FILES = (CT_FILE, MR_FILE, FAT_FILE, WATER_FILE, LABELS_FILE, LABELLED_FILE, FACTS_FILE)


@dataclass(frozen=True)
class PatientSeries:
    """Virtual patients to be made: `number` of them, with the seeds from `first_seed` on.

    `spacing_mm` ``(z, y, x)`` is the grid; None draws a clinical one for each. Unless `whole`, scans may cover a part of the body.
    `stress` names kinds of stress, of which each patient gets one at a strength between `strengths`. With the `mr_table` of a task
    they are scanned by T1-weighted MR and labelled with its structures; with `dixon` they get fat and water images, too.
    """

    number: int
    first_seed: int
    spacing_mm: tuple[float, float, float] | None = None
    whole: bool = True
    stress: Sequence[str] = ()
    strengths: tuple[float, float] = (0.0, 1.0)
    ingredients: Ingredients = PLAIN
    mr_table: StructureTable | None = None
    dixon: bool = False

    @property
    def modality(self) -> str:
        """ "CT" or "MR"."""
        return CT_MODALITY if self.mr_table is None else MR_MODALITY


@dataclass(frozen=True)
class _PatientFiles:
    """A patient to be written: `images` by the names of their files, `labelled` structures (None: all), and what was drawn."""

    geometry: Geometry
    images: Mapping[str, np.ndarray]
    facts: Mapping[str, object]
    labelled: Sequence[str] | None = None
    stress_note: str = ""


def write_patients(folder: Path, patients: PatientSeries, atlas: Path | None = None, donor: Path | None = None) -> Iterator[str]:
    """Write virtual patients and yield a line per patient. Existing patients are kept.

    `donor` is a folder of whole bodies, of which the first lends the atlas' bodies the muscles that they do not label (see
    `partial_atlas`).

    Raises:
        InputError: there is no atlas; a number, seed or spacing is out of range; a stress is unknown or combined with partial
            scans; an option does not apply to MR or CT; the folder cannot be written.
    """
    _check(patients, donor)
    folder = resolved(folder)
    check_no_file(folder)
    check_place(folder)
    atlases = load_atlases(atlas)
    labelled = {body.name: labelled_structures(body) for body in atlases} if donor else {}
    if donor:
        lender = load_atlases(donor)[0]
        atlases = tuple(complete_atlas(body, lender) for body in atlases)
    for seed in range(patients.first_seed, patients.first_seed + patients.number):
        target = folder / f"patient_{seed:06d}"
        if (target / FACTS_FILE).exists():
            yield f"{target.name}: there already"
            continue
        spacing = patients.spacing_mm or (clinical_mr_spacing if patients.mr_table else clinical_spacing)(seed)
        with time_logged(_LOG, f"Making {target.name}"):
            files = _files_of_patient(atlases, seed, spacing, patients)
        known = labelled.get(str(files.facts["body"]), files.labelled)
        with whole_folder(target, "patient", FACTS_FILE, _FILES) as partial:
            for file, array in files.images.items():
                _write(files.geometry.image_of(array), partial / file)
            if known is not None:
                (partial / LABELLED_FILE).write_text(json.dumps({"structures": known}), encoding="utf-8")
            (partial / FACTS_FILE).write_text(json.dumps(files.facts), encoding="utf-8")
        size = " x ".join(map(str, files.geometry.size))
        steps = " x ".join(f"{value:.2f}" for value in files.geometry.spacing)
        yield f"{target.name}: {size} voxels of {steps} mm, {files.facts['body']}, {files.facts['coverage']}{files.stress_note}"


def _check(patients: PatientSeries, donor: Path | None) -> None:
    stress, strengths = patients.stress, patients.strengths
    if patients.number < 1 or patients.first_seed < 0 or not all(0.4 <= value <= 10 for value in patients.spacing_mm or ()):
        raise InputError("Give a number of patients from 1, a seed from 0, and a spacing of 0.4 to 10 mm.")
    if stress:
        check_stress(stress, strengths)
        if not patients.whole:
            raise InputError("A stress decides what the scan covers; ask for stressed patients or scans of a part, not both.")
    if patients.mr_table is None and patients.dixon:
        raise InputError("Fat and water images come from MR; add --modality mr, or leave out --dixon.")
    if patients.mr_table is not None and (stress or not patients.whole or donor or patients.ingredients != PLAIN):
        raise InputError(
            "Virtual patients in MR are whole scans of plain bodies; leave out --stress, --parts, --donor, --vary-muscles, "
            "--abdomen, --retroperitoneal-fat, --to-thorax and --objects."
        )


def _files_of_patient(
    atlases: tuple[Atlas, ...], seed: int, spacing: tuple[float, float, float], patients: PatientSeries
) -> _PatientFiles:
    """The patient of one seed."""
    if patients.mr_table is not None:
        mr = make_mr_patient(atlases, seed, spacing, patients.mr_table, patients.dixon)
        images = {MR_FILE: mr.volume.intensities, LABELS_FILE: mr.labels}
        if mr.fat is not None and mr.water is not None:
            images |= {FAT_FILE: mr.fat, WATER_FILE: mr.water}
        everything = len(mr.known) == len(patients.mr_table.structures)
        return _PatientFiles(mr.volume.geometry, images, mr.facts, None if everything else mr.known)
    if patients.stress:
        kind, strength = draw_stress(seed, patients.stress, patients.strengths)
        patient = make_stressed_patient(atlases, seed, kind, strength, spacing, patients.ingredients)
        stress_note = f", {kind} {strength:.2f}"
    else:
        patient, stress_note = make_patient(atlases, seed, spacing, whole=patients.whole, ingredients=patients.ingredients), ""
    return _PatientFiles(
        patient.volume.geometry, {CT_FILE: patient.volume.hu, LABELS_FILE: patient.labels}, patient.facts, stress_note=stress_note
    )


def clinical_mr_spacing(seed: int) -> tuple[float, float, float]:
    """A grid ``(z, y, x)`` in mm of MR of the limbs for that seed: 0.9 to 1.4 mm in plane, slices every 4 to 6 mm."""
    rng = np.random.default_rng((seed, 5))
    in_plane = round(float(rng.uniform(0.9, 1.4)), 3)
    return float(rng.choice([4.0, 5.0, 6.0])), in_plane, in_plane


def clinical_spacing(seed: int) -> tuple[float, float, float]:
    """A clinical grid ``(z, y, x)`` in mm for that seed: 0.6 to 1.0 mm in plane, slices every 0.5 to 6 mm."""
    rng = np.random.default_rng((seed, 3))
    in_plane = round(float(rng.uniform(0.6, 1.0)), 3)
    # As scanners offer them; very thin and very thick slices are rare.
    intervals = [0.5, 1.0, 1.25, 2.0, 2.5, 3.0, 3.75, 5.0, 6.0]
    interval = float(rng.choice(intervals, p=[0.04, 0.16, 0.12, 0.14, 0.14, 0.14, 0.1, 0.12, 0.04]))
    return interval, in_plane, in_plane


def _write(image, path: Path) -> None:  # type: ignore[no-untyped-def]
    import SimpleITK as sitk

    with whole_file(path, ".nii.gz") as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)
