"""The comparison of results as the command line prints it."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from .. import RESEARCH_USE_ONLY
from ..comparison.changes import Change, ChangeVerdict
from ..comparison.follow_up import ExaminationPair, FollowUp
from ..comparison.intervals import FollowedQuantity
from ..comparison.tables import follow_up_summary

_TITLES = {FollowedQuantity.VOLUME: "change, cc", FollowedQuantity.MEAN_HU: "mean HU", FollowedQuantity.FAT: "fat, points of %"}


def print_follow_up(found: FollowUp, output: Path | None, every: bool) -> None:
    """Print a table per comparison, its warnings, and where the files are; `every` prints what is not comparable, too."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(width=None if Console().is_terminal else 140)
    for one, line in zip(found.comparisons, follow_up_summary(found), strict=True):
        console.print(f"[bold]{escape(one.before.title)} → {escape(one.after.title)}[/]")
        _print_table(console, one, every)
        for finding in one.findings:
            console.print(f"[yellow]Warning:[/] {escape(finding.sentence)}")
        console.print(escape(line) + ".")
    console.print(
        "In brackets the interval that holds the true change if both results' intervals hold the true values. A change is called\n"
        "real where its interval leaves 0 out; the others lie within the error.",
        style="dim",
    )
    console.print(f"[bold]{RESEARCH_USE_ONLY}[/]")
    if output is not None:
        console.print(f"Written: {escape(str(output))}")


def _print_table(console, one: ExaminationPair, every: bool) -> None:  # type: ignore[no-untyped-def]
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("structure", no_wrap=True)
    for title in ("cc before", "after", *(_TITLES[quantity] for quantity in FollowedQuantity)):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("not rated" if every else "")
    hidden = 0
    for segment, group in groupby(one.changes, key=lambda change: change.segment):
        rows = {change.quantity: change for change in group}
        volume = rows[FollowedQuantity.VOLUME]
        if not every and all(change.verdict is ChangeVerdict.NOT_COMPARABLE for change in rows.values()):
            hidden += 1
            continue
        values = ("" if number is None else f"{number.value:.0f}" for number in (volume.before, volume.after))
        cells = (_cell(rows[quantity]) if quantity in rows else "" for quantity in FollowedQuantity)
        table.add_row(segment.name, *values, *cells, escape(volume.reason) if every else "")
    if table.row_count:
        console.print(table)
    if hidden:
        console.print(f"{hidden} structures are not comparable; --all shows them with the reason.", style="dim")


def _cell(change: Change) -> str:
    return f"[bold]real {change.text}[/]" if change.verdict is ChangeVerdict.REAL else change.text
