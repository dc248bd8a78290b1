"""``mskseg adapt``: a bundle brought to the scanners of a site, by scans without labels."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import InputError, shown
from ..packages import require
from .arguments import bundle_option
from .base import PLACE, Command, Invocation, pass_invocation

# Below it what is learned is more these patients than the scanner.
_FEW_SCANS = 4


@click.command(cls=Command)
@click.argument("scans", nargs=-1, required=True, type=PLACE, metavar="SCAN...")
@bundle_option
@click.option("--version", required=True, metavar="TEXT", help="version of the new bundle")
@click.option("--share", type=float, default=1.0, show_default=True, help="of the site's statistics, up to 1")
@click.option("--slices", type=int, default=32, show_default=True, metavar="N", help="slices of each scan that are looked at")
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="the new bundle")
@pass_invocation
def command(
    invocation: Invocation, scans: tuple[Path, ...], bundle: str | None, version: str, share: float, slices: int, output: Path
) -> None:
    """Adapt a bundle to the scanners of a site by scans without labels.

    Each SCAN is one of a patient as segment takes it. Only the statistics of normalisation change, no weight. The new bundle has no
    calibration: compare it with the old one by evaluate on a few labelled cases, and calibrate it before its lights are used.
    """
    require("torch")
    from ..bundle import check_new_version, resolve_bundle
    from ..bundle.describe import describe_bundle
    from ..ct import read_ct
    from ..training.adapting import Adaptation, SiteStatistics, write_adapted

    old = resolve_bundle(bundle)
    check_new_version(old, output, version)
    statistics = SiteStatistics(old, Adaptation(share, slices))
    for number, path in enumerate(scans, 1):
        invocation.checkpoint()
        try:
            seen = statistics.add(read_ct(path, modality=old.task.modality), invocation.checkpoint)
        except InputError as error:
            invocation.warn(f"Scan {number} ({shown(path)}) was left out: {error}")
            continue
        invocation.say(f"Scan {number} of {len(scans)}: {seen} slices")
    if statistics.scans < _FEW_SCANS:
        invocation.warn(f"{statistics.scans} scans say as much of these patients as of the scanner; give {_FEW_SCANS} or more.")
    print(describe_bundle(write_adapted(statistics, output, version).folder))
