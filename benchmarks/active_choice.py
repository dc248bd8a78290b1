"""Active choice against random choice: Dice coefficients on unseen virtual patients over hours of an annotator.

A bundle segments a pool of virtual patients of a scanner that it does not know (that of ``learning.py``). A perfect annotator
corrects segments for some hours, in the order of ``mskseg choose`` or in a random one; the bundle is fine-tuned on what was
corrected, as ``mskseg learn`` does but without rehearsal, and judged on further patients of that scanner. Minutes are those of
`ReviewMinutes` by the true Dice coefficients, for both orders alike. All of it goes on where it was stopped.

    python benchmarks/active_choice.py OUT --atlas DIR --pool 6 --hours 0.5 1 2 --seeds 2
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import machine, machine_line, markdown_table
from learning import shifted_patient

from MSKSegmentLib.bundle import ModelBundle, load_bundle, resolve_bundle
from MSKSegmentLib.calibration.review_saving import ReviewMinutes
from MSKSegmentLib.case_result import CaseResult
from MSKSegmentLib.evaluation.metrics import Outcome, Scope, overlap_rows
from MSKSegmentLib.learning.choosing import choose_segments, worth_seeing
from MSKSegmentLib.learning.plan import LearningPlan, fine_tuning
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.training.recipes import PairsData
from MSKSegmentLib.training.run import Choices, quick_precision, run_recipe
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.patient import VirtualPatient

FIRST_SEED = 970_000
INACCURATE, FAILED = 0.9, 0.7
CHOSEN, RANDOM = "chosen", "random"


@dataclass(frozen=True)
class PoolCase:
    """A patient of the pool: the truth, what the bundle made of it, and the true Dice coefficient of each segment."""

    patient: VirtualPatient
    result: CaseResult
    dice: dict[str, float]

    def minutes(self, key: str) -> float:
        """What an annotator takes for a segment."""
        assumed, dice = ReviewMinutes(), self.dice.get(key, 1.0)
        return assumed.look + (assumed.failed if dice < FAILED else assumed.inaccurate if dice < INACCURATE else 0.0)


@dataclass(frozen=True)
class Trial:
    """A strategy with so many hours; `seed` of the random order and of the training."""

    strategy: str
    seed: int
    hours: float

    @property
    def name(self) -> str:
        """What its folder is called."""
        return f"{self.strategy}{self.seed}-{self.hours:g}h"


def write_labelled(folder: Path, patient: VirtualPatient, keys: Sequence[str]) -> None:
    """A case of which these segments are known."""
    import SimpleITK as sitk

    folder.mkdir(parents=True)
    for name, array in (("ct.nrrd", patient.volume.hu), ("labels.nrrd", patient.labels)):
        sitk.WriteImage(patient.volume.geometry.image_of(array), str(folder / name))
    (folder / "labelled.json").write_text(json.dumps({"segments": dict.fromkeys(keys, True)}))


def scores(patient: VirtualPatient, bundle: ModelBundle, passes: int) -> tuple[CaseResult, dict[str, float]]:
    """What a bundle makes of a patient, and the true Dice coefficients of the segments that are no slivers."""
    volume = patient.volume
    result = segment_case(volume, bundle, Settings(device="cpu", passes=passes, seed=0))
    scope = Scope.everything(bundle.table, volume.geometry.size[2])
    rows = overlap_rows(patient.labels, result.labels, volume.geometry, volume.hu, scope)
    judged = (Outcome.COMPARED, Outcome.MISSED)
    return result, {row.segment.key: row.dice for row in rows if row.outcome in judged}


def mean_dice(patients: Sequence[VirtualPatient], bundle: ModelBundle, passes: int) -> float:
    """Mean over patients of the mean over segments."""
    return float(np.mean([np.mean(list(scores(patient, bundle, passes)[1].values())) for patient in patients]))


def order_of(pool: dict[str, PoolCase], trial: Trial) -> list[tuple[str, str]]:
    """(patient, segment) of everything that a strategy would look at, in its order."""
    candidates = [one for name, case in pool.items() for one in worth_seeing(Path(name), case.result.reports)]
    if trial.strategy == RANDOM:
        order = np.random.default_rng(trial.seed).permutation(len(candidates))
        return [(candidates[index].folder.name, candidates[index].segment.key) for index in order]
    return [(choice.what.folder.name, choice.what.segment.key) for choice in choose_segments(candidates, 100 * trial.hours)]


def corrected(pool: dict[str, PoolCase], trial: Trial) -> dict[str, list[str]]:
    """Patient -> segments that the annotator gets through."""
    known: dict[str, list[str]] = {}
    left = 60 * trial.hours
    for case, key in order_of(pool, trial):
        left -= pool[case].minutes(key)
        if left < 0:
            break
        known.setdefault(case, []).append(key)
    return known


def run_trial(
    trial: Trial, pool: dict[str, PoolCase], test: Sequence[VirtualPatient], bundle: ModelBundle, options: argparse.Namespace
) -> dict[str, float | str]:
    """Correct, fine-tune and judge; what is there already is read."""
    folder = options.output / trial.name
    stored = folder / "trial.json"
    if stored.is_file():
        return json.loads(stored.read_text())
    known, cases = corrected(pool, trial), folder / "cases"
    for case, keys in known.items():
        if not (cases / case).is_dir():
            write_labelled(cases / case, pool[case].patient, keys)
    if not (folder / "run" / "bundle").is_dir():
        plan = LearningPlan(folder / "unused", iterations=options.iterations, device="cpu", seed=trial.seed)
        recipe = fine_tuning(bundle, plan, [PairsData(cases)], len(known), quick_precision("cpu"), "trial-uncalibrated")
        run_recipe(recipe, folder / "run", Choices(), lambda status: None, lambda text: None, lambda: None)
    dice = mean_dice(test, load_bundle(folder / "run" / "bundle"), options.samples)
    line = {"order": trial.strategy, "seed": trial.seed, "hours": trial.hours, "patients": len(known)}
    line |= {"segments": sum(map(len, known.values())), "dice": dice}
    stored.write_text(json.dumps(line))
    return line


def draw_curve(path: Path, before: float, lines: Sequence[dict[str, float | str]]) -> None:
    """Dice coefficient over hours: a line per order through the means, a point per trial."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for strategy, color in ((CHOSEN, "#1f5fa8"), (RANDOM, "#9a5b00")):
        own = [line for line in lines if line["order"] == strategy]
        hours = sorted({float(line["hours"]) for line in own})
        means = [float(np.mean([line["dice"] for line in own if line["hours"] == hour])) for hour in hours]
        axes.plot([0.0, *hours], [before, *means], color=color, label=strategy)
        axes.plot([line["hours"] for line in own], [line["dice"] for line in own], ".", color=color)
    axes.set_xlabel("hours of an annotator")
    axes.set_ylabel("Dice coefficient of unseen patients")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Print the table and draw the curve."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--atlas", type=Path, help="default: MSKSEG_ATLAS")
    parser.add_argument("--bundle", help="default: the one that comes along")
    parser.add_argument("--pool", type=int, default=6, help="patients to choose from")
    parser.add_argument("--test", type=int, default=3, help="patients to judge by")
    parser.add_argument("--hours", type=float, nargs="+", default=(0.5, 1.0, 2.0))
    parser.add_argument("--seeds", type=int, default=2, help="trials of each order, with another training each")
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--samples", type=int, default=2, help="dropout passes on the patients to judge by")
    parser.add_argument("--length-mm", type=float, default=300.0, help="of each scan, from the top")
    parser.add_argument("--grid", type=float, nargs=3, default=(6.0, 3.0, 3.0), metavar="MM", help="of the scans: z y x")
    options = parser.parse_args()
    print(machine_line(machine()), flush=True)
    bundle, atlases = resolve_bundle(options.bundle), load_atlases(options.atlas)
    seeds = range(FIRST_SEED, FIRST_SEED + options.test + options.pool)
    everyone = [shifted_patient(atlases, seed, tuple(options.grid), options.length_mm) for seed in seeds]
    test, others = everyone[: options.test], everyone[options.test :]
    # The choice rests on lights, which need as many passes as the bundle's calibration.
    passes = bundle.manifest.passes
    pool = {f"v{n}": PoolCase(patient, *scores(patient, bundle, passes)) for n, patient in enumerate(others)}
    before = mean_dice(test, bundle, options.samples)
    print(f"Before: Dice {before:.3f} on {options.test} unseen patients", flush=True)
    trials = [Trial(s, seed, hours) for hours in options.hours for seed in range(options.seeds) for s in (CHOSEN, RANDOM)]
    lines = []
    for trial in trials:
        lines.append(run_trial(trial, pool, test, bundle, options))
        print(*lines[-1].values(), flush=True)
        draw_curve(options.output / "active_choice.png", before, lines)
    rows = [[*list(line.values())[:-1], f"{line['dice']:.3f}"] for line in lines]
    print(markdown_table(("order", "seed", "hours", "patients", "segments corrected", "Dice of unseen patients"), rows))


if __name__ == "__main__":
    main()
