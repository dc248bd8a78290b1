"""Coded meaning of segments as 3D Slicer and DICOM segmentations store it, built from a table of structures.

Run ``python -m MSKSegmentLib.anatomy.terminology FILE`` to write that of the built-in table, which Slicer loads at start-up.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .table import Code, Segment, Side, Structure, StructureTable

CATEGORY = Code("SCT", "123037004", "Anatomical Structure")
_SIDE_CODES = {Side.RIGHT: Code("SCT", "24028007", "Right"), Side.LEFT: Code("SCT", "7771000", "Left")}
_NO_CODE = "^^"


def context_name(table: StructureTable) -> str:
    """What Slicer's list of terminologies calls the one of a table."""
    return f"MSKSegment {table.name}"


def side_code(side: Side) -> Code | None:
    """The laterality modifier of a side; None for the midline."""
    return _SIDE_CODES.get(side)


def terminology_entry(segment: Segment, table: StructureTable) -> str:
    """Slicer's terminology string of a segment of a table.

    Seven parts joined by ``~``: context, category, type, type modifier (the side), anatomic context, anatomic
    region, region modifier. The last three stay empty because the type itself is the anatomical structure. A code
    reads ``scheme^value^meaning``.
    """
    side = side_code(segment.side)
    parts = (
        context_name(table),
        _joined(CATEGORY),
        _joined(segment.structure.code),
        _joined(side) if side else _NO_CODE,
        "",
        _NO_CODE,
        _NO_CODE,
    )
    return "~".join(parts)


def terminology_context(table: StructureTable) -> dict[str, Any]:
    """The content of Slicer's terminology file: one category with the structures and their sides."""
    return {
        "SegmentationCategoryTypeContextName": context_name(table),
        "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas/segment-context-schema.json#",
        "SegmentationCodes": {
            "Category": [
                {**_fields(CATEGORY), "showAnatomy": False, "Type": [_type_of(structure) for structure in table.structures]}
            ]
        },
    }


def terminology_text(table: StructureTable) -> str:
    """`terminology_context` as the text of ``Resources/Terminology/MSKSegment.term.json``."""
    return json.dumps(terminology_context(table), indent=2, ensure_ascii=False) + "\n"


def _joined(code: Code) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}"


def _fields(code: Code) -> dict[str, Any]:
    return {"CodingSchemeDesignator": code.scheme, "CodeValue": code.value, "CodeMeaning": code.meaning}


def _type_of(structure: Structure) -> dict[str, Any]:
    entry: dict[str, Any] = {**_fields(structure.code), "3dSlicerLabel": structure.abbreviation}
    if not structure.paired:
        return {**entry, "recommendedDisplayRGBValue": list(structure.color_right)}
    modifiers = [
        {**_fields(_SIDE_CODES[side]), "recommendedDisplayRGBValue": list(Segment(structure, side).color)}
        for side in structure.sides
    ]
    return {**entry, "Modifier": modifiers}


if __name__ == "__main__":
    from .built_in import HIP_AND_THIGH

    Path(sys.argv[1]).write_text(terminology_text(HIP_AND_THIGH), encoding="utf-8", newline="\n")
