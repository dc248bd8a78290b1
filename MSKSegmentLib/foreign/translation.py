"""A mask of another program as a label map with sides of ours: the one place where foreign numbers become our numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..anatomy import LEFT_OFFSET, Side, StructureTable
from ..ct.volume import Geometry
from ..errors import InputError
from ..findings import Finding
from .assigning import Assignment, assign
from .kept import KeptLabels
from .label_tables import NAMES, OURS, LabelTable
from .mask import LABEL_MAP, ForeignMask, Layer, empty
from .recognition import recognise
from .said import said_of_translation
from .sides import sides_of

# What may decide on right and left.
GIVEN, ANATOMY = "given", "anatomy"
SIDES = (GIVEN, ANATOMY)


@dataclass(frozen=True)
class Translation:
    """A mask in our numbers.

    `labels` is uint8 ``[z, y, x]`` with sides of `table` on the mask's own `geometry`. `table` is the table of structures that was
    asked for, with the merged structures that the mask has at its end. `label_table` is what the labels were read as,
    `recognised_by` how that was seen (None where it was said), `of_label_map` whether they were the values of a label map.
    `assignments` are all segments with what they are, `kept` the labels without a counterpart, `overlaps` the voxels that two
    segments claimed, by (earlier, later) label.
    """

    labels: np.ndarray
    geometry: Geometry
    table: StructureTable
    label_table: LabelTable
    recognised_by: str | None
    assignments: tuple[Assignment, ...]
    kept: KeptLabels
    overlaps: dict[tuple[int, int], int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    of_label_map: bool = False

    @property
    def structures(self) -> frozenset[str]:
        """Abbreviations of the structures that the mask could hold: what it has, and of a label map of a program all of its table.

        Segments and files with names tell what somebody was asked for. Our own numbers and usual names are those of annotators,
        too, who may have drawn a few structures.
        """
        found = {assignment.structure.abbreviation for assignment in self.assignments if assignment.structure}
        if not self.of_label_map or self.label_table.name in (OURS, NAMES):
            return frozenset(found)
        known = {structure.abbreviation for structure in self.table.structures}
        return frozenset(found | (known & self.label_table.structures))


def translate(
    mask: ForeignMask,
    structures: StructureTable,
    label_table: LabelTable | None = None,
    sides: str = GIVEN,
) -> Translation:
    """Translate a mask into our numbers.

    Args:
        mask: as `reading.read_mask` or `mask.mask_of_array` gave it.
        structures: the table that its labels are translated into.
        label_table: what they stand for; None: recognised (`recognition.recognise`).
        sides: "given" keeps the sides that the mask states and takes those of the anatomy where it states none; "anatomy" takes all
            from the anatomy.

    Returns:
        The label map with findings on what is merged, incomplete, overlapping, drawn by another convention, or kept as unknown.

    Raises:
        InputError: nothing tells what the labels are, or none of them is a structure of the table.
    """
    if sides not in SIDES:
        raise InputError(f"Sides cannot be taken from {sides!r}; say {' or '.join(SIDES)}.")
    recognised = None if label_table is not None else recognise(mask, structures)
    used = label_table if label_table is not None else recognised.table  # type: ignore[union-attr]
    assignments, table = assign(mask, used, structures)
    if not any(assignment.structure for assignment in assignments):
        raise InputError(
            f"None of the {len(assignments)} labels of {mask.name[0].lower()}{mask.name[1:]} is a structure that is "
            "measured here, read "
            f"with the table {used.name!r}; say with --labels what they are."
        )
    filled = _fill(mask, assignments, sides == ANATOMY)
    if not filled.labels.any():
        if filled.kept.labels and any(label.voxels for label in filled.kept.labels):
            raise InputError(
                f"{mask.name} holds no voxel of a structure that is measured here, only other labels; give the file with "
                "the bones and "
                "muscles of hip and thigh."
            )
        raise empty(mask.name)
    decided = sides_of(filled.labels, filled.undecided, mask.geometry, table)
    said = said_of_translation(used, table, assignments, filled.kept, filled.overlaps, decided, mask.geometry)
    return Translation(
        decided.labels,
        mask.geometry,
        table,
        used,
        recognised.by if recognised else None,
        assignments,
        filled.kept,
        filled.overlaps,
        (*mask.findings, *said),
        mask.kind == LABEL_MAP,
    )


@dataclass
class _Filled:
    """`undecided` is bool ``[z, y, x]`` where a paired structure has no side yet and `labels` holds its index; None: nowhere."""

    labels: np.ndarray
    kept: KeptLabels
    undecided: np.ndarray | None = None
    overlaps: dict[tuple[int, int], int] = field(default_factory=dict)


def _fill(mask: ForeignMask, assignments: Sequence[Assignment], ignore_sides: bool) -> _Filled:
    filled = _Filled(np.zeros(mask.geometry.shape, np.uint8), KeptLabels(mask.geometry))
    first = 0
    for layer in mask.layers:
        own = assignments[first : first + len(layer.segments)]
        first += len(layer.segments)
        _fill_layer(filled, layer, own, ignore_sides)
    return filled


def _fill_layer(filled: _Filled, layer: Layer, assignments: Sequence[Assignment], ignore_sides: bool) -> None:
    voxels = layer.voxels()
    values = [assignment.segment.value for assignment in assignments]
    ranks = _Ranks(values)
    labels = np.array([0, *(_label(assignment, ignore_sides) for assignment in assignments)], np.uint8)
    open_side = np.array([False, *(_is_open(assignment, ignore_sides) for assignment in assignments)])
    others = [n for n, assignment in enumerate(assignments, start=1) if assignment.structure is None]
    other_rank = np.zeros(len(values) + 1, np.uint16)
    other_rank[others] = np.arange(1, len(others) + 1)
    if filled.undecided is None and open_side.any():
        filled.undecided = np.zeros(filled.labels.shape, bool)
    kept = np.zeros(filled.labels.shape, np.uint16) if others else None
    for k, section in enumerate(voxels):
        rank = ranks.of(section)
        new = labels[rank]
        inside = new > 0
        _note_overlaps(filled, filled.labels[k], new)
        filled.labels[k][inside] = new[inside]
        if filled.undecided is not None:
            filled.undecided[k][inside] = open_side[rank][inside]
        if kept is not None:
            kept[k] = other_rank[rank]
    if kept is not None:
        names = [assignments[n - 1].segment.called for n in others]
        filled.kept.add(names, [values[n - 1] for n in others], kept)


class _Ranks:
    """Voxel value -> position in a list of values, counted from 1; 0 for all other values."""

    def __init__(self, values: Sequence[int]) -> None:
        self._low = min(values, default=0)
        self._table = np.zeros(max(values, default=0) - self._low + 3, np.uint16)
        for rank, value in enumerate(values, start=1):
            self._table[value - self._low + 1] = rank

    def of(self, section: np.ndarray) -> np.ndarray:
        """Ranks of a slice ``[y, x]``; what lies beyond the list falls on the table's empty ends."""
        return self._table.take(section.astype(np.int64) - self._low + 1, mode="clip")


def _is_open(assignment: Assignment, ignore_sides: bool) -> bool:
    structure = assignment.structure
    return structure is not None and structure.paired and (ignore_sides or assignment.side is None)


def _label(assignment: Assignment, ignore_sides: bool) -> int:
    structure = assignment.structure
    if structure is None:
        return 0
    is_left = assignment.side is Side.LEFT and not ignore_sides
    return structure.index + (LEFT_OFFSET if is_left else 0)


def _note_overlaps(filled: _Filled, before: np.ndarray, new: np.ndarray) -> None:
    both = (before > 0) & (new > 0) & (before != new)
    if both.any():
        pairs, counts = np.unique(before[both].astype(np.int64) * 256 + new[both], return_counts=True)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            key = (pair // 256, pair % 256)
            filled.overlaps[key] = filled.overlaps.get(key, 0) + count
