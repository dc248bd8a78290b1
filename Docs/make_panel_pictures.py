"""Draw the module's panel in the states that the tutorial shows, by using it in the test host as a user would.

    python Docs/make_panel_pictures.py OUT [RESULT]

Beside the panel of a selected structure stand a slice and the 3D view. The host draws no views: they are rendered offscreen
from the same scene with Slicer's own displayable managers, and put beside the panel.

RESULT is a folder for the result, such as picture_result.py makes it: a later call takes it from there instead of segmenting again,
which takes minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Testing"))

from Host import host  # noqa: E402
from host_views import grid_of_pictures, slice_picture, three_d_picture  # noqa: E402
from picture_result import HEIGHT_CM, NAME, noisy_sample  # noqa: E402
from PIL import Image  # noqa: E402

WIDTH, HEIGHT = 500, 1000
SHORT = 420
# Muscles of the thigh, whose slices show no contrast medium in the bladder.
SELECTED, COMPARED = "SART_left", "BF_right"
VIEW = (560, HEIGHT // 2)
COLORS = 256
PATIENCE_S = 1800


def draw(out: Path, result_folder: Path | None) -> None:
    """Write ``panel_<state>.png`` for each state, and ``views_<button>.png``."""
    out.mkdir(parents=True, exist_ok=True)
    host.start(views=True)
    panel = host.loadModule("MSKSegment")
    ct = _scan()
    panel.inputs.chooseCt(ct)
    panel.ui.heightSpinBox.setValue(HEIGHT_CM)
    host.processEvents(60, lambda: "CPU" in panel.ui.deviceLabel.text or "NVIDIA" in panel.ui.deviceLabel.text)
    _picture(out, "before", SHORT)
    _running(panel, out)
    _error(panel, out)
    if result_folder is None or not result_folder.exists():
        panel.ui.segmentButton.click()
        host.processEvents(PATIENCE_S, lambda: not panel.run.running)
    else:
        _take(panel, ct, result_folder)
    if result_folder is not None and not result_folder.exists():
        panel.logic.exportFolder(panel.review.case, result_folder)
    panel.messages.clear()
    host.processEvents(60, lambda: "CPU" in panel.ui.deviceLabel.text or "NVIDIA" in panel.ui.deviceLabel.text)
    header = panel.ui.resultsTable.horizontalHeader()
    # By name, which mixes the lights; then worst first again, as it opens.
    header.sectionClicked.emit(1)
    _picture(out, "results", HEIGHT)
    header.sectionClicked.emit(0)
    panel.ui.viewsSection.setCollapsed(False)
    panel.ui.exportSection.setCollapsed(False)
    panel.review.choose(SELECTED)
    _with_views(panel, out, _picture(out, "selected", HEIGHT))
    panel.ui.viewsSection.setCollapsed(True)
    panel.ui.exportSection.setCollapsed(True)
    panel.ui.numbersSection.setCollapsed(False)
    _layouts(panel, out)
    panel.review.choose(SELECTED)
    _edit(panel, out)
    host.close()


def _layouts(panel, out: Path) -> None:  # type: ignore[no-untyped-def]
    """The views of the buttons *Right and left* and *Radiographs*."""
    import slicer

    from MSKSegmentLib.scene.own_views import LEFT, LEFT_3D, RADIOGRAPHS, RIGHT, RIGHT_3D

    manager, half = slicer.app.layoutManager(), (VIEW[0], VIEW[1] * 3 // 4)
    panel.review.choose(COMPARED)
    panel.ui.sidesButton.setChecked(True)
    slices = [slice_picture(manager.sliceWidget(view.name), half, view.orientation) for view in (RIGHT, LEFT)]
    solids = [three_d_picture(manager.threeDWidget(view.name), half) for view in (RIGHT_3D, LEFT_3D)]
    _save(grid_of_pictures([slices, solids]), out / "views_sides.png")
    panel.ui.sidesButton.setChecked(False)
    # The views have their size before anything is fitted into them, as in Slicer.
    panel.ui.radiographsButton.setChecked(True)
    panel.ui.radiographsButton.setChecked(False)
    for view in RADIOGRAPHS.rows[0]:
        manager.sliceWidget(view.name).sliceLogic().ResizeSliceNode(*VIEW)
    panel.ui.radiographsButton.setChecked(True)
    pictures = [slice_picture(manager.sliceWidget(view.name), VIEW, view.orientation) for view in RADIOGRAPHS.rows[0]]
    _save(grid_of_pictures([pictures]), out / "views_radiographs.png")
    panel.ui.radiographsButton.setChecked(False)


def _running(panel, out: Path) -> None:  # type: ignore[no-untyped-def]
    panel.ui.segmentButton.click()
    host.processEvents(PATIENCE_S, lambda: panel.ui.progressBar.value > 200)
    _picture(out, "running", SHORT)
    panel.ui.cancelButton.click()
    panel.messages.clear()


def _error(panel, out: Path) -> None:  # type: ignore[no-untyped-def]
    panel.ui.deviceSelector.setCurrentIndex(2)
    panel.ui.segmentButton.click()
    host.processEvents(PATIENCE_S, lambda: not panel.run.running)
    # The answer about the device comes after the run has failed.
    host.processEvents(60, lambda: "CUDA" in panel.ui.deviceLabel.text)
    panel.ui.detailsButton.setChecked(True)
    # Without the lines on this computer.
    _picture(out, "error", SHORT - 20)
    panel.ui.deviceSelector.setCurrentIndex(0)


def _edit(panel, out: Path) -> None:  # type: ignore[no-untyped-def]
    """Cut the chosen structure as an annotator might, then accept another one."""
    import numpy as np

    from MSKSegmentLib.ct.boxes import Box
    from MSKSegmentLib.review import SegmentMask
    from MSKSegmentLib.scene import put_mask

    case, key = panel.review.case, panel.review._table.chosen
    mask = case.session.mask(key)
    kept = mask.mask.copy()
    kept[: kept.shape[0] // 6] = False
    assert isinstance(mask.box, Box) and np.count_nonzero(kept)
    put_mask(case.nodes.segmentation, key, SegmentMask(mask.box, kept))
    host.processEvents(5, lambda: case.session.report(key).dice_to_automatic is not None)
    _picture(out, "edited", HEIGHT)


def _take(panel, ct, folder: Path) -> None:  # type: ignore[no-untyped-def]
    """Show a finished result as if it had been made here."""
    import slicer

    from MSKSegmentLib.results.result_reading import read_result
    from MSKSegmentLib.review import ReviewSession
    from MSKSegmentLib.scene import add_case, volume_of_node

    result, _ = read_result(folder)
    nodes = add_case(slicer.mrmlScene, result, ct)
    panel._showCase(panel.logic._keep(nodes, ReviewSession(result, volume_of_node(ct), "A. Reviewer")))


def _scan():  # type: ignore[no-untyped-def]
    import slicer

    from MSKSegmentLib.scene import add_ct

    return add_ct(slicer.mrmlScene, noisy_sample(), NAME)


def _picture(out: Path, state: str, height: int) -> Path:
    import slicer

    path = out / f"panel_{state}.png"
    _save(Image.open(host.grab(slicer.util.mainWindow(), path, WIDTH, height)), path)
    return path


def _with_views(panel, out: Path, picture: Path) -> None:  # type: ignore[no-untyped-def]
    """The picture of the panel with the slice and the surface that Slicer's views would show."""
    import slicer

    from MSKSegmentLib.scene import SliceView, ThreeDView, bounds_ras, render_3d_png, render_slice_png, show_only_3d

    case, key = panel.review.case, panel.review._table.chosen
    logic, nodes = slicer.app.applicationLogic(), case.nodes
    level = case.session.worst_slices(key)[0].point_lps[2]
    parts = [picture, out / "slice.png", out / "surface.png"]
    render_slice_png(parts[1], logic, nodes.ct, SliceView("Axial", level, VIEW), nodes.segmentation)
    bones = [one.key for one in case.session.table.segments if one.structure.is_bone]
    show_only_3d(nodes.segmentation, [key, *bones])
    around = bounds_ras(nodes.segmentation, [key, "PELVIS_right", "PELVIS_left"])
    render_3d_png(parts[2], logic, slicer.mrmlScene, ThreeDView("anterior", around, VIEW))
    show_only_3d(nodes.segmentation, [key])
    whole = Image.new("RGB", (WIDTH + VIEW[0], HEIGHT))
    for part, corner in zip(parts, ((0, 0), (WIDTH, 0), (WIDTH, VIEW[1])), strict=True):
        whole.paste(Image.open(part).convert("RGB"), corner)
    for part in parts[1:]:
        part.unlink()
    _save(whole, picture)


def _save(picture: Image.Image, path: Path) -> None:
    """A PNG of few colours, which takes a third of the room."""
    picture.convert("RGB").quantize(COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    draw(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else None)
