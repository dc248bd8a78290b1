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
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="the new bundle")
@pass_invocation
def command(invocation: Invocation, /, data: Path, bundle: str | None, **options: Any) -> None:
    """Learn a bundle's lights from cases with true labels.

    DATA is a folder of cases (<case>/ct.*, <case>/labels.*), or one that evaluate wrote.
    """
    require("torch")
    from ..bundle import resolve_bundle
    from ..calibration.calibrate_bundle import CalibrationJob, calibrate_bundle

    if options["report"] is not None:
        require("matplotlib", purpose="--report")
    job = CalibrationJob(
        data,
        options["source"],
        options["version"],
        options["output"],
        options["device"],
        options["report"],
        options["unseen_stress"],
    )
    calibrate_bundle(resolve_bundle(bundle), job, invocation.checkpoint, invocation.say)
