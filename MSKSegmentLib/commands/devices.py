"""``mskseg devices``: which device a run would use, how long it would take, how much memory it needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..memory import free_bytes
from ..packages import require
from .arguments import bundle_option, device_option, reading_options, task_option
from .base import PLACE, Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from ..ct.cropping import CoarseBody
    from ..ct.volume import Geometry

# A hip-to-knee CT as in the published cohort, where nothing else is said; the body fills part of it.
_USUAL_SIZE, _USUAL_SPACING = (460, 320, 500), (0.8, 0.8, 1.0)


@click.command(cls=Command)
@bundle_option
@task_option
@device_option
@click.option("--samples", type=int, metavar="T", help="dropout passes (default: the bundle's)")
@click.option("--ct", type=PLACE, metavar="CT", help="estimate for this scan")
@reading_options
@click.option("--slices", type=int, default=_USUAL_SIZE[2], metavar="N", help="or for a body of N slices")
@click.option("--size", type=int, nargs=2, default=_USUAL_SIZE[:2], metavar="X Y", help="pixels of a slice")
@click.option("--spacing", type=float, nargs=3, default=_USUAL_SPACING, metavar="SX SY SZ", help="mm")
@click.option("--json", "as_json", is_flag=True, help="answer by one JSON object")
@pass_invocation
def command(
    invocation: Invocation, /, bundle: str | None, task: str | None, device: str, samples: int | None, as_json: bool, **options: Any
) -> None:
    """Say which device a run would use, how long it would take and how much memory it needs."""
    from ..bundle import resolve_bundle
    from ..inference.devices import available_devices, choose_device, gpu_count, wait_without_spinning
    from ..inference.estimate import estimate_run, in_words
    from ..pipeline import checked_passes
    from ..tasks import load_task

    wait_without_spinning()
    require("torch")
    found = resolve_bundle(bundle, None if task is None else load_task(task).name)
    passes = None if samples is None else checked_passes(samples)
    chosen = choose_device(device)
    scan, body, shape = _grids(modality=found.task.modality, **options)
    invocation.checkpoint()
    estimate = estimate_run(found, scan, chosen, passes, body, shape)
    duration = in_words(estimate.seconds)
    facts = {
        "message": f"{chosen.description}: {duration}",
        "device": {"name": chosen.name, "description": chosen.description},
        "available_devices": [{"name": d.name, "description": d.description} for d in available_devices()],
        "gpus": gpu_count(chosen),
        **_versions(),
        "bundle": found.manifest.name,
        "size": scan.size,
        "spacing_mm": scan.spacing,
        "passes": estimate.passes,
        "most_passes": found.manifest.passes if samples is None else samples,
        "network_slices": estimate.slices,
        "seconds": round(estimate.seconds, 1),
        "duration": duration,
        "memory_bytes": estimate.memory_bytes,
        "device_memory_bytes": estimate.device_memory_bytes,
        "warnings": memory_warnings(estimate.memory_bytes),
    }
    print(json.dumps(facts, ensure_ascii=False) if as_json else _text(facts))


def _grids(
    *,
    modality: str,
    ct: Path | None,
    series: str | None,
    assume_orientation: str | None,
    slices: int,
    size: tuple[int, int],
    spacing: tuple[float, float, float],
) -> tuple[Geometry, Geometry, CoarseBody | None]:
    """The scan's working grid, that of the part around the body, and there the body, None where no scan is given."""
    from ..ct import read_ct, to_working_grid
    from ..ct.cropping import box_around
    from ..ct.volume import Geometry

    if ct is None:
        if min(*size, slices) < 1 or not all(0.1 <= value <= 20 for value in spacing):
            raise InputError("Sizes are at least 1 voxel and spacings 0.1 to 20 mm; correct --size, --slices or --spacing.")
        grid = Geometry((*size, slices), spacing)
        return grid, grid, None
    working = to_working_grid(read_ct(ct, series, assume_orientation, modality))
    if working.body is None:
        raise InputError("No body was found in the image; choose another scan.")
    geometry = working.volume.geometry
    box = box_around(working.body, geometry)
    return geometry, geometry.cropped(box.start_xyz, box.size_xyz), working.body.cropped(box)


def _versions() -> dict[str, Any]:
    """Of PyTorch and of the CUDA it was built for, None for a build without."""
    from ..inference.devices import torch_versions

    torch_version, cuda = torch_versions()
    return {"torch": torch_version, "cuda": cuda}


def memory_warnings(memory_bytes: int) -> list[str]:
    """A sentence where a run needs more memory than is free."""
    free = free_bytes()
    if free is None or memory_bytes <= free:
        return []
    return [
        f"A run needs about {memory_bytes / 2**30:.1f} GB of memory and {free / 2**30:.1f} GB are free; close other programs "
        "or choose a region of interest."
    ]


def _passes(usual: int, most: int) -> str:
    return f"{most} dropout passes" if usual == most else f"about {usual} dropout passes, {most} at most"


def _text(facts: dict[str, Any]) -> str:
    x, y, z = facts["size"]
    cuda = f"built for CUDA {facts['cuda']}" if facts["cuda"] else "a build without CUDA"
    lines = [
        f"Device    {facts['device']['description']}",
        f"PyTorch   {facts['torch']}, {cuda}",
        f"Bundle    {facts['bundle']}, {_passes(facts['passes'], facts['most_passes'])}",
        f"Scan      {x} x {y} x {z} voxels, the network runs on {facts['network_slices']} slices",
        f"Time      {facts['duration']} ({facts['seconds']:.0f} s)",
        f"Memory    {facts['memory_bytes'] / 2**30:.1f} GB",
    ]
    if facts["device_memory_bytes"] is not None:
        lines.append(f"GPU       {facts['device_memory_bytes'] / 2**30:.1f} GB of its memory")
    return "\n".join([*lines, *(f"Warning: {warning}" for warning in facts["warnings"])])
