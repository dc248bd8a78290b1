"""``mskseg devices``: which device a run would use, how long it would take, how much memory it needs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.cancelling import Checkpoint
from ..errors import InputError
from ..memory import free_bytes
from ..packages import require
from .arguments import add_reading

if TYPE_CHECKING:
    from ..ct.volume import Geometry

# A hip-to-knee CT as in the published cohort, where nothing else is said; the body fills part of it.
_USUAL_SIZE, _USUAL_SPACING = (460, 320, 500), (0.8, 0.8, 1.0)


def add_devices(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add the command ``devices``."""
    devices = commands.add_parser("devices", help="the computing device, and what a run would take on it")
    devices.add_argument("--bundle", metavar="NAME|DIR", help="model bundle (default: the one that comes along)")
    devices.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    devices.add_argument("--samples", type=int, metavar="T", help="dropout passes (default: the bundle's)")
    devices.add_argument("--ct", type=Path, metavar="CT", help="estimate for this scan")
    add_reading(devices)
    devices.add_argument("--slices", type=int, default=_USUAL_SIZE[2], metavar="N", help="or for a body of N slices")
    devices.add_argument("--size", type=int, nargs=2, default=_USUAL_SIZE[:2], metavar=("X", "Y"), help="pixels of a slice")
    devices.add_argument("--spacing", type=float, nargs=3, default=_USUAL_SPACING, metavar=("SX", "SY", "SZ"), help="mm")
    devices.add_argument("--json", action="store_true", help="answer by one JSON object")
    devices.set_defaults(run=_devices)


def _devices(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..bundle import resolve_bundle
    from ..inference.devices import available_devices, choose_device, wait_without_spinning
    from ..inference.estimate import estimate_run, in_words
    from ..pipeline import checked_passes

    wait_without_spinning()
    require("torch")
    bundle = resolve_bundle(options.bundle)
    passes = checked_passes(bundle.manifest.passes if options.samples is None else options.samples)
    device = choose_device(options.device)
    scan, body = _grids(options)
    checkpoint()
    estimate = estimate_run(bundle, scan, device, passes, body)
    duration = in_words(estimate.seconds)
    facts = {
        "message": f"{device.description}: {duration}",
        "device": {"name": device.name, "description": device.description},
        "available_devices": [{"name": d.name, "description": d.description} for d in available_devices()],
        **_versions(),
        "bundle": bundle.manifest.name,
        "size": scan.size,
        "spacing_mm": scan.spacing,
        "passes": estimate.passes,
        "network_slices": estimate.slices,
        "seconds": round(estimate.seconds, 1),
        "duration": duration,
        "memory_bytes": estimate.memory_bytes,
        "device_memory_bytes": estimate.device_memory_bytes,
        "warnings": memory_warnings(estimate.memory_bytes),
    }
    print(json.dumps(facts, ensure_ascii=False) if options.json else _text(facts))


def _grids(options: argparse.Namespace) -> tuple[Geometry, Geometry]:
    """The scan's working grid and that of the part around the body."""
    from ..ct import read_ct, to_working_grid
    from ..ct.cropping import body_box
    from ..ct.volume import Geometry

    if options.ct is None:
        size, spacing = (*options.size, options.slices), tuple(options.spacing)
        if min(size) < 1 or not all(0.1 <= value <= 20 for value in spacing):
            raise InputError("Sizes are at least 1 voxel and spacings 0.1 to 20 mm; correct --size, --slices or --spacing.")
        grid = Geometry((size[0], size[1], size[2]), (spacing[0], spacing[1], spacing[2]))
        return grid, grid
    working = to_working_grid(read_ct(options.ct, options.series, options.assume_orientation)).volume
    box = body_box(working)
    if box is None:
        raise InputError("No body was found in the image; choose another scan.")
    return working.geometry, working.geometry.cropped(box.start_xyz, box.size_xyz)


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


def _text(facts: dict[str, Any]) -> str:
    x, y, z = facts["size"]
    cuda = f"built for CUDA {facts['cuda']}" if facts["cuda"] else "a build without CUDA"
    lines = [
        f"Device    {facts['device']['description']}",
        f"PyTorch   {facts['torch']}, {cuda}",
        f"Bundle    {facts['bundle']}, {facts['passes']} dropout passes",
        f"Scan      {x} x {y} x {z} voxels, the network runs on {facts['network_slices']} slices",
        f"Time      {facts['duration']} ({facts['seconds']:.0f} s)",
        f"Memory    {facts['memory_bytes'] / 2**30:.1f} GB",
    ]
    if facts["device_memory_bytes"] is not None:
        lines.append(f"GPU       {facts['device_memory_bytes'] / 2**30:.1f} GB of its memory")
    return "\n".join([*lines, *(f"Warning: {warning}" for warning in facts["warnings"])])
