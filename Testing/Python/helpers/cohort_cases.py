"""Small cohorts: image files whose names say how their runs end, and a stand-in for the engine that heeds them."""

import json
import os
import sys
import zlib
from pathlib import Path

import numpy as np
from ct_scans import two_thighs, write_volume
from review_cases import make_case

from MSKSegmentLib.cohort.cross_sections import level_rows, write_slices
from MSKSegmentLib.cohort.limits import RunLimits
from MSKSegmentLib.cohort.running import RunOptions
from MSKSegmentLib.cohort.workers import WorkerPlan
from MSKSegmentLib.measurement.sections import section_table
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.settings import Settings

FAKE = Path(__file__).with_name("fake_engine.py")


def write_scans(folder, *names):
    """A different small scan of each name."""
    folder.mkdir(exist_ok=True)
    for name in names:
        seed = zlib.crc32(name.encode())
        # Sizes differ, so that nobody takes them for the same file.
        scan = two_thighs(slices=9 + seed % 3, seed=seed)
        write_volume(folder / f"{name}.nii", np.ascontiguousarray(scan))
    return folder


def fake_python(folder):
    """An executable that takes the place of Python for the engine's children, with a stored result to hand out in `folder`."""
    result, volume = make_case()
    write_result(folder / "result", result)
    table = section_table(result.labels, volume.hu, result.geometry, [report.segment for report in result.reports])
    write_slices(folder / "slices.parquet", table, "fake")
    answer = {"message": "measured", "rows": level_rows(result, table)}
    (folder / "slices.json").write_text(json.dumps(answer), encoding="utf-8")
    script = folder / "python"
    # Without site packages it starts in an instant.
    script.write_text(f"#!{sys.executable} -SE\n" + FAKE.read_text(encoding="utf-8").replace("@FOLDER@", str(folder)))
    script.chmod(0o755)
    return script


def calls_of(script):
    """What the stand-in was called for so far, in order."""
    path = script.with_name("calls.txt")
    return path.read_text().splitlines() if path.exists() else []


def run_options(script, processes=False, workers=2, **options):
    limits = options.pop("limits", RunLimits(120))
    plan = WorkerPlan(workers, 1, None, 0)
    return RunOptions(Settings(), limits, plan, python=str(script), processes=processes, **options)


ON_POSIX = os.name == "posix"
