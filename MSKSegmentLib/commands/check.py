"""``mskseg check``: whether a CT can be used."""

from __future__ import annotations

from pathlib import Path

import click

from ..findings import sentences
from .arguments import reading_options, task_option
from .base import PLACE, Command, Invocation, pass_invocation


@click.command(cls=Command)
@click.argument("ct", type=PLACE, metavar="CT")
@task_option
@reading_options
@pass_invocation
def command(invocation: Invocation, ct: Path, task: str | None, series: str | None, assume_orientation: str | None) -> None:
    """Say whether CT (or the MR scan of a task) can be used and what about it asks for caution, without segmenting it."""
    from ..ct import check_volume, read_ct, refuse, to_working_grid
    from ..tasks import DEFAULT_TASK, load_task

    chosen_task = load_task(task or DEFAULT_TASK)
    volume = read_ct(ct, series, assume_orientation, chosen_task.modality)
    invocation.checkpoint()
    working = to_working_grid(volume)
    warnings = sentences((*working.volume.findings, *refuse(check_volume(working.volume, checks=chosen_task.checks))))
    size, spacing = volume.geometry.size, volume.geometry.spacing
    print(f"{size[0]} x {size[1]} x {size[2]} voxels of {spacing[0]:.3f} x {spacing[1]:.3f} x {spacing[2]:.3f} mm")
    for warning in warnings:
        print(f"Warning: {warning}")
    print(f"The {chosen_task.words.scan} can be segmented" + (", with the warnings above." if warnings else "."))
