"""The review as a person meets it in a real Chromium: table, pictures, corrections, what is left after a reload."""

import csv
import io
import signal

import numpy as np
import pytest
from matplotlib.image import imread
from web_cases import KEYS

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)

# Two cores may have other work: what a person waits for is measured in benchmarks/web.py.
PICTURE_MS = 15_000
MUSCLE = "VLVI_right"


def row(page, key):
    return page.locator(f"tr[data-key='{key}']")


def cell(page, key, column):
    return row(page, key).locator(f"td.col-{column}").inner_text()


def state(page, key):
    """"automatic", "edited" or "accepted"; the phantom's muscles are truncated as well."""
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


@pytest.fixture
def page(start, visit, case):
    return opened(visit(start(case).address))


def test_the_table_is_worst_first_with_words_for_lights_and_can_be_sorted(page):
    assert shown_keys(page)[:2] == ["FEMUR_right", "FEMUR_left"]
    assert len(shown_keys(page)) == 43
    assert [cell(page, key, "light") for key in KEYS[:3]] == ["failed", "inaccurate", "not rated"]
    assert page.locator(".counts").inner_text().split("\n")[0].startswith("1 failed")
    heading = page.locator("th.col-volume_cc button")
    heading.click()
    page.wait_for_selector("th.col-volume_cc[aria-sort=ascending]")
    volumes = [float(cell(page, key, "volume_cc")) for key in shown_keys(page)[:4]]
    assert volumes == sorted(volumes)
    heading.click()
    page.wait_for_selector("th.col-volume_cc[aria-sort=descending]")
    assert [float(cell(page, key, "volume_cc")) for key in shown_keys(page)[:4]] == sorted(volumes, reverse=True)
    heading.click()
    page.wait_for_selector("th.col-volume_cc[aria-sort=none]")
    assert shown_keys(page)[0] == "FEMUR_right"


def test_the_table_can_be_filtered(page):
    page.locator("#filter-flagged").check()
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 2")
    page.locator("#filter-side").select_option("left")
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 1")
    assert shown_keys(page) == ["FEMUR_left"]
    page.locator("#filter-flagged").uncheck()
    page.locator("#filter-side").select_option("")
    page.locator("#filter-text").fill("vastus lat")
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 2")
    assert set(shown_keys(page)) == {"VLVI_right", "VLVI_left"}
    page.locator("#filter-text").fill("no such muscle")
    page.wait_for_selector("td.none")


def test_the_worst_is_selected_first_and_next_flagged_goes_round(page):
    assert page.locator("tr.selected").get_attribute("data-key") == "FEMUR_right"
    page.locator("#next-flagged").click()
    page.wait_for_selector("tr.selected[data-key=FEMUR_left]")
    page.keyboard.press("n")
    page.wait_for_selector("tr.selected[data-key=FEMUR_right]")


def test_a_row_jumps_to_its_worst_slice_and_shows_its_numbers(page):
    place = page.locator("#place-Red").inner_text()
    axial = picture(page, "axial")
    row(page, MUSCLE).click()
    page.wait_for_selector(f"tr.selected[data-key={MUSCLE}]")
    assert page.locator("#selected-name").inner_text() == "Vastus lateralis and intermedius, right"
    wait_for_other_picture(page, "axial", axial)
    assert page.locator("#histogram .bar").count() == 50
    assert "lean" in page.locator("#histogram").get_attribute("aria-label")
    assert page.locator(".thumbnail img").count() == 3
    assert all(page.locator(".thumbnail img").evaluate_all("images => images.map(image => image.naturalWidth > 100)"))
    page.locator(".thumbnail").nth(1).click()
    page.wait_for_function("old => document.querySelector('#place-Red').innerText !== old", arg=place)
    assert page.locator(".thumbnail.current").count() == 1


def test_slices_can_be_moved_with_the_slider_and_the_wheel(page):
    first = page.locator("#place-Red").inner_text()
    page.locator("#slider-Red").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("old => document.querySelector('#place-Red').innerText !== old", arg=first)
    second = page.locator("#place-Red").inner_text()
    box = page.locator(".view.axial").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -120)
    page.wait_for_function("old => document.querySelector('#place-Red').innerText !== old", arg=second)


def test_windows_overlay_and_3d_show_other_pictures(page):
    row(page, MUSCLE).click()
    page.wait_for_timeout(1500)
    soft, three_d = picture(page, "axial"), picture(page, "threed")
    page.locator("#window-bone").click()
    bone = wait_for_other_picture(page, "axial", soft)
    page.keyboard.press("1")
    page.wait_for_selector("#window-soft[aria-pressed=true]")
    wait_for_other_picture(page, "axial", bone)
    page.keyboard.press("u")
    page.wait_for_selector("#overlay-legend")
    assert float(page.locator("#overlay-legend .high").inner_text()) == pytest.approx(1e-3, rel=0.1)
    overlaid = wait_for_other_picture(page, "axial", soft)
    page.locator("#overlay-opacity").fill("100")
    wait_for_other_picture(page, "axial", overlaid)
    page.locator("#threed-density").click()
    page.wait_for_selector(".key-3d span")
    assert "fat, below -30 HU" in page.locator(".key-3d").inner_text()
    density = wait_for_other_picture(page, "threed", three_d)
    row(page, "FEMUR_right").click()
    page.wait_for_selector(".view-note")
    page.locator("#threed-all").click()
    wait_for_other_picture(page, "threed", density)


def test_a_painted_stroke_changes_the_row_and_can_be_undone_and_redone(page):
    row(page, MUSCLE).click()
    page.locator("#edit-toggle").click()
    page.wait_for_selector("#tool-paint[aria-pressed=true]")
    before = cell(page, MUSCLE, "volume_cc")
    order = shown_keys(page)
    page.locator("#brush-size").fill("30")
    page.wait_for_timeout(500)
    paint(page)
    painted = wait_for_cell(page, MUSCLE, "volume_cc", before)
    assert state(page, MUSCLE) == "edited"
    assert shown_keys(page) == order, "rows stay under the hand"
    page.locator("#undo").click()
    assert wait_for_cell(page, MUSCLE, "volume_cc", painted) == before
    assert state(page, MUSCLE) == "automatic"
    page.keyboard.press("Control+y")
    assert wait_for_cell(page, MUSCLE, "volume_cc", before) == painted


def test_tools_without_a_mouse_and_revert(page):
    row(page, MUSCLE).click()
    page.keyboard.press("e")
    before = cell(page, MUSCLE, "volume_cc")
    page.locator("#tool-threshold").click()
    page.locator("#threshold-low").fill("50")
    page.locator("#threshold-low").press("Tab")
    page.locator("#apply").click()
    thresholded = wait_for_cell(page, MUSCLE, "volume_cc", before)
    assert float(thresholded) < float(before)
    page.locator("#tool-smooth").click()
    page.locator("#apply").click()
    wait_for_cell(page, MUSCLE, "volume_cc", thresholded)
    page.locator("#tool-islands").click()
    page.locator("#revert").click()
    page.wait_for_function(
        f"old => document.querySelector(\"tr[data-key='{MUSCLE}'] td.col-volume_cc\").innerText === old", arg=before
    )
    assert state(page, MUSCLE) == "automatic"


def test_the_scissors_cut_what_is_drawn_around(page):
    row(page, MUSCLE).click()
    page.locator("#edit-toggle").click()
    page.locator("#tool-scissors").click()
    page.locator("#scissors-slice").uncheck()
    before = float(cell(page, MUSCLE, "volume_cc"))
    box = page.locator(".view.axial").bounding_box()
    corners = [(0.02, 0.02), (0.5, 0.02), (0.5, 0.9), (0.02, 0.9), (0.02, 0.05)]
    page.mouse.move(box["x"] + corners[0][0] * box["width"], box["y"] + corners[0][1] * box["height"])
    page.wait_for_timeout(300)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        page.wait_for_timeout(100)
    page.mouse.up()
    after = wait_for_cell(page, MUSCLE, "volume_cc", f"{before:.1f}")
    # The right thigh lies on the left half of the picture.
    assert after == "–" or float(after) < 0.2 * before


def test_what_was_done_is_there_after_a_reload_a_kill_and_in_the_export(start, visit, case, tmp_path):
    server = start(case)
    page = opened(visit(server.address, errors=False))
    row(page, MUSCLE).click()
    page.locator("#edit-toggle").click()
    before = cell(page, MUSCLE, "volume_cc")
    page.locator("#brush-size").fill("30")
    page.wait_for_timeout(500)
    paint(page)
    painted = wait_for_cell(page, MUSCLE, "volume_cc", before)
    page.locator("#accept").click()
    wait_for_state(page, MUSCLE, "accepted")
    page.reload()
    opened(page)
    assert (cell(page, MUSCLE, "volume_cc"), state(page, MUSCLE)) == (painted, "accepted")
    page.keyboard.press("h")
    page.wait_for_selector("#history")
    history = page.locator("#history tbody").inner_text()
    assert f"corrected, {before} to {painted} cc" in history and "accepted" in history
    page.keyboard.press("Escape")
    page.wait_for_selector("#history", state="detached")
    page.locator("#export-menu summary").click()
    with page.expect_download() as download:
        page.locator("#download-csv").click()
    download.value.save_as(tmp_path / "table.csv")
    lines = list(csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8")))
    line = next(line for line in lines if (line["abbreviation"], line["side"]) == ("VLVI", "right"))
    assert (f"{float(line['volume_cc']):.1f}", line["state"]) == (painted, "accepted")
    assert len(lines) == 43
    server.stop(signal.SIGKILL)
    again = opened(visit(start(case).address))
    assert (cell(again, MUSCLE, "volume_cc"), state(again, MUSCLE)) == (painted, "accepted")


def test_the_second_server_shows_the_result_read_only(start, visit, case):
    opened(visit(start(case).address))
    second = opened(visit(start(case).address))
    assert second.locator("#banner").inner_text().startswith("Read-only: ")
    row(second, MUSCLE).click()
    second.wait_for_selector(f"tr.selected[data-key={MUSCLE}]")
    assert second.locator("#edit-toggle").is_disabled() and second.locator("#accept").is_disabled()
    second.keyboard.press("a")
    second.keyboard.press("e")
    second.wait_for_timeout(1000)
    assert second.locator(".edit-tools").count() == 0
    assert state(second, MUSCLE) == "automatic"


def test_the_page_can_be_used_with_the_keyboard_alone(page):
    page.locator("#filter-text").focus()
    page.keyboard.type("vastus")
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 4")
    page.keyboard.press("n")
    assert page.locator("#filter-text").input_value() == "vastusn", "letters are text where text is typed"
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.wait_for_function("document.querySelectorAll('tr[data-key]').length === 43")
    page.locator("tr.selected").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("tr.selected[data-key=FEMUR_left]:focus")
    page.keyboard.press("a")
    wait_for_state(page, "FEMUR_left", "accepted")
    page.keyboard.press("?")
    page.wait_for_selector(".keys kbd")
    page.keyboard.press("Escape")
    page.wait_for_selector(".keys", state="detached")


@pytest.mark.parametrize("size", [(1366, 768), (3840, 2160)], ids=["laptop", "4K"])
def test_everything_is_in_sight_in_both_colours(start, visit, case, size):
    page = opened(visit(start(case).address, viewport={"width": size[0], "height": size[1]}))
    for theme, brightness in (("light", (200, 256)), ("dark", (0, 70))):
        if page.locator("#msk").get_attribute("data-theme") != theme:
            page.locator("#theme").click()
            page.wait_for_selector(f"#msk[data-theme={theme}]")
        color = page.locator(".table-panel").evaluate("panel => getComputedStyle(panel).backgroundColor")
        channels = [int(part) for part in color.removeprefix("rgb(").rstrip(")").split(",")]
        assert all(brightness[0] <= channel < brightness[1] for channel in channels)
        assert page.locator(".research").is_visible()
        assert "Not a medical device" in page.locator(".research").inner_text()
        for part in ("#next-flagged", "#edit-toggle", "#accept", "#histogram", ".thumbnail", ".view.sagittal", "#close-case"):
            box = page.locator(part).first.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= size[0] + 1, part
            assert box["y"] >= 0 and box["y"] + box["height"] <= size[1] + 1, part
    assert page.evaluate("document.documentElement.scrollHeight") <= size[1], "the page itself never scrolls"
