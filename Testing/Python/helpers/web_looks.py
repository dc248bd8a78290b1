"""The page as it is seen on a laptop and on a large screen, in light and in dark colours."""

import pytest

SIZES = {"laptop": (1366, 768), "4K": (3840, 2160)}
THEMES = ("light", "dark")
# Of the width of the window, each of two pictures beside each other in a dialog.
SHARE_OF_PICTURE = 0.14


def sizes(page):
    """Give the window each size, whose name is yielded, and its own again at the end."""
    before = page.viewport_size
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        yield name
    page.set_viewport_size(before)


def serious_findings(page, part="body"):
    """What axe-core, which checks contrast, labels and keyboard, finds serious or critical in a part of the page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page, context=part).response["violations"]
    return [(one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in ("serious", "critical")]


def findings_in_both_colours(page, part):
    """The same in light and then in dark colours; the page keeps its own."""
    before = page.locator("#msk").get_attribute("data-theme")
    # A colour that is on its way to the other one would be taken for a finding.
    page.emulate_media(reduced_motion="reduce")
    found = []
    for theme in THEMES:
        _set_theme(page, theme)
        found += serious_findings(page, part)
    _set_theme(page, before)
    return found


def _set_theme(page, theme):
    # The button for it lies behind an open dialog.
    page.locator("#msk").evaluate("(whole, theme) => { whole.dataset.theme = theme }", theme)


def assert_dialog_is_whole(page):
    """The open dialog lies inside the window and does not scroll as a whole, and its pictures are large in it; in no theme does
    axe-core find anything serious."""
    dialog, size = page.locator(".dialog"), page.viewport_size
    box = dialog.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"]
    assert box["y"] >= 0 and box["y"] + box["height"] <= size["height"]
    assert dialog.evaluate("it => it.scrollWidth <= it.clientWidth && it.scrollHeight <= it.clientHeight")
    # All of them in one look: pictures may be drawn anew, or go, at any time.
    widths = dialog.locator("figure").evaluate_all("them => them.map(it => it.getBoundingClientRect().width)")
    assert all(width > SHARE_OF_PICTURE * size["width"] for width in widths)
    assert findings_in_both_colours(page, ".dialog") == []
