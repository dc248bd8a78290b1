"""Whose segmentation a mask is: from the names in it, or from values that only one program has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..anatomy import LEFT_OFFSET, StructureTable
from ..ct.reading.label_maps import short_name
from ..errors import InputError
from .label_tables import NAMES, LabelTable, known_tables, own_table, shipped_tables
from .mask import ForeignMask, ForeignSegment

# A program is named where it wrote at least this share of the names that anybody knows, and where its values are this share of all.
MOST_NAMES = 0.5
MOST_OF_VALUES = 0.75
# Values of both sides, n and n + 100: so many pairs come about by this software's numbering alone.
FEWEST_PAIRS = 3
_SHOWN = 6


@dataclass(frozen=True)
class Recognised:
    """The table that a mask's labels are of, and by what that was seen, as a part of a sentence."""

    table: LabelTable
    by: str


def recognise(mask: ForeignMask, structures: StructureTable) -> Recognised:
    """The table that the labels of a mask are of.

    Names decide where the mask has any: those of a program word by word, else names of structures in general, else codes. Values
    alone decide only for programs whose values nobody else has, and for this software's own where both sides are there.

    Raises:
        InputError: nothing tells; the sentence asks for ``--labels``.
    """
    if any(segment.texts for segment in mask.segments):
        return _by_names(mask, structures)
    return _by_values(mask, structures)


def _by_names(mask: ForeignMask, structures: StructureTable) -> Recognised:
    tables = known_tables(structures)
    general = next(table for table in tables if table.name == NAMES)
    known = [segment for segment in mask.segments if any(_knows(table, segment) for table in tables)]
    if known:
        counts = [(sum(_literally(table, segment) for segment in known), table) for table in tables if table is not general]
        most, best = max(counts, key=lambda entry: entry[0])
        if most >= MOST_NAMES * len(known):
            return Recognised(best, "its names")
        return Recognised(general, "the names of its structures")
    codes = {(structure.code.scheme, structure.code.value) for structure in structures.structures}
    if any(segment.code is not None and (segment.code.scheme, segment.code.value) in codes for segment in mask.segments):
        return Recognised(general, "the codes of its structures")
    raise InputError(
        f"{mask.name} names no structure that is known here ({_listed([s.called for s in mask.segments])}); say with "
        "--labels table.csv "
        "which name is which structure."
    )


def _knows(table: LabelTable, segment: ForeignSegment) -> bool:
    entries = (table.of_name(text) for text in segment.texts)
    return any(entry is not None and entry.structure is not None for entry in entries)


def _literally(table: LabelTable, segment: ForeignSegment) -> bool:
    return any(table.of_literal(text) is not None for text in segment.texts)


def _by_values(mask: ForeignMask, structures: StructureTable) -> Recognised:
    values = {segment.program_value for segment in mask.segments}
    for table in shipped_tables():
        entries = [entry for value in values if (entry := table.of_value(value)) is not None]
        if table.values_tell and len(entries) >= MOST_OF_VALUES * len(values) and any(entry.structure for entry in entries):
            return Recognised(table, "its values")
    ours = own_table(structures)
    fits = all(ours.of_value(value) is not None for value in values)
    if fits and sum(value + LEFT_OFFSET in values for value in values) >= FEWEST_PAIRS:
        return Recognised(ours, "its values")
    raise InputError(
        f"{mask.name} holds values without names ({_listed([str(value) for value in sorted(values)])}), and those may be of "
        "several "
        f"programs; say whose they are: --labels {_choices(values, ours if fits else None)}."
    )


def _choices(values: set[int], ours: LabelTable | None) -> str:
    """What could be meant: tables that have most of the values, and the way that is always open."""
    tables = [
        table for table in shipped_tables() if sum(table.of_value(v) is not None for v in values) >= MOST_OF_VALUES * len(values)
    ]
    names = [table.name for table in (*tables, *([ours] if ours else ()))]
    return ", ".join([*names, "or a table.csv"]) if names else "table.csv, with the columns value, structure and side"


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(short_name(text) for text in texts[:_SHOWN])
    return f"{shown} and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else shown
