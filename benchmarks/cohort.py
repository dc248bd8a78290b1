"""What a cohort costs besides its cases: efficiency of the workers with cases that sleep, and tables and report of many records.

    python benchmarks/cohort.py [--workers 8] [--rounds 3] [--sleep 20] [--interpreters] [--records 10000]

A case that sleeps imports what a segmentation imports, sleeps, and hands out a stored result, in child processes as they run:
forked ones, or, with --interpreters, each an interpreter of its own. The records are written by the study's own writers, each case
with numbers of its own; status, tables and report are then made by another process, whose time and peak memory count.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
HELPERS = [str(ROOT / "Testing" / part) for part in ("Python/helpers", "Python", "")]
MEASURE = "--measure"
SCRIPT = """#!{python}
import importlib, json, os, shutil, sys, time
sys.path[:0] = [{root!r}]
from MSKSegmentLib.commands import fork_server
from MSKSegmentLib.engine.fork_servers import SERVER_MODULE

def main(words):
    segments = words[0] == "segment"
    for name in fork_server.PRELOADED:
        # Nothing but a look-up in a fork. Cross-sections need no network.
        if segments or not any(word in name for word in ("torch", "inference", "pipeline", "segment")):
            importlib.import_module(name)
    output = words[words.index("-o") + 1]
    if segments:
        began = time.time()
        time.sleep({sleep})
        with open({log!r}, "a") as log:
            log.write("%d %f %f\\n" % (os.getppid(), began, time.time()))
        shutil.copytree({folder!r} + "/result", output)
        print(json.dumps(dict(stage="done", done=1, total=1, eta_s=0, message="found.")))
    else:
        shutil.copyfile({folder!r} + "/slices.parquet", output)
        print(open({folder!r} + "/slices.json").read())
    return 0

fork_server.main = main
sys.exit(fork_server.serve_forks() if sys.argv[2] == SERVER_MODULE else main(sys.argv[3:]))
"""


def found(count):
    from MSKSegmentLib.cohort.found_cases import FoundCase

    grid = {"size": (512, 512, 500), "spacing": (0.8, 0.8, 1.0)}
    facts = [
        {"patient": f"p{k // 2}", "group": "OA" if k % 3 else "ON", "side_affected": ("right", "left", "")[k % 3]}
        for k in range(count)
    ]
    return [FoundCase(f"case_{k:05d}", f"/scans/case_{k:05d}.nii.gz", facts=facts[k], **grid) for k in range(count)]


def main():
    sys.path[:0] = HELPERS
    if MEASURE in sys.argv:
        measure(Path(sys.argv[-1]))
        return
    from cohort_cases import fake_python
    from common import machine, machine_line

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sleep", type=float, default=20.0)
    parser.add_argument("--interpreters", action="store_true")
    parser.add_argument("--records", type=int, default=10_000)
    options = parser.parse_args()
    print(machine_line(machine()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fake_python(folder)
        if options.rounds:
            efficiency(folder, options)
        if options.records:
            records(folder, options.records)


def efficiency(folder, options):
    from cohort_cases import run_options

    from MSKSegmentLib.cohort.running import run_cases
    from MSKSegmentLib.cohort.study import open_study
    from MSKSegmentLib.settings import Settings

    script, log = folder / "sleeping", folder / "sleeps.txt"
    places = {"python": sys.executable, "root": str(ROOT), "folder": str(folder), "log": str(log)}
    script.write_text(SCRIPT.format(sleep=options.sleep, **places))
    script.chmod(0o755)
    study = open_study(folder / "study", Settings())
    cases = found(options.workers * options.rounds)
    began = time.perf_counter()
    asked = run_options(script, processes=True, workers=options.workers, forked=not options.interpreters)
    ended = run_cases(study, cases, asked).records
    taken = time.perf_counter() - began
    assert all(record.state.value == "done" for record in ended.values()), [record.sentence for record in ended.values()]
    by_parent = {}
    for parent, *times in sorted(map(str.split, log.read_text().splitlines()), key=lambda words: float(words[1])):
        by_parent.setdefault(parent, []).append([float(moment) for moment in times])
    # The parent of a fork is its worker's server, that of an interpreter the worker.
    between = [later[0] - earlier[1] for sleeps in by_parent.values() for earlier, later in pairwise(sleeps)]
    print(f"{len(cases)} cases of {options.sleep:g} s, {options.workers} at once: {taken:.1f} s")
    print(f"efficiency {options.rounds * options.sleep / taken:.1%} with start and end of scheduler, workers and servers")
    if between:
        median, most = float(np.median(between)), max(between)
        print(f"between two sleeps of a worker pass {median:.2f} s (median; at most {most:.2f} s)")
        print(f"efficiency without start and end {options.sleep / (options.sleep + float(np.mean(between))):.1%}")


def records(folder, count):
    """Write a study of so many cases that are done, and have another process list and report them."""
    from MSKSegmentLib.cohort.case_rows import case_rows
    from MSKSegmentLib.cohort.records import CaseRecord, CaseState, write_record
    from MSKSegmentLib.cohort.study import open_study, write_json
    from MSKSegmentLib.settings import Settings

    study = open_study(folder / "many", Settings())
    cases, rng = found(count), np.random.default_rng(0)
    levels = json.loads((folder / "slices.json").read_text())["rows"]
    rows = case_rows("", folder / "result", levels)
    for k, case in enumerate(cases):
        own = {**rows, "case": case.case, "digest": str(k), "segments": varied(rows["segments"], rng)}
        write_json(study.rows(case.case), own)
        write_record(study, CaseRecord(case.case, CaseState.DONE, "", 1, 60.0, case.signature, study.result_stamp(case.case)))
    write_json(study.found, {"cases": [case.to_json() for case in cases]})
    answer = subprocess.run([sys.executable, __file__, MEASURE, str(study.root)], check=True, capture_output=True, text=True)
    print(answer.stdout, end="")


def varied(columns, rng):
    """The columns of a case with other numbers: all of a column by one factor."""
    return {
        name: [round(value * factor, 4) if isinstance(value, float) else value for value in values]
        for (name, values), factor in zip(columns.items(), rng.uniform(0.8, 1.2, len(columns)), strict=True)
    }


def measure(root):
    from MSKSegmentLib.cohort.found_cases import found_case_from_json
    from MSKSegmentLib.cohort.progress import status_line
    from MSKSegmentLib.cohort.records import current_record
    from MSKSegmentLib.cohort.study import existing_study, read_json
    from MSKSegmentLib.cohort.study_report import write_study_report
    from MSKSegmentLib.cohort.tables import write_tables

    study = existing_study(root)
    began, work = time.perf_counter(), time.process_time()

    def passed():
        return f"{time.perf_counter() - began:.1f} s ({time.process_time() - work:.1f} s of a processor)"

    print(f"status after {passed()}: {status_line(study)}")
    cases = [found_case_from_json(case) for case in read_json(study.found)["cases"]]
    ended = {case.case: current_record(study, case) for case in cases}
    print(f"records listed after {passed()}")
    summary = write_tables(study, cases, ended)
    print(f"tables after {passed()}")
    write_study_report(study, ended, summary)
    print(f"report of {summary.cases} cases after {passed()}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MB")


if __name__ == "__main__":
    main()
