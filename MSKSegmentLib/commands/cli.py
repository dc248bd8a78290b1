"""The group of all commands. Importing it loads none of them."""

from __future__ import annotations

import click

from .. import RESEARCH_USE_ONLY, __version__
from .base import PROGRAM, LazyGroup
from .table import COMMANDS, MODULES

_WIDTH = 120


@click.group(
    cls=LazyGroup,
    package=__package__,
    table=COMMANDS,
    modules=MODULES,
    help=f"Hip and thigh muscle segmentation from CT. {RESEARCH_USE_ONLY}",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": _WIDTH},
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
def cli() -> None:
    """Nothing of its own to do: every command does its work."""


def sentence_of(error: click.ClickException) -> str:
    """A mistake in the use of the command line, in one sentence that leads to the help."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    text = " ".join(error.format_message().split()).rstrip(".")
    return f"{text}; see '{context.command_path if context else PROGRAM} --help'."
