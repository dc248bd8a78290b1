"""All measurements of a label map in one pass over its slices, on the CT's own grid."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from ..anatomy import Segment, StructureTable
from ..case_result import Measurements
from ..ct.boxes import Box, box_of_labels, labelled
from ..ct.orientation import AxisOrder, axis_order
from ..ct.volume import Geometry
from .density import HU_VALUES, LOWEST_HU, Density, density_of
from .extent import PaddingFinder, face_voxels, truncated_by
from .volume import height_of, volume_cc, volume_cc_per_m2

# Voxels looked at together: enough to make each numpy call worth while, few enough to stay near the processor.
CHUNK_VOXELS = 2_000_000
MM2_PER_CM2 = 100.0


@dataclass(frozen=True)
class _Scan:
    """Labels, CT and mask on axes in order (views), and their grid."""

    labels: np.ndarray
    hu: np.ndarray
    valid: np.ndarray | None
    geometry: Geometry


@dataclass
class _Tally:
    """Running counts: voxels of each label per slice ``[256, z]``, beside padding ``[256]``, and per value in HU."""

    per_slice: np.ndarray
    beside_padding: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    values: defaultdict[int, np.ndarray] = field(default_factory=lambda: defaultdict(lambda: np.zeros(HU_VALUES, dtype=np.int64)))


def measure(
    labels: np.ndarray,
    hu: np.ndarray,
    geometry: Geometry,
    table: StructureTable,
    height_m: float | None = None,
    valid: np.ndarray | None = None,
) -> dict[int, Measurements]:
    """Measure every label that occurs.

    The grid may have any axis order and tilt: cross-sections are taken along the array axis nearest to
    superior-inferior, and the level of the largest one is the LPS z of its centroid (of equal ones, the most
    inferior). `extent.truncated_by` states when a segment counts as truncated.

    Args:
        labels: uint8 ``[z, y, x]`` with sides; 0 is background.
        hu: int16 ``[z, y, x]`` in HU.
        geometry: the grid of both.
        table: the structures, whose groups say what is measured of them; labels that it lacks are measured in full.
        height_m: the patient's height in metres; None leaves `volume_cc_per_m2` None.
        valid: bool ``[z, y, x]``, True where the scanner saw; None takes it from the padding values in `hu`. One
            slice's mask can be passed as ``np.broadcast_to(mask, hu.shape)``.

    Returns:
        Label value -> `Measurements`, in ascending order of the labels.

    Raises:
        ValueError: wrong types, or shapes that are not the grid's.
    """
    scan = _in_order(labels, hu, valid, geometry, axis_order(geometry.direction))
    whole = Box.whole(scan.geometry.size)
    return _summarise(scan, _tally(scan, whole, None), table, height_m)


def measure_one(
    labels: np.ndarray,
    hu: np.ndarray,
    geometry: Geometry,
    table: StructureTable,
    label: int,
    height_m: float | None = None,
    valid: np.ndarray | None = None,
    box: Box | None = None,
) -> Measurements | None:
    """Measure one label again, for example after an edit; the same numbers as `measure`. None when it does not occur.

    Only `box` is looked at, which must hold all of the label's voxels; None searches for them. See `measure` for
    the rest.

    Raises:
        ValueError: wrong types, or shapes that are not the grid's.
    """
    order = axis_order(geometry.direction)
    scan = _in_order(labels, hu, valid, geometry, order)
    inside = box_of_labels(scan.labels, (label,)) if box is None else _box_in_order(box, geometry, order)
    if inside is None:
        return None
    return _summarise(scan, _tally(scan, inside, label), table, height_m).get(label)


def _in_order(labels: np.ndarray, hu: np.ndarray, valid: np.ndarray | None, geometry: Geometry, order: AxisOrder) -> _Scan:
    if labels.dtype != np.uint8 or hu.dtype != np.int16 or (valid is not None and valid.dtype != bool):
        raise ValueError("labels must be uint8, hu int16 and valid bool")
    if any(array is not None and array.shape != geometry.shape for array in (labels, hu, valid)):
        raise ValueError(f"labels, hu and valid must have the grid's shape {geometry.shape}")
    return _Scan(order.apply(labels), order.apply(hu), None if valid is None else order.apply(valid), order.geometry(geometry))


def _box_in_order(box: Box, geometry: Geometry, order: AxisOrder) -> Box:
    starts = [
        box.start_xyz[axis] if sign > 0 else geometry.size[axis] - box.stop_xyz[axis]
        for axis, sign in zip(order.axes, order.signs, strict=True)
    ]
    return Box.between(starts, [start + box.size_xyz[axis] for start, axis in zip(starts, order.axes, strict=True)])


def _tally(scan: _Scan, box: Box, only: int | None) -> _Tally:
    tally = _Tally(np.zeros((256, scan.labels.shape[0]), dtype=np.int64))
    padding = PaddingFinder(scan.hu, scan.geometry, scan.valid)
    in_slice = max(1, box.size_xyz[0] * box.size_xyz[1])
    step = max(1, CHUNK_VOXELS // in_slice)
    for start in range(box.start_xyz[2], box.stop_xyz[2], step):
        part = box.slab(start, min(start + step, box.stop_xyz[2]))
        block = np.ascontiguousarray(scan.labels[part.slices])
        if only is not None:
            block = np.where(block == only, block, np.uint8(0))
        where = labelled(block)
        if where.size == 0:
            continue
        labels = block.ravel()[where]
        _count_slices(tally, where, labels, start, in_slice)
        _count_values(tally, labels, np.ascontiguousarray(scan.hu[part.slices]).ravel()[where])
        tally.beside_padding += padding.count(block, part)
    return tally


def _count_slices(tally: _Tally, where: np.ndarray, labels: np.ndarray, start: int, in_slice: int) -> None:
    slices = int(where[-1]) // in_slice + 1
    limits = np.searchsorted(where, np.arange(slices + 1) * in_slice)
    for k in range(slices):
        tally.per_slice[:, start + k] += np.bincount(labels[limits[k] : limits[k + 1]], minlength=256)


def _count_values(tally: _Tally, labels: np.ndarray, hu: np.ndarray) -> None:
    """One count over pairs (label, value), numbered densely so that the counts stay small."""
    present = np.flatnonzero(np.bincount(labels, minlength=256))
    lowest, highest = int(hu.min()), int(hu.max())
    width = highest - lowest + 1
    first_code = np.zeros(256, dtype=np.int64)
    first_code[present] = np.arange(present.size) * width - lowest
    codes = first_code[labels]
    codes += hu
    counts = np.bincount(codes, minlength=present.size * width).reshape(present.size, width)
    for label, row in zip(present, counts, strict=True):
        tally.values[int(label)][lowest - LOWEST_HU : highest - LOWEST_HU + 1] += row


def _summarise(scan: _Scan, tally: _Tally, table: StructureTable, height_m: float | None) -> dict[int, Measurements]:
    on_faces = face_voxels(scan.labels)
    geometry = scan.geometry
    result = {}
    for label in sorted(tally.values):
        per_slice = tally.per_slice[label]
        voxels = int(per_slice.sum())
        level = int(per_slice.argmax())
        largest = int(per_slice[level])
        cc = volume_cc(voxels, geometry)
        density = density_of(tally.values[label])
        segment = table.segment_of_label(label)
        fat, composite, lean = _composition(segment, density)
        result[label] = Measurements(
            voxels=voxels,
            volume_cc=cc,
            volume_cc_per_m2=volume_cc_per_m2(cc, height_of(segment, height_m)),
            mean_hu=density.mean_hu,
            sd_hu=density.sd_hu,
            median_hu=density.median_hu,
            fat_fraction=fat,
            composite_fraction=composite,
            lean_fraction=lean,
            histogram=density.histogram,
            max_area_cm2=largest * geometry.spacing[0] * geometry.spacing[1] / MM2_PER_CM2,
            max_area_level_mm=_level_mm(scan, label, level),
            truncated_by=truncated_by(on_faces[label], int(tally.beside_padding[label]), largest, geometry),
        )
    return result


def _composition(segment: Segment | None, density: Density) -> tuple[float, float, float] | tuple[None, None, None]:
    """Shares (0..1) of fat, composite and lean tissue; None each where the structure has no composition."""
    if segment is not None and not segment.structure.has_composition:
        return None, None, None
    return density.fat_fraction, density.composite_fraction, density.lean_fraction


def _level_mm(scan: _Scan, label: int, k: int) -> float:
    """LPS z of the centroid of a cross-section; in a tilted slice z differs from one end to the other."""
    y, x = np.nonzero(scan.labels[k] == label)
    return float(scan.geometry.to_physical((x.mean(), y.mean(), k))[2])
