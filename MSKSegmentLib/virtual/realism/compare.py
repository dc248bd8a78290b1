"""Comparison of real scans with virtual patients: matched levels, the same quantities of both, and where the real values lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...ct import CTVolume
from ...errors import InputError, shown
from ..atlas import load_atlases
from ..cases import CT_FILE
from ..patient import make_patient
from .levels import Match, match_levels, signature
from .measures import Measures, measure_realism
from .quantities import QUANTITIES, Quantity
from .scan import SAME_SPACING, Scan, Spacing, prepare, read_scan

# Patients are not simulated on a finer grid: it takes very long and adds no information.
FINEST_MM: Spacing = (3.0, 1.0, 1.0)
# Shortest part of a patient that is measured, where the levels of a short scan cover less.
SHORTEST_MM = 30.0
FEWEST_VIRTUAL_PATIENTS = 3
SHOWN_LEVELS, SHOWN_PATIENTS = 5, 3
PICTURE_MARGIN_MM = 12.0


@dataclass(frozen=True)
class Patients:
    """A source of virtual patients: `volumes` yields name and CT of each on about the requested grid, ``(z, y, x)`` mm.

    `spacing` is the grid of patients that exist already; None where they are simulated on the requested grid.
    """

    volumes: Callable[[Spacing], Iterator[tuple[str, CTVolume]]]
    spacing: Spacing | None = None


@dataclass(frozen=True)
class QuantityRow:
    """One quantity: the real value, the virtual median, 5th and 95th percentile, and the number of virtual patients."""

    quantity: Quantity
    real: float
    median: float
    low: float
    high: float
    patients: int

    @property
    def verdict(self) -> str:
        """``inside``, ``below`` or ``above`` the virtual range; ``unknown`` where either side has too few values."""
        if self.patients < FEWEST_VIRTUAL_PATIENTS or not np.isfinite(self.real):
            return "unknown"
        return "below" if self.real < self.low else "above" if self.real > self.high else "inside"


@dataclass(frozen=True)
class Picture:
    """Slices HU ``[y, x]`` of one scan at the shown levels (None: beyond its end), and their pixel ``(y, x)`` in mm."""

    name: str
    slices: tuple[np.ndarray | None, ...]
    pixel: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """A real scan beside virtual patients; `spacing` ``(z, y, x)`` mm is the grid on which both were compared."""

    name: str
    spacing: Spacing
    levels_mm: tuple[float, float]
    rows: tuple[QuantityRow, ...]
    real: Measures
    virtual: tuple[Measures, ...]
    pictures: tuple[Picture, ...]


def made_patients(atlas: Path | None, number: int, seed: int) -> Patients:
    """Virtual patients that are simulated on the requested grid, without metal.

    Raises:
        InputError: a number is out of range, or there is no atlas.
    """
    if number < FEWEST_VIRTUAL_PATIENTS or seed < 0:
        raise InputError(f"A comparison needs at least {FEWEST_VIRTUAL_PATIENTS} virtual patients and a seed from 0.")
    atlases = load_atlases(atlas)

    def volumes(spacing: Spacing) -> Iterator[tuple[str, CTVolume]]:
        for patient_seed in range(seed, seed + number):
            yield f"virtual {patient_seed}", make_patient(atlases, patient_seed, spacing, metal=False).volume

    return Patients(volumes)


def stored_patients(folder: Path) -> Patients:
    """Virtual patients that ``mskseg virtual`` has written.

    Raises:
        InputError: there are too few in the folder, or the first cannot be read.
    """
    found = sorted(folder.glob(f"*/{CT_FILE}"))
    if len(found) < FEWEST_VIRTUAL_PATIENTS:
        raise InputError(
            f"The folder {shown(folder)!r} holds fewer than {FEWEST_VIRTUAL_PATIENTS} virtual patients; make some with "
            "'mskseg virtual'."
        )

    def volumes(spacing: Spacing) -> Iterator[tuple[str, CTVolume]]:
        for path in found:
            yield path.parent.name, read_scan(path)

    x, y, z = read_scan(found[0]).geometry.spacing
    return Patients(volumes, (z, y, x))


def comparison_grid(volume: CTVolume, patients: Patients) -> Spacing:
    """The grid of a comparison, ``(z, y, x)`` mm: the scan's own, or coarser where the patients are."""
    x, y, z = volume.geometry.spacing
    floor = patients.spacing or FINEST_MM
    return max(z, floor[0]), max(y, floor[1]), max(x, floor[2])


def compare(
    name: str,
    volume: CTVolume,
    patients: Patients,
    spacing: Spacing,
    checkpoint: Callable[[], None],
    report: Callable[[str], None] = print,
) -> Comparison:
    """Compare a real scan on its working grid with virtual patients at the levels that the scan shows.

    Raises:
        InputError: there is no body in the scan, or too few patients show its levels.
    """
    real = prepare(name, volume, spacing)
    ours = signature(real)
    found: list[tuple[Scan, Match]] = []
    for patient, simulated in patients.volumes(real.spacing):
        checkpoint()
        scan = prepare(patient, simulated, real.spacing)
        if any(own > wanted * SAME_SPACING for own, wanted in zip(scan.spacing, real.spacing, strict=True)):
            raise InputError(f"{patient} has larger voxels than the comparison's grid; give --spacing, or make finer patients.")
        match = match_levels(ours, signature(scan))
        report(f"{name}: {patient} {'shows other levels' if match is None else f'matched (difference {match.cost:.2f})'}")
        if match is not None:
            found.append(_cut(scan, match, (len(real.hu) - 1) * real.spacing[0]))
    if len(found) < FEWEST_VIRTUAL_PATIENTS:
        raise InputError(f"Fewer than {FEWEST_VIRTUAL_PATIENTS} virtual patients show the levels of {name}; give more patients.")
    return _compared(real, found, checkpoint)


def _cut(scan: Scan, match: Match, length_mm: float) -> tuple[Scan, Match]:
    """The part of a virtual scan that a real one of that length may need (to save memory), and the match within it."""
    step = scan.spacing[0]
    start = max(0, int((match.at(0.0) - SHORTEST_MM) / step))
    end = min(len(scan.hu), int((match.at(length_mm) + SHORTEST_MM) / step) + 2)
    part = scan.levels(start, end)
    copied = Scan(part.name, part.hu.copy(), part.body.copy(), part.spacing)
    return copied, Match(match.shift_mm - start * step, match.scale, match.cost)


def _compared(real: Scan, found: list[tuple[Scan, Match]], checkpoint: Callable[[], None]) -> Comparison:
    first, last = shared_levels(real, found)
    step = real.spacing[0]
    ours = measure_realism(real.levels(round(first / step), round(last / step) + 1))
    theirs = []
    for scan, match in found:
        checkpoint()
        theirs.append(measure_realism(matched_part(scan, match, first, last)))
    at = np.linspace(first, last, SHOWN_LEVELS) if last - first > SHORTEST_MM else np.array([(first + last) / 2])
    best = sorted(found, key=lambda pair: pair[1].cost)[:SHOWN_PATIENTS]
    pictures = [_picture(real, list(at))]
    pictures += [_picture(scan, [match.at(level) for level in at]) for scan, match in best]
    rows = tuple(_row(quantity, ours, theirs) for quantity in QUANTITIES)
    return Comparison(real.name, real.spacing, (first, last), rows, ours, tuple(theirs), tuple(pictures))


def shared_levels(real: Scan, found: list[tuple[Scan, Match]]) -> tuple[float, float]:
    """The lowest and highest level (mm from the real scan's first slice) that at least half of the patients show."""
    levels = np.arange(len(real.hu)) * real.spacing[0]
    shown = np.zeros(levels.size)
    for scan, match in found:
        there = match.shift_mm + match.scale * levels
        shown += (there >= 0) & (there <= (len(scan.hu) - 1) * scan.spacing[0])
    common = levels[(2 * shown >= len(found)) & real.body.any(axis=(1, 2))]
    if not common.size:
        raise InputError(f"The virtual patients show none of the levels of {real.name} in common; give more patients.")
    return float(common[0]), float(common[-1])


def matched_part(scan: Scan, match: Match, first: float, last: float) -> Scan:
    """The part of a virtual scan between two levels of the real one; at least 30 mm of it where it reaches so far."""
    low, high = match.at(first), match.at(last)
    missing = max(0.0, SHORTEST_MM - (high - low)) / 2
    top = len(scan.hu) - 1
    start, end = (int(np.clip(round(z / scan.spacing[0]), 0, top)) for z in (low - missing, high + missing))
    return scan.levels(start, end + 1)


def _picture(scan: Scan, levels: list[float]) -> Picture:
    at = [round(level / scan.spacing[0]) for level in levels]
    inside = [k for k in at if 0 <= k < len(scan.hu)]
    shown = scan.body[inside]
    rows, columns = (_around(np.flatnonzero(shown.any(axis=axes)), scan.pixel) for axes in ((0, 2), (0, 1)))
    slices = tuple(scan.hu[k, rows, columns] if k in inside else None for k in at)
    return Picture(scan.name, slices, scan.spacing[1:])


def _around(found: np.ndarray, pixel: float) -> slice:
    """From the first to the last of some indices, with a margin; everything where there are none."""
    if not found.size:
        return slice(None)
    margin = round(PICTURE_MARGIN_MM / pixel)
    return slice(max(0, int(found[0]) - margin), int(found[-1]) + margin + 1)


def _row(quantity: Quantity, real: Measures, virtual: list[Measures]) -> QuantityRow:
    values = np.array([measures.values[quantity.name] for measures in virtual])
    values = values[np.isfinite(values)]
    low, median, high = np.percentile(values, (5, 50, 95)) if values.size else (np.nan,) * 3
    return QuantityRow(quantity, real.values[quantity.name], float(median), float(low), float(high), int(values.size))
