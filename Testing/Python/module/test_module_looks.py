"""What the panel looks like in Slicer's dark colours and in Japanese: nothing vanishes, nothing is cut off."""

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from comparison_cases import phantom_case, phantom_scan, with_report, write_visit
from Host import host
from module_cases import PANEL_WIDTH, add_phantom, choose, click, open_module, show_case, show_result
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPalette
from PySide6.QtWidgets import QAbstractButton, QScrollArea

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.language.catalogue import languages, speak

# Of Slicer's styles: the colours that they set and that lie below what the panel colours itself.
DARK = {"Window": "#323232", "Base": "#1e1e1e", "Text": "#ffffff", "WindowText": "#ffffff", "Highlight": "#3ca4ff"}
LIGHT_HIGHLIGHT = "#308cc6"
SEEN = 3.0


@pytest.fixture(autouse=True)
def english_again():
    yield
    speak("en")


@pytest.fixture(params=["light", "dark"])
def panel(request):
    with open_module() as panel:
        before = slicer.app.palette()
        if request.param == "dark":
            # Slicer's styles change that of Qt in the same way, and leave the other colours as they are.
            palette = slicer.app.style().standardPalette()
            for role, color in DARK.items():
                palette.setColor(getattr(QPalette, role), QColor(color))
            slicer.app.setPalette(palette)
            host.processEvents(0.1)
        yield panel
        slicer.app.setPalette(before)


@pytest.fixture
def japanese():
    with open_module() as panel:
        panel.ui.languageSelector.setCurrentIndex(1 + languages().index("ja"))
        yield panel


def contrast(one, other):
    """Between two colours, 1 to 21, as the Web Content Accessibility Guidelines define it."""
    bright, dark = sorted(map(_luminance, (one, other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(color):
    channels = (color.redF(), color.greenF(), color.blueF())
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_words_in_an_empty_field_can_be_read(panel):
    panel.ui.searchEdit.ensurePolished()
    palette = panel.ui.searchEdit.palette
    assert palette.color(QPalette.Base) == slicer.app.palette().color(QPalette.Base)
    assert contrast(palette.color(QPalette.PlaceholderText), palette.color(QPalette.Base)) > SEEN


@pytest.mark.parametrize("highlight", [LIGHT_HIGHLIGHT, DARK["Highlight"]])
def test_every_mark_is_seen_in_a_selected_row(japanese, highlight):
    from MSKSegmentPanel.icons import SIZE, markIcons

    for mark, icon in markIcons().items():
        image = QImage(SIZE, SIZE, QImage.Format_RGB32)
        image.fill(QColor(highlight))
        painter = QPainter(image)
        painter.drawPixmap(0, 0, icon.pixmap(QSize(SIZE, SIZE), QIcon.Selected))
        painter.end()
        drawn = {image.pixel(x, y) for x in range(SIZE) for y in range(SIZE)}
        colors = sorted((QColor(pixel) for pixel in drawn), key=_luminance)
        assert contrast(colors[0], colors[-1]) > SEEN, mark


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_the_mark_of_the_uncertainty_lies_on_its_bar(japanese, place):
    """In a dark panel the dark mark is seen because the bar goes on at both sides of it."""
    from MSKSegmentPanel.structurePanel import _BAR_WIDTH, _MARK_COLOR, _bar

    parts = _bar(place)
    assert sum(width for width, _ in parts) == _BAR_WIDTH
    colors = [color for _, color in parts]
    assert colors.count(_MARK_COLOR) == 1 and _MARK_COLOR not in (colors[0], colors[-1])


def test_nothing_of_a_reviewed_case_is_cut_off_in_japanese(japanese, tmp_path):
    ui = japanese.ui
    show_case(japanese)
    choose(japanese, "GMAX_right")
    _open(ui, "inputSection", "advancedSection", "judgeSection", "numbersSection", "viewsSection", "siteSection", "exportSection")
    _open(ui, "learnSection", "otherSection")
    _grab(tmp_path)
    _assert_nothing_is_cut(japanese)
    _assert_all_columns_are_in_sight(ui.resultsTable)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_comparison_with_an_earlier_scan_fits_into_the_panel(language, tmp_path):
    write_visit(tmp_path / "visit 2023", phantom_case(digest="a", date="2023-05-01T10:00:00+00:00"), keep_ct=False)
    later = phantom_case(("GMAX_left",), digest="b", passes=5, date="2024-05-01T10:00:00+00:00")
    later = with_report(later, "GMED_left", light=Light.RED)
    with open_module() as panel:
        ui = panel.ui
        ui.languageSelector.setCurrentIndex(1 + languages().index(language))
        show_result(panel, later, add_phantom(phantom_scan(later.labels, later.geometry), "visit 2024"))
        _open(ui, "earlierSection")
        host.answer(str(tmp_path / "visit 2023"))
        click(ui.earlierButton)
        _grab(tmp_path)
        _assert_nothing_is_cut(panel)
        _assert_all_columns_are_in_sight(ui.changesTable)
        _assert_no_word_is_cut(ui.changesTable)


def test_a_table_fits_again_when_the_panel_got_another_width(japanese, tmp_path):
    show_case(japanese)
    _grab(tmp_path, PANEL_WIDTH // 2)
    table = japanese.ui.resultsTable
    assert table.horizontalHeader().length() > table.viewport().width
    _grab(tmp_path, PANEL_WIDTH)
    assert table.horizontalHeader().length() == table.viewport().width


def _open(ui, *sections):
    for name in sections:
        getattr(ui, name).setCollapsed(False)


def _grab(folder, width=PANEL_WIDTH):
    host.grab(slicer.util.mainWindow(), folder / "window.png", width, 1000)
    # The tables follow the width that they were given.
    host.processEvents(0.1)


def _assert_nothing_is_cut(panel):
    (area,) = (area for area in slicer.util.mainWindow().findChildren(QScrollArea) if area.isAncestorOf(panel.parent))
    assert area.horizontalScrollBar().maximum == 0, f"the panel needs {area.widget().minimumSizeHint().width()} pixels"
    buttons = [one for one in panel.parent.findChildren(QAbstractButton) if one.isVisible() and one.text]
    assert len(buttons) > 10
    assert [one.text for one in buttons if one.sizeHint().width() > one.width] == []


def _assert_all_columns_are_in_sight(table):
    assert table.horizontalHeader().length() <= table.viewport().width


def _assert_no_word_is_cut(table):
    """Words break into lines at spaces alone: one that is wider than its column ends in dots."""
    metrics = table.fontMetrics()
    cells = [table.item(row, column) for row in range(table.rowCount) for column in range(table.columnCount)]
    for cell in cells:
        widest = max((metrics.horizontalAdvance(word) for word in cell.text().split() if word.isascii()), default=0)
        assert widest <= table.columnWidth(cell.column()), cell.text()
