"""Right and left of a structure beside each other: pictures at one scale, numbers, and their difference."""

from __future__ import annotations

from typing import Any

from ...language.catalogue import spoken_words, tr
from ...review import ReviewSession
from ...review.columns import FURTHER_COLUMNS, NO_VALUE, Column, columns_of
from ...review.rows import SegmentRow
from ...review.sections import SegmentSection, pair_of, widest_section
from ...wording.names import structure_name
from .pictures import section_picture

# In the order of the table. A difference of Dice coefficients or of their limits says nothing of the patient.
_COMPARED = ("volume_cc", "volume_cc_per_m2", "mean_hu", "fat_percent", "composite_percent", "lean_percent", "predicted_dice")
_NO_DIFFERENCE = ("predicted_dice",)


def side_comparison(session: ReviewSession, key: str) -> dict[str, Any]:
    """What the page shows of both sides of a segment's structure; only a sentence where it has no sides."""
    pair = pair_of(session, key)
    name = structure_name(spoken_words(), session.table.segment(key).structure)
    if pair is None:
        return {"name": name, "sentence": tr("This structure lies in the midline and has no sides.")}
    sections = [widest_section(session, segment.key) for segment in pair]
    half_mm = max((section.half_mm for section in sections if section), default=0.0)
    rows = [session.row(segment.key) for segment in pair]
    return {
        "name": name,
        "sides": [_side(session, row, section, half_mm) for row, section in zip(rows, sections, strict=True)],
        "rows": [_compared(column, *rows) for column in columns_of(session.task) if _has_value(column, rows)],
    }


def _side(session: ReviewSession, row: SegmentRow, section: SegmentSection | None, half_mm: float) -> dict[str, Any]:
    return {
        "key": row.key,
        "side": row.side.value,
        "title": row.texts["side"].capitalize(),
        "light": row.mark,
        "verdict": row.verdict,
        "src": section_picture(session, row.key, section.index, half_mm) if section else "",
        "text": _section_text(section) if section else "",
    }


def _section_text(section: SegmentSection) -> str:
    return tr("Slice {number}, {area} cm²").format(number=section.index + 1, area=f"{section.area_cm2:.1f}")


def _has_value(column: Column, rows: list[SegmentRow]) -> bool:
    """Whether a column is compared and known of either side."""
    compared = column.name in _COMPARED or column in FURTHER_COLUMNS
    return compared and any(row.values.get(column.name) is not None for row in rows)


def _compared(column: Column, right: SegmentRow, left: SegmentRow) -> dict[str, str]:
    values = right.values.get(column.name), left.values.get(column.name)
    difference = NO_VALUE
    if values[0] is not None and values[1] is not None and column.name not in _NO_DIFFERENCE:
        form = column.form.lstrip("+")
        difference = format(values[0] - values[1], f"+{form}")
        if column.name == "volume_cc" and (share := right.values["asymmetry_percent"]) is not None:
            difference += f" ({share:+.0f} %)"
    texts = (row.texts.get(column.name, NO_VALUE) for row in (right, left))
    return {
        "name": column.name,
        "title": column.heading,
        **dict(zip(("right", "left"), texts, strict=True)),
        "difference": difference,
    }
