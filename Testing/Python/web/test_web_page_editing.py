"""Corrections as a person makes them in a real Chromium, and what is left of them after a reload."""

import csv
import signal

import pytest
from web_page import MUSCLE, cell, opened, paint, row, shown_keys, state, wait_for_cell, wait_for_state

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)


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
    page.wait_for_selector("#tool-scissors[aria-pressed=true]")
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


@pytest.mark.slow
def test_what_was_done_is_there_after_a_reload_and_a_kill_that_is_noticed_and_in_the_export(start, visit, case, tmp_path):
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
    page.wait_for_selector("#interrupted[data-ended]")
    assert "open the address that 'mskseg review' prints" in page.locator("#interrupted").inner_text()
    again = start(case, "--port", server.port)
    page.wait_for_timeout(4000)
    assert page.locator("#interrupted[data-ended]").count() == 1, "the old page has no token for the new server"
    page.goto(again.address)
    opened(page)
    assert (cell(page, MUSCLE, "volume_cc"), state(page, MUSCLE)) == (painted, "accepted")
    assert page.locator("#banner").count() == 0
