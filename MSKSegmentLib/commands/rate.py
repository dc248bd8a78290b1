"""``mskseg rate``: lights for a segmentation that our network did not make, or that was corrected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..engine.progress import JsonLines, make_reporter
from ..packages import FOR_SEGMENTING, require
from .arguments import bundle_option, device_option, reading_options
from .base import PLACE, Command, Invocation, pass_invocation


@click.command(cls=Command)
@click.argument("folder", type=PLACE, metavar="OUT")
@click.option("-o", "--output", type=PLACE, metavar="NEW", help="write the judged result there (default: into OUT)")
@click.option("--ct", type=PLACE, metavar="CT", help="the CT of a result folder that does not hold it")
@bundle_option
@device_option
@click.option("--seed", type=int, metavar="N", help="repeat a rating exactly")
@reading_options
@click.option("--progress", type=click.Choice(("bar", "json", "none")), default="bar", help="default: bar")
@pass_invocation
def command(invocation: Invocation, /, folder: Path, output: Path | None, progress: str, **options: Any) -> None:
    """Judge the result in OUT: one that was imported, measured from a given mask, or corrected by hand.

    Our network looks at the CT and says how far it agrees, structure by structure and slice by slice; the mask itself shows holes,
    jumps and implausible structures. Structures that are as our network drew them keep their lights.
    """
    from ..inference.devices import wait_without_spinning
    from .console import print_result

    wait_without_spinning()
    require(*FOR_SEGMENTING, *(() if progress == "json" else ("rich",)))
    reporter = make_reporter("none" if invocation.quiet and progress == "bar" else progress)
    try:
        rated, written = _rate(invocation, folder, output, reporter.step, **options)
    finally:
        reporter.close()
    from ..rating.rate import lights_of

    if isinstance(reporter, JsonLines):
        reporter.end(f"Judged: {lights_of(rated.result)}.")
    elif not invocation.quiet:
        print_result(rated.result, written)
        _print_slices(invocation, rated)


def _rate(invocation: Invocation, folder: Path, output: Path | None, step: Any, **options: Any) -> Any:
    from ..bundle import resolve_bundle
    from ..rating.rate import rate_case
    from ..rating.rated_folder import case_to_rate, check_places, write_rated
    from ..review.source_ct import read_own_ct

    step("reading", 0, 1)
    check_places(folder, output)
    model = resolve_bundle(options["bundle"])
    volume = read_own_ct(folder, options["ct"], options["series"], options["assume_orientation"])
    case = case_to_rate(folder, volume)
    step("reading", 1, 1)
    invocation.checkpoint()
    rated = rate_case(case.result, volume, model, options["device"], options["seed"], step, invocation.checkpoint)
    step("writing", 0, 1)
    written = write_rated(case, rated, output)
    step("writing", 1, 1)
    return rated, written


def _print_slices(invocation: Invocation, rated: Any) -> None:
    """The worst slices of all structures, as a list to begin with."""
    from ..results.result_folder import SLICES_TO_LOOK_AT

    worst = sorted((one for chosen in rated.slices.values() for one in chosen[:1]), key=lambda one: -one.disagreement)
    names = {report.segment.key: report.segment.name for report in rated.result.reports}
    texts = [f"{names[one.key]}: slice {one.slice_number} ({one.disagreement:.0%} disagree)" for one in worst[:5]]
    if texts:
        invocation.say(f"Where mask and network disagree most: {'; '.join(texts)}. All of them are in {SLICES_TO_LOOK_AT}.")
