"""From what a user says of levels to the slices of a scan that are to be annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..anatomy import StructureTable
from ..ct import CTVolume, to_working_grid
from ..ct.cropping import box_around
from ..errors import InputError
from ..foreign.reading import read_mask
from .levels import SliceLevel, levels_at, levels_spread, parse_level, slice_positions, vertebrae_between
from .vertebrae import vertebra_levels

# What the published method annotates (T4 to L4).
FIRST_VERTEBRA, LAST_VERTEBRA = "T4", "L4"


@dataclass(frozen=True)
class LevelChoice:
    """Where levels come from; exactly one of three.

    `at` are texts such as ``"L4=-312.5"``; `count` levels are spread over the body, or over the part `between` two superior
    coordinates in mm; `vertebrae` is a segmentation with the vertebrae from `first` to `last`, whose numbers `labels` explains.
    """

    at: Sequence[str] = ()
    count: int | None = None
    between: tuple[float, float] | None = None
    vertebrae: Path | None = None
    first: str = FIRST_VERTEBRA
    last: str = LAST_VERTEBRA
    labels: str | None = None


@dataclass(frozen=True)
class ProposedLevels:
    """The slices, from head to foot, and sentences on vertebrae that have none."""

    levels: tuple[SliceLevel, ...]
    notes: tuple[str, ...] = ()


def propose_levels(volume: CTVolume, choice: LevelChoice, table: StructureTable) -> ProposedLevels:
    """The slices of a CT that a choice means; `table` are the structures of the task.

    Raises:
        InputError: nothing or several things are chosen, or the scan does not show them.
    """
    geometry = volume.geometry
    chosen = [bool(choice.at), choice.count is not None, choice.vertebrae is not None]
    if sum(chosen) != 1:
        raise InputError("Say which slices, in one way: positions with --at, a number with --levels, or a mask with --vertebrae.")
    if choice.at:
        return ProposedLevels(levels_at(geometry, [parse_level(text) for text in choice.at]))
    if choice.count is not None:
        return ProposedLevels(levels_spread(geometry, choice.count, choice.between or _extent(volume)))
    assert choice.vertebrae is not None
    wanted = vertebrae_between(choice.first, choice.last)
    found = vertebra_levels(read_mask(choice.vertebrae), wanted, table, choice.labels)
    positions = slice_positions(geometry)
    inside = {name: at for name, at in found.middles.items() if positions.min() <= at <= positions.max()}
    if not inside:
        raise InputError("None of the vertebrae has its middle in this scan; give the segmentation of the same CT.")
    missing = [name for name in wanted if name not in inside and name not in found.cut]
    notes = [f"{name} is cut by the end of the segmentation; its middle is not known." for name in found.cut]
    if missing:
        notes.append(f"Not in the scan or not segmented: {', '.join(missing)}.")
    return ProposedLevels(levels_at(geometry, [(name, inside[name]) for name in wanted if name in inside]), tuple(notes))


def _extent(volume: CTVolume) -> tuple[float, float]:
    """The lowest and highest superior coordinate of slices that show the body."""
    working = to_working_grid(volume)
    if working.body is None:
        raise InputError("This CT shows no body; give the CT of a patient.")
    grid = working.volume.geometry
    box = box_around(working.body, grid)
    x, y, z = box.start_xyz
    positions = slice_positions(grid.cropped((x, y, z), box.size_xyz))
    return float(positions.min()), float(positions.max())
