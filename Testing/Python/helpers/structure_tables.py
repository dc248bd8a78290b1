"""A table of structures that is not the built-in one: five structures, one without sides, one that the built-in table lacks."""

from __future__ import annotations

import copy
from typing import Any

from MSKSegmentLib.anatomy import StructureTable, table_from_json

# The kneecap is new; hamstrings get no volume over height, the femur no plausible volume.
TOY: dict[str, Any] = {
    "format": "mskseg-structures",
    "format_version": 1,
    "name": "toy",
    "groups": [
        {"key": "skeleton", "name": "Skeleton", "tissue": "bone", "composition": False, "height_normalised": False},
        {"key": "back", "name": "Back of the thigh", "tissue": "muscle", "composition": True, "height_normalised": True},
        {"key": "organ", "name": "Organs", "tissue": "other", "composition": False, "height_normalised": False},
    ],
    "structures": [
        {
            "label": 1, "key": "SHANK", "name": "Thigh bone", "group": "skeleton", "paired": True, "color": [200, 10, 10],
            "color_left": [120, 10, 10], "code": ["SCT", "71341001", "Femur"], "landmark": "femur", "place_cm": [0.0, 0.0],
        },
        {
            "label": 2, "key": "TAIL", "name": "Sacrum and tail bone", "group": "skeleton", "paired": False,
            "color": [10, 200, 10], "code": ["SCT", "54735007", "Sacrum"], "landmark": "sacrum", "largest_cc": 600.0,
        },
        {
            "label": 3, "key": "HAM", "name": "Hamstrings", "group": "back", "paired": True, "color": [10, 10, 200],
            "color_left": [10, 10, 120], "code": ["99MSKSEG", "HAM", "Hamstring muscles"], "largest_cc": 2000.0,
            "place_cm": [0.5, -5.0],
        },
        {
            "label": 4, "key": "KNEECAP", "name": "Kneecap", "group": "skeleton", "paired": True, "color": [200, 200, 10],
            "color_left": [120, 120, 10], "code": ["SCT", "64234005", "Patella"],
        },
        {
            "label": 5, "key": "BLADDER", "name": "Bladder", "group": "organ", "paired": False, "color": [200, 10, 200],
            "code": ["SCT", "89837001", "Urinary bladder"],
        },
    ],
}  # fmt: skip


def toy_json() -> dict[str, Any]:
    """The table as JSON, to be changed."""
    return copy.deepcopy(TOY)


def toy_table() -> StructureTable:
    """The table."""
    return table_from_json(TOY)
