"""``mskseg evaluate``: segmentations against true labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .arguments import bundle_option, device_option, int8_option
from .base import PLACE, Command, Invocation, exclusive, pass_invocation

# Of cases that were left out, so many are told with the reason at the end.
_REASONS = 5


@click.command(cls=Command)
@click.argument("data", type=PLACE, metavar="DATA")
@click.option("-o", "--output", type=PLACE, required=True, metavar="OUT", help="folder; a stopped run goes on there")
@click.option("--truth", type=PLACE, metavar="LABELS", help="with one CT: its label map, on any grid")
@bundle_option
@click.option("--segmentations", type=PLACE, metavar="DIR", help="compare these instead of running a network")
@click.option("--samples", type=int, metavar="T", help="dropout passes (default: the bundle's, usually 10)")
@device_option
@int8_option
@click.option("--seed", type=int, default=0, metavar="N", help="of the dropout passes (default: 0)")
@click.option("--labelled-slices-only", is_flag=True, help="count only slices in which the truth holds a label")
@click.option("--undisputed", is_flag=True, help="also state Dice without borders that atlases of hip and thigh draw differently")
@click.option(
    "--quality",
    is_flag=True,
    help="also judge the failure detection of the bundle's calibration; DATA may be an earlier evaluation of its network",
)
@pass_invocation
@click.pass_context
def command(context: click.Context, invocation: Invocation, /, data: Path, output: Path, **options: Any) -> None:
    """Compare segmentations with true labels: tables and plots.

    DATA is a folder of cases (<case>/ct.*, <case>/labels.*), or one CT with --truth.
    """
    exclusive(context, "bundle", "segmentations")
    truth, segmentations, labelled_only = options["truth"], options["segmentations"], options["labelled_slices_only"]
    if truth is None and not data.is_dir():
        raise InputError(f"There is no folder {data.name!r}; name a folder of cases, or give one CT with --truth LABELS.")
    from ..bundle import resolve_bundle
    from ..calibration.report_run import check_calibrated, judge_evaluation
    from ..evaluation.folder import is_evaluation
    from ..evaluation.run import evaluate, folder_tasks, network_segmenter, pair_task
    from ..evaluation.stored import stored_segmenter
    from ..inference.devices import wait_without_spinning

    wait_without_spinning()
    if options["quality"]:
        if segmentations is not None:
            raise InputError(
                "--quality assesses the uncertainty of a network, which given segmentations lack; leave out --segmentations or "
                "--quality."
            )
        calibrated = check_calibrated(resolve_bundle(options["bundle"]))
        if is_evaluation(data):
            invocation.say(judge_evaluation(calibrated, data, output))
            return
    if segmentations is not None:
        segmenter = stored_segmenter(segmentations)
    else:
        bundle = resolve_bundle(options["bundle"])
        device, passes, seed, int8 = (options[name] for name in ("device", "samples", "seed", "int8"))
        segmenter = network_segmenter(bundle, device, passes, seed, invocation.checkpoint, int8)
    table = segmenter.table
    tasks = folder_tasks(data, table, labelled_only) if truth is None else [pair_task(data, truth, table, labelled_only)]
    left_out: dict[str, InputError] = {}
    for summary in evaluate(tasks, segmenter, output, invocation.checkpoint, undisputed=options["undisputed"], left_out=left_out):
        dice, distance = summary.spreads["dice"].mean, summary.spreads["asd_mm"].mean
        shown = "" if dice is None else f"  Dice {dice:.3f}"
        shown += "" if distance is None else f"  ASD {distance:.2f} mm"
        invocation.say(f"{summary.name:8}{summary.n:5} segments{shown}")
    invocation.say(f"Tables and plots are in {output}")
    if options["quality"]:
        invocation.say(judge_evaluation(calibrated, output, output))
    if left_out:
        reasons, others = [*left_out.values()][:_REASONS], [*left_out][_REASONS:]
        told = " ".join([*map(str, reasons), *([f"Others: {', '.join(others)}."] if others else [])])
        raise InputError(f"{len(left_out)} of {len(tasks)} cases are left out; the tables hold the rest. {told}")
