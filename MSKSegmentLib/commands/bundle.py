"""``mskseg bundle``: what bundles there are, whether they are whole, bundles between sites, joined, for MONAI, of Keras weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from ..errors import InputError
from .base import PLACE, CommandGroup, options_together

_named = click.argument("bundle", required=False, metavar="[NAME|DIR]")
_new_version = options_together(
    click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="the new bundle"),
    click.option("--version", required=True, help="of the new bundle"),
)


@click.group(cls=CommandGroup)
def command() -> None:
    """List, describe and verify model bundles, send them to other sites, or make one of Keras weights."""


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


@command.command("export")
@_named
@click.option("-o", "--output", type=PLACE, required=True, metavar="FILE", help="the new file, NAME.mskseg")
@click.option("--key", type=PLACE, metavar="PRIVATE.pem", help="sign it with this key (see make-key)")
def export(bundle: str | None, output: Path, key: Path | None) -> None:
    """Write a bundle as one file for another site, with digests, what it was trained on, licence and calibration."""
    from ..bundle import resolve_bundle
    from ..bundle.package_file import export_package

    _print_facts(export_package(resolve_bundle(bundle), output, key).lines)


@command.command("import")
@click.argument("file", type=PLACE, metavar="FILE")
@click.option("-o", "--output", type=PLACE, metavar="DIR", help="the new bundle; without it the file is only looked at")
@click.option("--sha256", metavar="HEX", help="the digest of the whole file that the sender told")
@click.option("--trust", type=PLACE, metavar="PUBLIC.pem", help="take only what was signed with the private half of this key")
def import_file(file: Path, output: Path | None, sha256: str | None, trust: Path | None) -> None:
    """Check a file of 'bundle export' and unpack it as a bundle; a file that was changed is refused."""
    from ..bundle.package_file import import_package, read_package

    facts = read_package(file)
    if output is not None:
        import_package(file, output, sha256, trust)
    elif sha256 is not None or trust is not None:
        raise InputError("Nothing says where the bundle is to go; name a folder with -o.")
    _print_facts(facts.lines)


@command.command("make-key")
@click.option(
    "-o", "--output", type=PLACE, required=True, metavar="NAME", help="writes NAME.pem, to be kept secret, and NAME.pub.pem"
)
def make_key(output: Path) -> None:
    """Make a pair of keys to sign bundle files with: the public half goes to other sites."""
    from ..bundle.signing import make_keys

    private, public = (output.with_name(output.name + ending) for ending in (".pem", ".pub.pem"))
    print(f"Keep {private.name} secret; give {public.name} to other sites, which may ask for its fingerprint: ", end="")
    print(make_keys(private, public))


@command.command("join")
@click.argument("bundles", nargs=-1, required=True, metavar="NAME|DIR...")
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="the new bundle")
@click.option("--name", required=True, help="of the new bundle")
@click.option("--version", default="1", show_default=True, help="of the new bundle")
def join(bundles: tuple[str, ...], output: Path, name: str, version: str) -> None:
    """Make one bundle of the networks of several, which share the passes of a run; calibrate it before use."""
    from ..bundle import resolve_bundle
    from ..bundle.describe import describe_bundle
    from ..bundle.joining import join_bundles

    print(describe_bundle(join_bundles([resolve_bundle(one) for one in bundles], output, name, version).folder))


@command.command("mirror")
@_named
@_new_version
@click.option("--undo", is_flag=True, help="all passes as they were")
def mirror(bundle: str | None, output: Path, version: str, undo: bool) -> None:
    """Let every second pass of a network look in a mirror, at no cost; calibrate the new bundle before use."""
    from ..bundle import resolve_bundle
    from ..bundle.describe import describe_bundle
    from ..bundle.updating import update_mirrored

    print(describe_bundle(update_mirrored(resolve_bundle(bundle), not undo, output, version).folder))


@command.command("auto-passes")
@_named
@_new_version
@click.option("--undo", is_flag=True, help="all passes of every slice")
def auto_passes(bundle: str | None, output: Path, version: str, undo: bool) -> None:
    """Let runs draw fewer passes of slices that have settled, in less time; calibrate the new bundle before use."""
    from ..bundle import resolve_bundle
    from ..bundle.describe import describe_bundle
    from ..bundle.updating import update_auto_passes

    print(describe_bundle(update_auto_passes(resolve_bundle(bundle), not undo, output, version).folder))


@command.command("export-monai")
@_named
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="the new MONAI bundle")
def export_to_monai(bundle: str | None, output: Path) -> None:
    """Write the network as a MONAI bundle, for programs that run those; lights and measurements stay here."""
    from ..packages import require

    require("torch", "safetensors")
    from ..bundle import resolve_bundle
    from ..bundle.monai_export import export_monai

    export_monai(resolve_bundle(bundle), output)
    print(f"The MONAI bundle {output.name} was written; its docs/README.md says how to run it.")


def _print_facts(lines: Iterable[tuple[str, str]]) -> None:
    rows = tuple(lines)
    width = max(len(title) for title, _ in rows) + 2
    print("\n".join(f"{title:<{width}}{text}" for title, text in rows))


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
