"""What a cohort costs besides its cases: efficiency of the workers with cases that sleep, and tables and report of many records.

    python benchmarks/cohort.py [--workers 8] [--rounds 3] [--sleep 20] [--records 10000]

The children are a shell script that sleeps and hands out a stored result, so that only scheduling, starting of children, watching
and recording take time. The efficiency is the time that the cases alone would take on the workers over the time of the run.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil
from common import machine, machine_line

from MSKSegmentLib.cohort.case_rows import case_rows
from MSKSegmentLib.cohort.found_cases import FoundCase
from MSKSegmentLib.cohort.records import CaseRecord, CaseState, current_record, write_record
from MSKSegmentLib.cohort.running import run_cases
from MSKSegmentLib.cohort.study import open_study, write_json
from MSKSegmentLib.cohort.study_report import write_study_report
from MSKSegmentLib.cohort.tables import write_tables
from MSKSegmentLib.settings import Settings

HELPERS = [str(Path(__file__).resolve().parents[1] / "Testing" / part) for part in ("Python/helpers", "Python", "")]
SCRIPT = """#!/bin/sh
if [ "$3" = segment ]; then
  sleep {sleep}
  cp -r {folder}/result "$6"
  echo '{{"stage": "done", "done": 1, "total": 1, "eta_s": 0, "message": "found."}}'
else
  cp {folder}/slices.parquet "$8"
  cat {folder}/slices.json
fi
"""


def found(count):
    return [
        FoundCase(f"case_{k:05d}", f"/scans/case_{k:05d}.nii.gz", size=(512, 512, 500), spacing=(0.8, 0.8, 1.0))
        for k in range(count)
    ]


def main():
    sys.path[:0] = HELPERS
    from cohort_cases import fake_python

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sleep", type=float, default=20.0)
    parser.add_argument("--records", type=int, default=10_000)
    options = parser.parse_args()
    print(machine_line(machine()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = fake_python(folder)
        script.write_text(SCRIPT.format(sleep=options.sleep, folder=folder))
        efficiency(folder, script, options)
        records(folder, options.records)


def efficiency(folder, script, options):
    from cohort_cases import run_options

    study = open_study(folder / "sleeping", Settings())
    cases = found(options.workers * options.rounds)
    began = time.perf_counter()
    run_cases(study, cases, run_options(script, workers=options.workers))
    taken = time.perf_counter() - began
    ideal = options.rounds * options.sleep
    overhead = (taken - ideal) / options.rounds
    print(f"{len(cases)} cases of {options.sleep:g} s, {options.workers} at once: {taken:.1f} s, efficiency {ideal / taken:.1%}")
    print(f"besides its sleep a case takes {overhead:.2f} s of its worker, start and end of the scheduler shared out")


def records(folder, count):
    study = open_study(folder / "many", Settings())
    cases = found(count)
    rows = case_rows(folder / "result", json.loads((folder / "slices.json").read_text())["rows"])
    for k, case in enumerate(cases):
        write_json(study.rows(case.case), rows | {"digest": str(k)})
        write_record(study, CaseRecord(case.case, CaseState.DONE, "", 1, 60.0, case.signature, ""))
    process = psutil.Process()
    before, began, work = process.memory_info().rss, time.perf_counter(), time.process_time()
    ended = {case.case: current_record(study, case) for case in cases}
    listed = time.perf_counter() - began
    ended = {name: replace(record, state=CaseState.DONE) for name, record in ended.items()}
    write_study_report(study, ended, write_tables(study, cases, ended))
    taken, work = time.perf_counter() - began, time.process_time() - work
    memory = process.memory_info()
    print(f"{count} records: listed in {listed:.1f} s, tables and report after {taken:.1f} s, processor time {work:.1f} s")
    print(f"memory {memory.rss / 2**20:.0f} MB at the end, {before / 2**20:.0f} MB before")


if __name__ == "__main__":
    main()
