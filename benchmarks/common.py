"""What several benchmarks share: the machine in words, a scan of any number of slices, tables."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
IN_PLANE = 512
FIELD_OF_VIEW_MM = 500.0
# A scanner's noise in soft tissue: the resampled sample alone would compress far better than a CT does.
NOISE_HU = 15


def machine() -> dict[str, str | float | int]:
    """Processor, cores, memory, versions, date, and the load before the start."""
    import psutil
    import torch

    native = [getattr(torch.cpu, f"_is_{feature}_supported", lambda: False)() for feature in ("avx512_bf16", "amx_tile")]
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "bf16": ", ".join(name for name, has in zip(("AVX-512", "AMX"), native, strict=True) if has) or "none",
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": date.today().isoformat(),
        "load_before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else -1.0,
    }


def machine_line(facts: dict[str, str | float | int]) -> str:
    """The machine as one line."""
    return (
        f"{facts['processor']}, {facts['cores']} cores (bf16: {facts['bf16']}), {facts['threads']} threads used, "
        f"{facts['memory_gib']} GiB; GPU: {facts['gpu']}; torch {facts['torch']}, Python {facts['python']}; {facts['date']}; "
        f"load {facts['load_before']} before the start"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    # Virtual machines often hide the model's name; family and model still tell the generation.
    return f"{facts.get('model name', platform.machine())} (family {facts.get('cpu family')}, model {facts.get('model')})"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table: the first column to the left, the others to the right."""
    lines = [f"| {' | '.join(head)} |", "|---|" + "--:|" * (len(head) - 1)]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return str(value)


def write_scan(path: Path, slices: int, in_plane: int = IN_PLANE) -> None:
    """The sample CT in a scanner's square field of view, with its noise, in so many slices over the same length."""
    import SimpleITK as sitk

    small = sitk.ReadImage(str(ROOT / "MSKSegmentLib" / "Resources" / "SampleCT" / "sample_ct.nii.gz"))
    width, depth, length = (size * step for size, step in zip(small.GetSize(), small.GetSpacing(), strict=True))
    left, front, low = small.GetOrigin()
    grid = sitk.Image((in_plane, in_plane, slices), sitk.sitkInt16)
    grid.SetSpacing((FIELD_OF_VIEW_MM / in_plane,) * 2 + (length / slices,))
    # The middle of the body stays in the middle; what the sample does not show is air.
    grid.SetOrigin((left - (FIELD_OF_VIEW_MM - width) / 2, front - (FIELD_OF_VIEW_MM - depth) / 2, low))
    grid.SetDirection(small.GetDirection())
    hu = sitk.GetArrayFromImage(sitk.Resample(small, grid, sitk.Transform(), sitk.sitkLinear, -1000))
    noise = np.random.default_rng(0).normal(0, NOISE_HU, (2 * in_plane, in_plane)).astype(np.int16)
    for k, plane in enumerate(hu):
        first = 37 * k % in_plane
        np.maximum(plane + noise[first : first + in_plane], -1024, out=plane)
    image = sitk.GetImageFromArray(hu)
    image.CopyInformation(grid)
    sitk.WriteImage(image, str(path), useCompression=True, compressionLevel=1)
