"""``mskseg measure``: all numbers of a segmentation that exists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..packages import FOR_MEASURING, require
from .arguments import height_option, in_metres, reading_options, task_option
from .base import PLACE, Command, Invocation, pass_invocation
from .bone_density import density_of_task, density_options, with_density
from .fat_water import check_fat_water, fat_water_options, with_fat_water


@click.command(cls=Command)
@click.argument("segmentation", type=PLACE, metavar="SEGMENTATION")
@click.option("--ct", type=PLACE, required=True, metavar="CT", help="the CT that was segmented")
@click.option("-o", "--output", type=PLACE, required=True, metavar="OUT", help="result folder")
@reading_options
@height_option
@click.option(
    "--bundle", metavar="NAME|DIR", help="model bundle whose structures the labels are of (default: the one that comes along)"
)
@task_option
@fat_water_options
@density_options
@pass_invocation
def command(invocation: Invocation, /, segmentation: Path, ct: Path, output: Path, **options: Any) -> None:
    """Measure SEGMENTATION, a .seg.nrrd file or a label map with this software's labels."""
    from ..ct import read_ct, read_label_map
    from ..pipeline import bundle_knowledge, measure_case
    from ..results.result_folder import check_output, write_result
    from .console import print_result

    output = check_output(output)
    require(*FOR_MEASURING, "rich")
    chosen, reference = bundle_knowledge(options["bundle"], options["task"])
    fat, water, assumed = (options[name] for name in ("fat", "water", "assume_orientation"))
    check_fat_water(fat, water, chosen.measures("fat_fraction"), chosen.name)
    density = density_of_task(options, chosen)
    volume = read_ct(ct, options["series"], assumed, chosen.modality)
    found = read_label_map(segmentation, chosen.table, assumed)
    volume = replace(volume, findings=(*volume.findings, *found.findings))
    line = None if density is None else density.calibration(volume)
    invocation.checkpoint()
    result = measure_case(found.labels, found.geometry, volume, in_metres(options["height_cm"]), reference, chosen)
    result = with_density(with_fat_water(result, fat, water), line)
    write_result(output, result)
    if not invocation.quiet:
        print_result(result, output)
