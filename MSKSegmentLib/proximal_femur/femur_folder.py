"""The folder of measured proximal femora: tables, label maps, pictures, and how all of it came about."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import RESEARCH_USE_ONLY, __version__
from ..anatomy import StructureTable
from ..anatomy.table import Landmark
from ..ct.boxes import Box
from ..ct.volume import CTVolume
from ..findings import findings_json
from ..output.filling import whole_folder
from ..output.places import check_new_folder, check_no_file, check_place, foreign_files, resolved
from .measures import FemurMeasures, ProximalFemora
from .pictures import CALIBRATION_PICTURE, write_pictures
from .regions import COMPARTMENT_VALUES, CORTICAL_WITHIN_MM, REGION_VALUES

# Where a result folder holds what was measured of it, unless another place was named.
FEMUR_FOLDER = "femur"
MEASURES_TABLE, AXES_TABLE, FACTS = "femur.csv", "axes.csv", "femur.json"
REGIONS_MAP, COMPARTMENTS_MAP = "regions.nrrd", "compartments.nrrd"
NOT_DXA = (
    "These densities are volumetric. They are no T-score and no areal density of DXA, and say nothing of the risk of a fracture."
)
OWNED_FILES = (
    MEASURES_TABLE, AXES_TABLE, FACTS, REGIONS_MAP, COMPARTMENTS_MAP, CALIBRATION_PICTURE, "femur_right.png", "femur_left.png",
    "planes_right.png", "planes_left.png",
)  # fmt: skip
_MEASURE_COLUMNS = ("case", "side", "region", "compartment", "volume_cc", "bmd_mg_cm3", "bmc_g", "complete", "light")
_AXES_COLUMNS = (
    "case", "side", "head_radius_mm", "neck_shaft_degrees", "narrowest_neck_cm2",
    "shown_below_trochanter_mm", "cut_below_trochanter_mm",
    "complete", "light",
)  # fmt: skip


def check_femur_output(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier measurement, which is replaced, or cannot be written.

    Raises:
        InputError: it does, or cannot.
    """
    if foreign_files(folder, OWNED_FILES):
        check_new_folder(folder, OWNED_FILES)
    check_no_file(resolved(folder))
    check_place(resolved(folder), OWNED_FILES)


def measure_rows(femora: ProximalFemora, case: str, lights: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """A row per femur, region and kind of bone; `lights` are those of the femora's segments, by key, where something is known."""
    for femur in femora.femora:
        for one in femur.measures:
            yield {
                "case": case,
                "side": femur.segment.side.value,
                "region": one.region.value,
                "compartment": one.compartment.value,
                "volume_cc": round(one.volume_cc, 3),
                "bmd_mg_cm3": None if one.bmd_mg_cm3 is None else round(one.bmd_mg_cm3, 2),
                "bmc_g": None if one.bmc_g is None else round(one.bmc_g, 4),
                "complete": "yes" if femur.is_complete else "no",
                "light": lights.get(femur.segment.key, ""),
            }


def labels_digest(labels: np.ndarray, table: StructureTable) -> str:
    """SHA-256 of the femora in a label map, uint8 ``[z, y, x]``: it tells whether a measurement is of a result as it stands."""
    values = [segment.label for segment in table.segments if segment.structure.landmark is Landmark.FEMUR]
    kept = np.where(np.isin(labels, values), labels, 0).astype(np.uint8)
    return hashlib.sha256(repr(kept.shape).encode() + np.ascontiguousarray(kept).tobytes()).hexdigest()


def write_femora(
    folder: Path, volume: CTVolume, femora: ProximalFemora, case: str, lights: Mapping[str, str], digest: str | None = None
) -> None:
    """Write everything that was measured in `volume`; `digest` is the `labels_digest` of the result that it was measured of.

    Raises:
        InputError: the folder holds something, or cannot be written.
    """
    with whole_folder(folder, "measurement", FACTS, OWNED_FILES, check_femur_output) as partial:
        _write_table(partial / MEASURES_TABLE, _MEASURE_COLUMNS, measure_rows(femora, case, lights))
        _write_table(partial / AXES_TABLE, _AXES_COLUMNS, (_axes_row(femur, case, lights) for femur in femora.femora))
        _write_maps(partial, volume, femora)
        write_pictures(partial, volume, femora)
        (partial / FACTS).write_text(json.dumps(_facts(femora, case, digest), indent=1, ensure_ascii=False), encoding="utf-8")


def _axes_row(femur: FemurMeasures, case: str, lights: Mapping[str, str]) -> dict[str, Any]:
    frame = femur.frame
    numbers = (frame.radius_mm, frame.neck_shaft_degrees, frame.narrowest_cm2, frame.shown_mm, frame.cut_below_mm)
    cells = [case, femur.segment.side.value, *(round(number, 2) for number in numbers)]
    cells += ["yes" if femur.is_complete else "no", lights.get(femur.segment.key, "")]
    return dict(zip(_AXES_COLUMNS, cells, strict=True))


def _write_table(path: Path, columns: tuple[str, ...], rows: Iterator[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def _write_maps(folder: Path, volume: CTVolume, femora: ProximalFemora) -> None:
    """Regions and kinds of bone as label maps on the CT's grid; of the left femur the values are 10 higher."""
    import SimpleITK as sitk

    for name, chosen in ((REGIONS_MAP, "regions"), (COMPARTMENTS_MAP, "compartments")):
        ordered = np.zeros(femora.grid.shape, np.uint8)
        for femur in femora.femora:
            values = np.where(femur.regions > 0, getattr(femur, chosen), 0)
            _put(ordered, femur.box, np.where(values > 0, values + value_offset(femur), 0))
        image = volume.geometry.image_of(np.ascontiguousarray(femora.order.undo(ordered)))
        sitk.WriteImage(image, str(folder / name), useCompression=True)


def value_offset(femur: FemurMeasures) -> int:
    """What is added to the values of a femur in the label maps."""
    return 10 if femur.segment.side.value == "left" else 0


def _put(ordered: np.ndarray, box: Box, values: np.ndarray) -> None:
    part = ordered[box.slices]
    part[values > 0] = values[values > 0]


def _facts(femora: ProximalFemora, case: str, digest: str | None) -> dict[str, Any]:
    return {
        "format": "mskseg-proximal-femur",
        "format_version": 1,
        "notice": f"{RESEARCH_USE_ONLY} {NOT_DXA}",
        "version": __version__,
        "case": case,
        "labels_sha256": digest,
        "calibration": femora.calibration.to_json(),
        "cortical_from_mg_cm3": femora.rule.cortical_from_mg,
        "cortical_within_mm": CORTICAL_WITHIN_MM,
        "erosion_mm": femora.rule.erosion_mm,
        "region_values": {region.value: value for region, value in REGION_VALUES.items()},
        "compartment_values": {compartment.value: value for compartment, value in COMPARTMENT_VALUES.items()},
        "left_values_higher_by": 10,
        "findings": findings_json(femora.findings),
        "femora": [
            {
                "side": femur.segment.side.value,
                "head_mm": femora.grid.to_physical(femur.frame.head_mm / np.asarray(femora.grid.spacing)).tolist(),
                "head_radius_mm": femur.frame.radius_mm,
                "neck_shaft_degrees": femur.frame.neck_shaft_degrees,
                "narrowest_neck_cm2": femur.frame.narrowest_cm2,
                "complete": femur.is_complete,
            }
            for femur in femora.femora
        ],
    }
