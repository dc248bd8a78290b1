"""Which slices of a scan are annotated: those at given positions, or some that are spread evenly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..ct.orientation import axis_order
from ..ct.volume import Geometry
from ..errors import InputError

_VERTEBRA = re.compile(r"(?<![A-Za-z0-9])(C|T|L)0?(\d{1,2})(?![0-9])", re.IGNORECASE)
_COUNTS = {"C": 7, "T": 12, "L": 5}
# From head to foot.
VERTEBRAE = tuple(f"{region}{number}" for region, count in _COUNTS.items() for number in range(1, count + 1))


@dataclass(frozen=True)
class SliceLevel:
    """A slice to annotate: `number` along the CT's third index axis, from 0; superior coordinate in mm (LPS z, Slicer's S)."""

    name: str
    number: int
    position_mm: float


def slice_positions(geometry: Geometry) -> np.ndarray:
    """The superior coordinate in mm of the middle of every slice, float ``[z]``.

    Raises:
        InputError: the slices do not run along the body.
    """
    if axis_order(geometry.direction).axes[2] != 2:
        raise InputError("The slices of this CT are not axial; give an axial reconstruction of it.")
    x, y, z = geometry.size
    middles = [((x - 1) / 2, (y - 1) / 2, k) for k in range(z)]
    positions: np.ndarray = geometry.to_physical(middles)[:, 2]
    return positions


def levels_at(geometry: Geometry, wanted: Sequence[tuple[str, float]]) -> tuple[SliceLevel, ...]:
    """The slice nearest to each named superior coordinate in mm, from head to foot.

    Raises:
        InputError: a position lies outside the scan, or two of them on one slice; the slices are not axial.
    """
    positions = slice_positions(geometry)
    reach = abs(float(positions[-1] - positions[0])) / max(1, len(positions) - 1) / 2 + 1e-3
    levels = []
    for name, position in wanted:
        number = int(np.abs(positions - position).argmin())
        if abs(float(positions[number]) - position) > reach:
            raise InputError(
                f"The level {name} at {position:g} mm lies outside the scan, which reaches from {positions.min():.1f} to "
                f"{positions.max():.1f} mm (Slicer's S); correct it."
            )
        levels.append(SliceLevel(name, number, float(positions[number])))
    return _in_order(levels)


def levels_spread(geometry: Geometry, count: int, between: tuple[float, float]) -> tuple[SliceLevel, ...]:
    """The slices in the middles of `count` equal parts of the scan between two superior coordinates in mm, from head to foot.

    Raises:
        InputError: there are not so many slices; the slices are not axial.
    """
    positions = slice_positions(geometry)
    low, high = min(between) - 1e-3, max(between) + 1e-3
    ordered = np.sort(positions[(positions >= low) & (positions <= high)])[::-1]
    if not 1 <= count <= len(ordered):
        raise InputError(f"{count} levels cannot be spread over {len(ordered)} slices; give a number from 1 to that.")
    # The parts are made of slices, so that no two of them share one.
    middles = np.floor((np.arange(count) + 0.5) * len(ordered) / count).astype(int)
    return levels_at(geometry, [(f"{number + 1} of {count}", float(ordered[k])) for number, k in enumerate(middles)])


def parse_level(text: str) -> tuple[str, float]:
    """``"L4=-312.5"`` as ``("L4", -312.5)``.

    Raises:
        InputError: it is no such level.
    """
    name, sign, value = text.partition("=")
    try:
        if not sign or not name.strip():
            raise ValueError
        position = float(value)
        if not np.isfinite(position):
            raise ValueError
    except ValueError:
        raise InputError(
            f"{text!r} is no level; give a name and the position in mm that Slicer calls S, as in L4=-312.5."
        ) from None
    return name.strip(), position


def vertebra_of_name(text: str) -> str | None:
    """The vertebra that a name means; None where it means none.

    >>> vertebra_of_name("vertebrae_T12"), vertebra_of_name("L4 vertebra"), vertebra_of_name("kidney_left")
    ('T12', 'L4', None)
    """
    found = _VERTEBRA.search(text.replace("_", " "))
    if found is None:
        return None
    name = f"{found[1].upper()}{int(found[2])}"
    return name if name in VERTEBRAE else None


def vertebrae_between(first: str, last: str) -> tuple[str, ...]:
    """The vertebrae from `first` to `last`, both included, from head to foot.

    >>> vertebrae_between("T11", "L2")
    ('T11', 'T12', 'L1', 'L2')

    Raises:
        InputError: one of them does not exist.
    """
    for name in (first, last):
        if name.upper() not in VERTEBRAE:
            raise InputError(f"There is no vertebra {name!r}; give names such as T4 and L4.")
    begin, end = sorted((VERTEBRAE.index(first.upper()), VERTEBRAE.index(last.upper())))
    return VERTEBRAE[begin : end + 1]


def _in_order(levels: Iterable[SliceLevel]) -> tuple[SliceLevel, ...]:
    ordered = sorted(levels, key=lambda level: -level.position_mm)
    for one, other in zip(ordered, ordered[1:], strict=False):
        if one.number == other.number:
            raise InputError(f"The levels {one.name} and {other.name} fall on one slice, {one.number}; leave one of them out.")
    return tuple(ordered)
