"""What ``mskseg femur measure`` wrote into a result folder, read again, and whether it is of the result as it stands now."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy import Side, StructureTable
from ..errors import InputError
from ..findings import Finding, findings_from_json
from ..output.filling import recover
from .femur_folder import FACTS, FEMUR_FOLDER, MEASURES_TABLE, labels_digest
from .pictures import planes_picture
from .regions import Compartment, FemurRegion


@dataclass(frozen=True)
class StoredMeasure:
    """A kind of bone in a region: volume in cc, density in mg/cm3 and mineral content in g (None where there is no such bone)."""

    volume_cc: float
    bmd_mg_cm3: float | None
    bmc_g: float | None


@dataclass(frozen=True)
class StoredFemur:
    """One measured femur; `picture` is a PNG without words of cut, regions and kinds of bone, where there is one."""

    side: Side
    is_complete: bool
    measures: dict[tuple[FemurRegion, Compartment], StoredMeasure]
    picture: bytes | None


@dataclass(frozen=True)
class StoredFemora:
    """The femora of a result, the line to mg/cm3 as `DensityCalibration.to_json` has it, and what was found.

    `is_current` is False where the femora's labels are others now than those that were measured.
    """

    femora: tuple[StoredFemur, ...]
    calibration: dict[str, Any]
    cortical_from_mg_cm3: float
    erosion_mm: float
    findings: tuple[Finding, ...]
    is_current: bool


def read_stored_femora(result_folder: Path, labels: np.ndarray, table: StructureTable) -> StoredFemora | None:
    """What was measured of the result in a folder; None where nothing was.

    Args:
        result_folder: the result, whose folder `FEMUR_FOLDER` is looked into.
        labels: uint8 ``[z, y, x]`` of the result as it stands.
        table: its structures.

    Raises:
        InputError: the files are damaged.
    """
    folder = result_folder / FEMUR_FOLDER
    if folder.is_dir():
        recover(folder)
    if not (folder / FACTS).is_file():
        return None
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        with (folder / MEASURES_TABLE).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return StoredFemora(
            tuple(_femur(folder, side, [row for row in rows if row["side"] == side]) for side in _sides(rows)),
            dict(facts["calibration"]),
            float(facts["cortical_from_mg_cm3"]),
            float(facts["erosion_mm"]),
            findings_from_json(facts["findings"]),
            facts.get("labels_sha256") == labels_digest(labels, table),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"The measurement of the proximal femora in {FEMUR_FOLDER!r} is damaged; remove that folder or run "
            "'mskseg femur measure' again."
        ) from error


def _sides(rows: list[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(row["side"] for row in rows))


def _femur(folder: Path, side: str, rows: list[dict[str, str]]) -> StoredFemur:
    measures = {
        (FemurRegion(row["region"]), Compartment(row["compartment"])): StoredMeasure(
            float(row["volume_cc"]), _number(row["bmd_mg_cm3"]), _number(row["bmc_g"])
        )
        for row in rows
    }
    picture = folder / planes_picture(side)
    complete = all(row["complete"] == "yes" for row in rows)
    return StoredFemur(Side(side), complete, measures, picture.read_bytes() if picture.is_file() else None)


def _number(text: str) -> float | None:
    return float(text) if text else None
