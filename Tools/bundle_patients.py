"""The virtual patients by which the bundled model's lights are learned, tightened and tested: made, and run, on all cores.

    python Tools/bundle_patients.py make CASES [--groups NAME ...] [--atlas DIR] [--third DIR] [--processes N]
    python Tools/bundle_patients.py run CASES RUNS --bundle B [--groups NAME ...] [--body NAME] [--processes N]

``make`` writes ``CASES/<group>/patient_<seed>``, as ``mskseg virtual`` does; what is there is kept. ``run`` lets
``mskseg evaluate`` run a bundle on them, several at once, into ``RUNS/<group>``, where ``mskseg calibrate`` (also with
``--tighten``) and ``mskseg evaluate --quality`` take it up. With ``--body`` only the patients made of that body of the atlas are
run, into ``RUNS/<group>_<body>``: those of a body that a network was trained without (``mskseg train --leave-out``) say what it
is worth for strangers. Both go on where they were stopped.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.virtual.cases import FACTS_FILE, PatientSeries, write_patients
from MSKSegmentLib.virtual.ingredients import PLAIN, Ingredients
from MSKSegmentLib.virtual.stress import KINDS

SEEDS = Path(__file__).resolve().parents[1] / "Docs" / "developer" / "calibration_patients.csv"
IN_PLANE_MM = 2.5
# In that table the patients from here on were drawn with a kind of stress and a strength for each.
_FIRST_STRESSED = 50000
_FAT = Ingredients(retroperitoneal_fat=True)
_LAID = Ingredients(objects=True)
_WHOLE = Ingredients(abdomen=True, retroperitoneal_fat=True)
_VARIED = Ingredients(muscle_variation=True, abdomen=True, retroperitoneal_fat=True)
THIRD = "third"


@dataclass(frozen=True)
class Patient:
    """One patient of a group: seed, distance of the slices in mm, whether under stress, and optional parts of the body."""

    group: str
    seed: int
    interval_mm: float
    stressed: bool = False
    ingredients: Ingredients = PLAIN


def all_patients() -> list[Patient]:
    """Every patient, group by group."""
    with SEEDS.open(encoding="utf-8", newline="") as file:
        rows = [(row["use"], int(row["seed"]), float(row["slice_interval_mm"])) for row in csv.DictReader(file)]
    patients = [Patient(use, seed, interval, seed >= _FIRST_STRESSED, _abdomen(seed)) for use, seed, interval in rows]
    for group, seeds, interval, ingredients in (
        ("tightening", (*range(47008, 47018), *range(47026, 47036)), 5.0, _VARIED),
        ("other-proportions", range(47018, 47026), 5.0, _VARIED),
        ("new", range(31000, 31006), 3.0, PLAIN),
        ("new-objects", range(31000, 31006), 3.0, _LAID),
        (THIRD, range(60000, 60006), 3.0, _FAT),
        (f"{THIRD}-abdomen", range(60000, 60006), 3.0, _WHOLE),
    ):
        patients += [Patient(group, seed, interval, False, ingredients) for seed in seeds]
    return patients


def _abdomen(seed: int) -> Ingredients:
    """A lumbar spine on the sacrum, as in every real scan from above the iliac crest; in every second fat behind the peritoneum.

    Those of earlier bundles had neither, and bowel between sacrum and spine.
    """
    return Ingredients(abdomen=True, retroperitoneal_fat=seed % 2 == 1)


def _make(patient: Patient, folder: Path, atlas: Path | None, donor: Path | None) -> str:
    series = PatientSeries(
        1,
        patient.seed,
        (patient.interval_mm, IN_PLANE_MM, IN_PLANE_MM),
        stress=KINDS if patient.stressed else (),
        ingredients=patient.ingredients,
    )
    return next(iter(write_patients(folder / patient.group, series, atlas, donor)))


def make(options: argparse.Namespace) -> None:
    """Write the patients of the chosen groups that are not there yet."""
    wanted = [one for one in all_patients() if one.group in options.groups]
    if options.third is None and any(one.group.startswith(THIRD) for one in wanted):
        raise SystemExit("The third person comes from an atlas of its own; name its folder with --third, or leave that group out.")
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        jobs = []
        for one in wanted:
            bodies = (options.third, options.atlas) if one.group.startswith(THIRD) else (options.atlas, None)
            jobs.append(pool.submit(_make, one, options.cases, *bodies))
        for job in jobs:
            print(job.result(), flush=True)


def run(options: argparse.Namespace) -> int:
    """Evaluate the bundle on the chosen groups; a case that the checks of the input refuse is named and left out.

    Returns the worst exit status of the evaluations of whole groups: that of ``mskseg evaluate``, 2 also where cases were left out.
    """
    worst = 0
    for group in options.groups:
        cases = [path.parent for path in sorted((options.cases / group).glob(f"*/{FACTS_FILE}"))]
        if options.body:
            cases = [case for case in cases if json.loads((case / FACTS_FILE).read_text())["body"] == options.body]
        if not cases:
            print(f"{group}: no patients there")
            continue
        target = options.runs / (f"{group}_{options.body}" if options.body else group)
        with tempfile.TemporaryDirectory() as scratch:
            # Each process has its own cases and all write into one folder; the last one finds them there, and writes the tables.
            shares = [cases[first :: options.processes] for first in range(options.processes)]
            running = [
                _evaluation(Path(scratch) / str(number), share, target, options.bundle, "-q")
                for number, share in enumerate(shares)
                if share
            ]
            for number, process in enumerate(running):
                if hasattr(os, "sched_setaffinity"):
                    cores = sorted(os.sched_getaffinity(0))
                    os.sched_setaffinity(process.pid, {cores[number % len(cores)]})
            for process in running:
                process.wait()
            worst = max(worst, _evaluation(Path(scratch) / "all", cases, target, options.bundle).wait())
    return worst


def _evaluation(view: Path, cases: Sequence[Path], target: Path, bundle: str, *flags: str) -> subprocess.Popen[bytes]:
    """Begin ``mskseg evaluate`` on `cases`, which `view` will link to."""
    view.mkdir(parents=True)
    for case in cases:
        (view / case.name).symlink_to(case.resolve(), target_is_directory=True)
    words = ["evaluate", str(view), "--bundle", bundle, "-o", str(target), *flags]
    return subprocess.Popen([sys.executable, "-m", "MSKSegmentLib", *words])


def main() -> None:
    """Parse the arguments and make or run the patients."""
    groups = list(dict.fromkeys(one.group for one in all_patients()))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "run"))
    parser.add_argument("cases", type=Path)
    parser.add_argument("runs", type=Path, nargs="?")
    parser.add_argument("--groups", nargs="+", choices=groups, default=[name for name in groups if not name.startswith(THIRD)])
    parser.add_argument("--atlas", type=Path, default=os.environ.get("MSKSEG_ATLAS"), help="folder of the two bodies")
    parser.add_argument("--third", type=Path, help="folder of the third person's labels")
    parser.add_argument("--bundle", default="mskseg-virtual")
    parser.add_argument("--body", help="only patients made of this body")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.what == "run" and options.runs is None:
        parser.error("run needs a second folder, for what it finds")
    if options.processes < 1:
        parser.error("--processes is at least 1")
    # One thread for each process: several processes use the cores better than one does.
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        if options.what == "run":
            raise SystemExit(run(options))
        make(options)
    except InputError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
