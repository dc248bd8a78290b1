"""Right and left: a label map with sides from the network's classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..anatomy import LEFT_OFFSET, Landmark, Structure, StructureTable
from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from ..findings import Finding, warning
from .canvas import Canvas
from .chirality import handedness
from .coarse_scan import CoarseScan
from .components import Parts, Slices, Stray, parts_of_structure, structure_boxes
from .initial_sides import OnlyFemur, find_initial_sides
from .leftovers import Sizes
from .side_field import CoarseGrid
from .single_leg import own_and_other
from .splitting import leaning, sides_of_whole
from .unsure_sides import unsure_sides

# Depths beside the median surface, in units of the side field (2 per mm), beyond which a side is sure.
BONE_DEPTH = 30.0
MUSCLE_DEPTH = 20.0
TURNED_HANDEDNESS = 0.3


@dataclass(frozen=True)
class SideResult:
    """`labels` is uint8 ``[z, y, x]`` with sides (see `anatomy`); `findings` say where the sides are in doubt; `strays` are the
    pieces that belong to neither side and became background.
    """

    labels: np.ndarray
    findings: tuple[Finding, ...] = ()
    strays: tuple[Stray, ...] = ()


def split_sides(classes: np.ndarray, geometry: Geometry, table: StructureTable, check_axes: bool = True) -> SideResult:
    """Split the paired structures into right and left, in physical space.

    1. A first side field: signed distance from the median surface, from the femora, the hip bones, the sacrum or
       pairs of muscles. A single leg has no midline; then the sacrum, which is medial, or the order of its
       structures around the limb decides, see `initial_sides.find_initial_sides`. Because the surface is equidistant from the bones
       of both sides it follows turned, asymmetric and crossed legs.
    2. Hip bones and femora go to their sides; the field is taken again from both.
    3. Components of muscles that lie clearly on one side go there, whole. With one femur only, a second leg may be
       partly in view: muscles much farther from the femur than its own are the other's.
    4. The doubtful ones (on both sides, or near the surface) follow their neighbours: the field from all that is
       settled. Those that reach 10 mm and more into both sides are cut by a watershed (`splitting.left_part`), as
       the hip bones are when fused at the symphysis.
    5. Small pieces astride the median surface, like a vertebra's called hip bone, go to the body of their structure
       that they lie beside, or become background (`leftovers`), so that a single voxel never decides a side.

    Args:
        classes: uint8 ``[z, y, x]``, the network's classes without stray components.
        geometry: its grid, any axis order.
        table: the structures that the classes stand for. What it does not have of hip bone, femur and sacrum is not looked at.
        check_axes: look whether the image's axes seem turned.

    Returns:
        Labels on the same grid, and a finding when the sides are a guess or the image's axes seem turned.

    Raises:
        ValueError: the shape is not the grid's.
    """
    if classes.shape != geometry.shape:
        raise ValueError(f"classes of shape {classes.shape} on a grid of shape {geometry.shape}")
    order = axis_order(geometry.direction)
    ordered, grid_geometry = order.apply(classes), order.geometry(geometry)
    grid = CoarseGrid.of(grid_geometry)
    labels = np.zeros(classes.shape, dtype=np.uint8)
    canvas = Canvas(order.apply(labels), grid, grid_geometry.spacing[::-1])
    boxes = structure_boxes(ordered, table)
    if not boxes:
        return SideResult(labels)
    for index in table.unpaired:
        if index in boxes:
            box = boxes[index]
            canvas.labels[box][ordered[box] == index] = index
    if not any(structure.paired for structure in table.structures):
        return SideResult(labels)

    coarse = np.ascontiguousarray(grid.sample(ordered))
    marks = {mark: bone for mark in (Landmark.HIP_BONE, Landmark.FEMUR) if (bone := table.landmark(mark)) and bone.index in boxes}
    muscles = [s for s in table.structures if s.paired and s.index in boxes and s not in marks.values()]
    coming = _parts_ahead(ordered, (*marks.values(), *muscles), boxes)
    bones = {mark: next(coming) for mark in marks}
    initial = find_initial_sides(CoarseScan(coarse, grid, table), bones, _scanner_x(coarse, grid, grid_geometry))
    pieces: list[Parts] = []
    for mark, parts in bones.items():
        if mark is Landmark.FEMUR and initial.only_femur is not None:
            is_left, _ = _clear_sides(parts, initial.field, initial.only_femur, grid, Sizes.of(parts, canvas.spacing).near)
            canvas.paint(parts, is_left, np.ones_like(is_left))
        else:
            pieces += canvas.paint_by(parts, initial.field, BONE_DEPTH, Sizes.of(parts, canvas.spacing))
    field = initial.field
    if initial.two_sided and initial.only_femur is None:
        of_all_bones = canvas.field(tuple(bone.index for bone in marks.values()))
        field = initial.field if of_all_bones is None else of_all_bones

    doubtful: list[tuple[Parts, Sizes]] = []
    for parts in coming:
        sizes = Sizes.of(parts, canvas.spacing)
        is_left, clear = _clear_sides(parts, field, initial.only_femur, grid, sizes.near)
        canvas.paint(parts, is_left, clear)
        doubtful += [(parts.single(int(which)), sizes.single(int(which))) for which in np.flatnonzero(~clear)]
    if doubtful:
        settled = canvas.field(canvas.on_both_sides(tuple(one.index for one in table.structures if one.paired)))
        for parts, sizes in doubtful:
            pieces += canvas.paint_by(parts, field if settled is None else settled, MUSCLE_DEPTH, sizes)
    unsure = unsure_sides(doubtful, canvas, field) if initial.from_pairs else ()
    strays = tuple(_stray(piece).moved(grid_geometry, geometry) for piece in canvas.settle(pieces))
    return SideResult(labels, (*initial.findings, *unsure, *(_turned(canvas, table) if check_axes else ())), strays)


def _parts_ahead(classes: np.ndarray, structures: Iterable[Structure], boxes: Mapping[int, Slices]) -> Iterator[Parts]:
    """The components of each structure, in order, found in a thread of its own: fields and painting need them one by one."""
    with ThreadPoolExecutor(1) as pool:
        yield from pool.map(lambda structure: parts_of_structure(classes, structure, boxes[structure.index]), structures)


def _clear_sides(
    parts: Parts, field: np.ndarray, only_femur: OnlyFemur | None, grid: CoarseGrid, near: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each component whether it is left, and whether that is clear without its neighbours; `near`: see `Sizes`."""
    if only_femur is None:
        lean = leaning(parts, field, grid, MUSCLE_DEPTH)
        is_left, whole = sides_of_whole(parts, lean)
        return is_left, whole | ~(lean.on_both_sides | (np.abs(lean.mean) < near))
    lean = leaning(parts, only_femur.hips_only(field), grid, MUSCLE_DEPTH)
    own, other = own_and_other(parts, only_femur.mask, grid)
    agrees = (lean.right if only_femur.is_left else lean.left) < 0.5
    return other != only_femur.is_left, (other | (own & agrees)) & ~lean.on_both_sides


def _stray(piece: Parts) -> Stray:
    """A piece that belongs to neither side."""
    return Stray(piece.structure.index, int(piece.voxels[0]), piece.centroids[0])


def _scanner_x(coarse: np.ndarray, grid: CoarseGrid, geometry: Geometry) -> float:
    """LPS x in mm of the centre of all labels."""
    centre = [float(found.mean()) if found.size else 0.0 for found in np.nonzero(coarse)]
    index = [position * step for position, step in zip(centre, grid.stride, strict=True)]
    return float(geometry.to_physical(index[::-1])[0])


def _turned(canvas: Canvas, table: StructureTable) -> tuple[Finding, ...]:
    """A finding when both legs have their muscles in the order of the other side.

    That is so when the header names front and back, or top and bottom, the wrong way round, or a prone patient
    supine. A body whose left and right alone are swapped looks like a body, and cannot be noticed.
    """
    coarse = canvas.grid.sample(canvas.labels)
    has_side = ~np.isin(coarse, table.unpaired)
    votes = []
    for offset in (0, LEFT_OFFSET):
        leg = np.where((coarse > offset) & (coarse < offset + LEFT_OFFSET) & has_side, coarse - offset, 0)
        votes.append(handedness(leg.astype(np.uint8), canvas.grid.spacing, table))
    if votes[0] < -TURNED_HANDEDNESS and votes[1] > TURNED_HANDEDNESS:
        sentence = (
            "The muscles lie around each leg as in the leg of the other side, so the image's axes seem to be turned; "
            "check its orientation, and right and left."
        )
        return (warning("axes_turned", sentence),)
    return ()
