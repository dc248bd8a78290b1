"""A result of another program on the page: its iliopsoas in one piece is corrected by a stroke, and compared with parts."""

import pytest
from foreign_masks import TABLES, drawn_by, names_of
from given_labels import body
from web_page import cell, opened, paint, row, state, wait_for_cell

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.foreign import import_case, mask_of_array, write_imported
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import CT, write_result
from MSKSegmentLib.results.segmentation_file import write_ct

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)

WHOLE = "ILPS_right"


@pytest.fixture
def theirs(tmp_path):
    """The folder of what TotalSegmentator drew; beside it our own result of that CT."""
    labels, volume = body()
    ours = measure_case(labels, volume.geometry, volume)
    write_result(tmp_path / "ours", ours, extra=lambda partial: write_ct(partial / CT, volume))
    mask = mask_of_array(drawn_by("totalsegmentator", labels), volume.geometry, names_of("totalsegmentator"))
    write_imported(tmp_path / "theirs", import_case(volume, mask, HIP_AND_THIGH, TABLES["totalsegmentator"]), volume=volume)
    return tmp_path / "theirs"


def test_an_iliopsoas_is_corrected_and_compared(start, visit, theirs):
    page = opened(visit(start(theirs, "--other", theirs.with_name("ours")).address))
    row(page, WHOLE).click()
    page.locator("#edit-toggle").click()
    page.wait_for_selector("#tool-paint[aria-pressed=true]")
    before = cell(page, WHOLE, "volume_cc")
    page.locator("#brush-size").fill("20")
    page.wait_for_timeout(500)
    paint(page, across=(0.45, 0.5))
    wait_for_cell(page, WHOLE, "volume_cc", before)
    assert state(page, WHOLE) == "edited"
    page.locator("#show-compare").click()
    page.locator(".compare-other").click()
    whole = page.locator(f"#compare-table tr[data-compare={WHOLE}]")
    whole.wait_for()
    assert 0.5 < float(whole.locator("td").first.inner_text()) < 1
    assert page.locator("#compare-table tr[data-compare=ILI_right]").count() == 0
    absent = page.locator("#compare-table tr[data-not-drawn=AD_left]")
    assert "not drawn by TotalSegmentator" in absent.inner_text()
    assert "Not drawn by TotalSegmentator, and not counted: " in page.locator("#compare-summary").inner_text()
    # The parts of ours are the whole of theirs.
    whole.locator(".compare-slice").first.click()
    page.wait_for_selector("#compare-picture-1 img")
    whole.locator(".compare-take").click()
    page.wait_for_function(f"document.querySelector('tr[data-compare={WHOLE}] td').innerText === '1.000'")
    assert cell(page, WHOLE, "volume_cc") == before
