"""``mskseg train``: a network, from a recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..packages import FOR_TRAINING, require
from ..settings import DEVICES
from .base import PLACE, Command, Invocation, pass_invocation
from .training_status import status_calls

if TYPE_CHECKING:
    from ..training.recipes import Recipe


@click.command(cls=Command)
@click.argument("recipe", metavar="RECIPE")
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="a stopped training goes on there")
@click.option("--atlas", type=PLACE, metavar="DIR", help="bodies for virtual patients (default: MSKSEG_ATLAS)")
@click.option("--patients", type=PLACE, metavar="DIR", help="virtual patients made earlier (default: DIR/patients)")
@click.option("--pairs", type=PLACE, metavar="DIR", help="learn from these cases, not from the recipe's sources")
@click.option("--initial", metavar="BUNDLE|FILE", help="start from the weights of a bundle or a checkpoint")
@click.option("--fold", metavar="K/N", help="hold out the Kth of N parts of the patients (or bodies)")
@click.option("--leave-out", metavar="NAME", help="hold out one patient or body")
@click.option("--minutes", type=float, metavar="M", help="train for so long, with a schedule that ends then")
@click.option("--device", type=click.Choice(DEVICES), help="default: the recipe's")
@click.option("--workers", type=int, metavar="N", help="processes that make slices (default: the recipe's)")
@click.option("--finish", is_flag=True, help="only write the bundle of what was learned so far")
@click.option("--progress", type=click.Choice(("text", "json", "none")), default="text", help="default: text")
@pass_invocation
def command(invocation: Invocation, /, recipe: str, output: Path, progress: str, **options: Any) -> None:
    """Train a network as RECIPE says, and resume where it stopped.

    RECIPE is a file, or a preset: paper, paper-5, bundled, bundled-2,
    bundled-3, sparse.
    """
    require(*FOR_TRAINING, purpose="Training")
    from ..training.run import Choices, finish_training, parse_fold, run_recipe

    chosen = _recipe(recipe, options)
    fold = parse_fold(options["fold"]) if options["fold"] is not None else None
    minutes = options["minutes"]
    if minutes is not None and not 0 < minutes < 100_000:
        raise InputError(f"{minutes:g} minutes are no time to train; give a number above 0.")
    if not 0 <= chosen.workers <= 64:
        raise InputError(f"{chosen.workers} processes cannot be started; give a number of workers from 0 to 64.")
    choices = Choices(options["atlas"], options["patients"], fold, options["leave_out"], minutes)
    say, report = status_calls(invocation, progress)
    if options["finish"]:
        bundle = finish_training(chosen, output)
    else:
        bundle = run_recipe(chosen, output, choices, report, say, invocation.checkpoint)
    say(f"The bundle {bundle.manifest.name} {bundle.manifest.version} is in {bundle.folder}; calibrate it to get lights.")


def _recipe(name: str, options: dict[str, Any]) -> Recipe:
    """The recipe, with what was chosen on the command line in place of what it says."""
    from ..training.recipes import find_recipe, read_recipe, with_pairs

    recipe = read_recipe(find_recipe(name))
    if options["pairs"] is not None:
        recipe = with_pairs(recipe, options["pairs"])
    return replace(recipe, **{key: options[key] for key in ("device", "workers", "initial") if options[key] is not None})
