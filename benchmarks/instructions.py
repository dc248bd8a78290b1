"""Instructions of what panel, page and files do in pure Python for every segment, counted by callgrind: other work does not count.

    python benchmarks/instructions.py OUT [--json FILE]

OUT is a result folder. Needs valgrind. Each job runs in a process of its own, so many times and twice as many; the difference is
what one more time takes, without the start. Both are counted twice: what differs between the two is said. Seconds are not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import ROOT, machine, machine_line, markdown_table

TIMES = 5


def jobs(folder: Path) -> dict[str, Callable[[], Any]]:
    """What is counted, by its name; all of it for every segment of the result."""
    from MSKSegmentLib.language.catalogue import catalogue_of
    from MSKSegmentLib.results.result_folder import report_json
    from MSKSegmentLib.results.result_reading import read_content, report_from_json, stored_structures
    from MSKSegmentLib.results.segmentation_file import segment_tags
    from MSKSegmentLib.results.tables import table_row
    from MSKSegmentLib.review.rows import make_rows
    from MSKSegmentLib.wording.reasons import as_sentence

    content = read_content(folder)
    table = stored_structures(content)
    reports = [report_from_json(data, table) for data in content["segments"]]
    japanese = catalogue_of("ja")
    return {
        "reports from result.json": lambda: [report_from_json(data, table) for data in content["segments"]],
        "reports to result.json": lambda: [report_json(report) for report in reports],
        "rows of measurements.csv": lambda: [table_row(report) for report in reports],
        "tags of the segmentation": lambda: [segment_tags(report) for report in reports],
        "rows of panel and page": lambda: make_rows(reports),
        "reasons in Japanese": lambda: [as_sentence(japanese, reason) for report in reports for reason in report.reasons],
    }


def counted(folder: Path, job: str, times: int) -> int:
    """Instructions of a process that does a job so many times."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, __file__, str(folder)]
    # Hashes of texts decide how sets and dictionaries are walked.
    same = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*command, "--do", job, str(times)], check=True, cwd=ROOT, env=same, capture_output=True, text=True)
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert found, done.stderr
    return int(found[1].replace(",", ""))


def main() -> None:
    """Count every job and print the table; as a child, do one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--do", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        job = jobs(options.folder)[options.do[0]]
        for _ in range(int(options.do[1])):
            job()
        return
    folder = options.folder.resolve()
    facts, rows, figures = machine(), [], {}
    for name in jobs(folder):
        once, twice = ([counted(folder, name, times) for _ in range(2)] for times in (TIMES, 2 * TIMES))
        per_time = [(b - a) / TIMES for a, b in zip(once, twice, strict=True)]
        spread = abs(per_time[0] - per_time[1]) / min(per_time)
        rows.append([name, round(min(per_time) / 1e6, 2), f"{100 * spread:.1f} %"])
        figures[name] = {"instructions": min(per_time), "share_that_differs": spread}
        print(f"{name}: {min(per_time) / 1e6:.2f} million", file=sys.stderr, flush=True)
    print(f"{machine_line(facts)}\n")
    print(markdown_table(["for all segments of a result", "million instructions", "between two counts"], rows))
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, "jobs": figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
