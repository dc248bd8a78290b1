"""``mskseg compare``: what changed between results of one patient."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click

from ..packages import require
from .base import PLACE, Command, Invocation, pass_invocation


def _dates(context: click.Context, option: click.Parameter, given: tuple[datetime, ...]) -> tuple[date, ...]:
    return tuple(one.date() for one in given)


@click.command(cls=Command)
@click.argument("results", type=PLACE, nargs=-1, required=True, metavar="BEFORE AFTER [MORE...]")
@click.option("-o", "--output", type=PLACE, metavar="DIR|FILE.csv", help="also write the tables: a folder, or one CSV file")
@click.option(
    "--ct",
    "cts",
    type=PLACE,
    multiple=True,
    metavar="CT",
    help="DICOM folder of a scan: once per result, in their order; tells date and protocol",
)
@click.option(
    "--date",
    "dates",
    type=click.DateTime(["%Y-%m-%d"]),
    multiple=True,
    callback=_dates,
    metavar="YYYY-MM-DD",
    help="date of a scan: once per result, in their order (default: from --ct)",
)
@click.option("--all", "every", is_flag=True, help="also print what is not comparable, with the reason")
@pass_invocation
def command(
    invocation: Invocation,
    results: tuple[Path, ...],
    output: Path | None,
    cts: tuple[Path, ...],
    dates: tuple[date, ...],
    every: bool,
) -> None:
    """Say what changed between BEFORE and AFTER, result folders of one patient, by more than both may be wrong.

    With MORE results each is held against the first, and a table of all values over time is written.
    """
    from ..comparison.follow_up import read_follow_up
    from ..comparison.tables import check_follow_up_output, write_follow_up
    from .comparison_console import print_follow_up

    if output is not None:
        check_follow_up_output(output)
    require("SimpleITK", "rich")
    found = read_follow_up(results, cts, dates)
    invocation.checkpoint()
    if output is not None:
        write_follow_up(output, found)
    if not invocation.quiet:
        print_follow_up(found, output, every)
