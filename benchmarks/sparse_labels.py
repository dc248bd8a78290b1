"""Sparse labels against full ones: Dice coefficients on unseen virtual patients with 1, 2, 5, 10 % of the slices annotated.

Eight muscles a side of hip and thigh stand in for the trunk's, of which there are no virtual patients. Annotated slices are spread
evenly over the length and dealt out to the patients in turn. A first network learns from them alone. It goes on in two ways for the
same number of iterations: from the annotated slices alone, and from them and the pseudo-labels of `sparse.pseudo_labels`. Another
one learns from full labels. Nothing is made twice: call it again to go on, or to add fractions.

    python benchmarks/sparse_labels.py OUT --atlas DIR --percent 1 2 5 10
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections import defaultdict
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
from MSKSegmentLib.evaluation.cases import PSEUDO_FILE, find_labelled_cases, read_labelled_case
from MSKSegmentLib.evaluation.metrics import Outcome, Scope, overlap_rows
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.sparse.pseudo_cases import PseudoRun, pseudo_labels, write_pseudo_case
from MSKSegmentLib.sparse.pseudo_labels import PseudoRule
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
    learning_rate=8e-3,
    average=0.95,
    device="cpu",
    precision=quick_precision("cpu"),
)
ALONE, PSEUDO, FULL = "annotated slices alone", "with pseudo-labels", "full labels"
RULES = (PseudoRule(0.5, 50.0, 0.0), PseudoRule(0.5, 3.0, 0.0), PseudoRule(0.9, 50.0, 0.0), PseudoRule(0.9, 3.0, 0.0), PseudoRule())
_RULE_NAMES = ("most passes", "most passes, neighbours", "90 % of passes", "90 % of passes, neighbours", "the same, slices by half")


@dataclass(frozen=True)
class Study:
    """Where it lies and how much is done: iterations of the first training and of what follows, dropout passes, the seed."""

    folder: Path
    first: int
    more: int
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
    """Cases that link to those of `source`, of which so many slices are called annotated; returns how many slices."""
    cases = find_labelled_cases(source)
    depths = [read_labelled_case(case, RECIPE.table).truth.shape[0] for case in cases]
    count = max(1, round(percent / 100 * sum(depths)))
    slices = defaultdict(set)
    for number in range(count):
        which = number % len(cases)
        slices[which].add(int((number + 0.5) / count * depths[which]))
    for which, case in enumerate(cases):
        folder = target / case.name
        if slices[which] and not folder.is_dir():
            folder.mkdir(parents=True)
            for file in (case.ct, case.labels):
                (folder / file.name).symlink_to(file.resolve())
            (folder / "labelled.json").write_text(json.dumps({"slices": sorted(slices[which])}))
    return sum(map(len, slices.values()))


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


def one_fraction(study: Study, percent: float) -> tuple[int, dict[str, list[dict[str, object]]]]:
    """Number of annotated slices, and the scores of both ways of going on."""
    name = f"{percent:g}"
    cases = study.folder / "annotated" / name
    count = annotate(study.folder / "training", cases, percent)
    first = trained(study, f"{name}-first", [PairsData(cases)], study.first)
    place = study.folder / "pseudo" / name
    run = PseudoRun(study.passes, study.seed, "cpu")
    for files in find_labelled_cases(cases):
        if not (place / files.name / PSEUDO_FILE).is_file():
            found = write_pseudo_case(place / files.name, files, first, run)
            print(f"{name} %, {files.name}: {found.slices} slices, {found.share:.0%} kept", flush=True)
            if not found.slices:
                (place / files.name).rename(place / f".{files.name}")
    start = study.folder / "runs" / f"{name}-first"
    alone = trained(study, f"{name}-alone", [PairsData(cases)], study.more, start)
    ways = {ALONE: scores(study, f"{name}-alone", alone)}
    if any(place.glob("[!.]*")):
        both = trained(study, f"{name}-pseudo", [PairsData(cases, 0.5), PairsData(place, 0.5)], study.more, start)
        ways[PSEUDO] = scores(study, f"{name}-pseudo", both)
    return count, ways


def rule_table(study: Study, percent: float) -> list[list[object]]:
    """What each rule keeps of a first network's labels, and how much of that is right; by voxels called a structure."""
    bundle = load_bundle(study.folder / "runs" / f"{percent:g}-first" / "bundle")
    files = find_labelled_cases(study.folder / "training")[0]
    case = read_labelled_case(files, RECIPE.table)
    rows = []
    for name, rule in zip(_RULE_NAMES, RULES, strict=True):
        found = pseudo_labels(case.volume, bundle, PseudoRun(study.passes, study.seed, "cpu", rule))
        kept = found.known & (found.labels > 0)
        right = (found.labels[kept] == case.truth[kept]).mean() if kept.any() else float("nan")
        rows.append([f"{percent:g}", name, f"{found.share:.2f}", f"{right:.3f}"])
    return rows


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
    for way, colour, marker in ((ALONE, "#1f77b4", "o"), (PSEUDO, "#d95f02", "s")):
        found = sorted((float(percent), rows) for (percent, name), rows in every.items() if name == way)
        axes.plot([one for one, _ in found], [mean_dice(rows) for _, rows in found], marker=marker, color=colour, label=way)
        for percent, rows in found:
            for patient in {row["patient"] for row in rows}:
                own = mean_dice([row for row in rows if row["patient"] == patient])
                axes.plot([percent], [own], marker=marker, color=colour, alpha=0.35, markersize=4, linestyle="none")
    full = [rows for (_, way), rows in every.items() if way == FULL]
    if full:
        axes.axhline(mean_dice(full[0]), color="#555555", linestyle="--", label=FULL)
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
    parser.add_argument("--iterations", type=int, nargs=2, default=(400, 200), metavar=("FIRST", "MORE"))
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--rules-of", type=float, default=5.0, metavar="PERCENT", help="compare rules of pseudo-labels at this one")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    out, (learners, judges) = options.output, options.patients
    study = Study(out, *options.iterations, options.samples, options.seed)
    table = make_task(out / "task")
    for folder, number, seed in (("training", learners, FIRST_SEED), ("test", judges, FIRST_SEED + learners)):
        for line in write_patients(out / "whole" / folder, PatientSeries(number, seed, GRID_MM), options.atlas):
            print(line, flush=True)
        eight_muscles(out / "whole" / folder, out / folder, table)
    every: dict[tuple[str, str], list[dict[str, object]]] = {}
    full = trained(study, "full", [PairsData(out / "training")], study.first + study.more)
    every["100", FULL] = scores(study, "full", full)
    print(f"full labels: {mean_dice(every['100', FULL]):.3f}", flush=True)
    means, rules = [], list[list[object]]()
    for percent in sorted(options.percent):
        count, ways = one_fraction(study, percent)
        every |= {(f"{percent:g}", way): rows for way, rows in ways.items()}
        cells = [f"{mean_dice(ways[way]):.3f}" if way in ways else "nothing kept" for way in (ALONE, PSEUDO)]
        means.append([f"{percent:g} %", count, *cells])
        if percent == options.rules_of:
            rules = rule_table(study, percent)
        print(*means[-1], flush=True)
    means.append(["100 %", "all", f"{mean_dice(every['100', FULL]):.3f}", "-"])
    write_csv(out / "sparse.csv", every)
    draw(out / "sparse.png", every)
    segments = len(every["100", FULL])
    text = "\n".join(
        (
            machine_line(machine()),
            f"{learners} patients to learn from, {judges} unseen ones with {segments} segments together, seed {options.seed}, "
            f"{study.first} + {study.more} iterations, {study.passes} passes.",
            "",
            markdown_table(("annotated", "slices", ALONE, PSEUDO), means),
            "",
            markdown_table(("annotated %", "rule", "share kept", "right"), rules),
        )
    )
    (out / "sparse.md").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
