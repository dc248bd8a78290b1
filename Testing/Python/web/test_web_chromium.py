"""Serving as a person meets it: the real command, the real page, a real Chromium."""

import csv

import pytest
from conftest import phantom_volume
from web_cases import make_case
from web_process import REAL, Server

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)

REMEMBER_SOCKET = """
const Plain = WebSocket;
window.WebSocket = class extends Plain { constructor(...all) { super(...all); window.opened = this; } };
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A review of one result, which one person after the other opens."""
    folder = tmp_path_factory.mktemp("review")
    case = make_case(folder / "case", phantom_volume(), ("red", "yellow"))
    started = Server(case, "--author", "Dr. A", program=REAL, cwd=folder)
    started.case = case
    yield started
    started.close()


def row(page, key):
    return page.locator(f"tr[data-key='{key}']")


def test_a_wrong_token_shows_a_sentence_and_nothing_else(server, visit):
    page = visit(server.address[:-4] + "AAAA")
    assert page.locator("body").inner_text().startswith("This page needs its token: open the whole address")
    assert page.locator("#results-table").count() == 0 and "case" not in page.content()
    page.goto(f"http://127.0.0.1:{server.port}/index.html")
    assert "This page needs its token" in page.content()


def test_the_token_does_not_stay_in_the_address(server, visit):
    page = visit(server.address)
    page.wait_for_selector("tr[data-key='FEMUR_right']")
    assert server.token not in page.url
    assert server.token not in page.evaluate("document.cookie"), "scripts cannot read the cookie"
    page.reload()
    page.wait_for_selector("tr[data-key='FEMUR_right']")


@pytest.mark.slow
def test_wrong_and_too_large_files_are_refused_in_words_and_a_right_one_is_segmented(
    start, visit, tmp_path, phantom_file, tiny_bundle
):
    server = start("--bundle", tiny_bundle, "--max-upload-mb", "1")
    page = visit(server.address)
    chooser = page.locator("#upload-file")
    chooser.set_input_files({"name": "<img src=x onerror=alert(1)>.nii", "mimeType": "image/nii", "buffer": b"no CT" * 5000})
    page.wait_for_selector("#problem")
    text = page.locator("#problem").inner_text()
    assert "The file <img src=x onerror=alert(1)>.nii is no scan that can be read; upload NIfTI" in text
    assert page.locator("#problem img").count() == 0
    big = tmp_path / "big.nrrd"
    big.write_bytes(b"NRRD0004\n" + bytes(3 << 20))
    chooser.set_input_files(str(big))
    page.wait_for_function("document.querySelector('#problem')?.innerText.includes('larger than 1 MB')")
    assert not list(tmp_path.rglob("received"))
    chooser.set_input_files(str(phantom_file))
    page.wait_for_selector("#results-table")
    assert page.locator("#problem").count() == 0
    assert (tmp_path / "mskseg-results" / "phantom" / "ct.nrrd").is_file()


def test_a_run_shows_its_progress_and_can_be_cancelled(start, visit, tmp_path, phantom_file, tiny_bundle):
    # So many passes take a while even with a tiny network.
    server = start(phantom_file, "--bundle", tiny_bundle, "--samples", 300)
    page = visit(server.address)
    page.wait_for_function("/slice \\d+ of \\d+/.test(document.querySelector('#run-message')?.innerText)")
    first = page.locator("#run-message").inner_text()
    page.wait_for_function("old => document.querySelector('#run-message').innerText !== old", arg=first)
    page.locator("#cancel-run").click()
    page.wait_for_selector("#notice")
    assert "The run was cancelled; nothing was written." in page.locator("#notice").inner_text()
    assert page.locator("#upload-file").count() == 1
    assert not (tmp_path / "mskseg-results").exists() or not list((tmp_path / "mskseg-results").iterdir())


@pytest.mark.slow
def test_an_interrupted_connection_comes_back_by_itself(server, visit):
    """As after a laptop has slept."""
    page = visit(server.address, errors=False, script=REMEMBER_SOCKET)
    row(page, "FEMUR_right").wait_for()
    page.evaluate("window.opened.close()")
    page.wait_for_selector("#interrupted")
    # The old table is there until the page has come back.
    page.wait_for_selector("#interrupted", state="detached")
    row(page, "FEMUR_right").wait_for()
    assert page.locator("#banner").count() == 0
    row(page, "FEMUR_right").click()
    page.keyboard.press("a")
    page.wait_for_function("document.querySelector(\"tr[data-key='FEMUR_right']\").innerText.includes('accepted')")


@pytest.mark.slow
def test_a_second_person_reads_and_cannot_change(server, start, visit):
    first = visit(server.address)
    row(first, "FEMUR_left").wait_for()
    # The seat of the test before is free once the server has noticed that its page is gone.
    first.wait_for_function("!document.querySelector('#banner')")
    second = visit(server.address)
    row(second, "FEMUR_left").wait_for()
    assert "Read-only: another browser has this page open" in second.locator("#banner").inner_text()
    assert first.locator("#banner").count() == 0
    third = visit(start(server.case).address)
    row(third, "FEMUR_left").wait_for()
    assert "Read-only: Dr. A has had this result open on this computer since" in third.locator("#banner").inner_text()
    # What is selected belongs to the server: the third person's has its own.
    row(third, "FEMUR_left").click()
    third.wait_for_selector("tr.selected[data-key='FEMUR_left']")
    assert third.locator("#edit-toggle").is_disabled() and third.locator("#accept").is_disabled()
    row(second, "FEMUR_left").click()
    for reader in (second, third):
        for key in "ae":
            reader.keyboard.press(key)
    third.wait_for_timeout(1500)
    for page in (first, second, third):
        assert "accepted" not in row(page, "FEMUR_left").inner_text() and page.locator(".edit-tools").count() == 0
    row(first, "FEMUR_left").click()
    first.keyboard.press("a")
    second.wait_for_function("document.querySelector(\"tr[data-key='FEMUR_left']\").innerText.includes('accepted')")
    first.context.close()
    second.wait_for_function("!document.querySelector('#banner')")


def test_files_are_downloaded_from_the_page(server, visit, tmp_path):
    page = visit(server.address)
    row(page, "VLVI_left").wait_for()
    got = {}
    for name in ("csv", "seg", "zip"):
        page.locator("#export-menu").evaluate("menu => { menu.open = true; }")
        with page.expect_download() as waiting:
            page.locator(f"#download-{name}").click()
        got[name] = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(got[name])
    page.locator("#export-menu").evaluate("menu => { menu.open = true; }")
    assert page.locator("#export-menu button").all_inner_texts() == ["Report (PDF)", "Report (HTML)", "DICOM results (zip)"]
    with page.expect_download() as waiting:
        page.locator("#make-report-html").click()
    assert waiting.value.suggested_filename == "case_report.html"
    page.locator("#export-menu").evaluate("menu => { menu.open = true; }")
    page.locator("#make-dicom-zip").click()
    page.locator("#problem", has_text="run the segmentation again on the DICOM folder").wait_for()
    assert [got[name].name for name in ("csv", "seg", "zip")] == [
        "case_measurements.csv", "case_segmentation.seg.nrrd", "case.zip",
    ]  # fmt: skip
    with got["csv"].open(encoding="utf-8", newline="") as file:
        rows = {(line["abbreviation"], line["side"]): line for line in csv.DictReader(file)}
    volume = float(rows["VLVI", "left"]["volume_cc"])
    assert f"{volume:.1f}" in row(page, "VLVI_left").inner_text().split()
