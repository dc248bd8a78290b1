"""What a bundle's calibration and card say, in words."""

from __future__ import annotations

from typing import Any


def calibration_words(calibration: dict[str, Any] | None) -> str:
    """On what a bundle's calibration rests; `calibration` is the content of its file."""
    if calibration is None:
        return "none: results are not rated (grey lights)"
    try:
        paper = calibration["paper"] if "format" in calibration else calibration
        patients = [int(entry["patients"]) for entry in paper["structures"].values()]
        rests = f"{len(patients)} structures, up to {max(patients, default=0)} patients each"
        model = calibration.get("model")
        if model:
            segments, bad = int(model["segments"]), int(model["inaccurate"])
            rests = f"{len(model['limits'])} structures, {int(model['patients'])} patients, {segments} segments, {bad} inaccurate"
        return f"{rests}, {calibration['date']}" + ("" if model else "; lights by uncertainty alone")
    except (KeyError, TypeError, ValueError, AttributeError):
        return "not readable; calibrate the bundle again"


def card_section(card: str, title: str) -> str:
    """The first paragraph of a card's section of that title, on one line; empty where it has none."""
    for section in card.split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        if heading.strip().casefold() == title.casefold():
            return " ".join(text.strip().split("\n\n")[0].split())
    return ""
