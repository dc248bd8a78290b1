"""``mskseg choose``: what to review next, so that a network learns most from it."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import InputError
from ..packages import FOR_MEASURING, require
from .base import PLACE, Command, Invocation, pass_invocation


@click.command(cls=Command)
@click.argument("results", type=PLACE, nargs=-1, required=True, metavar="RESULTS...")
@click.option("--hours", type=float, required=True, metavar="H", help="the annotator's time")
@click.option("-o", "--output", type=PLACE, required=True, metavar="CSV", help="the list, for people and for mskseg review")
@pass_invocation
def command(invocation: Invocation, /, results: tuple[Path, ...], hours: float, output: Path) -> None:
    """Say which results, structures and slices are worth an annotator's time, most useful first.

    RESULTS are result folders, or folders of them. What is corrected or accepted already counts as known.
    """
    require(*FOR_MEASURING)
    from ..learning.choice_list import read_choices, write_choices

    if output.suffix.lower() != ".csv":
        raise InputError(f"The list is a CSV file; give a name that ends in .csv instead of {output.name!r}.")
    chosen, left_out = read_choices(results, hours, invocation.checkpoint)
    write_choices(output, chosen, invocation.checkpoint)
    for line in left_out:
        invocation.warn(line)
    folders = len({choice.what.folder for choice in chosen})
    invocation.say(
        f"{len(chosen)} segments of {folders} results, about {chosen[-1].until_minutes:.0f} minutes; the list is {output}."
    )
