"""``mskseg realism``: real scans against virtual patients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .base import PLACE, Command, Invocation, pass_invocation


@click.command(cls=Command)
@click.argument("scans", type=PLACE, nargs=-1, required=True, metavar="CT...")
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="new folder")
@click.option("--virtual", type=PLACE, metavar="DIR", help="virtual patients that exist (default: make some)")
@click.option("-n", "--number", type=int, default=8, metavar="N", help="virtual patients to make (default: 8)")
@click.option("--seed", type=int, default=0, metavar="N", help="number of the first patient (default: 0)")
@click.option("--atlas", type=PLACE, metavar="DIR", help="folder with *_labels.nrrd (default: MSKSEG_ATLAS)")
@click.option("--spacing", type=float, nargs=3, metavar="Z Y X", help="mm (default: the scan's; at least 3 x 1 x 1)")
@pass_invocation
def command(invocation: Invocation, /, scans: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Compare real scans with virtual patients: tables and pictures.

    Each CT is a DICOM folder, NIfTI, NRRD or MHA file.
    """
    from ..virtual.realism.compare import made_patients, stored_patients
    from ..virtual.realism.report import check_comparison_folder, compare_scans

    check_comparison_folder(output)
    spacing = options["spacing"]
    if spacing and not all(0.4 <= value <= 10 for value in spacing):
        raise InputError("The voxels of --spacing must be 0.4 to 10 mm; correct it.")
    if options["virtual"] is not None:
        patients = stored_patients(options["virtual"])
    else:
        patients = made_patients(options["atlas"], options["number"], options["seed"])
    for comparison in compare_scans(list(scans), output, patients, spacing, invocation.checkpoint, invocation.say):
        off = [f"{row.quantity.name} ({row.verdict})" for row in comparison.rows if row.verdict in ("below", "above")]
        summary = f"{len(off)} of {len(comparison.rows)} quantities lie off the virtual patients: {', '.join(off) or 'none'}"
        invocation.say(f"{comparison.name}: {summary}")
    invocation.say(f"Tables and pictures are in {output}")
