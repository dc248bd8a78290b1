"""One entry of the catalogue in `broken_inputs`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BrokenInput:
    """A name for the test's id, how to write the input, and arguments for the command line."""

    name: str
    make: Callable[[Path], Path]
    cli_args: tuple[str, ...] = ()

    @property
    def series(self) -> str | None:
        """The value of --series among the arguments."""
        return self.cli_args[self.cli_args.index("--series") + 1] if "--series" in self.cli_args else None
