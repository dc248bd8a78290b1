"""Run a cohort of 40 scans, kill it twice and a worker once, and print what was lost or done twice.

    python Tools/cohort_faults.py PATIENTS -o FOLDER

PATIENTS has at least 12 cases of ``mskseg virtual``, for example of ``-n 22 --spacing 8 4 4``; fewer than 22 are made up by turning
the scans of others around. Beside them stand parts of them, repetitions, MR, damaged files and scans that show no body. The network
is a tiny one with random weights, so that a case takes about a second: what its labels are is of no interest here. FOLDER keeps
the scans, the study with its report, and ``faults.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing" / "Python"), str(ROOT / "Testing" / "Python" / "helpers")]

from conftest import write_tiny_bundle  # noqa: E402
from ct_scans import two_thighs, write_dicom  # noqa: E402

from MSKSegmentLib.cohort.found_cases import found_case_from_json  # noqa: E402
from MSKSegmentLib.cohort.records import CaseState, current_record  # noqa: E402
from MSKSegmentLib.cohort.study import StudyFolder, existing_study, read_json  # noqa: E402

WHOLE = 22
GIVE_UP_S = 1800.0


def write_scans(patients: Path, folder: Path) -> None:
    """The 40 scans, in folders by what they are, and the list of them with what is known of each."""
    cts = sorted(patients.glob("*/ct.nii.gz"))
    if len(cts) < WHOLE // 2 + 1:
        raise SystemExit(f"{patients} holds {len(cts)} virtual patients; make at least {WHOLE // 2 + 1} with mskseg virtual.")
    made = [(f"p{k:02d}", sitk.ReadImage(str(path))) for k, path in enumerate(cts[:WHOLE])]
    for k in range(WHOLE - len(made)):
        other = sitk.GetArrayFromImage(made[k][1])[:, :, ::-1]
        made.append((f"p{len(made):02d}", like(made[k][1], other)))
    for name, image in made:
        write(image, folder / "whole" / f"{name}.nii.gz")
    for name, image in made[:3]:
        write(image[:, :, image.GetSize()[2] // 3 :], folder / "parts" / f"{name}_pelvis.nii.gz")
        (folder / "copies").mkdir(exist_ok=True)
        shutil.copyfile(folder / "whole" / f"{name}.nii.gz", folder / "copies" / f"{name}_again.nii.gz")
    for name, image in made[3:5]:
        write(image, folder / "converted" / f"{name}.nrrd")
    hu = two_thighs(slices=24)
    write_dicom(folder / "dicom" / "thighs", hu)
    for k in range(2):
        write_dicom(folder / "dicom" / f"mr_{k}", hu + k, number=2 + k, tags={"Modality": "MR"})
    gap = [level for level in range(24) if level not in (7, 8, 15)]
    write_dicom(folder / "dicom" / "gaps", hu[gap], number=5, levels=[3.0 * level for level in gap])
    write(like(made[0][1], np.full_like(sitk.GetArrayFromImage(made[0][1]), -1000)), folder / "broken" / "air.nii.gz")
    write(like(made[1][1], sitk.GetArrayFromImage(made[1][1]) // 40 + 300), folder / "broken" / "no_hounsfield.nii.gz")
    whole = (folder / "whole" / "p05.nii.gz").read_bytes()
    (folder / "broken" / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "broken" / "text.nii.gz").write_text("no image")
    (folder / "broken" / "empty.nrrd").touch()
    (folder / "broken" / "noise.mha").write_bytes(np.random.default_rng(0).bytes(4096))


def like(image: Any, array: np.ndarray) -> Any:
    """An image of other values on the same grid."""
    made = sitk.GetImageFromArray(np.ascontiguousarray(array))
    made.CopyInformation(image)
    return made


def write(image: Any, path: Path) -> None:
    """Write an image, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path), True)


@dataclass
class Run:
    """The study's command, which is started again after each fault, and what was seen at each."""

    scans: Path
    study: StudyFolder
    bundle: Path
    lines: list[tuple[str, int, int, int]] = field(default_factory=list)
    seen: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def start(self) -> subprocess.Popen[bytes]:
        """Start the command as a user would."""
        words = [
            "cohort",
            str(self.scans),
            "-o",
            str(self.study.root),
            "--bundle",
            str(self.bundle),
            "--workers",
            "2",
            "--seed",
            "1",
        ]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        return subprocess.Popen([sys.executable, "-m", "MSKSegmentLib", *words], env={**os.environ, "PYTHONPATH": path})

    def done(self) -> dict[str, tuple[str, bytes]]:
        """Case -> stamp of its result and bytes of its record, of those that are done."""
        found = {}
        for path in self.study.record("").parent.glob("*.json"):
            with suppress(OSError, ValueError):
                record = path.read_bytes()
                if json.loads(record)["state"] == CaseState.DONE.value:
                    found[path.stem] = (self.study.result_stamp(path.stem), record)
        return found

    def look(self, what: str, processes: list[psutil.Process]) -> None:
        """Note what is done, which of it is no longer what it was, and how many processes of the run are left in the end."""
        _, alive = psutil.wait_procs(processes, timeout=60)
        now = self.done()
        changed = {name for name, before in self.seen.items() if now.get(name) != before}
        self.changed |= changed
        self.lines.append((what, len(now), len(changed), len(alive)))
        self.seen = now

    def until(self, process: subprocess.Popen[bytes], true: Callable[[], bool]) -> None:
        """Wait for something while the run goes on."""
        end = time.monotonic() + GIVE_UP_S
        while not true():
            if process.poll() is not None:
                raise SystemExit("The run ended before the fault; take more patients.")
            if time.monotonic() > end:
                raise SystemExit("The run does not go on.")
            time.sleep(0.05)


def descendants(pid: int) -> list[psutil.Process]:
    """All processes below one."""
    return psutil.Process(pid).children(recursive=True)


def kill_run(run: Run, at_least: int) -> None:
    """Kill the command while cases run; nobody tells its workers and their children."""
    process = run.start()
    run.until(process, lambda: len(run.done()) >= at_least and any(run.study.running("").parent.iterdir()))
    below = descendants(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run.look(f"run killed after {at_least} results", below)


def lose_worker_and_end(run: Run, at_least: int) -> None:
    """Kill a worker that runs a case; the run goes on to its end."""
    process = run.start()
    run.until(process, lambda: len(run.done()) >= at_least and bool(busy_workers(process.pid)))
    worker = busy_workers(process.pid)[0]
    below = worker.children(recursive=True)
    worker.kill()
    run.look(f"worker lost after {at_least} results", below)
    everything = descendants(process.pid)
    if process.wait(GIVE_UP_S):
        raise SystemExit("The run failed.")
    run.look("run to its end", everything)


def busy_workers(pid: int) -> list[psutil.Process]:
    """The workers of a run whose servers have a child."""
    found = []
    for process in descendants(pid):
        with suppress(psutil.Error):
            if any("fork_server" in word for word in process.cmdline()) and process.children():
                parent = process.parent()
                # A child of the server has its command line, and the server for its parent.
                if parent is not None and not any("fork_server" in word for word in parent.cmdline()):
                    found.append(parent)
    return found


def report(run: Run) -> str:
    """The table of faults, and what became of the scans."""
    cases = [found_case_from_json(case) for case in read_json(run.study.found)["cases"]]
    records = {case.case: current_record(run.study, case) for case in cases}
    states = Counter(record.state.value for record in records.values())
    rows = [f"| {what} | {done} | {changed} | {alive} |" for what, done, changed, alive in run.lines]
    half = [path for path in run.study.root.rglob(".mskseg-*")] + list(run.study.running("").parent.iterdir())
    lost = [name for name, record in records.items() if record.state in (CaseState.WAITING, CaseState.FAILED)]
    refused = sorted({record.sentence for record in records.values() if record.state is CaseState.REFUSED})
    return "\n".join(
        [
            "| Fault | Results then | Of the earlier ones changed | Processes left |",
            "|---|--:|--:|--:|",
            *rows,
            "",
            f"{len(cases)} scans: {', '.join(f'{number} {state}' for state, number in sorted(states.items()))}.",
            f"Lost: {len(lost)}{' ' + ', '.join(lost) if lost else ''}. Done twice: {len(run.changed)}. "
            f"Half-written files or marks left: {len(half)}.",
            "",
            *(f"- {sentence}" for sentence in refused),
        ]
    )


def main() -> None:
    """Make the scans, run the study through the faults, and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path, metavar="PATIENTS")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    folder = options.output.absolute()
    folder.mkdir(parents=True)
    scans = folder / "scans"
    write_scans(options.patients, scans)
    study = StudyFolder(folder / "study")
    run = Run(scans, study, Path(write_tiny_bundle(folder / "bundle")))
    kill_run(run, 4)
    kill_run(run, 10)
    lose_worker_and_end(run, 15)
    process = run.start()
    if process.wait(GIVE_UP_S):
        raise SystemExit("The last run failed.")
    run.look("called once more", [])
    existing_study(study.root)
    text = report(run)
    (folder / "faults.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
