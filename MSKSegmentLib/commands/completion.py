"""``mskseg completion``: commands, options and files completed by the shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .base import PROGRAM, Command

_VARIABLE = f"_{PROGRAM.upper()}_COMPLETE"


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def command(shell: str) -> None:
    """Print the script that completes commands, options and files in SHELL: bash (4.4 or newer), zsh or fish.

    \b
    bash  mskseg completion bash > ~/.local/share/bash-completion/completions/mskseg
    zsh   mskseg completion zsh > a folder of $fpath, as the file _mskseg
    fish  mskseg completion fish > ~/.config/fish/completions/mskseg.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows the three shells"
    print(kind(click.get_current_context().find_root().command, {}, PROGRAM, _VARIABLE).source())
