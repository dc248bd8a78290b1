"""Two measurements of a benchmark are compared in the right direction, and only where machines allow it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

COMPARE = Path(__file__).resolve().parents[3] / "benchmarks" / "compare.py"
MACHINE = {"processor": "one", "cores": 2, "threads": 2, "gpu": "none", "bf16": "none", "load_before": 0.1}


def figures(seconds=10.0, ratio=8.0, processor="one"):
    runs = [{"slices": 150, "seconds": {"inference": seconds}, "peak_mib": 500.0}, {"slices": 500, "seconds": {"inference": 30.0}}]
    return {"machine": MACHINE | {"processor": processor}, "runs": runs, "ratio_to_plain_torch": ratio}


@pytest.fixture
def compare(tmp_path):
    def run(old, new, *more):
        paths = [tmp_path / "old.json", tmp_path / "new.json"]
        for path, data in zip(paths, (old, new), strict=True):
            path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        return subprocess.run([sys.executable, COMPARE, *paths, *more], capture_output=True, text=True)

    return run


def test_slower_is_worse_and_a_larger_ratio_is_better(compare):
    done = compare(figures(), figures(seconds=20.0, ratio=16.0))
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert done.returncode == 1 and "1 worse by more than 1.25 times" in done.stdout
    # Worst first; what did not change is not shown.
    assert rows == [
        "| runs / slices 150 / seconds / inference | 10.0 | 20.0 | 0.50 |",
        "| ratio_to_plain_torch | 8.00 | 16.0 | 2.00 |",
    ]
    assert compare(figures(), figures(seconds=20.0), "--worse", "3").returncode == 0


def test_other_machines_are_compared_by_ratios_alone(compare):
    done = compare(figures(), figures(seconds=90.0, ratio=7.9, processor="two"), "--all")
    assert done.returncode == 0 and "1 figures compared" in done.stdout and "inference" not in done.stdout


@pytest.mark.parametrize("new", ["{", "[]", "not json"])
def test_files_that_cannot_be_compared_are_refused(compare, new):
    done = compare(figures(), new)
    assert done.returncode == 2 and "give two" in done.stderr and "Traceback" not in done.stderr
