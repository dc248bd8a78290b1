"""The command line up to where a command would start."""

import click

from MSKSegmentLib.commands.cli import cli


def parameters(name, *words):
    """What the command of this name would be called with, by parameter."""
    command = cli.get_command(click.Context(cli), name)
    return command.make_context(name, [*map(str, words)]).params
