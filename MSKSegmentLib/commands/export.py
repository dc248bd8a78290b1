"""``mskseg export``: a result for other systems, as DICOM objects of the scanned study."""

from __future__ import annotations

from pathlib import Path

import click

from .base import PLACE, Command, Invocation, pass_invocation


@click.command(cls=Command)
@click.argument("result", type=PLACE, metavar="OUT")
@click.option(
    "--dicom",
    type=PLACE,
    required=True,
    metavar="DIR",
    help="new or empty folder for segmentation, structured report and uncertainty map",
)
@click.option(
    "--source",
    type=PLACE,
    metavar="SERIES",
    help="folder of the scanned DICOM series (default: where the result says it was, if --record-path noted that)",
)
@pass_invocation
def command(invocation: Invocation, result: Path, dicom: Path, source: Path | None) -> None:
    """Write the result folder OUT, corrections included, as DICOM objects of the study that was scanned."""
    from ..dicom_results.export import export_dicom

    names = export_dicom(result, dicom, source, checkpoint=invocation.checkpoint)
    invocation.say(f"Written to {dicom}: {', '.join(names)}.")
