"""The command ``mskseg review``: the review in a browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..engine.cancelling import Checkpoint
from ..errors import InputError
from ..packages import FOR_REVIEW, require
from .arguments import add_settings, settings_of

_MOST_PORT = 65535
_RESULTS = Path("mskseg-results")


def add_review(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the command to the parser."""
    review = commands.add_parser("review", help="review results in the browser, or segment a CT there first")
    review.add_argument(
        "target",
        nargs="?",
        type=Path,
        metavar="OUT|CT|FOLDER",
        help="a result folder, a folder of results, or a CT to segment first; without it the page offers upload and the sample CT",
    )
    review.add_argument("--ct", type=Path, metavar="CT", help="the CT of a result folder that does not hold it")
    review.add_argument(
        "-o",
        "--results",
        type=Path,
        default=_RESULTS,
        metavar="DIR",
        help=f"where new results go (default: {_RESULTS})",
    )
    review.add_argument("--port", type=int, default=0, metavar="N", help="default: any free port")
    review.add_argument(
        "--host", default="127.0.0.1", metavar="H", help="another interface than this computer's own; not encrypted"
    )
    review.add_argument("--no-browser", action="store_true", help="only print the address")
    review.add_argument("--max-upload-mb", type=int, default=2048, metavar="N", help="the largest file to accept (default: 2048)")
    add_settings(review)
    review.add_argument("--author", default="", metavar="NAME", help="who reviews, for the history (default: the user's name)")
    review.set_defaults(run=_review)


def _review(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    require(*FOR_REVIEW, purpose="The review", extra="web")
    from ..web.case.options import choose
    from ..web.serving.server import serve

    if not 0 <= options.port <= _MOST_PORT:
        raise InputError(f"There is no port {options.port}; choose one from 1 to {_MOST_PORT}, or leave it out.")
    if options.max_upload_mb < 1:
        raise InputError("Uploads of less than 1 MB hold no scan; choose a larger --max-upload-mb.")
    serve(
        choose(
            options.target,
            options.ct,
            options.results,
            host=options.host,
            port=options.port,
            open_browser=not options.no_browser,
            max_upload_mb=options.max_upload_mb,
            settings=settings_of(options),
            author=options.author,
        )
    )
