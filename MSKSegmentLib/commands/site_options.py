"""The options that place a result among the reference curves of a site."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from .base import PLACE, options_together

if TYPE_CHECKING:
    from ..site_reference.applying import Placing
    from ..site_reference.curves import SiteReference

site_options = options_together(
    click.option(
        "--reference", type=PLACE, metavar="SITE.json", help="percentiles among a site's own cohort (mskseg reference make)"
    ),
    click.option("--age", type=float, metavar="YEARS", help="the patient's age at the scan, for --reference"),
    click.option("--sex", type=click.Choice(["F", "M"]), help="the patient's sex, for --reference"),
)


def placing_of(reference: Path | None, age: float | None, sex: str | None) -> Placing | None:
    """What these options ask for; None without them.

    Raises:
        InputError: one is given without the others, or the file is no reference.
    """
    given = [one is not None for one in (reference, age, sex)]
    if not any(given):
        return None
    if reference is None or age is None or sex is None:
        raise InputError("Percentiles need all three of --reference, --age and --sex; give those that are missing.")
    from ..site_reference.applying import Placing
    from ..site_reference.curves import read_site_reference

    return Placing(read_site_reference(reference), age, sex)


def site_reference_of(reference: Path | None) -> SiteReference | None:
    """The reference file, where one is named.

    Raises:
        InputError: it is none.
    """
    if reference is None:
        return None
    from ..site_reference.curves import read_site_reference

    return read_site_reference(reference)
