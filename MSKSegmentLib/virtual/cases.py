"""Virtual patients as files: a folder per patient with ``ct.nii.gz``, ``labels.nii.gz`` and ``facts.json``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from .atlas import load_atlases
from .patient import make_patient

CT_FILE, LABELS_FILE, FACTS_FILE = "ct.nii.gz", "labels.nii.gz", "facts.json"


def write_patients(
    folder: Path, number: int, first_seed: int, spacing_mm: tuple[float, float, float], atlas: Path | None = None
) -> Iterator[str]:
    """Write `number` patients on a grid of `spacing_mm` ``(z, y, x)``; yields a line per patient. Existing ones are kept.

    Raises:
        InputError: no atlas, or numbers that make no patient.
    """
    if number < 1 or first_seed < 0 or not all(0.4 <= value <= 10 for value in spacing_mm):
        raise InputError("Give a number of patients from 1, a seed from 0, and a spacing of 0.4 to 10 mm.")
    atlases = load_atlases(atlas)
    for seed in range(first_seed, first_seed + number):
        target = folder / f"patient_{seed:06d}"
        if target.exists():
            yield f"{target.name}: there already"
            continue
        patient = make_patient(atlases, seed, spacing_mm)
        partial = folder / f".{target.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        geometry = patient.volume.geometry
        for file, array in ((CT_FILE, patient.volume.hu), (LABELS_FILE, patient.labels)):
            _write(geometry.image_of(array), partial / file)
        (partial / FACTS_FILE).write_text(json.dumps(patient.facts), encoding="utf-8")
        partial.rename(target)
        yield f"{target.name}: {' x '.join(map(str, geometry.size))} voxels, {patient.facts['body']}"


def _write(image, path: Path) -> None:  # type: ignore[no-untyped-def]
    import SimpleITK as sitk

    sitk.WriteImage(image, str(path), useCompression=True)
