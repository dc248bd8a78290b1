"""``mskseg task``: which tasks there are, and what each of them looks for, checks, measures and says."""

from __future__ import annotations

import click

from .base import CommandGroup


@click.group(cls=CommandGroup)
def command() -> None:
    """List and describe tasks: what is segmented in which kind of scan.

    A bundle names its task. Your own tasks are files in the folders that MSKSEG_TASKS names.
    """


@command.command("list")
def list_tasks() -> None:
    """List the tasks that are found, the default first."""
    from ..bundle.describe_tasks import describe_tasks

    print(describe_tasks())


@command.command("show")
@click.argument("name", metavar="TASK")
def show(name: str) -> None:
    """Show structures, checks, measurements and defaults of a task."""
    from ..bundle.describe_tasks import describe_task

    print(describe_task(name))
