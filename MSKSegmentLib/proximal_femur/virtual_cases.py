"""Virtual hips as cases for training and evaluation, each with its phantom and its true densities, and a list with the sexes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy import StructureTable
from ..ct.volume import Geometry
from ..errors import InputError
from ..measurement.extent import face_voxels
from ..measurement.femoral_landmarks import bone_in_scan
from ..measurement.volume import volume_cc
from ..output.files import whole_file
from ..output.filling import whole_folder
from ..output.places import check_no_file, check_place, resolved
from ..tasks import load_task
from ..virtual.cases import CT_FILE, FACTS_FILE, LABELS_FILE
from .cut import femur_frame
from .phantom import CalibrationPhantom, phantom_json
from .regions import REGION_VALUES, Compartment, FemurRegion, region_map
from .virtual_scan import EXAMPLE_PHANTOM, VirtualHips, VirtualScanner, virtual_hips
from .virtual_shape import VIRTUAL_SEXES, VirtualFemur, random_femur

TASK = "proximal-femur-qct"
PHANTOM_FILE, LIST_FILE = "phantom.json", "cases.csv"
# Right and left of a person differ by so much (standard deviation, as a share).
_SIDES_DIFFER = 0.015
_SLOPES, _INTERCEPTS = (0.72, 0.92), (-12.0, 6.0)


def virtual_person(seed: int, spacing: tuple[float, float, float]) -> tuple[VirtualFemur, VirtualFemur, VirtualScanner]:
    """Right and left femur of a person and the scanner, all drawn by the seed; the sexes take turns. `spacing` is ``(x, y, z)``."""
    rng = np.random.default_rng((seed, 40))
    right = random_femur(rng, VIRTUAL_SEXES[seed % 2])

    def near(value: float) -> float:
        return float(value * (1 + _SIDES_DIFFER * np.clip(rng.standard_normal(), -2, 2)))

    left = replace(
        right,
        head_radius_mm=near(right.head_radius_mm),
        cortex_mm=near(right.cortex_mm),
        trabecular_mg=near(right.trabecular_mg),
        neck_shaft_degrees=near(right.neck_shaft_degrees),
    )
    scanner = VirtualScanner(
        spacing=spacing,
        slope=float(rng.uniform(*_SLOPES)),
        intercept=float(rng.uniform(*_INTERCEPTS)),
        noise_hu=float(rng.uniform(8, 25)),
        blur_mm=float(rng.uniform(0.4, 0.8)),
        shown_radii=float(rng.uniform(4.4, 5.4)),
    )
    return right, left, scanner


def cut_labels(hips: VirtualHips, table: StructureTable) -> np.ndarray:
    """The proximal femora of virtual hips, cut by the rule, uint8 ``[z, y, x]`` with the labels of a table of proximal femora."""
    labels = np.zeros_like(hips.labels)
    for value, segment in zip((1, 2), table.segments, strict=True):
        bone, regions = _regions_of(hips, value, table)
        labels[bone][regions > 0] = segment.label
    return labels


def true_measures(hips: VirtualHips, table: StructureTable) -> list[dict[str, Any]]:
    """A row per side, region and kind of bone of the true densities, with the columns of ``femur.csv``.

    Cortical is what was made of cortex, trabecular all else: no threshold, and no voxel is a mixture.
    """
    rows = []
    geometry = hips.volume.geometry
    for value, segment in zip((1, 2), table.segments, strict=True):
        box, regions = _regions_of(hips, value, table)
        density, cortex = hips.density[box], hips.cortex[box]
        for region in FemurRegion:
            inside = regions > 0 if region is FemurRegion.TOTAL else regions == REGION_VALUES[region]
            for kind, chosen in (
                (Compartment.INTEGRAL, inside),
                (Compartment.CORTICAL, inside & cortex),
                (Compartment.TRABECULAR, inside & ~cortex),
            ):
                rows.append(_row(segment.side.value, region, kind, density[chosen], geometry))
    return rows


def write_virtual_hips(folder: Path, number: int, first_seed: int, spacing: tuple[float, float, float]) -> Iterator[str]:
    """Write cases ``hips_000000`` and so on, and the list of all of them; yields a line per case. Existing ones are kept.

    Raises:
        InputError: numbers that make no case, or the folder cannot be written.
    """
    if number < 1 or first_seed < 0 or not all(0.4 <= step <= 5 for step in spacing):
        raise InputError("Give a number of cases from 1, a seed from 0, and a spacing of 0.4 to 5 mm.")
    folder = resolved(folder)
    check_no_file(folder)
    check_place(folder)
    table = load_task(TASK).table
    for seed in range(first_seed, first_seed + number):
        target = folder / f"hips_{seed:06d}"
        if (target / FACTS_FILE).exists():
            yield f"{target.name}: there already"
            continue
        right, left, scanner = virtual_person(seed, spacing)
        hips = virtual_hips(right, left, scanner, seed)
        facts = {
            "seed": seed,
            "sex": right.sex,
            "right": asdict(right),
            "left": asdict(left),
            "slope_mg_cm3_per_hu": scanner.slope,
            "intercept_mg_cm3": scanner.intercept,
            "noise_hu": scanner.noise_hu,
            "truth": true_measures(hips, table),
        }
        _write_case(target, hips, cut_labels(hips, table), facts, scanner.phantom or EXAMPLE_PHANTOM)
        size = " x ".join(map(str, hips.volume.geometry.size))
        yield f"{target.name}: {size} voxels, {right.sex}, head {2 * right.head_radius_mm:.0f} mm"
    _write_list(folder)


def _regions_of(hips: VirtualHips, value: int, table: StructureTable) -> tuple[tuple[slice, slice, slice], np.ndarray]:
    """The box of a femur and the regions in it; virtual hips lie on axes in order."""
    grid = hips.volume.geometry
    bone = bone_in_scan(hips.labels, grid, value, face_voxels(hips.labels)[value])
    frame = None if bone is None else femur_frame(bone, grid, table.segments[value - 1].side)
    if bone is None or frame is None:
        raise ValueError("virtual hips of which too little is shown")
    return bone.box.slices, region_map(bone, frame, grid)


def _row(side: str, region: FemurRegion, kind: Compartment, density: np.ndarray, grid: Geometry) -> dict[str, Any]:
    cc = volume_cc(density.size, grid)
    bmd = float(density.mean(dtype=np.float64)) if density.size else None
    bmc = None if bmd is None else bmd * cc / 1000
    return {"side": side, "region": region.value, "compartment": kind.value, "volume_cc": cc, "bmd_mg_cm3": bmd, "bmc_g": bmc}


def _write_case(target: Path, hips: VirtualHips, labels: np.ndarray, facts: dict[str, Any], phantom: CalibrationPhantom) -> None:
    import SimpleITK as sitk

    grid = hips.volume.geometry
    with whole_folder(target, "case", FACTS_FILE, (CT_FILE, LABELS_FILE, FACTS_FILE, PHANTOM_FILE)) as partial:
        for name, array in ((CT_FILE, hips.volume.hu), (LABELS_FILE, labels)):
            sitk.WriteImage(grid.image_of(array), str(partial / name), useCompression=True)
        (partial / PHANTOM_FILE).write_text(json.dumps(phantom_json(phantom), indent=1), encoding="utf-8")
        (partial / FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")


def _write_list(folder: Path) -> None:
    """The cases that lie in the folder with their sexes, as ``mskseg study`` takes it with ``--cases``."""
    with whole_file(folder / LIST_FILE, ".csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("case", "patient", "group"))
        for path in sorted(folder.glob(f"hips_*/{FACTS_FILE}")):
            sex = json.loads(path.read_text(encoding="utf-8"))["sex"]
            writer.writerow((path.parent.name, path.parent.name, sex))
