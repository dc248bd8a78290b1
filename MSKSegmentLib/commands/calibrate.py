"""``mskseg calibrate``: the lights of a bundle, from cases with true labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..packages import require
from .arguments import bundle_option, device_option
from .base import PLACE, Command, Invocation, pass_invocation


@click.command(cls=Command)
@click.argument("data", type=PLACE, metavar="DATA")
@bundle_option
@click.option("--source", required=True, metavar="TEXT", help="what the cases are, in a few words")
@click.option("--version", required=True, metavar="TEXT", help="version of the new bundle")
@device_option
@click.option("--report", type=PLACE, metavar="DIR", help="write there what the lights are worth for patients left out")
@click.option("--unseen-stress", is_flag=True, help="leave out, with a patient under stress, all under the same kind of stress")
@click.option("--masks", is_flag=True, help="the lights of rate instead: for masks that others made (true labels are damaged)")
@click.option("--tighten", is_flag=True, help="keep the lights and make green harder where these cases contradict it")
@click.option("--unseen-damage", is_flag=True, help="with --masks: leave out, with a patient, also the kind of damage")
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="the new bundle")
@pass_invocation
def command(invocation: Invocation, /, data: Path, bundle: str | None, **options: Any) -> None:
    """Learn a bundle's lights from cases with true labels.

    DATA is a folder of cases (<case>/ct.*, <case>/labels.*), or one that evaluate wrote. A few cases of another kind, too few for a
    calibration, can still show that green is given too easily: with --tighten its limits are raised, never lowered.
    """
    require("torch")
    from ..bundle import resolve_bundle
    from ..calibration.calibrate_bundle import CalibrationJob, calibrate_bundle
    from ..calibration.calibrate_masks import calibrate_masks
    from ..calibration.tightening import tighten_bundle

    if options["report"] is not None:
        require("matplotlib", purpose="--report")
    masks, unseen_damage, tighten = options.pop("masks"), options.pop("unseen_damage"), options.pop("tighten")
    if masks and options["unseen_stress"] or unseen_damage and not masks:
        raise click.UsageError("--unseen-stress goes without --masks, --unseen-damage with it")
    if tighten and (masks or options["unseen_stress"] or options["report"] is not None):
        raise click.UsageError("--tighten goes without --masks, --report and --unseen-stress")
    job = CalibrationJob(
        data,
        options["source"],
        options["version"],
        options["output"],
        options["device"],
        options["report"],
        unseen_damage if masks else options["unseen_stress"],
    )
    run = tighten_bundle if tighten else calibrate_masks if masks else calibrate_bundle
    run(resolve_bundle(bundle), job, invocation.checkpoint, invocation.say)
