"""Time of a report without 3D on one core: reading the result, the page with its pictures, the PDF.

    python benchmarks/report.py OUT

OUT is a result folder with its CT. Prints a Markdown table with the processor's name; times are those of the processor, which other
programs beside this one do not lengthen.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from common import machine, machine_line, markdown_table  # noqa: E402

from MSKSegmentLib.report.case import read_report_case  # noqa: E402
from MSKSegmentLib.report.page import html_of  # noqa: E402
from MSKSegmentLib.report.pdf import write_page_pdf  # noqa: E402
from MSKSegmentLib.report.slices import segment_slice  # noqa: E402


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor, and what came of it."""
    began = time.process_time()
    result = action()
    return time.process_time() - began, result


def main() -> None:
    """Measure and print."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    read, case = timed(lambda: read_report_case(Path(sys.argv[1])))
    # What is imported once is not a report's own time.
    timed(lambda: html_of(case, with_3d=False))
    page, html = timed(lambda: html_of(case, with_3d=False))
    key = next(row.key for row in case.rows if row.found)
    one, _ = timed(lambda: segment_slice(case, key))
    with TemporaryDirectory() as folder:
        pdf, _ = timed(lambda: write_page_pdf(html, Path(folder) / "report.pdf"))
    print(f"{machine_line(machine())}\n\nA scan of {' x '.join(map(str, case.grid.size))} voxels.\n")
    steps = (("read the result", read), ("page with pictures", page), ("of that one segment's slice", one), ("PDF", pdf))
    print(markdown_table(("step", "seconds"), [(name, f"{seconds:.2f}") for name, seconds in steps]))


if __name__ == "__main__":
    main()
