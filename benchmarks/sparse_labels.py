"""Sparse labels against full ones: Dice coefficients on unseen virtual patients with 1, 2, 5, 10 % of the slices annotated.

Eight muscles a side of hip and thigh stand in for the trunk's, of which there are no virtual patients. Slices are proposed by level
and drawn as the truth has them; ``mskseg sparse take`` and ``mskseg sparse train`` do the rest: round 1, pseudo-labels, the gate,
and round 2 with them or, where it holds them back, without. Beside it, for as many iterations: the other one of these two, and full
labels. Nothing is made twice: call it again to go on, or to add fractions.

    python benchmarks/sparse_labels.py OUT --atlas DIR --percent 1 2 5 10
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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from common import machine, machine_line, markdown_table

from MSKSegmentLib.anatomy import StructureTable, table_json
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import ModelBundle, load_bundle
from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.evaluation.cases import find_labelled_cases, read_labelled_case
from MSKSegmentLib.evaluation.folder import read_evaluation
from MSKSegmentLib.evaluation.metrics import Outcome, Scope, overlap_rows
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.results.segmentation_file import write_segments_to_draw
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.sparse.annotation import DRAWN_FILE, Proposal, write_annotation_case
from MSKSegmentLib.sparse.confirmation import ConfirmationGate, Confirmed, joined
from MSKSegmentLib.sparse.proposing import LevelChoice, propose_levels
from MSKSegmentLib.tasks import HIP_THIGH_CT, load_task
from MSKSegmentLib.tasks.finding import TASKS_VARIABLE
from MSKSegmentLib.tasks.task_json import task_json
from MSKSegmentLib.training.checkpoints import CHECKPOINT
from MSKSegmentLib.training.recipes import PairsData, Recipe
from MSKSegmentLib.training.run import Choices, quick_precision, run_recipe
from MSKSegmentLib.virtual.cases import PatientSeries, write_patients

FIRST_SEED = 91_000
TASK = "eight-muscles"
MUSCLES = ("GMAX", "AD", "BF", "RF", "SART", "SM", "VLVI", "VM")
GRID_MM = (8.0, 4.0, 4.0)
RECIPE = Recipe(
    NetworkSpec(levels=4, base_filters=8, classes=1 + len(MUSCLES), in_channels=1, batch_norm=True, dropout=0.05),
    Preprocessing(in_plane_spacing_mm=6.0, slice_interval_mm=8.0),
    task=TASK,
    crop=(48, 64),
    batch=6,
    learning_rate=3e-3,
    average=0.95,
    device="cpu",
    precision=quick_precision("cpu"),
)
FIRST, ALONE, COMMAND, PSEUDO, FULL = (
    "round 1",
    "annotated slices alone",
    "sparse train",
    "pseudo-labels without the gate",
    "full labels",
)


@dataclass(frozen=True)
class Study:
    """Where it lies and how much is done: iterations of a round, dropout passes, the seed."""

    folder: Path
    iterations: int
    passes: int
    seed: int


def make_task(folder: Path) -> StructureTable:
    """A task of the eight muscles, in files that this process finds; returns its table."""
    shipped = table_json(HIP_AND_THIGH)
    chosen = [entry for entry in shipped["structures"] if entry["key"] in MUSCLES]
    table = {**shipped, "name": TASK, "structures": [{**entry, "label": number + 1} for number, entry in enumerate(chosen)]}
    task = {**task_json(HIP_THIGH_CT), "name": TASK, "title": "Eight muscles", "structures": "muscles.json"}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("muscles.json", table), (f"{TASK}.json", task)):
        (folder / name).write_text(json.dumps(content))
    os.environ[TASKS_VARIABLE] = str(folder)
    return load_task(TASK).table


def eight_muscles(source: Path, target: Path, table: StructureTable) -> None:
    """Cases with these muscles alone, cut to the slices that show them."""
    number = np.zeros(256, np.uint8)
    for segment in table.segments:
        number[HIP_AND_THIGH.segment(segment.key).label] = segment.label
    for files in find_labelled_cases(source):
        folder = target / files.name
        if folder.is_dir():
            continue
        case = read_labelled_case(files, HIP_AND_THIGH)
        labels = number[case.truth]
        shown = np.flatnonzero(labels.any(axis=(1, 2)))
        first, last = int(shown[0]), int(shown[-1]) + 1
        geometry = case.volume.geometry.cropped((0, 0, first), (*case.volume.geometry.size[:2], last - first))
        folder.mkdir(parents=True)
        for name, array in (("ct.nrrd", case.volume.hu), ("labels.nrrd", labels)):
            sitk.WriteImage(geometry.image_of(array[first:last].copy()), str(folder / name), useCompression=True)


def annotate(source: Path, target: Path, percent: float) -> int:
    """Cases of `source` of which so many slices are drawn, as the truth has them; returns how many slices are."""
    cases = find_labelled_cases(source)
    whole = [read_labelled_case(case, RECIPE.table) for case in cases]
    count = max(1, round(percent / 100 * sum(len(case.truth) for case in whole)))
    # Dealt out to the patients in turn, so that one or two slices go to one or two patients.
    for which, (files, case) in enumerate(zip(cases, whole, strict=True)):
        levels = len(range(which, count, len(cases)))
        if not levels or (target / files.name).is_dir():
            continue
        task = load_task(TASK)
        found = propose_levels(case.volume, LevelChoice(count=levels), task.table)
        names = tuple(structure.abbreviation for structure in task.table.structures)
        write_annotation_case(target / files.name, case.volume, Proposal(found.levels, names, task))
        drawn = np.zeros_like(case.truth)
        numbers = [level.number for level in found.levels]
        drawn[numbers] = case.truth[numbers]
        write_segments_to_draw(target / files.name / DRAWN_FILE, drawn, case.volume.geometry, task.table)
    mskseg("sparse", "take", target)
    return count


def mskseg(*asked: object) -> None:
    """Run the command, and end with it where it fails."""
    done = subprocess.run([sys.executable, "-m", "MSKSegmentLib", *map(str, asked)], stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(done.returncode)


def trained(study: Study, name: str, sources: Sequence[PairsData], iterations: int, initial: Path | None = None) -> ModelBundle:
    """A bundle trained on those sources; kept where it is there."""
    folder = study.folder / "runs" / name
    if not (folder / "bundle").is_dir():
        began = time.process_time()
        recipe = replace(
            RECIPE, iterations=iterations, checkpoint_every=iterations, sources=tuple(sources), seed=study.seed,
            initial=initial and str(initial / CHECKPOINT),
        )  # fmt: skip
        prepared = study.folder / "prepared" / name
        run_recipe(recipe, folder, Choices(prepared=prepared), lambda status: None, lambda text: None, lambda: None)
        print(f"{name}: {iterations} iterations, {time.process_time() - began:.0f} s of one core", flush=True)
    return load_bundle(folder / "bundle")


def scores(study: Study, name: str, bundle: ModelBundle) -> list[dict[str, object]]:
    """The Dice coefficient of every segment of the unseen patients; kept where they are there."""
    path = study.folder / "scores" / f"{name}.json"
    if path.is_file():
        return json.loads(path.read_text())
    rows: list[dict[str, object]] = []
    for files in find_labelled_cases(study.folder / "test"):
        case = read_labelled_case(files, RECIPE.table)
        result = segment_case(case.volume, bundle, Settings(device="cpu", passes=study.passes, seed=study.seed))
        for row in overlap_rows(case.truth, result.labels, case.volume.geometry, case.volume.hu, Scope.of(case)):
            if row.outcome in (Outcome.COMPARED, Outcome.MISSED):
                rows.append({"patient": files.name, "segment": row.segment.key, "dice": round(row.dice, 4)})
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(rows))
    return rows


def one_fraction(study: Study, percent: float) -> tuple[int, Confirmed, dict[str, list[dict[str, object]]]]:
    """Number of annotated slices, how the pseudo-labels do on them, and the scores of every way."""
    name = f"{percent:g}"
    cases, run = study.folder / "annotated" / name, study.folder / "sparse" / name
    count = annotate(study.folder / "training", cases, percent)
    recipe, length = study.folder / "sparse.json", study.iterations
    content = replace(RECIPE, iterations=length, checkpoint_every=length, sources=(PairsData(cases),), seed=study.seed).to_json()
    recipe.write_text(json.dumps(content))
    how = ("--samples", study.passes, "--seed", study.seed, "--device", "cpu")
    mskseg("sparse", "train", cases, "-o", run, "--recipe", recipe, "--test", study.folder / "test", *how)
    ways = {FIRST: tested(run / "test-1")}
    rounds = [ways[FIRST], tested(run / "test-2")]
    place, start = run / "pseudo-2", run / "round-1"
    held = joined(Confirmed(**json.loads(path.read_text())["on_drawn"]) for path in place.glob("*/pseudo.json"))
    # The command's second round is one of the two ways; the other one is trained here.
    if ConfirmationGate().lets_through(held):
        ways[PSEUDO] = rounds[-1]
        ways[ALONE] = scores(study, f"{name}-alone", trained(study, f"{name}-alone", [PairsData(cases)], length, start))
    else:
        ways[ALONE] = rounds[-1]
        if any(place.glob("[!.]*")):
            both = trained(study, f"{name}-pseudo", [PairsData(cases, 0.5), PairsData(place, 0.5)], length, start)
            ways[PSEUDO] = scores(study, f"{name}-pseudo", both)
    # The command takes the round that is best on the test.
    ways[COMMAND] = max(rounds, key=mean_dice)
    return count, held, ways


def tested(folder: Path) -> list[dict[str, object]]:
    """The same from an evaluation of ``mskseg sparse train``."""
    return [
        {"patient": case.name, "segment": row.segment.key, "dice": round(row.dice, 4)}
        for _, case in read_evaluation(folder)
        for row in case.rows
        if row.outcome in (Outcome.COMPARED, Outcome.MISSED)
    ]


def mean_dice(rows: Sequence[dict[str, object]]) -> float:
    """The mean over all segments of all patients."""
    return float(np.mean([float(str(row["dice"])) for row in rows]))


def write_csv(path: Path, every: dict[tuple[str, str], list[dict[str, object]]]) -> None:
    """A row per fraction, way, patient and segment."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("percent", "learned_from", "patient", "segment", "dice"))
        for (percent, way), rows in every.items():
            writer.writerows((percent, way, row["patient"], row["segment"], row["dice"]) for row in rows)


def draw(path: Path, every: dict[tuple[str, str], list[dict[str, object]]]) -> None:
    """Mean Dice over the annotated share, a line per way; a small point per patient."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained", dpi=120)
    axes = figure.subplots()
    for way, colour, marker in ((ALONE, "#1f77b4", "o"), (PSEUDO, "#d95f02", "s"), (COMMAND, "#1b9e77", "D")):
        found = sorted((float(percent), rows) for (percent, name), rows in every.items() if name == way)
        axes.plot([one for one, _ in found], [mean_dice(rows) for _, rows in found], marker=marker, color=colour, label=way)
        for percent, rows in found:
            for patient in {row["patient"] for row in rows}:
                own = mean_dice([row for row in rows if row["patient"] == patient])
                axes.plot([percent], [own], marker=marker, color=colour, alpha=0.35, markersize=4, linestyle="none")
    axes.axhline(mean_dice(every["100", FULL]), color="#555555", linestyle="--", label=FULL)
    axes.set(xscale="log", xlabel="annotated slices (%)", ylabel="mean Dice coefficient, unseen patients", ylim=(0, 1))
    ticks = sorted({float(percent) for percent, way in every if way != FULL})
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path)


def main() -> None:
    """Print the tables; write ``sparse.csv``, ``sparse.md`` and ``sparse.png``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--atlas", type=Path, help="default: MSKSEG_ATLAS")
    parser.add_argument("--percent", type=float, nargs="+", default=(1, 2, 5, 10))
    parser.add_argument("--patients", type=int, nargs=2, default=(6, 3), metavar=("TRAINING", "TEST"))
    parser.add_argument("--iterations", type=int, default=1000, help="of a round")
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    out, (learners, judges) = options.output, options.patients
    study = Study(out, options.iterations, options.samples, options.seed)
    table = make_task(out / "task")
    for folder, number, seed in (("training", learners, FIRST_SEED), ("test", judges, FIRST_SEED + learners)):
        for line in write_patients(out / "whole" / folder, PatientSeries(number, seed, GRID_MM), options.atlas):
            print(line, flush=True)
        eight_muscles(out / "whole" / folder, out / folder, table)
    every: dict[tuple[str, str], list[dict[str, object]]] = {}
    full = trained(study, "full", [PairsData(out / "training")], 2 * study.iterations)
    every["100", FULL] = scores(study, "full", full)
    print(f"full labels: {mean_dice(every['100', FULL]):.3f}", flush=True)
    means = []
    for percent in sorted(options.percent):
        count, gate, ways = one_fraction(study, percent)
        every |= {(f"{percent:g}", way): rows for way, rows in ways.items()}
        cells = [f"{mean_dice(ways[way]):.3f}" if way in ways else "nothing kept" for way in (FIRST, ALONE, PSEUDO, COMMAND)]
        passed = "yes" if ConfirmationGate().lets_through(gate) else "no"
        means.append([f"{percent:g} %", count, *cells, f"{100 * gate.right_share:.0f}", f"{100 * gate.missed_share:.0f}", passed])
        print(*means[-1], flush=True)
    means.append(["100 %", "all", "", f"{mean_dice(every['100', FULL]):.3f}", "", "", "", "", ""])
    write_csv(out / "sparse.csv", every)
    draw(out / "sparse.png", every)
    head = ("annotated", "slices", FIRST, ALONE, PSEUDO, COMMAND, "right %", "missed %", "let through")
    text = "\n".join(
        (
            machine_line(machine()),
            f"{learners} patients to learn from, {judges} unseen ones with {len(every['100', FULL])} segments together, seed "
            f"{study.seed}, two rounds of {study.iterations} iterations, {study.passes} passes.",
            "",
            markdown_table(head, means),
        )
    )
    (out / "sparse.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
