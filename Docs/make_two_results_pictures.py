"""Draw the panel while two results of one CT are compared, and its section that learns from corrections, in the test host.

    python Docs/make_two_results_pictures.py OUT RESULT OTHER [REVIEWS]

RESULT is such a result as picture_result.py makes, OTHER one of the same CT, as `mskseg segment CT -o OTHER --preview` makes it.
REVIEWS is a folder of reviewed results; without it there is no picture of learning.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Testing"))

from Host import host  # noqa: E402
from host_views import grid_of_pictures, slice_picture  # noqa: E402
from make_panel_pictures import _save, _scan, _take  # noqa: E402
from PIL import Image  # noqa: E402

WIDTH, HEIGHT = 480, 700
VIEW = (420, HEIGHT)
PATIENCE_S = 600


def draw(out: Path, result: Path, other: Path, reviews: Path | None) -> None:
    """Write ``panel_two_results.png`` and ``panel_learning.png``."""
    import slicer

    from MSKSegmentLib.scene.own_views import TWO_RESULTS

    out.mkdir(parents=True, exist_ok=True)
    host.start(views=True)
    panel = host.loadModule("MSKSegment")
    ui, window = panel.ui, slicer.util.mainWindow()
    ct = _scan()
    panel.inputs.chooseCt(ct)
    _take(panel, ct, result)
    for section in (ui.inputSection, ui.viewsSection, ui.selectedSection):
        section.setCollapsed(True)
    ui.otherSection.setCollapsed(False)
    host.answer(str(other))
    ui.otherFolderButton.click()
    path = out / "panel_two_results.png"
    # The table takes its columns from the width of the panel.
    host.grab(window, path, WIDTH, HEIGHT)
    ui.agreementTable.selectRow(0)
    ui.differencesCheckBox.setChecked(True)
    manager = slicer.app.layoutManager()
    for on in (True, False, True):
        ui.sideBySideCheckBox.setChecked(on)
        for name in TWO_RESULTS.slices:
            # Of one size, as in Slicer, before they are aimed.
            manager.sliceWidget(name).sliceLogic().ResizeSliceNode(*VIEW)
    host.processEvents(0.2)
    host.grab(window, path, WIDTH, HEIGHT)
    views = [slice_picture(manager.sliceWidget(name), VIEW, "Axial") for name in TWO_RESULTS.slices]
    panel_picture = Image.open(path).convert("RGB")
    whole = grid_of_pictures([[views[0], views[1]]])
    joined = Image.new("RGB", (WIDTH + whole.width, HEIGHT))
    joined.paste(panel_picture, (0, 0))
    joined.paste(whole, (WIDTH, 0))
    _save(joined, path)
    if reviews is not None:
        _learning(panel, out, reviews)
    host.close()


def _learning(panel, out: Path, reviews: Path) -> None:  # type: ignore[no-untyped-def]
    ui = panel.ui
    for section in (ui.otherSection, ui.structuresSection, ui.resultsSection):
        section.setCollapsed(True)
    ui.learnSection.setCollapsed(False)
    for button, answer in ((ui.learnReviewsButton, reviews), (ui.learnOutputButton, reviews.with_name("our hospital 2026"))):
        host.answer(str(answer))
        button.click()
    host.answer(str(reviews.with_name("atlas")))
    ui.learnRehearsalButton.click()
    path = out / "panel_learning.png"
    host.grab(ui.learnSection, path, WIDTH)
    ui.learnListButton.click()
    host.processEvents(PATIENCE_S, lambda: not panel.learning.running)
    host.processEvents(0.2)
    _save(Image.open(host.grab(ui.learnSection, path, WIDTH)), path)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    draw(*map(Path, sys.argv[1:4]), Path(sys.argv[4]) if len(sys.argv) == 5 else None)  # type: ignore[misc]
