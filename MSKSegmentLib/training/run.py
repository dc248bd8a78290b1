"""A whole training: split, patients, loop, bundle; each step continues where an earlier run stopped."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ..bundle import ModelBundle
from ..bundle.store import BUNDLE_FILES
from ..errors import InputError, shown
from ..inference.devices import choose_device
from ..inference.fused import quick_dtype
from ..output.places import check_no_file, check_place, foreign_files, resolved
from ..timing import time_logged
from .checkpoints import CHECKPOINT
from .data import choose_split, prepare_data
from .finishing import BUNDLE, write_bundle
from .folds import SPLIT_FILE, Split, parse_fold, read_split, write_split
from .loop import Status, train
from .recipes import Recipe

_LOG = logging.getLogger(__name__)
__all__ = ["Choices", "finish_training", "parse_fold", "quick_precision", "run_recipe"]


@dataclass(frozen=True)
class Choices:
    """Options that a user may add to a recipe.

    `atlas` is the folder of bodies, `patients` a folder of simulated patients to use or to fill; `fold` is ``(k, n)`` and
    `leave_out` a patient or body; `minutes` ends the training after that time, which includes simulating patients. `split` replaces
    both and states who is held out, and `prepared` is a folder of real cases on the network's grid to use or to fill.
    """

    atlas: Path | None = None
    patients: Path | None = None
    fold: tuple[int, int] | None = None
    leave_out: str | None = None
    minutes: float | None = None
    split: Split | None = None
    prepared: Path | None = None


def run_recipe(
    recipe: Recipe,
    folder: Path,
    choices: Choices,
    report: Callable[[Status], None],
    say: Callable[[str], None],
    checkpoint: Callable[[], None],
) -> ModelBundle:
    """Train as the recipe says and write ``<folder>/bundle``; `say` is called with sentences, `report` with the progress.

    Raises:
        InputError: the recipe's data cannot be used, or `folder` holds another run.
    """
    began = time.monotonic()
    folder = _checked(folder)
    split = choices.split or choose_split(recipe, choices.atlas, choices.fold, choices.leave_out)
    write_split(folder, split)
    held_out = (*split.held_out_cases, *split.held_out_bodies)
    if held_out:
        say(f"Held out: {', '.join(held_out)}.")
    with time_logged(_LOG, "Preparing the data"):
        training, validation = prepare_data(recipe, folder, split, choices.atlas, choices.patients, checkpoint, choices.prepared)
    minutes = None if choices.minutes is None else choices.minutes - (time.monotonic() - began) / 60
    if minutes is not None and minutes <= 0:
        raise InputError(
            f"Making the patients took all of the {choices.minutes:g} minutes; start again with the same folder, they are kept."
        )
    with time_logged(_LOG, "Training"):
        train(recipe, training, folder, report, checkpoint, validation, minutes)
    return write_bundle(recipe, split, folder)


def quick_precision(device: str) -> str:
    """The precision of `recipes.PRECISIONS` in which a device, one of `inference.devices.CHOICES`, trains fastest."""
    return "bf16" if quick_dtype(choose_device(device).name) is torch.bfloat16 else "fp32"


def finish_training(recipe: Recipe, folder: Path) -> ModelBundle:
    """Write the bundle of a stopped training from its last checkpoint.

    Raises:
        InputError: the folder holds no training.
    """
    folder = _checked(folder)
    return write_bundle(recipe, read_split(folder), folder)


def _checked(folder: Path) -> Path:
    """The folder of a run, resolved; refused if it belongs to something else, or if the final bundle could not be written."""
    real = resolved(folder)
    check_no_file(real)
    if foreign_files(real) and not any((real / name).is_file() for name in (SPLIT_FILE, CHECKPOINT)):
        raise InputError(f"The folder {shown(real)!r} holds other files than a training's; name a new or empty folder with -o.")
    check_place(real)
    others = foreign_files(real / BUNDLE, BUNDLE_FILES)
    if others:
        raise InputError(f"The bundle in {real.name!r} is in the way, as it holds other files such as {others[0]}; move it away.")
    return real
