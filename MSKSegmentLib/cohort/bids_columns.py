"""What the columns of a measurement table mean, as BIDS wants it said beside a table."""

from __future__ import annotations

from typing import Any

from ..case_result import Light, ReviewState
from ..results.tables import CSV_COLUMNS

_WHAT = {
    "abbreviation": "abbreviation of the structure, as in dseg.tsv",
    "side": "the patient's side",
    "structure": "bone or muscle",
    "light": "traffic light: whether the numbers of the row can be trusted",
    "volume_cc": "volume",
    "volume_cc_per_m2": "volume divided by the square of the patient's height",
    "mean_hu": "mean density",
    "sd_hu": "standard deviation of the density",
    "median_hu": "median density",
    "fat_percent": "share of voxels below -30 HU",
    "composite_percent": "share of voxels from -30 to 30 HU",
    "lean_percent": "share of voxels above 30 HU",
    "max_area_cm2": "largest cross-sectional area of an axial slice",
    "max_area_level_mm": "where that slice lies along the axis of the slices",
    "asymmetry_percent": "right minus left volume, of the mean of both",
    "uncertainty": "mean over the label of the variance between dropout passes",
    "predicted_dice": "Dice coefficient with an expert's label that the calibration predicts",
    "dice_low": "lower end of the 90 % interval of the predicted Dice coefficient",
    "dice_high": "upper end of that interval",
    "dice_good_from": "predicted Dice coefficient from which on the structure counts as good",
    "dice_failed_below": "predicted Dice coefficient below which the structure counts as failed",
    "failure_probability": "probability that the label is inaccurate or failed",
    "likely_wrong": "yes where the part inside the scan is more likely wrong than right",
    "not_confirmed": "yes where the light is yellow although a given segmentation is more likely accurate than not",
    "volume_low_cc": "lower end of the 90 % interval of the volume",
    "volume_high_cc": "upper end of that interval",
    "mean_hu_low": "lower end of the 90 % interval of the mean density",
    "mean_hu_high": "upper end of that interval",
    "paper_light": "traffic light by the rule of Soufi et al. 2025, doi 10.1038/s41598-024-83793-7",
    "dice_to_automatic": "Dice coefficient of a corrected label with the automatic one",
    "truncated_by": "faces of the scan that cut the structure; its volume is then too small",
    "state": "what a reviewer did with the label",
    "reasons": "what speaks against the numbers of the row",
}  # fmt: skip
_UNITS = {
    "_cc": "cm3", "_cc_per_m2": "cm3/m2", "_hu": "HU", "_hu_low": "HU", "_hu_high": "HU", "_percent": "percent", "_cm2": "cm2",
    "_mm": "mm", "_low_cc": "cm3", "_high_cc": "cm3",
}  # fmt: skip
_LEVELS = {"light": [light.value for light in Light], "state": [state.value for state in ReviewState]}


def described_columns() -> dict[str, dict[str, Any]]:
    """Column of `results.tables.CSV_COLUMNS` -> its description, unit and, of words, the words that it may hold."""
    found: dict[str, dict[str, Any]] = {}
    for name in CSV_COLUMNS:
        found[name] = {"Description": _WHAT.get(name, f"score of the dropout passes: {name.replace('_', ' ')}")}
        unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), None)
        if unit is not None:
            found[name]["Units"] = unit
        if name in _LEVELS:
            found[name]["Levels"] = {level: level.replace("_", " ") for level in _LEVELS[name]}
    return found
