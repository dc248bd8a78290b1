"""The files that tell how far two results agree: a table, and where they differ."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..anatomy import Segment
from ..case_result import Light
from ..output.filling import whole_folder
from ..output.places import check_new_folder
from ..results.segmentation_file import write_segmentation
from .agreement_table import StructureAgreement, places_of_disagreement
from .not_drawn import NotDrawn, not_drawn_of
from .pair import ResultPair

TABLE, DISAGREEMENT = "agreement.csv", "disagreement.seg.nrrd"
_OWNED = (TABLE, DISAGREEMENT)
_COLUMNS = (
    "abbreviation", "side", "structure", "volume_first_cc", "volume_second_cc", "volume_difference_percent", "dice", "asd_mm",
    "hd95_mm", "slices", "differing_cm2", "light_first", "light_second", "not_drawn_by",
)  # fmt: skip


def check_agreement_output(folder: Path) -> None:
    """Refuse a folder that holds something, or cannot be written.

    Raises:
        InputError: it does, or cannot.
    """
    check_new_folder(folder, _OWNED)


def write_agreement(folder: Path, pair: ResultPair, rows: Iterable[StructureAgreement]) -> None:
    """Write the table, and where the results differ as a segmentation that 3D Slicer shows over the CT.

    Raises:
        InputError: the folder holds something, or cannot be written.
    """
    with whole_folder(folder, "comparison", TABLE, _OWNED, check_agreement_output) as partial:
        with (partial / TABLE).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows(map(_agreement_row, rows))
            writer.writerows(map(_not_drawn_row, not_drawn_of(pair)))
        write_segmentation(partial / DISAGREEMENT, places_of_disagreement(pair))


def _agreement_row(row: StructureAgreement) -> dict[str, Any]:
    """The values of a row by column name; slices as numbers from 0, separated by spaces."""
    return {
        **_names(row.segment),
        "volume_first_cc": round(row.volume_first_cc, 3),
        "volume_second_cc": round(row.volume_second_cc, 3),
        "volume_difference_percent": round(row.volume_difference_percent, 2),
        "dice": round(row.dice, 4),
        "asd_mm": _rounded(row.asd_mm),
        "hd95_mm": _rounded(row.hd95_mm),
        "slices": " ".join(str(one.index) for one in row.slices),
        "differing_cm2": " ".join(f"{one.area_cm2:.2f}" for one in row.slices),
        "light_first": _word(row.lights[0]),
        "light_second": _word(row.lights[1]),
    }


def _not_drawn_row(one: NotDrawn) -> dict[str, Any]:
    """The values of a segment that only one result can have; there is nothing to compare."""
    volume = "volume_first_cc" if one.in_first else "volume_second_cc"
    return {**_names(one.segment), volume: round(one.volume_cc, 3), "not_drawn_by": one.program}


def _names(segment: Segment) -> dict[str, Any]:
    structure = segment.structure
    return {"abbreviation": structure.abbreviation, "side": segment.side.value, "structure": structure.name}


def _word(light: Light | None) -> str | None:
    return None if light is None else light.value


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
