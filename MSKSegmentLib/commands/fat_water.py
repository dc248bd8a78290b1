"""The options ``--fat`` and ``--water``: the share of fat of each muscle from the images of a Dixon sequence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from .base import PLACE, options_together

if TYPE_CHECKING:
    from ..case_result import CaseResult

fat_water_options = options_together(
    click.option("--fat", type=PLACE, metavar="FILE", help="of MR: fat image of a Dixon sequence, with --water: share of fat"),
    click.option("--water", type=PLACE, metavar="FILE", help="of MR: water image of the same sequence"),
)


def check_fat_water(fat: Path | None, water: Path | None, measures_fat: bool, task: str) -> None:
    """Hold both options to each other and to the task, before a run begins.

    Raises:
        InputError: one was given without the other, a file is missing, or the task does not measure a share of fat.
    """
    if fat is None and water is None:
        return
    if fat is None or water is None:
        raise InputError("A share of fat needs both images of a Dixon sequence; give --fat and --water, or neither.")
    if not measures_fat:
        raise InputError(f"The task {task} does not measure the share of fat of MR; leave --fat and --water out.")
    for path, what in ((fat, "fat"), (water, "water")):
        if not path.exists():
            raise InputError(f"There is no file {path.name!r}; check the path of the {what} image.")


def with_fat_water(result: CaseResult, fat: Path | None, water: Path | None) -> CaseResult:
    """The result with shares of fat, or as it is without images.

    Raises:
        InputError: the images cannot be used, see `ct.reading.fat_water`.
    """
    if fat is None or water is None:
        return result
    from ..ct.reading.fat_water import read_fat_water
    from ..measurement.dixon import DixonPair, with_fat_shares

    return with_fat_shares(result, DixonPair(*read_fat_water(fat, water, result.geometry)))
