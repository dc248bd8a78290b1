"""Draw the panel and the browser page with a result of the task lower-limb-mr: that of a folder, or a phantom of two legs.

python Docs/make_task_pictures.py panel OUT.png [RESULT]     RESULT: a folder of 'mskseg segment --keep-ct'
python Docs/make_task_pictures.py page OUT.png [RESULT]      (needs Chromium)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("Testing", "Testing/Python", "Testing/Python/helpers", "Docs")]

from mr_phantoms import mr_labels, mr_volume  # noqa: E402

from MSKSegmentLib.pipeline import measure_case  # noqa: E402
from MSKSegmentLib.results.result_folder import CT, write_result  # noqa: E402
from MSKSegmentLib.results.result_reading import read_result  # noqa: E402
from MSKSegmentLib.results.segmentation_file import write_ct  # noqa: E402
from MSKSegmentLib.review.source_ct import read_own_ct  # noqa: E402
from MSKSegmentLib.tasks import load_task  # noqa: E402

TASK, KEY, HEIGHT_M = "lower-limb-mr", "VL_right", 1.65


def panel(out: Path, result_folder: Path | None) -> None:
    """The panel with a structure chosen, beside it a slice and the surfaces of its thigh."""
    from Host import host
    from make_panel_pictures import HEIGHT, VIEW, WIDTH
    from PIL import Image

    result, volume = _made(result_folder)
    host.start(views=True)
    module = host.loadModule("MSKSegment")
    import slicer

    from MSKSegmentLib.review import ReviewSession
    from MSKSegmentLib.scene import (
        SliceView,
        ThreeDView,
        add_case,
        add_ct,
        bounds_ras,
        render_3d_png,
        render_slice_png,
        show_only_3d,
    )

    node = add_ct(slicer.mrmlScene, volume, f"T1 of both legs ({'phantom' if result_folder is None else 'virtual'})")
    module.inputs.chooseCt(node)
    nodes = add_case(slicer.mrmlScene, result, node)
    module._showCase(module.logic._keep(nodes, ReviewSession(result, volume, "A. Reviewer")))
    table = module.review._table
    with tempfile.TemporaryDirectory() as folder:
        # Laid out once, so that the columns know their room.
        host.grab(slicer.util.mainWindow(), Path(folder) / "first.png", WIDTH, HEIGHT)
    module.ui.resultsTable.selectRow(table.shown.index(KEY))
    module.ui.viewsSection.setCollapsed(False)
    module.ui.numbersSection.setCollapsed(False)
    host.processEvents(1)
    with tempfile.TemporaryDirectory() as folder:
        parts = [Path(folder) / name for name in ("panel.png", "slice.png", "surface.png")]
        host.grab(slicer.util.mainWindow(), parts[0], WIDTH, HEIGHT)
        logic, case = slicer.app.applicationLogic(), module.review.case
        level = case.session.worst_slices(KEY)[0].point_lps[2]
        render_slice_png(parts[1], logic, node, SliceView("Axial", level, VIEW), nodes.segmentation)
        keys = [row.key for row in case.session.rows() if row.found]
        show_only_3d(nodes.segmentation, keys)
        render_3d_png(parts[2], logic, slicer.mrmlScene, ThreeDView("anterior", bounds_ras(nodes.segmentation, keys), VIEW))
        whole = Image.new("RGB", (WIDTH + VIEW[0], HEIGHT))
        for part, corner in zip(parts, ((0, 0), (WIDTH, 0), (WIDTH, VIEW[1])), strict=True):
            whole.paste(Image.open(part).convert("RGB"), corner)
        whole.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, optimize=True)
    host.close()


def page(out: Path, result_folder: Path | None) -> None:
    """The page with a structure chosen."""
    from make_web_pictures import LAPTOP, SETTLE_MS, server
    from make_web_pictures import page as chromium

    result, volume = _made(result_folder)
    with tempfile.TemporaryDirectory() as folder:
        write_result(Path(folder) / "legs", result, extra=lambda part: write_ct(part / CT, volume))
        with server(Path(folder) / "legs") as address, chromium(LAPTOP, address) as opened:
            opened.locator(f"tr[data-key='{KEY}']").click()
            opened.wait_for_timeout(SETTLE_MS)
            opened.screenshot(path=out)


def _made(result_folder: Path | None):  # type: ignore[no-untyped-def]
    if result_folder is not None:
        result, _ = read_result(result_folder)
        return result, read_own_ct(result_folder, None, None, None)
    task, volume = load_task(TASK), mr_volume()
    return measure_case(mr_labels(task.table), volume.geometry, volume, HEIGHT_M, task=task), volume


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("panel", "page"):
        sys.exit(__doc__)
    (panel if sys.argv[1] == "panel" else page)(Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) == 4 else None)
