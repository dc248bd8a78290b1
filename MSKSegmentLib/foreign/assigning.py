"""Which structure of ours each segment of a mask is."""

from __future__ import annotations

from dataclasses import dataclass

from ..anatomy import Side, Structure, StructureTable
from .label_tables import NAMES, LabelEntry, LabelTable, shipped_tables
from .mask import ForeignMask, ForeignSegment
from .merged import with_merged


@dataclass(frozen=True)
class Assignment:
    """A segment and what it is: a structure (None: it has no counterpart), its side (None: not known, or not paired), and the part
    of a merged structure.
    """

    segment: ForeignSegment
    structure: Structure | None = None
    side: Side | None = None
    part: str = ""


def assign(mask: ForeignMask, table: LabelTable, structures: StructureTable) -> tuple[tuple[Assignment, ...], StructureTable]:
    """What each segment of a mask is, and the structures that these are of: `structures`, with the merged ones that occur."""
    general = next(one for one in shipped_tables() if one.name == NAMES)
    entries = [_entry(segment, table, general) for segment in mask.segments]
    extended = with_merged(structures, {entry.structure for entry in entries if entry is not None and entry.structure})
    known = {structure.abbreviation: structure for structure in extended.structures}
    by_code = {(one.code.scheme, one.code.value): one for one in extended.structures}
    found = []
    for segment, entry in zip(mask.segments, entries, strict=True):
        structure = known.get(entry.structure or "") if entry is not None else None
        if entry is None and segment.code is not None:
            structure = by_code.get((segment.code.scheme, segment.code.value))
        side = (entry.side if entry is not None else None) or segment.side
        if structure is None or not structure.paired:
            side = None
        found.append(Assignment(segment, structure, side, entry.part if entry is not None and structure is not None else ""))
    return tuple(found), extended


def _entry(segment: ForeignSegment, table: LabelTable, general: LabelTable) -> LabelEntry | None:
    """The line of the table for a segment: by its names, or where either of them has none, by its value."""
    for look_up in (table.of_literal, table.of_name, general.of_name):
        for text in segment.texts:
            entry = look_up(text)
            if entry is not None:
                return entry
    entry = table.of_value(segment.program_value)
    return entry if entry is not None and not (segment.texts and entry.names) else None
