"""What all commands share: how much they say, commands that are imported when they are called, options that exclude each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..engine.cancelling import Checkpoint
from ..engine.progress import JsonLines, make_reporter
from .log import show_errors_alone, show_everything

PROGRAM = "mskseg"
# Files and folders; whether they exist is found out by what reads them, which says more about it.
PLACE = click.Path(path_type=Path)


@dataclass
class Invocation:
    """One call of the command line, quiet, verbose or neither; its `checkpoint` is called often and ends cancelled work."""

    checkpoint: Checkpoint = lambda: None
    quiet: bool = False
    verbose: bool = False

    def say(self, text: str) -> None:
        """Tell the user how the work goes; what a command was asked for is printed instead, also with ``--quiet``."""
        if not self.quiet:
            print(text, flush=True)

    def warn(self, text: str) -> None:
        """Tell the user of a danger, on the error stream, where it does not mix with what is printed."""
        if not self.quiet:
            click.echo(f"Warning: {text}", err=True)

    def write_with_progress(self, progress: str, write: Callable[[], str]) -> None:
        """Do the one step of a command that writes files, shown as ``--progress`` says; `write` returns the last sentence."""
        reporter = make_reporter(progress)
        try:
            reporter.step("writing", 0, 1)
            closing_sentence = write()
            reporter.step("writing", 1, 1)
        finally:
            reporter.close()
        if isinstance(reporter, JsonLines):
            reporter.end(closing_sentence)
        else:
            self.say(closing_sentence)


progress_option = click.option("--progress", type=click.Choice(("bar", "json", "none")), default="none", help="default: none")
pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


class Command(click.Command):
    """A command with ``--quiet`` and ``--verbose``."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.params.extend(_verbosity())


class CommandGroup(click.Group):
    """A command with commands of its own, listed as they were added; to call it without one is an error in one sentence."""

    command_class = Command

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"no_args_is_help": False, **options})
        self.params.extend(_verbosity())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which they were added."""
        return list(self.commands)


class LazyGroup(CommandGroup):
    """Commands of the modules of a package, given as name -> help; a module is imported when its command is called.

    `modules` names the module of a command where it is not called as the command.
    """

    def __init__(
        self, *arguments: Any, package: str, table: Mapping[str, str], modules: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._package, self._table, self._modules = package, table, modules or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The object `command` of the module of that name; None where the table has no such name."""
        if cmd_name not in self._table:
            return None
        module = self._modules.get(cmd_name, cmd_name.replace("-", "_"))
        command: click.Command = import_module(f"{self._package}.{module}").command
        command.name, command.short_help = cmd_name, self._table[cmd_name]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._table.items()))


def exclusive(context: click.Context, one: str, other: str) -> None:
    """Refuse two options that were both given.

    Raises:
        click.UsageError: they were.
    """
    if all(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in (one, other)):
        raise click.UsageError(f"Options --{one} and --{other} exclude each other", context)


def options_together(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One decorator that adds several options, in their order."""

    def add(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def _verbosity() -> list[click.Option]:
    """The two options, which every command takes before or after its name."""
    texts = {"quiet": "print only what is asked for, and errors", "verbose": "say what is decided and how long it takes"}
    return [
        click.Option([f"-{name[0]}", f"--{name}"], is_flag=True, expose_value=False, callback=_choose, help=text)
        for name, text in texts.items()
    ]


def _choose(context: click.Context, option: click.Parameter, chosen: bool) -> None:
    if not chosen:
        return
    invocation = context.ensure_object(Invocation)
    setattr(invocation, str(option.name), True)
    if invocation.quiet and invocation.verbose:
        raise click.UsageError("Options --quiet and --verbose exclude each other", context)
    (show_errors_alone if invocation.quiet else show_everything)()
