"""``mskseg agreement``: how far two results of one CT agree, and structures taken from one into the other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from ..packages import FOR_MEASURING, require
from .base import PLACE, Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..two_results.agreement_table import StructureAgreement
    from ..two_results.pair import ResultPair


@click.command(cls=Command)
@click.argument("first", type=PLACE, metavar="FIRST")
@click.argument("second", type=PLACE, metavar="SECOND")
@click.option("-o", "--output", type=PLACE, metavar="DIR", help="new folder: table and disagreement, or with --take a result")
@click.option(
    "--take",
    multiple=True,
    metavar="NAME",
    help="make a new result of FIRST with this structure of SECOND (GMAX_left, or GMAX for both sides); may be repeated",
)
@click.option("--ct", type=PLACE, metavar="CT", help="the CT, where neither result holds it")
@pass_invocation
def command(invocation: Invocation, first: Path, second: Path, output: Path | None, take: tuple[str, ...], ct: Path | None) -> None:
    """Say how far FIRST and SECOND agree, result folders of one CT: where they differ is the first place to look.

    With --take, structures of SECOND replace those of FIRST in a new result, which says so and can be reviewed.
    """
    from ..results.result_folder import check_output
    from ..two_results.agreement_files import check_agreement_output, write_agreement
    from ..two_results.agreement_table import agreement_of
    from ..two_results.pair import read_two_results

    if take and output is None:
        raise InputError("Nothing says where the new result is to go; name a folder with -o.")
    if output is not None:
        output = check_output(output) if take else output
        if not take:
            check_agreement_output(output)
    require(*FOR_MEASURING, *(() if take else ("monai", "rich")))
    pair = read_two_results(first, second, ct)
    invocation.checkpoint()
    if take and output is not None:
        _take(invocation, pair, take, output)
        return
    rows = agreement_of(pair)
    invocation.checkpoint()
    if output is not None:
        write_agreement(output, pair, rows)
    if not invocation.quiet:
        _print(pair, rows, (first.resolve().name, second.resolve().name))


def _take(invocation: Invocation, pair: ResultPair, names: tuple[str, ...], output: Path) -> None:
    from ..results.result_folder import write_result
    from ..two_results.known import source_of
    from ..two_results.taking import take_segments

    session = take_segments(pair, names)
    invocation.checkpoint()
    write_result(output, session.result, history=session.history, automatic=session.automatic)
    invocation.say(f"Taken from {source_of(pair.second.result.facts)}: {', '.join(names)}. The new result is in {output.name}.")


def _print(pair: ResultPair, rows: Sequence[StructureAgreement], names: tuple[str, str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..two_results.not_drawn import agreement_summary, not_drawn_of

    console = Console(width=None if Console().is_terminal else 140)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("structure", no_wrap=True)
    for title in (f"cc {names[0]}", f"cc {names[1]}", "difference", "Dice", "ASD mm", "HD95 mm"):
        table.add_column(escape(title), justify="right")
    table.add_column("slices that differ most")
    for row in rows:
        distances = ("" if value is None else f"{value:.1f}" for value in (row.asd_mm, row.hd95_mm))
        slices = ", ".join(f"{one.index + 1} ({one.area_cm2:.1f} cm²)" for one in row.slices)
        volumes = (f"{value:.1f}" for value in (row.volume_first_cc, row.volume_second_cc))
        change = f"{row.volume_difference_percent:+.0f} %"
        table.add_row(row.segment.name, *volumes, change, f"{row.dice:.3f}", *distances, slices)
    for one in not_drawn_of(pair):
        volume = f"{one.volume_cc:.1f}"
        table.add_row(one.segment.name, *((volume, "") if one.in_first else ("", volume)), "", "", "", "", escape(one.words))
    console.print(table)
    for sentence in agreement_summary(pair, rows):
        console.print(sentence, markup=False, highlight=False)
    console.print("The least agreeing first. Slices are counted from 0, as in the image's own array.", style="dim")
