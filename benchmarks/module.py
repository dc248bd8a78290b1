"""Times of what a user of the Slicer module waits for, in the test host with the real scene, on a 512 x 512 x 400 scan.

    python benchmarks/module.py

Prints a Markdown table of wall time and of the process's own CPU time, which says more where others use the cores as well. Painting
and drawing on a screen are not part of it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("Testing", "benchmarks", "Testing/Python", "Testing/Python/helpers")
sys.path[:0] = [str(ROOT), *(str(ROOT / folder) for folder in FOLDERS)]

from Host import host  # noqa: E402

REPEATS = 5
KEY = "GMAX_right"
ROWS = ("GMED_left", "TFL_right", "VLVI_left", "PI_right", "GMAX_right")


def main() -> None:
    print("| What | Wall (s) | CPU (s) |\n|---|---|---|")
    panel = _open()
    _review(panel)
    host.close()


def _open():  # type: ignore[no-untyped-def]
    """The module as Slicer loads and opens it; the host itself is ready before the clock starts."""
    host.start()
    import slicer
    from Host import scripted

    module = _timed(
        "import of the module and its description",
        lambda: scripted.loadScriptedModule(ROOT / "MSKSegment" / "MSKSegment.py"),
    )
    slicer.app.moduleManager().add(module)
    widget = _timed("setup(): the panel", module.widgetRepresentation)
    _timed("enter()", lambda: slicer.util.selectModule("MSKSegment"))
    slicer.util.mainWindow().show()
    return widget.self()


def _review(panel) -> None:  # type: ignore[no-untyped-def]
    import slicer
    from module_cases import show_result
    from review import rated_case, stroke

    from MSKSegmentLib.scene import add_ct, put_mask

    result, volume = rated_case()
    ct = add_ct(slicer.mrmlScene, volume, "CT")
    case = _timed("end of a run: nodes, session and table", lambda: show_result(panel, result, ct))
    panel.device.stop()
    shown = panel.review._table.shown
    for name in ("row selection: numbers, worst slice, surface", "the same rows again"):
        _median(name, [_times(lambda key=key: _click(panel, shown.index(key))) for key in ROWS])
    strokes, tables, views = [], [], []
    for number in range(REPEATS):
        put_mask(case.nodes.segmentation, KEY, stroke(case.session, KEY, number))
        strokes.append(_times(panel.review.measureEdits))
        views.append(_times(slicer.app.processEvents))
        tables.append(_times(lambda: panel.review._rowsChanged((KEY,))))
    _median("an edit of one muscle: measured, stored, its row shown", strokes)
    _median("of it: table, summary and structure refreshed", tables)
    _median("after it: its surface in 3D made anew", views)
    _median("all 43 rows filled and sorted", [_times(panel.review._table._arrange) for _ in range(REPEATS)])


def _click(panel, row: int) -> None:  # type: ignore[no-untyped-def]
    panel.ui.resultsTable.selectRow(row)


def _times(job: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    job()
    return time.perf_counter() - wall, time.process_time() - cpu


def _timed(name: str, job: Callable[[], object]):  # type: ignore[no-untyped-def]
    kept: list[object] = []
    _median(name, [_times(lambda: kept.append(job()))])
    return kept[0]


def _median(name: str, times: list[tuple[float, float]]) -> None:
    wall, cpu = (median(column) for column in zip(*times, strict=True))
    print(f"| {name} | {wall:.3f} | {cpu:.3f} |", flush=True)


if __name__ == "__main__":
    main()
