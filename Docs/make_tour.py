"""Make the tour of the README, Docs/images/tour.webp: real screenshots of the page, one after the other, each with a sentence.

.venv/bin/python Docs/make_tour.py OUT      OUT is the result that picture_result.py makes
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from make_web_pictures import IMAGES, LAPTOP, MUSCLE, page, paint, server
from PIL import Image, ImageDraw, ImageFont

WIDTH = 1000
BAR = 46
SECONDS = 3.3
QUALITY = 72
BAR_COLOR, TEXT_COLOR = "#10151b", "#f2f5f8"
FONTS = ("DejaVuSans.ttf", "Arial.ttf")


def frames(result: Path) -> list[Image.Image]:
    """The pictures of a review from opening the result to accepting a structure."""
    found: list[Image.Image] = []
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / result.name
        shutil.copytree(result, copy)
        with server(copy) as address, page(LAPTOP, address) as opened:

            def shoot(text: str, wait_ms: int = 4000) -> None:
                opened.wait_for_timeout(wait_ms)
                found.append(_captioned(opened.screenshot(), text))

            opened.wait_for_selector("#results-table tr[data-key]")
            _walk(opened, shoot)
    return found


def _walk(opened: Any, shoot: Any) -> None:
    shoot("A CT of hip and thigh, segmented: 43 structures and sides, worst first, a light for each number.", 8000)
    opened.click("#next-flagged")
    shoot("Next flagged goes to what needs a look: its most uncertain slice, and why the light is what it is.")
    opened.click("#overlay-toggle")
    shoot("Where the network was unsure: bright where its dropout passes disagree.")
    opened.click("#overlay-toggle")
    opened.click(f"tr[data-key={MUSCLE}]")
    shoot("Every muscle: volume, density, and the shares of fat, composite and lean tissue.")
    opened.click("#show-sides")
    shoot("Right and left beside each other, at one scale.", 2500)
    opened.click("#close-dialog")
    opened.click("#threed-density")
    opened.click("#layout-threed")
    opened.wait_for_selector(".key-3d span")
    shoot("The muscle's density in 3D: fat yellow, composite orange, lean red.", 5000)
    opened.click("#layout-axial")
    opened.click("#threed-segment")
    opened.click("#edit-toggle")
    opened.wait_for_timeout(3000)
    paint(opened)
    opened.wait_for_function(f"document.querySelector('tr[data-key={MUSCLE}]').innerText.includes('edited')")
    shoot("A stroke corrects the outline: numbers follow at once, and the light turns grey.")
    opened.click("#edit-toggle")
    opened.click("#accept")
    shoot("Accepted: who, when and what stays in the result. Research use only.", 2500)


def _captioned(png: bytes, text: str) -> Image.Image:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    whole = Image.new("RGB", (WIDTH, picture.height + BAR), BAR_COLOR)
    whole.paste(picture, (0, 0))
    ImageDraw.Draw(whole).text((16, picture.height + BAR / 2), text, fill=TEXT_COLOR, font=_font(18), anchor="lm")
    return whole


def _font(size: int) -> Any:
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def main() -> None:
    """Make the tour."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    first, *others = frames(Path(sys.argv[1]))
    path = IMAGES / "tour.webp"
    length = round(1000 * SECONDS)
    first.save(path, save_all=True, append_images=others, duration=length, loop=0, quality=QUALITY, method=6)
    print(f"{path}: {path.stat().st_size / 2**20:.2f} MiB, {1 + len(others)} pictures, {SECONDS * (1 + len(others)):.0f} s")


if __name__ == "__main__":
    main()
