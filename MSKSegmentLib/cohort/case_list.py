"""Lists of cases as CSV: one line per case, what is known of it by column; the affected side and the height are checked alike."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError
from ..measurement.volume import checked_height

AFFECTED, HEIGHT_COLUMN = "side_affected", "height_cm"
_SIDES = ("right", "left", "both", "none", "")


def read_case_list(source: Path, needed: str) -> list[tuple[int, dict[str, str]]]:
    """(line, values by column) of a list that has the column `needed`, which no line leaves empty.

    Raises:
        InputError: it cannot be read, or lacks that column or a value in it.
    """
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            columns = [(name or "").strip() for name in reader.fieldnames or ()]
            if needed not in columns or len(set(columns)) < len(columns):
                raise InputError(
                    f"The list {source.name} needs a first line of different column names, one of them {needed!r}; add it."
                )
            reader.fieldnames = columns
            rows = []
            for row in reader:
                if row.get("") or not row[needed].strip():
                    raise InputError(
                        f"Line {reader.line_num} of {source.name} has no {needed}, or more values than columns; correct it."
                    )
                rows.append((reader.line_num, {key: value.strip() for key, value in row.items() if key}))
            return rows
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The list {source.name} cannot be read as CSV in UTF-8; save it as such.") from error


def affected_side(row: Mapping[str, str], where: str) -> str:
    """The affected side of a line, "right", "left", "both", "none" or, where it is not said, ""; `where` names the line.

    Raises:
        InputError: it is none of these.
    """
    side = row.get(AFFECTED, "").lower()
    if side not in _SIDES:
        raise InputError(f"The affected side {where} must be right, left, both or none, or empty; correct it.")
    return side


def is_affected(side: str, affected: str) -> bool | None:
    """Whether the body side "right" or "left" is affected; None where that is not said, or for segments in the midline."""
    if not affected or side not in ("right", "left"):
        return None
    return affected in (side, "both")


def height_in_cm(text: str, where: str) -> float | None:
    """The height of a line in cm, None where it is not said; `where` names the line.

    Raises:
        InputError: it is no number, or no human's height.
    """
    try:
        height = float(text) if text else None
    except ValueError as error:
        raise InputError(f"The height {text!r} {where} is no number of centimetres; correct it.") from error
    checked_height(None if height is None else height / 100)
    return height
