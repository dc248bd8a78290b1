"""Lights of a small network for muscles of the lower limb in MR: trained, calibrated and judged on virtual patients of their own.

Every step is a command of ``mskseg``, named as it runs: patients are made, a network is trained on the first of them, run over the
second and calibrated there, and judged on the third (``--quality``). The task has no bones: beside the lights, the script counts
voxels of the test's labels that lie in a muscle of the other side, also in patients who lie askew on the table. It goes on where it
stopped.

    python benchmarks/mr_lights.py OUT --atlas DIR [--patients 8 20 6] [--iterations 1500]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from common import machine, machine_line, markdown_table

from MSKSegmentLib.anatomy import LEFT_OFFSET
from MSKSegmentLib.bundle import ModelBundle, load_bundle
from MSKSegmentLib.calibration.judging import CALIBRATED_RULE, PAPER_RULE
from MSKSegmentLib.calibration.report_measures import POOLED
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.evaluation.cases import LabelledCase
from MSKSegmentLib.evaluation.folder import read_evaluation
from MSKSegmentLib.evaluation.metrics import Outcome
from MSKSegmentLib.evaluation.run import Segmenter, evaluate, folder_tasks, network_segmenter
from MSKSegmentLib.training.run import quick_precision
from MSKSegmentLib.virtual.cases import FACTS_FILE, LABELS_FILE, MR_FILE

TASK = "lower-limb-mr"
FIRST_SEED = 97_000
LEARNING, CALIBRATION, TEST, ASKEW = "learning", "calibration", "test", "askew"
# In mm, z y x. Pixels above 4 mm and slices above 6 mm apart would bring a warning, which no green light survives.
SPACING = {LEARNING: (6, 5, 5), CALIBRATION: (6, 4, 4), TEST: (6, 4, 4)}
# A patient lies askew by so many degrees, to the right and to the left in turn: the feet 100 to 200 mm beside the hips.
ASKEW_DEG = (6.0, 12.0)
# A segment with a larger share in muscles of the other side counts as one on the wrong side.
MOST_WRONG_SIDE = 0.01
# Measures of the report on the lights: those that are a value with an interval, and those that are some of many.
VALUES = ("auroc_inaccurate", "auroc_failed", "width_dice", "width_volume")
COUNTS = ("wrong_greens", "greens_below_0.80", "needless_reds", "needless_flags", "grey", "coverage_dice", "coverage_volume")


def recipe(iterations: int) -> dict[str, Any]:
    """The preset of the task, much smaller, on coarse pixels and turned by less."""
    return {
        "name": "small-mr",
        "task": TASK,
        "network": {"family": "dynunet", "levels": 4, "base_filters": 16, "classes": 24, "in_channels": 3, "dropout": 0.125},
        "preprocessing": {"intensity": "n4_body_percentiles", "hu_window": [0, 1000], "value_range": [0, 1],
                          "in_plane_spacing_mm": 5.0, "slice_interval_mm": 6.0},
        "iterations": iterations, "batch": 8, "crop": [64, 96], "learning_rate": 3e-3, "average": 0.98,
        "checkpoint_every": 100, "device": "cpu", "precision": quick_precision("cpu"),
        "augmentation": {"rotation_deg": 10, "scale": 0.1, "stretch": 0, "shear": 0, "shift": 0.1, "flip": 0.5, "intensity": 0.1},
        "sources": [{"pairs": LEARNING}],
    }  # fmt: skip


def mskseg(*asked: object) -> None:
    """Run the command, and end with it where it fails; its time goes to the console."""
    words = [str(word) for word in asked]
    print("mskseg", *(word.rsplit("/", 1)[-1] for word in words), flush=True)
    began = os.times()
    done = subprocess.run([sys.executable, "-m", "MSKSegmentLib", *words])
    ended = os.times()
    spent = ended.children_user + ended.children_system - began.children_user - began.children_system
    print(f"  {spent:.0f} s of processor time", flush=True)
    if done.returncode:
        raise SystemExit(done.returncode)


def make_patients(out: Path, counts: Sequence[int], atlas: Path | None) -> None:
    """The three groups of patients, and the test's once more askew."""
    first = FIRST_SEED
    for group, count in zip(SPACING, counts, strict=True):
        where = () if atlas is None else ("--atlas", atlas)
        mskseg("virtual", "-n", count, "--seed", first, "--spacing", *SPACING[group], "--modality", "mr", "-o", out / group, *where)
        first += count
    for number, case in enumerate(sorted((out / TEST).glob("patient_*"))):
        angle = ASKEW_DEG[number // 2 % len(ASKEW_DEG)] * (-1) ** number
        lay_askew(case, out / ASKEW / f"{case.name}_askew", angle)


def lay_askew(case: Path, target: Path, degrees: float) -> None:
    """The same patient turned about the axis from front to back, in a field of view that is wide enough."""
    if target.is_dir():
        return
    images = {name: sitk.ReadImage(str(case / name)) for name in (MR_FILE, LABELS_FILE)}
    width, _, length = images[MR_FILE].GetSize()
    step, _, interval = images[MR_FILE].GetSpacing()
    wider = int(np.ceil(np.sin(np.radians(abs(degrees))) * length * interval / step / 2))
    longer = int(np.ceil(np.sin(np.radians(abs(degrees))) * width * step / interval / 2))
    turn = sitk.Euler3DTransform()
    turn.SetCenter(images[MR_FILE].TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in images[MR_FILE].GetSize()]))
    turn.SetRotation(0.0, float(np.radians(degrees)), 0.0)
    target.mkdir(parents=True)
    for name, how in ((MR_FILE, sitk.sitkLinear), (LABELS_FILE, sitk.sitkNearestNeighbor)):
        grid = sitk.ConstantPad(images[name], (wider, 0, longer), (wider, 0, longer), 0)
        sitk.WriteImage(sitk.Resample(images[name], grid, turn, how, 0), str(target / name), useCompression=True)
    (target / FACTS_FILE).write_text((case / FACTS_FILE).read_text())


def other_side(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Voxels of each label value, int ``[256]``, that lie in a muscle of the other side, whichever it is; uint8 ``[z, y, x]``."""
    wrong = (truth > 0) & (found > 0) & ((truth > LEFT_OFFSET) != (found > LEFT_OFFSET))
    return np.bincount(found[wrong], minlength=256)


def counting(segmenter: Segmenter, folder: Path) -> Segmenter:
    """The same segmenter, which also writes for every case what `other_side` finds, and the light of every segment."""

    def segment(case: LabelledCase):  # type: ignore[no-untyped-def]
        labels, reports, findings = segmenter.segment(case)
        wrong, sizes = other_side(case.truth, labels), np.bincount(labels.ravel(), minlength=256)
        rows = [
            {
                "segment": key, "light": report.light.value, "voxels": int(sizes[report.segment.label]),
                "other_side": int(wrong[report.segment.label]),
            }
            for key, report in reports.items()
        ]  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{case.name}.json").write_text(json.dumps({"rows": rows, "findings": [one.code for one in findings]}))
        return labels, reports, findings

    return replace(segmenter, segment=segment)


def judged(out: Path, group: str, bundle: ModelBundle) -> Path:
    """The evaluation of a group: what ``mskseg evaluate`` writes, and the sides."""
    folder = out / f"{group}_evaluation"
    segmenter = counting(network_segmenter(bundle, "cpu", None, 0, lambda: None), out / f"{group}_sides")
    evaluate(folder_tasks(out / group, bundle.table), segmenter, folder, report=lambda line: print(line, flush=True))
    mskseg("evaluate", folder, "--bundle", bundle.folder, "--quality", "-o", out / f"{group}_quality")
    return folder


def side_row(out: Path, group: str) -> list[object]:
    """Labelled voxels of a group, those in the other side's muscles, segments with more than a few of them, and the green ones."""
    cases = [json.loads(path.read_text()) for path in sorted((out / f"{group}_sides").glob("*.json"))]
    rows = [row for case in cases for row in case["rows"] if row["voxels"]]
    bad = [row for row in rows if row["other_side"] > MOST_WRONG_SIDE * row["voxels"]]
    greens = sum(row["light"] == Light.GREEN.value for row in bad)
    voxels, wrong = (sum(row[count] for row in rows) for count in ("voxels", "other_side"))
    return [group, len(cases), len(rows), voxels, wrong, len(bad), greens]


def dice_line(folder: Path) -> str:
    """How good the network is there: segments, missed ones, Dice of those that the truth has."""
    rows = [row for _, case in read_evaluation(folder) for row in case.rows if row.outcome in (Outcome.COMPARED, Outcome.MISSED)]
    dice = np.array([row.dice for row in rows])
    missed = sum(row.outcome is Outcome.MISSED for row in rows)
    return (
        f"{len(rows)} segments, {missed} missed, Dice {dice.mean():.3f}, median {np.median(dice):.3f}, "
        f"{np.count_nonzero(dice >= 0.8)} from 0.80 on"
    )


def quality(out: Path, group: str) -> list[list[object]]:
    """What the report on the lights says of all structures together, by either rule."""
    with (out / f"{group}_quality" / "quality.csv").open(newline="", encoding="utf-8") as file:
        found = {(row["measure"], row["judge"]): row for row in csv.DictReader(file) if row["structure"] == POOLED}
    table: list[list[object]] = []
    for measure in (*VALUES, *COUNTS):
        cells = []
        for judge in (CALIBRATED_RULE, PAPER_RULE):
            row = found.get((measure, judge))
            if row is None or not row["value"] and measure in VALUES:
                cells.append("-")
            elif measure in COUNTS:
                cells.append(f"{row['events']} of {row['n']}")
            else:
                interval = f" ({float(row['low']):.3f}-{float(row['high']):.3f})" if row["low"] else ""
                cells.append(f"{float(row['value']):.3f}{interval}")
        table.append([measure, *cells])
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--atlas", type=Path, help="default: MSKSEG_ATLAS")
    parser.add_argument("--patients", type=int, nargs=3, default=(8, 20, 6), metavar=("LEARNING", "CALIBRATION", "TEST"))
    parser.add_argument("--iterations", type=int, default=1500)
    options = parser.parse_args()
    out = options.output.resolve()
    out.mkdir(parents=True, exist_ok=True)
    began = time.process_time()
    make_patients(out, options.patients, options.atlas)
    (out / "recipe.json").write_text(json.dumps(recipe(options.iterations)))
    if not (out / "run" / "bundle").is_dir():
        mskseg("train", out / "recipe.json", "-o", out / "run")
    calibrated = out / "calibrated"
    if not calibrated.is_dir():
        mskseg("evaluate", out / CALIBRATION, "--bundle", out / "run" / "bundle", "-o", out / "calibration_evaluation")
        what = f"{options.patients[1]} virtual patients"
        how = ("--source", what, "--version", "1-calibrated", "-o", calibrated)
        mskseg("calibrate", out / "calibration_evaluation", "--bundle", out / "run" / "bundle", *how)
    bundle = load_bundle(calibrated)
    for group in (TEST, ASKEW):
        print(f"{group}: {dice_line(judged(out, group, bundle))}", flush=True)
    print(machine_line(machine()))
    for group in (TEST, ASKEW):
        print(f"\n{group}\n")
        print(markdown_table(("measure", CALIBRATED_RULE, PAPER_RULE), quality(out, group)))
    head = ("group", "patients", "segments", "voxels", "on the other side", "segments with more than 1 %", "green ones")
    print()
    print(markdown_table(head, [side_row(out, group) for group in (TEST, ASKEW)]))
    print(f"{time.process_time() - began:.0f} s of processor time in the script itself")


if __name__ == "__main__":
    main()
