"""``mskseg review``: the review in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from ..packages import FOR_REVIEW, require
from ..settings import Settings
from .arguments import settings_options
from .base import PLACE, Command
from .site_options import site_options, site_reference_of

_MOST_PORT = 65535
_RESULTS = Path("mskseg-results")


@click.command(cls=Command)
@click.argument("target", type=PLACE, required=False, metavar="[OUT|CT|FOLDER|LIST]")
@click.option("--ct", type=PLACE, metavar="CT", help="the CT of a result folder that does not hold it")
@click.option("--other", type=PLACE, metavar="OTHER", help="another result of the same CT, to be held beside OUT")
@click.option("--previous", type=PLACE, metavar="BEFORE", help="result of an earlier scan of the patient: shows what changed")
@click.option("-o", "--results", type=PLACE, default=_RESULTS, metavar="DIR", help=f"where new results go (default: {_RESULTS})")
@click.option("--port", type=int, default=0, metavar="N", help="default: any free port")
@click.option("--host", default="127.0.0.1", metavar="H", help="another interface than this computer's own; not encrypted")
@click.option("--no-browser", is_flag=True, help="only print the address")
@click.option("--max-upload-mb", type=int, default=2048, metavar="N", help="the largest file to accept (default: 2048)")
@site_options
@settings_options
@click.option("--author", default="", metavar="NAME", help="who reviews, for the history (default: the user's name)")
def command(
    target: Path | None, ct: Path | None, results: Path, settings: Settings, port: int, no_browser: bool, **options: Any
) -> None:
    """Review results in the browser, or segment a CT there first.

    Give a result folder, a folder of results, a list of mskseg choose, or a CT to segment first; without it the page offers
    upload and the sample CT.
    """
    require(*FOR_REVIEW, purpose="The review", extra="web")
    from ..web.case.options import choose
    from ..web.serving.server import serve

    if not 0 <= port <= _MOST_PORT:
        raise InputError(f"There is no port {port}; choose one from 1 to {_MOST_PORT}, or leave it out.")
    if options["max_upload_mb"] < 1:
        raise InputError("Uploads of less than 1 MB hold no scan; choose a larger --max-upload-mb.")
    options |= {"reference": site_reference_of(options["reference"]), "sex": options["sex"] or ""}
    serve(choose(target, ct, results, port=port, open_browser=not no_browser, settings=settings, **options))
