"""Where a learning keeps what it makes."""

from __future__ import annotations

from pathlib import Path


def learning_place(output: Path) -> Path:
    """The folder, beside the new bundle, that keeps the state and the report of a learning."""
    return output.absolute().with_name(f"{output.absolute().name}-learning")
