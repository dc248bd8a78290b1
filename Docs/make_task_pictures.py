"""Draw the panel and the browser page with a result of the task lower-limb-mr.

python Docs/make_task_pictures.py panel OUT.png [FROM]
python Docs/make_task_pictures.py page OUT.png [FROM]        (needs Chromium)

FROM is a result folder that holds its scan, or an atlas: then a virtual patient is made from it, and its true labels are measured.
Without it a phantom of two legs stands in.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / part) for part in ("Testing", "Testing/Python", "Testing/Python/helpers", "Docs")]

from mr_phantoms import mr_labels, mr_volume  # noqa: E402

from MSKSegmentLib.evaluation.cases import find_labelled_cases, read_labelled_case  # noqa: E402
from MSKSegmentLib.pipeline import measure_case  # noqa: E402
from MSKSegmentLib.results.result_folder import CT, RESULT, write_result  # noqa: E402
from MSKSegmentLib.results.result_reading import read_result  # noqa: E402
from MSKSegmentLib.results.segmentation_file import write_ct  # noqa: E402
from MSKSegmentLib.review.source_ct import read_own_ct  # noqa: E402
from MSKSegmentLib.tasks import load_task  # noqa: E402
from MSKSegmentLib.virtual.cases import PatientSeries, write_patients  # noqa: E402

TASK, HEIGHT_M = "lower-limb-mr", 1.65
# The structure that is chosen: the first of these that was found.
KEYS = ("VL_right", "RF_right")
SEED, GRID_MM = 540, (5.0, 2.0, 2.0)


def panel(out: Path, source: Path | None) -> None:
    """The panel with a structure chosen, beside it a slice and the surfaces of its thigh."""
    from Host import host
    from make_panel_pictures import HEIGHT, VIEW, WIDTH
    from PIL import Image

    result, volume = _made(source)
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

    node = add_ct(slicer.mrmlScene, volume, f"T1 of both legs ({'phantom' if source is None else 'virtual patient'})")
    module.inputs.chooseCt(node)
    nodes = add_case(slicer.mrmlScene, result, node)
    module._showCase(module.logic._keep(nodes, ReviewSession(result, volume, "A. Reviewer")))
    table, key = module.review._table, _key(result)
    with tempfile.TemporaryDirectory() as folder:
        # Laid out once, so that the columns know their room.
        host.grab(slicer.util.mainWindow(), Path(folder) / "first.png", WIDTH, HEIGHT)
    module.ui.resultsTable.selectRow(table.shown.index(key))
    module.ui.viewsSection.setCollapsed(False)
    module.ui.numbersSection.setCollapsed(False)
    host.processEvents(1)
    with tempfile.TemporaryDirectory() as folder:
        parts = [Path(folder) / name for name in ("panel.png", "slice.png", "surface.png")]
        host.grab(slicer.util.mainWindow(), parts[0], WIDTH, HEIGHT)
        logic, case = slicer.app.applicationLogic(), module.review.case
        level = case.session.worst_slices(key)[0].point_lps[2]
        render_slice_png(parts[1], logic, node, SliceView("Axial", level, VIEW), nodes.segmentation)
        keys = [row.key for row in case.session.rows() if row.found]
        show_only_3d(nodes.segmentation, keys)
        render_3d_png(parts[2], logic, slicer.mrmlScene, ThreeDView("anterior", bounds_ras(nodes.segmentation, keys), VIEW))
        whole = Image.new("RGB", (WIDTH + VIEW[0], HEIGHT))
        for part, corner in zip(parts, ((0, 0), (WIDTH, 0), (WIDTH, VIEW[1])), strict=True):
            whole.paste(Image.open(part).convert("RGB"), corner)
        whole.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(out, optimize=True)
    host.close()


def page(out: Path, source: Path | None) -> None:
    """The page with a structure chosen."""
    from make_web_pictures import LAPTOP, SETTLE_MS, server
    from make_web_pictures import page as chromium

    result, volume = _made(source)
    with tempfile.TemporaryDirectory() as folder:
        write_result(Path(folder) / "legs", result, extra=lambda part: write_ct(part / CT, volume))
        with server(Path(folder) / "legs") as address, chromium(LAPTOP, address) as opened:
            opened.locator(f"tr[data-key='{_key(result)}']").click()
            opened.wait_for_timeout(SETTLE_MS)
            opened.screenshot(path=out)


def _key(result):  # type: ignore[no-untyped-def]
    found = {report.segment.key for report in result.reports if report.measurements is not None}
    return next(key for key in KEYS if key in found)


def _made(source: Path | None):  # type: ignore[no-untyped-def]
    """Result and scan: of a result folder, of a virtual patient made from an atlas, or of the phantom."""
    task = load_task(TASK)
    if source is None:
        volume = mr_volume()
        return measure_case(mr_labels(task.table), volume.geometry, volume, HEIGHT_M, task=task), volume
    if (source / RESULT).is_file():
        return read_result(source)[0], read_own_ct(source, None, None, None)
    with tempfile.TemporaryDirectory() as folder:
        list(write_patients(Path(folder), PatientSeries(1, SEED, GRID_MM, mr_table=task.table), source))
        case = read_labelled_case(find_labelled_cases(Path(folder))[0], task.table)
    return measure_case(case.truth, case.volume.geometry, case.volume, HEIGHT_M, task=task), case.volume


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4) or sys.argv[1] not in ("panel", "page"):
        sys.exit(__doc__)
    (panel if sys.argv[1] == "panel" else page)(Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) == 4 else None)
