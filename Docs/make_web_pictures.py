"""Make the pictures of the browser page in Docs/images: web_*.png.

Run it from the repository's root on the result that picture_result.py makes: ``.venv/bin/python Docs/make_web_pictures.py OUT``. It
works on a copy of that result with the real server and a real Chromium; the run that it shows is cancelled. With ``--all`` and
``-o FOLDER``
every picture is made in light and dark colours, and one for a large screen: to look at, too large to keep.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "Docs" / "images"
LAPTOP = {"width": 1366, "height": 768}
LARGE = {"width": 3840, "height": 2160}
BROWSER = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
# How long surfaces and pictures may take to arrive on a busy computer.
SETTLE_MS = 7000
# The pictures that the documents show.
KEPT = {"start": "light", "running": "light", "results": "light", "overlay": "dark", "density": "dark", "corrected": "dark"}
THEMES = ("light", "dark")
MUSCLE = "GMAX_right"
STROKE = 10


@contextmanager
def server(*arguments: str | Path) -> Iterator[str]:
    """The address of a running review."""
    command = [sys.executable, "-m", "MSKSegmentLib", "review", "--no-browser", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def page(size: dict[str, int], address: str) -> Iterator[Any]:
    """A page of Chromium at an address."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=list(BROWSER))
        opened = browser.new_page(viewport=size)
        opened.set_default_timeout(120_000)
        opened.goto(address)
        yield opened
        browser.close()


def shoot(opened: Any, name: str, options: argparse.Namespace) -> None:
    """Save what is seen, in the colours asked for."""
    for theme in THEMES if options.all else [KEPT[name]]:
        if opened.locator("#msk").get_attribute("data-theme") != theme:
            opened.click("#theme")
        opened.wait_for_timeout(SETTLE_MS)
        path = options.output / f"web_{name}_{theme}.png"
        opened.screenshot(path=path)
        print(path)


def paint(opened: Any) -> None:
    """A stroke of the brush beside the selected muscle in the axial view."""
    box = opened.locator(".view.axial").bounding_box()
    x, y = box["x"] + 0.213 * box["width"], box["y"] + 0.635 * box["height"]
    opened.mouse.move(x, y)
    opened.mouse.down()
    opened.mouse.move(x + 0.08 * box["width"], y + 0.05 * box["height"], steps=STROKE)
    opened.mouse.up()


def start_and_run(options: argparse.Namespace) -> None:
    """The start page, and a run under way."""
    with (
        tempfile.TemporaryDirectory() as results,
        server("-o", Path(results) / "results") as address,
        page(LAPTOP, address) as opened,
    ):
        opened.wait_for_selector("#open-sample")
        shoot(opened, "start", options)
        opened.click("#open-sample")
        opened.wait_for_function("/slice ([2-9]\\d|\\d{3}) of/.test(document.querySelector('#run-message')?.innerText)")
        shoot(opened, "running", options)
        opened.click("#cancel-run")
        opened.wait_for_selector("#notice")


def review(options: argparse.Namespace) -> None:
    """A review: results, overlay, density, correction."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / options.result.name
        shutil.copytree(options.result, copy)
        with server(copy) as address, page(LAPTOP, address) as opened:
            opened.wait_for_selector("#results-table tr[data-key]")
            shoot(opened, "results", options)
            opened.click(f"tr[data-key={MUSCLE}]")
            opened.click("#overlay-toggle")
            shoot(opened, "overlay", options)
            opened.click("#overlay-toggle")
            opened.click("#threed-density")
            opened.click("#layout-threed")
            opened.wait_for_selector(".key-3d span")
            shoot(opened, "density", options)
            opened.click("#layout-axial")
            opened.click("#threed-segment")
            opened.click("#edit-toggle")
            opened.wait_for_timeout(SETTLE_MS)
            paint(opened)
            opened.wait_for_function(f"document.querySelector('tr[data-key={MUSCLE}]').innerText.includes('edited')")
            shoot(opened, "corrected", options)
            opened.click("#edit-toggle")
        if not options.all:
            return
        # A server of its own: a second browser would have to wait until the first one has closed the page.
        with server(copy) as address, page(LARGE, address) as opened:
            opened.wait_for_selector("#results-table tr[data-key]")
            opened.click(f"tr[data-key={MUSCLE}]")
            opened.wait_for_selector(".view-note")
            opened.wait_for_selector(".view-note", state="detached")
            shoot(opened, "large", options)


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, help="a result folder with its CT, such as out/sample_ct")
    parser.add_argument("-o", "--output", type=Path, default=IMAGES)
    parser.add_argument("--all", action="store_true", help="all pictures, in both colours")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    start_and_run(options)
    review(options)


if __name__ == "__main__":
    main()
