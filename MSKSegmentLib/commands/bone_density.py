"""The options of the line from HU to bone mineral density, and the density of a result's bones by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .base import PLACE, options_together

if TYPE_CHECKING:
    from ..case_result import CaseResult
    from ..proximal_femur.calibration import DensityCalibration
    from ..proximal_femur.femur_input import DensityChoice
    from ..tasks import Task

_NAMES = ("phantom", "rods", "slope", "intercept")
density_options = options_together(
    click.option("--phantom", type=PLACE, metavar="JSON", help="description of the calibration phantom in the field of view"),
    click.option(
        "--rods", type=PLACE, metavar="LABELS", help="the phantom's rods as a label map, 1 for the first (default: found)"
    ),
    click.option("--slope", type=float, metavar="MG", help="bone mineral density: mg/cm³ per HU, where scanner or site state it"),
    click.option("--intercept", type=float, metavar="MG", help="bone mineral density: mg/cm³ at 0 HU"),
)


def density_choice(options: Mapping[str, Any]) -> DensityChoice:
    """The options as one value, held to each other.

    Raises:
        InputError: none or both of the ways are given, or half of one.
    """
    from ..proximal_femur.femur_input import DensityChoice

    choice = DensityChoice(*(options[name] for name in _NAMES))
    choice.check()
    return choice


def density_of_task(options: Mapping[str, Any], task: Task) -> DensityChoice | None:
    """The same for a task that may measure density; None where no calibration is given.

    Raises:
        InputError: as above, or the task does not measure density.
    """
    if all(options[name] is None for name in _NAMES):
        return None
    if not task.measures("bone_density"):
        raise InputError(
            f"The task {task.name} does not measure bone mineral density; leave the calibration out, and measure the femora of its "
            "result with 'mskseg femur measure'."
        )
    return density_choice(options)


def with_density(result: CaseResult, line: DensityCalibration | None) -> CaseResult:
    """The result with the density of its bones, or as it is without a line."""
    if line is None:
        return result
    from ..proximal_femur.density_column import with_bone_density

    return with_bone_density(result, line)
