"""Label maps as other programs would have drawn them, made of one of ours: other numbers, more parts, fewer structures."""

from __future__ import annotations

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.foreign.label_tables import shipped_tables
from MSKSegmentLib.foreign.merged import merged_structures

TABLES = {table.name: table for table in shipped_tables()}
WHOLE_OF = {part: merged.structure.abbreviation for merged in merged_structures() for part in merged.parts}


def drawn_by(program: str, labels: np.ndarray) -> np.ndarray:
    """A label map uint16 with the values of a program; structures of several parts are cut into slabs, one for each part."""
    result = np.zeros(labels.shape, np.uint16)
    for segment in HIP_AND_THIGH.segments:
        key = segment.structure.abbreviation
        keys = {key, WHOLE_OF.get(key, key)}
        side = segment.side if segment.structure.paired else None
        values = [e.value for e in TABLES[program].entries if e.structure in keys and e.side in (side, None)]
        where = np.argwhere(labels == segment.label)
        for number, value in enumerate(values):
            part = where[number * len(where) // len(values) : (number + 1) * len(where) // len(values)]
            result[tuple(part.T)] = value
    return result


def names_of(program: str) -> dict[int, str]:
    return {entry.value: entry.names[0] for entry in TABLES[program].entries}


def codes(findings) -> set[str]:
    return {finding.code for finding in findings}
