"""``mskseg import``: a segmentation of another program as a result of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engine.progress import JsonLines, make_reporter
from ..packages import FOR_MEASURING, FOR_SEGMENTING, require
from .arguments import device_option, height_option, in_metres, reading_options, task_option
from .base import PLACE, Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from ..ct.volume import CTVolume
    from ..foreign import Imported
    from ..pipeline import StageProgress
    from ..rating.rate import Rated


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
@click.option("--rate", is_flag=True, help="judge it as well, as 'mskseg rate' does")
@device_option
@click.option("--seed", type=int, metavar="N", help="with --rate: repeat the rating exactly")
@click.option("--keep-ct", is_flag=True, help="also put a copy of the CT into the folder, as ct.nrrd")
@click.option("--record-path", is_flag=True, help="note the CT's path in result.json")
@click.option("--progress", type=click.Choice(("bar", "json", "none")), default="bar", help="default: bar")
@pass_invocation
def command(invocation: Invocation, /, mask: Path, ct: Path, output: Path, progress: str, **options: Any) -> None:
    """Import MASK, a segmentation of another program, as a result: translated into our structures and measured.

    MASK is a label map (NIfTI, NRRD, MHA), a .seg.nrrd, a DICOM segmentation, or a folder with one file per structure.
    Labels that are no structure of ours are kept in the result folder. Without --rate nothing is compared with the network,
    so that no light is green.
    """
    from ..results.result_folder import check_output

    output = check_output(output)
    require(*(FOR_SEGMENTING if options["rate"] else FOR_MEASURING), *(() if progress == "json" else ("rich",)))
    reporter = make_reporter("none" if progress == "bar" and (invocation.quiet or not options["rate"]) else progress)
    try:
        imported, volume = _import(invocation, mask, ct, reporter.step, options)
        rated = _judged(invocation, imported, volume, reporter.step, options) if options["rate"] else None
        reporter.step("writing", 0, 1)
        _write(output, imported, rated, volume, str(ct.absolute()) if options["record_path"] else None, options["keep_ct"])
        reporter.step("writing", 1, 1)
    finally:
        reporter.close()
    result = imported.result if rated is None else rated.result
    if isinstance(reporter, JsonLines):
        from ..rating.rate import lights_of

        reporter.end(f"Imported: {lights_of(result)}.")
    elif not invocation.quiet:
        from .console import print_result

        print_result(result, output)


def _import(
    invocation: Invocation, mask: Path, ct: Path, step: StageProgress, options: dict[str, Any]
) -> tuple[Imported, CTVolume]:
    from ..ct import read_ct
    from ..foreign import find_label_table, import_case, read_mask
    from ..pipeline import bundle_knowledge

    step("reading", 0, 1)
    task, reference = bundle_knowledge(options["bundle"], options["task"])
    structures = task.table
    labels = options["labels"]
    table = None if labels is None else find_label_table(labels, structures)
    found = read_mask(mask, options["assume_orientation"])
    invocation.checkpoint()
    volume = read_ct(ct, options["series"], options["assume_orientation"], task.modality)
    step("reading", 1, 1)
    invocation.checkpoint()
    height_m = in_metres(options["height_cm"])
    imported = import_case(
        volume, found, structures, table, height_m=height_m, reference=reference, sides=options["sides"], task=task
    )
    invocation.checkpoint()
    return imported, volume


def _judged(invocation: Invocation, imported: Imported, volume: CTVolume, step: StageProgress, options: dict[str, Any]) -> Rated:
    from ..bundle import resolve_bundle
    from ..inference.devices import wait_without_spinning
    from ..rating.rate import rate_case

    wait_without_spinning()
    bundle = resolve_bundle(options["bundle"], options["task"])
    return rate_case(imported.result, volume, bundle, options["device"], options["seed"], step, invocation.checkpoint)


def _write(output: Path, imported: Imported, rated: Rated | None, volume: CTVolume, source: str | None, keep_ct: bool) -> None:
    from ..foreign import write_imported

    if rated is None:
        write_imported(output, imported, source, volume if keep_ct else None)
    else:
        from ..rating.rated_folder import write_rated_import

        write_rated_import(output, imported, rated, source, volume if keep_ct else None)
