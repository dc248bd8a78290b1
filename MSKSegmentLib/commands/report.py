"""``mskseg report``: what a result says, for people: one HTML file and a PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .arguments import reading_options
from .base import PLACE, Command, Invocation, pass_invocation, progress_option
from .site_options import placing_of, site_options


@click.command(cls=Command)
@click.argument("folder", type=PLACE, metavar="OUT")
@click.option("-o", "--output", type=PLACE, metavar="FILE", help="one .html or .pdf file elsewhere (default: both, in OUT)")
@click.option("--language", default="en", metavar="CODE", help="en, or ja for Japanese (default: en)")
@click.option("--title", metavar="TEXT", help="what the report calls the case, for example a patient number (default: OUT's name)")
@click.option("--ct", type=PLACE, metavar="CT", help="the CT of a result folder that does not hold it")
@click.option("--previous", type=PLACE, metavar="BEFORE", help="an earlier result of the patient: also say what changed since")
@site_options
@click.option("--no-3d", is_flag=True, help="without the density in three dimensions, which takes most of the time")
@reading_options
@progress_option
@pass_invocation
def command(invocation: Invocation, /, folder: Path, output: Path | None, no_3d: bool, progress: str, **options: Any) -> None:
    """Write the report of the result in OUT, corrections included.

    One page for the surgeon, a part for every structure, the facts of the run. Research use only; not a medical device.
    """
    from ..report import ReportRequest, write_report_files

    invocation.checkpoint()
    placing = placing_of(*(options.pop(name) for name in ("reference", "age", "sex")))

    def write() -> str:
        files = write_report_files(ReportRequest(folder, with_3d=not no_3d, placing=placing, **options), output)
        return f"Written: {', '.join(str(path) for path in files)}"

    invocation.write_with_progress(progress, write)
