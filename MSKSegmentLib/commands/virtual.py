"""``mskseg virtual``: simulated CT or MR with true labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from .base import PLACE, Command, Invocation, exclusive, pass_invocation


@click.command(cls=Command)
@click.option("-n", "--number", type=int, required=True, metavar="N", help="patients to make")
@click.option("-o", "--output", type=PLACE, required=True, metavar="DIR", help="folder of cases")
@click.option("--seed", type=int, default=0, metavar="N", help="number of the first patient")
@click.option("--spacing", type=float, nargs=3, default=(3.0, 2.5, 2.5), metavar="Z Y X", help="mm")
@click.option("--clinical", is_flag=True, help="0.6-1.0 mm in plane and 0.5-6 mm slices, drawn per patient")
@click.option("--stress", metavar="KIND[,KIND]", help="each patient meets one of these, or one of 'all'")
@click.option("--strength", type=float, nargs=2, default=(0.0, 1.0), metavar="LOW HIGH", help="of the stress (default: 0 1)")
@click.option("--parts", is_flag=True, help="some scans show a part of the body, or have mixed slice intervals")
@click.option("--vary-muscles", is_flag=True, help="give each muscle a size, length and place of its own, beyond the bodies'")
@click.option("--abdomen", is_flag=True, help="model lumbar spine, kidneys, great vessels, liver and ribs")
@click.option("--retroperitoneal-fat", is_flag=True, help="a layer of fat keeps bowel off iliacus and psoas")
@click.option("--to-thorax", is_flag=True, help="the abdomen, in scans that reach beyond the psoas to the lungs' bases")
@click.option("--objects", is_flag=True, help="a calibration phantom, pads, a cushion or cables at the body")
@click.option("--modality", type=click.Choice(("ct", "mr")), default="ct", help="what scans them (default: ct)")
@click.option("--task", default="lower-limb-mr", metavar="NAME", help="with mr: the task whose structures are labelled")
@click.option("--dixon", is_flag=True, help="with mr: fat and water images, too, with the true share of fat in facts.json")
@click.option(
    "--donor", type=PLACE, metavar="DIR", help="the atlas labels a part of its bodies: fill them up from a whole one of DIR"
)
@click.option("--atlas", type=PLACE, metavar="DIR", help="folder with *_labels.nrrd (default: MSKSEG_ATLAS)")
@pass_invocation
@click.pass_context
def command(context: click.Context, invocation: Invocation, /, output: Path, atlas: Path | None, **options: Any) -> None:
    """Make virtual patients: simulated CT, or T1-weighted MR, with true labels."""
    exclusive(context, "spacing", "clinical")
    from ..virtual.cases import PatientSeries, write_patients
    from ..virtual.ingredients import Ingredients
    from ..virtual.stress import KINDS

    stress, table = options["stress"], None
    if options["modality"] == "mr":
        from ..tasks import load_task

        task = load_task(options["task"])
        if task.modality != "MR":
            raise InputError(f"The task {task.name} is one of {task.modality}; name one of MR with --task.")
        table = task.table
    patients = PatientSeries(
        options["number"],
        options["seed"],
        None if options["clinical"] else options["spacing"],
        not options["parts"],
        () if stress is None else KINDS if stress == "all" else tuple(stress.split(",")),
        options["strength"],
        Ingredients(
            options["vary_muscles"], options["abdomen"], options["retroperitoneal_fat"], options["to_thorax"], options["objects"]
        ),
        table,
        options["dixon"],
    )
    for line in write_patients(output, patients, atlas, options["donor"]):
        invocation.checkpoint()
        invocation.say(line)
