"""The commands of ``mskseg`` that make, train and judge models: virtual, train, calibrate."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from .errors import InputError

Checkpoint = Callable[[], None]


def add_training(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the commands to the parser of the command line."""
    virtual = commands.add_parser("virtual", help="make virtual patients: simulated CT with true labels")
    virtual.add_argument("-n", "--number", type=int, required=True)
    virtual.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    virtual.add_argument("--seed", type=int, default=0, help="number of the first patient")
    virtual.add_argument("--spacing", type=float, nargs=3, default=(3.0, 2.5, 2.5), metavar=("Z", "Y", "X"), help="mm")
    virtual.add_argument("--atlas", type=Path, help="folder with *_labels.nrrd (default: MSKSEG_ATLAS)")
    virtual.set_defaults(run=_virtual)
    train = commands.add_parser("train", help="train a network as a recipe file says, and resume where it stopped")
    train.add_argument("recipe", type=Path, metavar="RECIPE.json")
    train.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    train.add_argument("--atlas", type=Path)
    train.set_defaults(run=_train)
    calibrate = commands.add_parser("calibrate", help="learn a bundle's lights from cases with true labels")
    calibrate.add_argument("data", type=Path, help="folder of cases: <case>/ct.nii.gz and <case>/labels.nii.gz")
    calibrate.add_argument("--bundle", metavar="NAME|DIR")
    calibrate.add_argument("--source", required=True, help="what the cases are, in a few words")
    calibrate.add_argument("--version", required=True, help="version of the new bundle")
    calibrate.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    calibrate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the new bundle")
    calibrate.set_defaults(run=_calibrate)


def _virtual(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from .virtual.cases import write_patients

    for line in write_patients(options.output, options.number, options.seed, tuple(options.spacing), options.atlas):
        checkpoint()
        print(line, flush=True)


def _train(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from .training.recipes import train_recipe

    train_recipe(options.recipe, options.output, options.atlas, checkpoint)


def _calibrate(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from .bundle import resolve_bundle
    from .training.evaluation import calibrate_bundle

    if options.output.exists():
        raise InputError(f"The folder {options.output.name!r} exists already; name a new one for the calibrated bundle.")
    bundle = resolve_bundle(options.bundle)
    calibrate_bundle(bundle, options.data, options.source, options.version, options.device, options.output, checkpoint)


