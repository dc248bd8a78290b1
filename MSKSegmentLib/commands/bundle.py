"""``mskseg bundle``: what bundles there are, what they are made of, whether they are whole, and bundles of Keras weights."""

from __future__ import annotations

from pathlib import Path

import click

from .base import PLACE, CommandGroup

_named = click.argument("bundle", required=False, metavar="[NAME|DIR]")


@click.group(cls=CommandGroup)
def command() -> None:
    """List, describe and verify model bundles, or make one of Keras weights."""


@command.command("list")
def list_all() -> None:
    """List the bundles that are found."""
    from ..bundle.describe import describe_bundles

    print(describe_bundles())


@command.command("info")
@_named
def info(bundle: str | None) -> None:
    """Show network, preprocessing, calibration and card of a bundle."""
    from ..bundle.describe import describe_bundle

    print(describe_bundle(bundle))


@command.command("verify")
@_named
def verify(bundle: str | None) -> int:
    """Compare every file of a bundle with its checksum; exit code 2 where one differs."""
    from ..bundle.describe import describe_verification

    whole, text = describe_verification(bundle)
    print(text)
    return 0 if whole else 2


@command.command("import-keras")
@click.argument("weights", type=PLACE, metavar="WEIGHTS.h5")
@click.option("--levels", type=int, required=True, metavar="N", help="5 or 6 in the published models")
@click.option("--base-filters", type=int, default=32, metavar="N", help="default: 32")
@click.option("--channels", type=int, default=1, metavar="N", help="neighbouring slices that the network reads")
@click.option("--hu-window", type=float, nargs=2, default=(-150.0, 350.0), metavar="LOW HIGH", help="default: -150 350")
@click.option("--value-range", type=float, nargs=2, default=(0.0, 255.0), metavar="LOW HIGH", help="default: 0 255")
@click.option("--name", help="default: the file's name")
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="the new bundle")
def import_keras_weights(
    weights: Path,
    levels: int,
    base_filters: int,
    channels: int,
    hu_window: tuple[float, float],
    value_range: tuple[float, float],
    name: str | None,
    output: Path,
) -> None:
    """Make a bundle of Keras weights of the published architecture."""
    from ..bundle import KerasModel, Preprocessing, describe, import_keras

    model = KerasModel(levels, base_filters, channels, preprocessing=Preprocessing(hu_window, value_range), name=name)
    print(describe.describe_bundle(import_keras(weights, output, model).folder))
