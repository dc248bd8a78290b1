"""The panel in another language: chosen by its user, or Slicer's own."""

import re

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from Host import host
from module_cases import choose, open_module, show_case
from PySide6.QtWidgets import QWidget

from MSKSegmentLib.language.catalogue import languages, speak, spoken

# What is called so in Japanese, too, and names of nodes in the scene.
ALLOWED = {
    "Dice", "HU", "CT", "CPU", "NVIDIA", "CUDA", "MSKSegment", "Soufi", "et", "al", "CSV", "DICOM", "Slicer", "English", "mm", "cc",
    "cm", "mg", "hip", "mskseg", "reference", "make", "virtual", "Dixon", "Uncertainty",
}  # fmt: skip


@pytest.fixture(autouse=True)
def english_again():
    yield
    speak("en")


def _texts(panel):
    """All that stands on the panel."""
    widgets = [one for one in panel.parent.findChildren(QWidget) if not one.inherits("QTableWidget")]
    texts = [one.property(name) for one in widgets for name in ("text", "title", "placeholderText", "specialValueText")]
    texts += [one.itemText(place) for one in widgets if one.inherits("QComboBox") for place in range(one.count)]
    table = panel.ui.resultsTable
    for column in range(table.columnCount):
        texts.append(table.horizontalHeaderItem(column).text())
        texts += [table.item(row, column).text() for row in range(table.rowCount)]
    return [re.sub(r"<[^>]*>|&\w+;", " ", text) for text in texts if isinstance(text, str) and text]


def test_the_language_of_the_panel_is_chosen_in_it_and_kept():
    with open_module(mainWindow=True) as panel:
        show_case(panel)
        choose(panel, panel.review._table.shown[0])
        english = _texts(panel)
        panel.ui.languageSelector.setCurrentIndex(1 + languages().index("ja"))
        assert spoken() == "ja" and panel.ui.segmentButton.text == "解析"
        assert panel.review._table.chosen is not None and "大腿骨" in "".join(_texts(panel))
        panel.messages.clear()
        assert [text for text in _texts(panel) if set(re.findall(r"[A-Za-z]{2,}", text)) - ALLOWED] == []
        assert slicer.app.settings().value("MSKSegment/Language") == "ja"
    assert "Segment" in english


def test_without_a_choice_the_panel_speaks_as_slicer_does():
    host.start(mainWindow=True)
    try:
        slicer.app.settings().setValue("Internationalization/Enabled", True)
        slicer.app.settings().setValue("language", "ja_JP")
        panel = host.loadModule("MSKSegment")
        assert panel.ui.acceptButton.text == "承認"
        panel.ui.languageSelector.setCurrentIndex(1 + languages().index("en"))
        assert panel.ui.acceptButton.text == "Accept" and not host.errors()
    finally:
        host.close()
