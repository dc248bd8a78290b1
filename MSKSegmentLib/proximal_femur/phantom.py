"""The description of a calibration phantom: a straight row of rods of stated density, as a JSON file from its certificate."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, shown

PHANTOM_FORMAT = "mskseg-calibration-phantom"
_KEYS = {"format", "name", "equivalent", "rod_diameter_mm", "positions_mm", "densities_mg_cm3"}
_DIAMETERS_MM = (5.0, 60.0)


@dataclass(frozen=True)
class CalibrationPhantom:
    """Rods parallel to the table, in a row across it.

    `positions_mm` are their middles along the row, from one end to the other (which end is found out), `densities_mg_cm3` what they
    stand for, in that order; `equivalent` names the mineral.
    """

    name: str
    equivalent: str
    rod_diameter_mm: float
    positions_mm: tuple[float, ...]
    densities_mg_cm3: tuple[float, ...]


def phantom_json(phantom: CalibrationPhantom) -> dict[str, Any]:
    """A description, JSON-ready; `read_phantom` reads it.

    >>> phantom_json(CalibrationPhantom("two rods", "hydroxyapatite", 20.0, (0.0, 40.0), (0.0, 200.0)))["positions_mm"]
    [0.0, 40.0]
    """
    return {
        "format": PHANTOM_FORMAT,
        "name": phantom.name,
        "equivalent": phantom.equivalent,
        "rod_diameter_mm": phantom.rod_diameter_mm,
        "positions_mm": list(phantom.positions_mm),
        "densities_mg_cm3": list(phantom.densities_mg_cm3),
    }


def read_phantom(path: Path) -> CalibrationPhantom:
    """Read a description.

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no file {shown(path)}; name the description of the phantom with --phantom.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"The description {shown(path)} cannot be read as JSON; correct it.") from error
    if not isinstance(content, dict) or content.get("format") != PHANTOM_FORMAT or set(content) != _KEYS:
        raise InputError(
            f"The description {shown(path)} must hold an object with the keys {', '.join(sorted(_KEYS))} alone, with the format "
            f"{PHANTOM_FORMAT!r}."
        )
    try:
        positions, densities = (tuple(float(one) for one in content[key]) for key in ("positions_mm", "densities_mg_cm3"))
        diameter = float(content["rod_diameter_mm"])
    except (TypeError, ValueError) as error:
        raise InputError(f"The description {shown(path)} holds something that is no number; correct it.") from error
    steps = [later - earlier for earlier, later in zip(positions, positions[1:], strict=False)]
    if len(positions) != len(densities) or len(positions) < 2 or not all(step >= diameter for step in steps):
        raise InputError(
            f"The description {shown(path)} must give a density for each position, and positions in mm that grow by a diameter at "
            "least; correct it."
        )
    if not _DIAMETERS_MM[0] <= diameter <= _DIAMETERS_MM[1]:
        raise InputError(f"The description {shown(path)} gives rods of {diameter:g} mm; give their diameter in mm, 5 to 60.")
    return CalibrationPhantom(str(content["name"]), str(content["equivalent"]), diameter, positions, densities)
