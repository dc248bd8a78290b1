"""Time, memory and sizes of DICOM results of a whole scan: 43 segments on 400 slices of 512 x 512 pixels.

    python benchmarks/dicom_export.py [--slices 400] [--in-plane 512]

A phantom of analytic bodies is written as a series to a temporary folder, with a result, and exported in this process. Prints a
Markdown table with the processor's name; times are those of the processor, which other programs beside this one do not lengthen.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "Testing" / "Python"), str(ROOT / "Testing" / "Python" / "helpers")]

import numpy as np  # noqa: E402
from common import machine, machine_line, markdown_table  # noqa: E402
from dicom_result_cases import result_of, write_series  # noqa: E402
from segmentation_phantom import phantom  # noqa: E402

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.case_result import CaseResult  # noqa: E402
from MSKSegmentLib.ct.volume import CTVolume, Geometry  # noqa: E402
from MSKSegmentLib.dicom_results.export import DEFLATED, LARGE, dicom_objects  # noqa: E402
from MSKSegmentLib.dicom_results.source import open_source  # noqa: E402
from MSKSegmentLib.pipeline import measure_case  # noqa: E402

MIB = 1 << 20


def scan(slices: int, in_plane: int) -> tuple[CaseResult, CTVolume]:
    """The phantom on a square field of view of so many pixels, with noise and an uncertainty at its borders."""
    coarse, grid = phantom()
    spacing = (400.0 / in_plane, 400.0 / in_plane, grid.size[2] * grid.spacing[2] / slices)
    origin = (-200.0, -180.0, 0.0)
    fine = Geometry((in_plane, in_plane, slices), spacing, origin)
    places = [np.arange(n) * step + first for n, step, first in zip(fine.size, spacing, origin, strict=True)]
    # A rim of background stands for all that lies beyond the phantom.
    near = [
        (np.rint((place - first) / step).astype(int) + 1).clip(0, n + 1)
        for place, first, step, n in zip(places, grid.origin, grid.spacing, grid.size, strict=True)
    ]
    labels = np.pad(coarse, 1)[np.ix_(*near[::-1])]
    random = np.random.default_rng(1)
    hu = (random.integers(-15, 16, labels.shape, np.int16) + np.where(labels > 0, 55, -90)).astype(np.int16)
    volume = CTVolume(hu, fine)
    result = measure_case(labels, fine, volume, None, None)
    uncertainty = (random.random(labels.shape, np.float32) * 1e-3 * (labels > 0)).astype(np.float32)
    return CaseResult(labels, fine, result.reports, uncertainty, result.findings, result.facts), volume


def peak_mib() -> float:
    """The most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=400)
    parser.add_argument("--in-plane", type=int, default=512)
    asked = parser.parse_args()
    with TemporaryDirectory() as place:
        folder = Path(place)
        result, volume = scan(asked.slices, asked.in_plane)
        series = write_series(folder / "series", volume)
        result, volume = result_of(series, result)
        scanned = sum(path.stat().st_size for path in series.iterdir()) / MIB
        del volume
        before, began = peak_mib(), time.process_time()
        source = open_source(result, series)
        rows: list[tuple[object, ...]] = [("read the series and hold it against the result", time.process_time() - began, None)]
        began = time.process_time()
        objects = dicom_objects(result, (), source)
        rows.append(("make the objects", time.process_time() - began, None))
        for name, data in objects:
            began = time.process_time()
            data.save_as(folder / name, enforce_file_format=True)
            rows.append((f"write {name}", time.process_time() - began, (folder / name).stat().st_size / MIB))
        for name, data in objects:
            if name in LARGE:
                began, data.file_meta.TransferSyntaxUID = time.process_time(), DEFLATED
                data.save_as(folder / f"deflated-{name}", enforce_file_format=True)
                rows.append(
                    (f"the same, deflated: {name}", time.process_time() - began, (folder / f"deflated-{name}").stat().st_size / MIB)
                )
        frames = int(objects[0][1].NumberOfFrames)
        print(f"{machine_line(machine())}\n")
        print(f"{asked.slices} slices of {asked.in_plane} x {asked.in_plane}, a CT of {scanned:.0f} MiB; {frames} frames of")
        print(f"{len(objects[0][1].SegmentSequence)} of {len(HIP_AND_THIGH.segments)} segments. Peak memory {peak_mib():.0f} MiB")
        print(f"({before:.0f} MiB with the scan and the result before the export).\n")
        print(markdown_table(("step", "processor s", "MiB"), rows))


if __name__ == "__main__":
    main()
