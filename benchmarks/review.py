"""Time of what a reviewer waits for on a large scan: open, choose a row, correct a muscle, save, all on one core.

Prints a Markdown table; ``--json FILE`` writes the same figures. The scan is the tests' phantom in a soft-tissue body.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "Testing" / "Python"), str(ROOT / "Testing" / "Python" / "helpers")]

from common import machine  # noqa: E402
from measurement import HEIGHT_M, IN_PLANE, case, start_peak, status_mib  # noqa: E402
from review_cases import PASSES, calibration  # noqa: E402

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.case_result import CaseResult, Scores  # noqa: E402
from MSKSegmentLib.ct.boxes import Box  # noqa: E402
from MSKSegmentLib.ct.volume import CTVolume  # noqa: E402
from MSKSegmentLib.measurement import measure  # noqa: E402
from MSKSegmentLib.quality.reports import make_reports  # noqa: E402
from MSKSegmentLib.quality.scores import structure_uncertainty  # noqa: E402
from MSKSegmentLib.results.result_folder import write_result  # noqa: E402
from MSKSegmentLib.review import ReviewSession, SegmentMask, worst_first  # noqa: E402
from MSKSegmentLib.review.folder import finish_review, open_folder, save  # noqa: E402
from MSKSegmentLib.run_facts import RunFacts  # noqa: E402

SLICES = 400
STROKES = 5
BRUSH = 24
MUSCLES = ("GMAX_right", "VLVI_left", "PI_right")


def rated_case() -> tuple[CaseResult, CTVolume]:
    """A result with uncertainty, smooth and zero outside the labels as a network's is."""
    labels, hu, geometry = case(SLICES)
    wave = 1e-4 * (2 + np.sin(np.arange(labels.shape[2]) / 20)).astype(np.float32)
    uncertainty = np.empty(labels.shape, np.float32)
    for k, plane in enumerate(labels):
        uncertainty[k] = np.where(plane > 0, wave * (1 + 0.5 * np.sin(k / 30)), 0)
    evidence = {label: Scores(mean_variance=mean) for label, mean in structure_uncertainty(labels, uncertainty).items()}
    reports = make_reports(HIP_AND_THIGH, measure(labels, hu, geometry, HIP_AND_THIGH, HEIGHT_M), evidence, calibration(), PASSES)
    facts = RunFacts(height_m=HEIGHT_M, input_digest="benchmark")
    return CaseResult(labels, geometry, reports, uncertainty, (), facts), CTVolume(hu, geometry)


def stroke(session: ReviewSession, key: str, number: int) -> SegmentMask:
    """The segment with a ball painted on its border, in a box around both, which neighbours may lose voxels to."""
    old = session.mask(key)
    assert old is not None
    z, y, x = np.argwhere(old.mask)[number * 997 % np.count_nonzero(old.mask)]
    grown = np.pad(old.mask, BRUSH)
    near = np.ogrid[tuple(slice(-BRUSH, BRUSH + 1) for _ in range(3))]
    ball = sum(axis**2 for axis in near) <= BRUSH**2
    grown[z : z + 2 * BRUSH + 1, y : y + 2 * BRUSH + 1, x : x + 2 * BRUSH + 1] |= ball
    low = np.asarray(old.box.start_xyz) - BRUSH
    cut = np.maximum(0, -low)
    stop = np.minimum(low + grown.shape[::-1], session.geometry.size) - low
    part = grown[cut[2] : stop[2], cut[1] : stop[1], cut[0] : stop[0]]
    first = low + cut
    return SegmentMask(Box((int(first[0]), int(first[1]), int(first[2])), part.shape[::-1]), part)


class Table:
    """Timed lines, printed as they come."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        print(f"| On {IN_PLANE}x{IN_PLANE}x{SLICES} | Time (s) |\n|---|---|")

    def row(self, name: str, seconds: float) -> None:
        """One line."""
        self.seconds[name] = seconds
        print(f"| {name} | {seconds:.3f} |", flush=True)

    def timed(self, name: str, job: Callable[[], object]) -> object:
        """One line from one call."""
        clock = time.perf_counter()
        result = job()
        self.row(name, time.perf_counter() - clock)
        return result


def edit_times(session: ReviewSession, key: str, folder: Path) -> tuple[list[float], list[float], int]:
    """Seconds of each stroke and of the save after it, and the most rows that a stroke changed."""
    edits, saves, most = [], [], 0
    for number in range(STROKES):
        mask = stroke(session, key, number)
        clock = time.perf_counter()
        most = max(most, len(session.edit({key: mask})))
        edits.append(time.perf_counter() - clock)
        clock = time.perf_counter()
        save(session, folder)
        saves.append(time.perf_counter() - clock)
    return edits, saves, most


def run(folder: Path) -> dict[str, float]:
    """Measure everything; returns the seconds by name."""
    result, volume = rated_case()
    table = Table()
    held = start_peak()
    session = ReviewSession(result, volume, "benchmark")
    table.timed("begin a review of a result in memory", lambda: ReviewSession(result, volume))
    table.timed("43 rows", session.rows)
    table.timed("43 rows, worst first", lambda: worst_first(session.rows()))
    for key in MUSCLES:
        table.timed(f"worst slices of {key} (first time)", lambda key=key: session.worst_slices(key))
    table.timed("histogram", lambda: session.histogram("GMAX_right"))
    table.timed("next flagged", session.next_flagged)
    write_result(folder, result)
    for key in MUSCLES:
        edits, saves, most = edit_times(session, key, folder)
        table.row(f"first stroke on {key}", edits[0])
        table.row(f"stroke on {key}, median of the next {STROKES - 1} (up to {most} rows change)", median(edits[1:]))
        table.row("save after a stroke, median", median(saves))
    table.timed("revert GMAX_right", lambda: session.revert("GMAX_right"))
    table.timed("height", lambda: session.set_height(1.8))
    table.timed("finish (corrected segmentation for other programs)", lambda: finish_review(session, folder))
    peak = None if held is None else status_mib("VmHWM") - held
    again = table.timed("open the folder", lambda: open_folder(folder, volume))
    if not isinstance(again, ReviewSession) or again.result.reports != session.result.reports:
        raise RuntimeError("the review was not opened as it was left")
    if peak is not None:
        print(f"\nPeak memory beyond the result and its CT, before the folder was opened again: {peak:.0f} MiB")
    return table.seconds


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    facts = machine()
    with tempfile.TemporaryDirectory() as place:
        seconds = run(Path(place) / "out")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": facts, "seconds": seconds}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
