"""Percentiles among a site's own cohort on the page: of this patient's age and sex, and gone with the patient."""

import pytest
from comparison_cases import phantom_case, write_visit
from web_page import cell, opened

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.site_reference.cohort_table import CohortRow
from MSKSegmentLib.site_reference.curves import write_site_reference
from MSKSegmentLib.site_reference.fitting import make_site_reference
from MSKSegmentLib.web.case.options import choose

pytest.importorskip("trame_slicer")
pytest.importorskip("statsmodels")
pytest_plugins = ("web_fixtures",)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Two results, and a reference in which their left gluteus maximus is about the median of women of 60."""
    folder = tmp_path_factory.mktemp("site")
    for name, digest in (("one", "a"), ("two", "b")):
        write_visit(folder / "results" / name, phantom_case(digest=digest))
    rows = [CohortRow(40 + n % 41, "F", "GMAX", "left", "volume_cc", 380 + (37 * n) % 120) for n in range(200)]
    write_site_reference(folder / "site.json", make_site_reference(rows, "staff of the hospital"))
    return folder


def test_age_and_sex_of_one_patient_do_not_go_with_a_list(place):
    with pytest.raises(InputError, match="those of one patient"):
        choose(place / "results", None, place, age=60.0, sex="F")


def test_percentiles_follow_age_and_sex_and_leave_with_the_patient(start, visit, place):
    page = visit(start(place / "results", "--reference", place / "site.json").address)
    page.locator("button", has_text="one").first.click()
    opened(page)
    column = "td.col-site_volume_cc"
    assert page.locator(column).count() == 0
    page.locator("#site-age").fill("60")
    page.locator("#site-sex").select_option("F")
    page.wait_for_selector(f"tr[data-key='GMAX_left'] {column}")
    assert "n 200" in cell(page, "GMAX_left", "site_volume_cc") and cell(page, "GMAX_right", "site_volume_cc") == ""
    page.locator("tr[data-key='GMAX_left']").click()
    page.wait_for_function("document.querySelector('.reasons').innerText.includes('staff of the hospital')")
    assert not (place / "results" / "one" / "review.npz").exists()
    page.locator("#close-case").click()
    page.locator("button", has_text="two").first.click()
    opened(page)
    assert page.locator("#site-age").input_value() == "" and page.locator(column).count() == 0
