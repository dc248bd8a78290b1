"""Which series of a study is segmented: rules on header elements, and the reason when none fits. Reasons quote no header text."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..ct.modality import CT_MODALITY, SCAN_WORDS
from ..ct.storage_classes import SINGLE_FRAME
from .config import ChooseTable

_ELEMENTS = (
    "SOPClassUID", "Modality", "ImageType", "BodyPartExamined", "SeriesDescription", "SliceThickness", "SeriesNumber",
    "NumberOfFrames", "SharedFunctionalGroupsSequence",
)  # fmt: skip


@dataclass(frozen=True)
class SeriesFacts:
    """What the rules look at; `thickness_mm` is None where it is not stated or not asked for yet."""

    modality: str
    body_part: str
    description: str
    slices: int
    thickness_mm: float | None = None
    localizer: bool = False
    number: int = 0


def facts_of(first: Path, images: int) -> SeriesFacts:
    """Read the facts from the header of a series' first image; `images` is how many there are.

    Raises:
        ValueError: the header cannot be read.
    """
    from pydicom import dcmread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dcmread(first, stop_before_pixels=True, specific_tags=list(_ELEMENTS), force=True)
            return SeriesFacts(
                modality=_text(header, "Modality"),
                body_part=_text(header, "BodyPartExamined"),
                description=_text(header, "SeriesDescription"),
                slices=images * _frames(header),
                thickness_mm=_thickness(header),
                localizer="LOCALIZER" in [str(value).upper() for value in header.get("ImageType") or ()],
                number=_whole(header, "SeriesNumber"),
            )
    except Exception as error:
        # pydicom raises errors of many kinds on damaged elements, among them RecursionError and NotImplementedError.
        raise ValueError("its headers cannot be read") from error


def objection(facts: SeriesFacts, rules: ChooseTable, modality: str = CT_MODALITY) -> str:
    """Why a series is not taken; empty where it is. `modality` is that of the node's task."""
    if facts.modality != modality:
        return f"is no {SCAN_WORDS[modality]}"
    if facts.localizer:
        return "is a localizer"
    least, most = rules.slices
    if not least <= facts.slices <= most:
        return f"has {facts.slices} slices, not {least} to {most}"
    if facts.thickness_mm is not None:
        thin, thick = rules.slice_thickness_mm
        if not thin <= facts.thickness_mm <= thick:
            return f"has slices of {facts.thickness_mm:g} mm, not {thin:g} to {thick:g}"
    if rules.body_parts and not facts.body_part and not rules.body_part_may_be_missing:
        return "states no body part"
    if rules.body_parts and facts.body_part and not _fits(facts.body_part, rules.body_parts):
        return "shows none of the body parts in choose.body_parts"
    if rules.descriptions and not _fits(facts.description, rules.descriptions):
        return "fits no pattern in choose.descriptions"
    if _fits(facts.description, rules.not_descriptions):
        return "fits a pattern in choose.not_descriptions"
    return ""


def fitting_series(series: Mapping[str, SeriesFacts], rules: ChooseTable, modality: str = CT_MODALITY) -> tuple[str | None, str]:
    """The series to segment, and why not where there is none: the one with most slices, then thinnest, then lowest number."""
    objections = {name: objection(facts, rules, modality) for name, facts in series.items()}
    fitting = [name for name, reason in objections.items() if not reason]
    if fitting:
        return min(fitting, key=lambda name: _rank(name, series[name])), ""
    reasons = list(dict.fromkeys(objections.values()))
    if len(objections) == 1:
        return None, f"Its one series {reasons[0]}."
    return None, f"None of its {len(objections)} series fits: {'; '.join(f'one {reason}' for reason in reasons)}."


def _rank(name: str, facts: SeriesFacts) -> tuple[float, float, int, str]:
    return -facts.slices, facts.thickness_mm or 0.0, facts.number, name


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text.casefold(), pattern.casefold()) for pattern in patterns)


def _text(header: Any, keyword: str) -> str:
    return str(header.get(keyword) or "").strip()


def _whole(header: Any, keyword: str) -> int:
    try:
        return int(header.get(keyword) or 0)
    except (TypeError, ValueError):
        return 0


def _frames(header: Any) -> int:
    """How many slices one image holds; what a single-frame image says of frames does not count."""
    return 1 if _text(header, "SOPClassUID") in SINGLE_FRAME.values() else int(header.get("NumberOfFrames") or 1)


def _thickness(header: Any) -> float | None:
    value = header.get("SliceThickness")
    if value is None and "SharedFunctionalGroupsSequence" in header:
        measures: Any = header.SharedFunctionalGroupsSequence[0].get("PixelMeasuresSequence") or ({},)
        value = measures[0].get("SliceThickness")
    try:
        return float(value) if value else None
    except (TypeError, ValueError):
        return None
