"""``mskseg models``: which models there are, and why others cannot be used."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .base import Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from ..other_models.finding import ListedModel


@click.command(cls=Command)
@click.option("--model-env", metavar="DIR", help="look for other programs in this virtual or conda environment (default: in PATH)")
@click.option("--json", "as_json", is_flag=True, help="answer by one JSON object")
@pass_invocation
def command(invocation: Invocation, model_env: str | None, as_json: bool) -> None:
    """List the models that can segment a CT: bundles of this software, and the models of other programs that are installed.

    Name a bundle with --bundle and another model with --model. Folders of trained models (nnU-Net v2, MONAI bundles) are listed
    where the variable MSKSEG_MODELS names them or a folder of them; others are given to --model by their path.
    """
    from ..other_models.finding import list_models

    found = []
    for model in list_models(model_env):
        invocation.checkpoint()
        found.append(model)
    print(_json(found) if as_json else _text(found))


def _json(found: Iterable[ListedModel]) -> str:
    entries = [{**asdict(model), "folder": model.folder and str(model.folder), "ready": model.is_ready} for model in found]
    ready = sum(bool(entry["ready"]) for entry in entries)
    return json.dumps({"message": f"{ready} of {len(entries)} models can be used.", "models": entries}, ensure_ascii=False)


def _text(found: Iterable[ListedModel]) -> str:
    rows = [("NAME", "OPTION", "WHAT", "VERSION")]
    problems = []
    for model in found:
        option = "--bundle" if model.is_bundle else "--model"
        rows.append((model.name, option, model.title, model.version if model.is_ready else "cannot be used"))
        if model.reason:
            problems.append(f"{model.name}: {model.reason}")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *problems])
