"""Time and memory of measuring a case, and of its components and sides, against per-label masks of the whole volume.

Prints a Markdown table; ``--json FILE`` writes the same figures. Every row runs in a process of its own. The peak of
the memory is read from Linux' accounting; elsewhere it is not printed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from common import machine

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "Python"), str(ROOT / "Testing" / "Python" / "helpers")]

from segmentation_phantom import phantom  # noqa: E402

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.ct.volume import Geometry  # noqa: E402
from MSKSegmentLib.measurement import measure  # noqa: E402
from MSKSegmentLib.segmentation import clean_components, split_sides  # noqa: E402

SLICES = (150, 500)
IN_PLANE = 512
FIELD_OF_VIEW_MM = 400.0
SCAN_MM = 592.0
HEIGHT_M = 1.7
# The plain way is timed on this many labels and multiplied up to all of them.
PLAIN_LABELS = 3


@dataclass(frozen=True)
class Row:
    """One job: seconds on the clock and on the processor, MiB beyond the inputs, and the plain way on the processor."""

    job: str
    slices: int
    labels: int
    seconds: float
    cpu_seconds: float
    extra_mib: float | None
    plain_cpu_seconds: float


def case(slices: int) -> tuple[np.ndarray, np.ndarray, Geometry]:
    """Labels uint8 and CT int16, both ``[z, y, x]``, of the tests' phantom in a soft-tissue body, and their grid."""
    small, grid = phantom()
    spacing = (FIELD_OF_VIEW_MM / IN_PLANE,) * 2 + (SCAN_MM / slices,)
    geometry = Geometry((IN_PLANE, IN_PLANE, slices), spacing, (-FIELD_OF_VIEW_MM / 2, -FIELD_OF_VIEW_MM / 2, 0.0))
    # Nearest neighbour along each axis: the grids are parallel.
    picks, known = [], []
    for axis in range(3):
        steps = geometry.origin[axis] + np.arange(geometry.size[axis]) * spacing[axis]
        index = np.rint((steps - grid.origin[axis]) / grid.spacing[axis]).astype(int)
        known.append((index >= 0) & (index < grid.size[axis]))
        picks.append(np.clip(index, 0, grid.size[axis] - 1))
    labels = np.empty(geometry.shape, np.uint8)
    hu = np.empty(geometry.shape, np.int16)
    random = np.random.default_rng(0)
    noise = random.normal(0, 25, (IN_PLANE, IN_PLANE)).astype(np.int16)
    y, x = np.mgrid[:IN_PLANE, :IN_PLANE] / IN_PLANE - 0.5
    body = (x / 0.47) ** 2 + (y / 0.36) ** 2 < 1
    for k in range(slices):
        plane = small[picks[2][k]][np.ix_(picks[1], picks[0])]
        labels[k] = plane * (known[1][:, None] & known[0][None, :])
        hu[k] = np.where(labels[k] > 0, 55, np.where(body, -100, -1000)) + np.roll(noise, 37 * k)
    return labels, np.maximum(hu, -1024), geometry


def plain_measurement(labels: np.ndarray, hu: np.ndarray, label: int) -> tuple[float, ...]:
    """The usual way: one boolean mask of the whole volume per label, numpy's own statistics."""
    mask = labels == label
    values = hu[mask].astype(float)
    histogram, _ = np.histogram(values, 50, (-200, 300))
    areas = mask.sum(axis=(1, 2))
    shares = np.mean(values < -30), np.mean(values > 30)
    return values.mean(), values.std(), float(np.median(values)), *shares, float(areas.max()), float(histogram[0])


def plain_sides(classes: np.ndarray, index: int) -> np.ndarray:
    """The usual way: label the mask of the whole volume, keep the two largest components, order them along x."""
    from scipy.ndimage import center_of_mass, label

    parts, _ = label(classes == index, np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest = np.argsort(sizes)[::-1][:2]
    centres = center_of_mass(parts > 0, parts, largest)
    return np.where(parts == largest[int(centres[0][2] < centres[1][2])], 100 + index, 0).astype(np.uint8)


def start_peak() -> float | None:
    """Let the peak of the resident memory begin anew; what is held now, in MiB."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return status_mib("VmRSS")


def status_mib(field: str) -> float:
    """A figure of this process from Linux' accounting, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def run(job: str, slices: int) -> Row:
    """Measure one row."""
    labels, hu, geometry = case(slices)
    classes = (labels % 100).astype(np.uint8)
    present = [int(value) for value in np.unique(labels[:: max(1, slices // 50)]) if value]
    before, clock, cpu = start_peak(), time.perf_counter(), time.process_time()
    if job == "measurement":
        found = measure(labels, hu, geometry, HIP_AND_THIGH, HEIGHT_M)
        if sum(m.voxels for m in found.values()) != np.count_nonzero(labels):
            raise RuntimeError("voxels are missing from the measurements")
    else:
        sides = split_sides(clean_components(classes, geometry, HIP_AND_THIGH)[0], geometry, HIP_AND_THIGH)
    seconds, cpu_seconds = time.perf_counter() - clock, time.process_time() - cpu
    extra = None if before is None else status_mib("VmHWM") - before
    cpu = time.process_time()
    if job == "measurement":
        for label in present[:PLAIN_LABELS]:
            plain_measurement(labels, hu, label)
        plain = (time.process_time() - cpu) / PLAIN_LABELS * len(present)
    else:
        # The midline voxels of the phantom's pelvis are as near to either side.
        if np.mean(sides.labels[labels > 0] == labels[labels > 0]) < 0.999:
            raise RuntimeError("sides are wrong")
        structures = [label for label in present if label < 100 and label != 3]
        for index in structures[:PLAIN_LABELS]:
            plain_sides(classes, index)
        plain = (time.process_time() - cpu) / PLAIN_LABELS * len(structures)
    return Row(job, slices, len(present), seconds, cpu_seconds, extra, plain)


def main() -> None:
    """Run every row in its own process and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--row", nargs=2, metavar=("JOB", "SLICES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(asdict(run(arguments.row[0], int(arguments.row[1])))))
        return
    print("| Job | Volume | Labels | Time (s) | CPU (s) | Extra memory (MiB) | Plain masks, CPU (s)* | Ratio of CPU |")
    print("|---|---|---|---|---|---|---|---|")
    facts, rows = machine(), []
    for slices in SLICES:
        for job in ("measurement", "components and sides"):
            command = [sys.executable, __file__, "--row", job, str(slices)]
            row = Row(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            rows.append(asdict(row))
            print(
                f"| {row.job} | {IN_PLANE}x{IN_PLANE}x{slices} | {row.labels} | {row.seconds:.1f} "
                f"| {row.cpu_seconds:.1f} | {'-' if row.extra_mib is None else round(row.extra_mib)} "
                f"| {row.plain_cpu_seconds:.1f} | {row.plain_cpu_seconds / row.cpu_seconds:.1f} |",
                flush=True,
            )
    print(f"\n*Timed on {PLAIN_LABELS} labels in the same run and multiplied up to all; without what it leaves out")
    print("(normalised volume, truncation, splitting of fused structures, one leg).")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": facts, "rows": rows}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
