"""Percentiles among a site's own cohort in the panel."""

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")
pytest.importorskip("statsmodels")

import slicer
from comparison_cases import phantom_case, phantom_scan
from Host import host
from module_cases import add_phantom, cell, choose, click, show_result

from MSKSegmentLib.review.columns import ALL_COLUMNS
from MSKSegmentLib.site_reference.cohort_table import CohortRow
from MSKSegmentLib.site_reference.curves import write_site_reference
from MSKSegmentLib.site_reference.fitting import make_site_reference

pytest_plugins = ("module_fixtures",)

COLUMN = "site_volume_cc"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A reference in which the phantom's left gluteus maximus is about the median of women of 60."""
    rows = [CohortRow(40 + n % 41, "F", "GMAX", "left", "volume_cc", 380 + (37 * n) % 120) for n in range(200)]
    path = tmp_path_factory.mktemp("site") / "site.json"
    write_site_reference(path, make_site_reference(rows, "staff of the hospital"))
    return path


def show(panel, digest):
    case = phantom_case(digest=digest)
    return show_result(panel, case, add_phantom(phantom_scan(case.labels, case.geometry), f"CT {digest}"))


def hidden(panel):
    return panel.ui.resultsTable.isColumnHidden([column.name for column in ALL_COLUMNS].index(COLUMN))


def test_percentiles_follow_file_age_and_sex_and_leave_with_the_patient(panel, site, tmp_path):
    ui = panel.ui
    show(panel, "a")
    assert hidden(panel) and not ui.ageSpinBox.enabled
    (tmp_path / "other.json").write_text("{}")
    host.answer(str(tmp_path / "other.json"))
    ui.siteSection.setCollapsed(False)
    click(ui.siteButton)
    assert "no reference file" in ui.messageLabel.text and hidden(panel)
    host.answer(str(site))
    click(ui.siteButton)
    ui.ageSpinBox.setValue(60)
    assert hidden(panel) and "Enter age" in ui.siteLabel.text
    ui.sexSelector.setCurrentIndex(1)
    assert not hidden(panel) and "n 200" in cell(panel, "GMAX_left", COLUMN) and cell(panel, "GMAX_right", COLUMN) == "–"
    assert "staff of the hospital" in ui.siteLabel.text and "no norm" in ui.siteLabel.text
    choose(panel, "GMAX_left")
    assert "n 200" in ui.valuesLabel.text
    # The file is kept for the next patient, age and sex are not.
    show(panel, "b")
    assert hidden(panel) and ui.ageSpinBox.value == ui.ageSpinBox.minimum and ui.sexSelector.currentIndex == 0
    assert ui.ageSpinBox.enabled and slicer.util.settingsValue("MSKSegment/SiteReference", "") == str(site)
