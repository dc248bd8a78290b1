"""What a person sees and does on the review page, in the words of the tests."""

import io

import numpy as np
from matplotlib.image import imread

# Two cores may have other work: what a person waits for is measured in benchmarks/web.py.
PICTURE_MS = 60_000
MUSCLE = "VLVI_right"


def row(page, key):
    return page.locator(f"tr[data-key='{key}']")


def cell(page, key, column):
    return row(page, key).locator(f"td.col-{column}").inner_text()


def state(page, key):
    """ "automatic", "edited" or "accepted"; the phantom's muscles are truncated as well."""
    return cell(page, key, "state").split(",")[0]


def wait_for_state(page, key, wanted):
    page.wait_for_function(
        "([key, wanted]) => document.querySelector(`tr[data-key='${key}'] td.col-state`).innerText.startsWith(wanted)",
        arg=[key, wanted],
    )


def shown_keys(page):
    return page.locator("#results-table tbody tr[data-key]").evaluate_all("rows => rows.map(row => row.dataset.key)")


def opened(page):
    """The page when the result and its pictures are there."""
    page.wait_for_selector("#results-table tr[data-key]")
    page.wait_for_function("document.querySelectorAll('.view img').length === 4", timeout=PICTURE_MS)
    return page


def picture(page, view):
    """What a view shows, float ``[y, x, 3]``."""
    return imread(io.BytesIO(page.locator(f".view.{view} img").screenshot()))[..., :3]


def wait_for_other_picture(page, view, before):
    """Wait until a view shows something else than before, and return it."""
    for _ in range(PICTURE_MS // 250):
        now = picture(page, view)
        if now.shape != before.shape or np.abs(now - before).mean() > 2e-3:
            return now
        page.wait_for_timeout(250)
    raise AssertionError(f"the {view} view has not changed")


def settled_picture(page, view):
    """What a view shows once nothing changes there for two seconds."""
    before, quiet = picture(page, view), 0
    for _ in range(4 * PICTURE_MS // 250):
        page.wait_for_timeout(250)
        now = picture(page, view)
        quiet = quiet + 1 if np.array_equal(now, before) else 0
        if quiet == 8:
            return now
        before = now
    raise AssertionError(f"the {view} view does not come to rest")


def paint(page, across=(0.25, 0.32), up=(0.5, 0.5)):
    """A stroke in the axial view, in shares of its width and height."""
    box = page.locator(".view.axial").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in zip(across, up, strict=True)]
    page.mouse.move(*at[0])
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.move(*at[1], steps=6)
    page.mouse.up()


def wait_for_cell(page, key, column, other_than):
    page.wait_for_function(
        "([key, column, old]) => document.querySelector(`tr[data-key='${key}'] td.col-${column}`).innerText !== old",
        arg=[key, column, other_than],
    )
    return cell(page, key, column)
