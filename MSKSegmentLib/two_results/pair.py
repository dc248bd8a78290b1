"""Two results of one CT, brought to the structures that both know and onto one grid."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..anatomy import StructureTable
from ..case_result import CaseResult
from ..ct.label_grid import place_labels
from ..ct.volume import CTVolume
from ..errors import InputError, shown
from ..foreign.merged import MergedStructure, merged_structures, with_merged
from ..results.result_reading import StoredCase, read_case
from ..review.source_ct import input_of, locate_ct, read_own_ct
from .known import drawable_structures


@dataclass(frozen=True)
class ResultPair:
    """Two results as they stand, corrections included, and the CT that both are of.

    `table` are the structures in which they are compared: those of the first result, with merged ones that either has. `labels` and
    `other_labels` are the labels of the first and the second result, uint8 ``[z, y, x]`` in the numbers of that table and on the
    first one's grid; both hold nothing but segments that both results could have, whose keys are `shared`. Of the structures in
    `merged` one result has the parts, which count as the whole here.
    """

    first: StoredCase
    second: StoredCase
    volume: CTVolume
    table: StructureTable
    labels: np.ndarray
    other_labels: np.ndarray
    shared: tuple[str, ...]
    merged: tuple[MergedStructure, ...] = ()

    @property
    def takeable(self) -> tuple[str, ...]:
        """The keys of the shared segments that the first result has under that name, so that they can be taken into it."""
        own = drawable_structures(self.first.result)
        return tuple(key for key in self.shared if self.table.segment(key).structure.abbreviation in own)

    def keys_in_first(self, key: str) -> tuple[str, ...]:
        """The segments of the first result that a shared segment is: itself, or its parts."""
        segment = self.table.segment(key)
        if key in self.takeable:
            return (key,)
        parts = next(merged.parts for merged in self.merged if merged.structure.abbreviation == segment.structure.abbreviation)
        return tuple(one.key for one in self.table.segments if one.structure.abbreviation in parts and one.side is segment.side)

    def with_first(self, first: StoredCase) -> ResultPair:
        """The same pair after the first result was corrected."""
        return replace(self, first=first, labels=_in_numbers_of(self.table, first.result, self.shared, self.merged))


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
    one, other = first.result, second.result
    known = drawable_structures(one), drawable_structures(other)
    merged = tuple(whole for whole in merged_structures() if _in_parts(whole, *known) or _in_parts(whole, *known[::-1]))
    wholes = {whole.structure.abbreviation for whole in merged}
    table = with_merged(one.table, wholes)
    common = wholes | (known[0] & known[1])
    shared = tuple(segment.key for segment in table.segments if segment.structure.abbreviation in common)
    if not shared:
        raise InputError(f"{names[0]!r} and {names[1]!r} have no structure in common.")
    other_labels = _in_numbers_of(table, other, shared, merged)
    placed = place_labels(other_labels, other.geometry, one.geometry, "other result").labels
    return ResultPair(first, second, volume, table, _in_numbers_of(table, one, shared, merged), placed, shared, merged)


def _in_parts(whole: MergedStructure, apart: Collection[str], other: Collection[str]) -> bool:
    """Whether one result has the parts of a structure, and the other only the whole."""
    name = whole.structure.abbreviation
    return name in other and name not in apart and set(whole.parts) <= set(apart)


def _in_numbers_of(
    table: StructureTable, result: CaseResult, shared: Collection[str], merged: Collection[MergedStructure]
) -> np.ndarray:
    """The labels of a result as segments of `table`; of what is not shared nothing is left."""
    numbers = np.zeros(256, np.uint8)
    whole_of = {part: whole.structure.abbreviation for whole in merged for part in whole.parts}
    for segment in result.table.segments:
        name = segment.structure.abbreviation
        name = whole_of.get(name, name)
        compared = next((one for one in table.segments if (one.structure.abbreviation, one.side) == (name, segment.side)), None)
        if compared is not None and compared.key in shared:
            numbers[segment.label] = compared.label
    return numbers[result.labels]
