"""``mskseg import``: a segmentation of another program as a result of ours."""

from __future__ import annotations

from pathlib import Path

import click

from ..packages import FOR_MEASURING, require
from .arguments import height_option, in_metres, reading_options, task_option
from .base import PLACE, Command, Invocation, pass_invocation


@click.command(cls=Command)
@click.argument("mask", type=PLACE, metavar="MASK")
@click.option("--ct", type=PLACE, required=True, metavar="CT", help="the CT that was segmented")
@click.option("-o", "--output", type=PLACE, required=True, metavar="OUT", help="result folder")
@click.option(
    "--labels",
    metavar="NAME|CSV",
    help="what the labels stand for: musclemap, totalsegmentator, names, ours, or a table.csv (default: recognised)",
)
@click.option(
    "--sides",
    type=click.Choice(("given", "anatomy")),
    default="given",
    help="right and left as the segmentation states them, or all from the anatomy (default: given)",
)
@reading_options
@height_option
@click.option(
    "--bundle", metavar="NAME|DIR", help="model bundle whose structures are to be measured (default: the one that comes along)"
)
@task_option
@click.option("--keep-ct", is_flag=True, help="also put a copy of the CT into the folder, as ct.nrrd")
@click.option("--record-path", is_flag=True, help="note the CT's path in result.json")
@pass_invocation
def command(invocation: Invocation, /, mask: Path, ct: Path, output: Path, **options: object) -> None:
    """Import MASK, a segmentation of another program, as a result: translated into our structures, measured, not judged.

    MASK is a label map (NIfTI, NRRD, MHA), a .seg.nrrd, a DICOM segmentation, or a folder with one file per structure.
    Labels that are no structure of ours are kept in the result folder.
    """
    from ..results.result_folder import check_output

    output = check_output(output)
    require(*FOR_MEASURING, "rich")
    _import(invocation, mask, ct, output, dict(options))


def _import(invocation: Invocation, mask: Path, ct: Path, output: Path, options: dict[str, object]) -> None:
    from ..ct import read_ct
    from ..foreign import find_label_table, import_case, read_mask, write_imported
    from ..pipeline import bundle_knowledge
    from .console import print_result

    def text(name: str) -> str | None:
        value = options[name]
        return None if value is None else str(value)

    orientation = text("assume_orientation")
    task, reference = bundle_knowledge(text("bundle"), text("task"))
    structures = task.table
    labels = text("labels")
    table = None if labels is None else find_label_table(labels, structures)
    found = read_mask(mask, orientation)
    invocation.checkpoint()
    volume = read_ct(ct, text("series"), orientation, task.modality)
    invocation.checkpoint()
    height = options["height_cm"]
    imported = import_case(
        volume,
        found,
        structures,
        table,
        height_m=in_metres(height if isinstance(height, float) else None),
        reference=reference,
        sides=str(options["sides"]),
        task=task,
    )
    source = str(ct.absolute()) if options["record_path"] else None
    write_imported(output, imported, source, volume if options["keep_ct"] else None)
    if not invocation.quiet:
        print_result(imported.result, output)
