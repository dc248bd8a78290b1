"""Two results of one CT, brought to the structures that both know and onto one grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..case_result import CaseResult
from ..ct.label_grid import place_labels
from ..ct.volume import CTVolume
from ..errors import InputError, shown
from ..results.result_reading import StoredCase, read_case
from ..review.source_ct import input_of, locate_ct, read_own_ct


@dataclass(frozen=True)
class ResultPair:
    """Two results as they stand, corrections included, and the CT that both are of.

    `other_labels` are the labels of the second result, uint8 ``[z, y, x]`` in the numbers and on the grid of the first one; of
    structures that the first one's table lacks they hold nothing. `shared` are the keys of the segments that both could have.
    """

    first: StoredCase
    second: StoredCase
    volume: CTVolume
    other_labels: np.ndarray
    shared: tuple[str, ...]


def read_two_results(first: Path, second: Path, ct: Path | None = None) -> ResultPair:
    """Read two result folders; the CT is `ct`, or that of either folder.

    Raises:
        InputError: a folder holds no result, they are of different CT, or there is no CT.
    """
    cases = read_case(first), read_case(second)
    digests = {digest for digest in (input_of(first), input_of(second)) if digest is not None}
    if len(digests) > 1:
        raise InputError(f"{shown(first)!r} and {shown(second)!r} are results of different CT; give two results of one CT.")
    # Either folder may hold the CT, or know where it is.
    holder = first if ct is not None or locate_ct(first, None) is not None else second
    volume = read_own_ct(holder, ct, None, None)
    return pair_cases(*cases, volume, (shown(first), shown(second)))


def pair_cases(first: StoredCase, second: StoredCase, volume: CTVolume, names: tuple[str, str] = ("first", "second")) -> ResultPair:
    """Two results of the CT `volume`, which the caller has seen to be that of both; `names` are theirs, for sentences.

    Raises:
        InputError: they have no structure in common, or lie elsewhere.
    """
    known = _segments_of(first.result) & _segments_of(second.result)
    shared = tuple(segment.key for segment in first.result.table.segments if segment.key in known)
    if not shared:
        raise InputError(f"{names[0]!r} and {names[1]!r} have no structure in common.")
    return ResultPair(first, second, volume, _labels_of_other(first, second, shared), shared)


def _segments_of(result: CaseResult) -> set[str]:
    """The keys of the segments that a result could have: those of its table, but for what another program was never asked for."""
    present = {report.segment.key for report in result.reports if report.measurements is not None}
    imported = result.facts.record.get("imported") or {}
    if "segments" not in imported:
        return {segment.key for segment in result.table.segments}
    asked = {entry.get("structure") for entry in imported["segments"]}
    return present | {segment.key for segment in result.table.segments if segment.structure.abbreviation in asked}


def _labels_of_other(first: StoredCase, second: StoredCase, shared: tuple[str, ...]) -> np.ndarray:
    one, other = first.result, second.result
    placed = place_labels(other.labels, other.geometry, one.geometry, "other result").labels
    numbers = np.zeros(256, np.uint8)
    for key in shared:
        numbers[other.table.segment(key).label] = one.table.segment(key).label
    return numbers[placed]
