"""The commands of ``mskseg`` that make, train and judge models: virtual, train, calibrate."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..engine.cancelling import Checkpoint
from ..engine.progress import JsonLines
from ..errors import InputError
from ..packages import FOR_TRAINING, require


def add_training(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the commands to the parser of the command line."""
    virtual = commands.add_parser("virtual", help="make virtual patients: simulated CT with true labels")
    virtual.add_argument("-n", "--number", type=int, required=True)
    virtual.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    virtual.add_argument("--seed", type=int, default=0, help="number of the first patient")
    grid = virtual.add_mutually_exclusive_group()
    grid.add_argument("--spacing", type=float, nargs=3, default=(3.0, 2.5, 2.5), metavar=("Z", "Y", "X"), help="mm")
    grid.add_argument("--clinical", action="store_true", help="0.6-1.0 mm in plane and 0.5-6 mm slices, drawn per patient")
    virtual.add_argument("--stress", metavar="KIND[,KIND]", help="each patient meets one of these, or one of 'all'")
    virtual.add_argument(
        "--strength", type=float, nargs=2, default=(0.0, 1.0), metavar=("LOW", "HIGH"), help="of the stress (default: 0 1)"
    )
    virtual.add_argument("--parts", action="store_true", help="some scans show a part of the body, or have mixed slice intervals")
    virtual.add_argument(
        "--vary-muscles", action="store_true", help="give each muscle a size, length and place of its own, beyond the bodies'"
    )
    virtual.add_argument("--abdomen", action="store_true", help="model lumbar spine, kidneys, great vessels, liver and ribs")
    virtual.add_argument(
        "--donor", type=Path, metavar="DIR", help="the atlas labels a part of its bodies: fill them up from a whole one of DIR"
    )
    virtual.add_argument("--atlas", type=Path, help="folder with *_labels.nrrd (default: MSKSEG_ATLAS)")
    virtual.set_defaults(run=_virtual)
    _add_train(commands)
    calibrate = commands.add_parser("calibrate", help="learn a bundle's lights from cases with true labels")
    calibrate.add_argument("data", type=Path, help="folder of cases (<case>/ct.*, <case>/labels.*), or one that evaluate wrote")
    calibrate.add_argument("--bundle", metavar="NAME|DIR")
    calibrate.add_argument("--source", required=True, help="what the cases are, in a few words")
    calibrate.add_argument("--version", required=True, help="version of the new bundle")
    calibrate.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    calibrate.add_argument("--report", type=Path, metavar="DIR", help="write there what the lights are worth for patients left out")
    calibrate.add_argument(
        "--unseen-stress", action="store_true", help="leave out, with a patient under stress, all under the same kind of stress"
    )
    calibrate.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="the new bundle")
    calibrate.set_defaults(run=_calibrate)


def _add_train(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    train = commands.add_parser("train", help="train a network as a recipe says, and resume where it stopped")
    train.add_argument("recipe", metavar="RECIPE", help="a recipe file, or a preset: paper, bundled, bundled-2")
    train.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    train.add_argument("--atlas", type=Path, help="bodies for virtual patients (default: MSKSEG_ATLAS)")
    train.add_argument("--patients", type=Path, metavar="DIR", help="virtual patients made earlier (default: DIR/patients)")
    train.add_argument("--pairs", type=Path, metavar="DIR", help="learn from these cases, not from the recipe's sources")
    train.add_argument("--initial", metavar="BUNDLE|FILE", help="start from the weights of a bundle or a checkpoint")
    train.add_argument("--fold", metavar="K/N", help="hold out the Kth of N parts of the patients (or bodies)")
    train.add_argument("--leave-out", metavar="NAME", help="hold out one patient or body")
    train.add_argument("--minutes", type=float, help="train for so long, with a schedule that ends then")
    train.add_argument("--device", choices=("auto", "cpu", "cuda"), help="default: the recipe's")
    train.add_argument("--workers", type=int, metavar="N", help="processes that make slices (default: the recipe's)")
    train.add_argument("--finish", action="store_true", help="only write the bundle of what was learned so far")
    train.add_argument("--progress", default="text", choices=("text", "json", "none"))
    train.set_defaults(run=_train)


def _virtual(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..virtual.cases import PatientSeries, write_patients
    from ..virtual.ingredients import Ingredients
    from ..virtual.stress import KINDS

    spacing = None if options.clinical else tuple(options.spacing)
    kinds = () if options.stress is None else KINDS if options.stress == "all" else tuple(options.stress.split(","))
    ingredients = Ingredients(options.vary_muscles, options.abdomen)
    strengths = tuple(options.strength)
    patients = PatientSeries(options.number, options.seed, spacing, not options.parts, kinds, strengths, ingredients)
    for line in write_patients(options.output, patients, options.atlas, options.donor):
        checkpoint()
        print(line, flush=True)


def _train(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    require(*FOR_TRAINING, purpose="Training")
    from ..training.loop import Status
    from ..training.recipes import find_recipe, read_recipe, with_pairs
    from ..training.run import Choices, finish, parse_fold, run_recipe

    recipe = read_recipe(find_recipe(options.recipe))
    changes = {name: getattr(options, name) for name in ("device", "workers", "initial") if getattr(options, name) is not None}
    recipe = replace(recipe if options.pairs is None else with_pairs(recipe, options.pairs), **changes)
    fold = parse_fold(options.fold) if options.fold is not None else None
    if options.minutes is not None and not 0 < options.minutes < 100_000:
        raise InputError(f"{options.minutes:g} minutes are no time to train; give a number above 0.")
    if not 0 <= recipe.workers <= 64:
        raise InputError(f"{recipe.workers} processes cannot be started; give a number of workers from 0 to 64.")
    choices = Choices(options.atlas, options.patients, fold, options.leave_out, options.minutes)
    if options.finish:
        bundle = finish(recipe, options.output)
    else:
        lines = JsonLines() if options.progress == "json" else None

        def report(status: Status) -> None:
            if lines:
                lines.write(status.to_json())
            elif options.progress != "none":
                print(status, flush=True)

        say = (lambda text: None) if lines or options.progress == "none" else lambda text: print(text, flush=True)
        bundle = run_recipe(recipe, options.output, choices, report, say, checkpoint)
    if options.progress == "text":
        print(f"The bundle {bundle.manifest.name} {bundle.manifest.version} is in {bundle.folder}; calibrate it to get lights.")


def _calibrate(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    require("torch")
    from ..bundle import resolve_bundle
    from ..calibration.calibrate_bundle import CalibrationJob, calibrate_bundle

    if options.report is not None:
        require("matplotlib", purpose="--report")
    job = CalibrationJob(
        options.data, options.source, options.version, options.output, options.device, options.report, options.unseen_stress
    )
    calibrate_bundle(resolve_bundle(options.bundle), job, checkpoint)
