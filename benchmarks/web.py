"""Waiting times of the review in the browser on a CT of 512 x 512 x 400 voxels, and the memory of its server.

Run it from the repository's root: ``.venv/bin/python benchmarks/web.py``. The case is the sample CT with its true labels, enlarged;
the server is the real one, the browser a real Chromium with a window of 1366 x 768. Times are those that a person waits, from the
click to the new picture or number on the page; of repeated ones the median.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parents[1]
SHAPE = (400, 512, 512)
ROWS = ("GMAX_right", "VLVI_left", "PSOAS_right", "GMED_left", "ST_right", "AD_left")
STROKES = 5
BROWSER = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
# Resolves when the axial view shows another picture than at the call.
NEXT_PICTURE = """() => new Promise(resolve => {
  const image = document.querySelector('.view.axial img'), before = image.src;
  const look = () => image.src !== before && image.complete ? resolve(performance.now()) : requestAnimationFrame(look);
  window.mskWaiting = true; look();
})"""


def enlarged_case(folder: Path) -> None:
    """A result of the full size with its CT in a folder."""
    from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
    from MSKSegmentLib.ct import read_ct, read_labels
    from MSKSegmentLib.ct.volume import CTVolume
    from MSKSegmentLib.pipeline import measure_case
    from MSKSegmentLib.results.result_folder import CT, write_result
    from MSKSegmentLib.results.segmentation_file import write_ct

    samples = ROOT / "MSKSegmentLib" / "Resources" / "SampleCT"
    small = read_ct(samples / "sample_ct.nii.gz")
    labels, _ = read_labels(samples / "sample_labels.nii.gz", HIP_AND_THIGH)
    places = [np.linspace(0, old - 1, new).round().astype(int) for old, new in zip(small.hu.shape, SHAPE, strict=True)]
    spacing = [step * old / new for step, old, new in zip(small.geometry.spacing, small.geometry.size, SHAPE[::-1], strict=True)]
    geometry = replace(small.geometry, size=SHAPE[::-1], spacing=tuple(spacing))
    volume = CTVolume(np.ascontiguousarray(small.hu[np.ix_(*places)]), geometry, height_m=1.7)
    result = measure_case(np.ascontiguousarray(labels[np.ix_(*places)]), geometry, volume)
    noise = np.random.default_rng(0).gamma(2.0, 1e-3, (1, *SHAPE[1:])).astype(np.float32)
    uncertainty = np.where(result.labels > 0, noise, 0).astype(np.float32)
    write_result(folder, replace(result, uncertainty=uncertainty), extra=lambda partial: write_ct(partial / CT, volume))


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, float, psutil.Process]]:
    """Address, seconds until it was printed, and process of a review."""
    command = [sys.executable, "-m", "MSKSegmentLib", "review", "--no-browser", str(folder)]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        address = next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
        yield address, time.perf_counter() - began, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(120)


@contextmanager
def browser() -> Iterator[Any]:
    """A page of Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        started = playwright.chromium.launch(executable_path=path, args=list(BROWSER))
        page = started.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(180_000)
        yield page
        started.close()


def seconds(work: Callable[[], Any]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def first_picture(page: Any, address: str) -> float:
    """From the address to the first slice on the page."""

    def work() -> None:
        page.goto(address)
        page.wait_for_function("document.querySelector('.view.axial img')?.naturalWidth > 300")

    return seconds(work)


def row_jump(page: Any, key: str) -> float:
    """From the click on a row to its worst slice."""
    page.evaluate(f"window.mskPicture = ({NEXT_PICTURE})(); null")
    return seconds(lambda: (page.click(f"tr[data-key={key}]"), page.evaluate("window.mskPicture")))


def stroke(page: Any, number: int) -> float:
    """From the release of the mouse to the row's new volume."""
    box = page.locator(".view.axial").bounding_box()
    x, y = box["x"] + (0.3 + 0.05 * number) * box["width"], box["y"] + (0.45 + 0.03 * number) * box["height"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 12, y + 8, steps=5)
    page.wait_for_timeout(300)
    cell = f"document.querySelector('tr[data-key={ROWS[0]}] td.col-volume_cc').innerText"
    before = page.evaluate(cell)

    def work() -> None:
        page.mouse.up()
        page.wait_for_function(f"old => {cell} !== old", arg=before, polling=20)

    return seconds(work)


def computed_s(process: psutil.Process) -> float:
    """Processor time of a process so far: what a wait comes to on a computer that does nothing else."""
    times = process.cpu_times()
    return times.user + times.system


def report(what: str, values: list[float], unit: str = "s") -> None:
    """One line of the result."""
    spread = f"  ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
    print(f"{what:<42} {statistics.median(values):8.2f} {unit}{spread}", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the case there, or use the one that is there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = options.keep or Path(place) / "case"
        if not folder.exists():
            enlarged_case(folder)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the start")
        with server(folder) as (address, start_s, process), browser() as page:
            report("server start, until the address is printed", [start_s])
            report("first picture of 512 x 512 x 400", [first_picture(page, address)])
            report("  of which the server computes", [computed_s(process)])
            page.wait_for_timeout(6000)
            report("row jump, click to slice", [row_jump(page, key) for key in ROWS if not page.wait_for_timeout(1500)])
            report("server memory with the case open", [process.memory_info().rss / 2**20], "MB")
            page.click(f"tr[data-key={ROWS[0]}]")
            page.click("#edit-toggle")
            page.wait_for_timeout(3000)
            report("stroke, mouse up to new number", [stroke(page, n) for n in range(STROKES) if not page.wait_for_timeout(2500)])
            page.click("#overlay-toggle")
            page.click("#threed-density")
            page.wait_for_timeout(8000)
            report("server memory with overlay and density", [process.memory_info().rss / 2**20], "MB")


if __name__ == "__main__":
    main()
