"""Active choice against random choice: Dice coefficients on unseen virtual patients over hours of an annotator.

A tiny network learns two virtual patients, then segments a pool of others. A perfect annotator corrects segments for some hours, in
the order of ``mskseg choose`` or in a random one; the network goes on from there with what was corrected, and is judged on patients
that nobody else saw. Minutes are those of `ReviewMinutes` by the true Dice coefficients, for both orders alike.

    python benchmarks/active_choice.py OUT --atlas DIR --pool 6 --hours 0.5 1 2
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from common import machine, machine_line, markdown_table
from learning import cut

from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.calibration.review_saving import ReviewMinutes
from MSKSegmentLib.case_result import CaseResult
from MSKSegmentLib.evaluation.metrics import Outcome, Scope, overlap_rows
from MSKSegmentLib.learning.choosing import choose_segments, worth_seeing
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.training.recipes import PairsData, Recipe
from MSKSegmentLib.training.run import Choices, run_recipe
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.patient import VirtualPatient, make_patient

FIRST_SEED = 970_000
GRID_MM = (6.0, 5.0, 5.0)
START, TEST = 2, 3
INACCURATE, FAILED = 0.9, 0.7
RECIPE = Recipe(
    NetworkSpec(levels=4, base_filters=8, in_channels=3, dropout=0.125),
    Preprocessing(in_plane_spacing_mm=5.0, slice_interval_mm=6.0),
    crop=(56, 80),
    learning_rate=3e-3,
    average=0.98,
    device="cpu",
)


@dataclass(frozen=True)
class PoolCase:
    """A patient of the pool: the truth, what the first network made of it, and the true Dice coefficient of each segment."""

    patient: VirtualPatient
    result: CaseResult
    dice: dict[str, float]

    def minutes(self, key: str) -> float:
        """What an annotator takes for a segment."""
        assumed, dice = ReviewMinutes(), self.dice.get(key, 1.0)
        return assumed.look + (assumed.failed if dice < FAILED else assumed.inaccurate if dice < INACCURATE else 0.0)


def write_labelled(folder: Path, patient: VirtualPatient, keys: list[str] | None) -> None:
    """A case of which these segments are known; None: all."""
    import SimpleITK as sitk

    folder.mkdir(parents=True)
    for name, array in (("ct.nrrd", patient.volume.hu), ("labels.nrrd", patient.labels)):
        sitk.WriteImage(patient.volume.geometry.image_of(array), str(folder / name))
    if keys is not None:
        (folder / "labelled.json").write_text(json.dumps({"segments": dict.fromkeys(keys, True)}))


def trained(folder: Path, cases: Path, iterations: int, initial: Path | None):
    """A bundle trained on a folder of cases; kept where it is there."""
    if not (folder / "bundle").is_dir():
        recipe = replace(RECIPE, iterations=iterations, sources=(PairsData(cases),), initial=initial and str(initial))
        run_recipe(recipe, folder, Choices(), lambda status: None, lambda text: None, lambda: None)
    return load_bundle(folder / "bundle")


def scores(patient: VirtualPatient, bundle, passes: int) -> tuple[CaseResult, dict[str, float]]:
    """What a bundle makes of a patient, and the true Dice coefficients of the segments that are no slivers."""
    volume = patient.volume
    result = segment_case(volume, bundle, Settings(device="cpu", passes=passes, seed=0))
    scope = Scope.everything(bundle.table, volume.geometry.size[2])
    rows = overlap_rows(patient.labels, result.labels, volume.geometry, volume.hu, scope)
    judged = (Outcome.COMPARED, Outcome.MISSED)
    return result, {row.segment.key: row.dice for row in rows if row.outcome in judged}


def order_of(pool: dict[str, PoolCase], strategy: str, hours: float, seed: int) -> list[tuple[str, str]]:
    """(patient, segment) of everything that a strategy would look at, in its order."""
    candidates = [one for name, case in pool.items() for one in worth_seeing(Path(name), case.result.reports)]
    if strategy == "random":
        order = np.random.default_rng(seed).permutation(len(candidates))
        return [(candidates[index].folder.name, candidates[index].segment.key) for index in order]
    return [(choice.what.folder.name, choice.what.segment.key) for choice in choose_segments(candidates, 100 * hours)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--atlas", type=Path, help="default: MSKSEG_ATLAS")
    parser.add_argument("--pool", type=int, default=6)
    parser.add_argument("--hours", type=float, nargs="+", default=(0.5, 1.0, 2.0))
    parser.add_argument("--seeds", type=int, default=1, help="random orders")
    parser.add_argument("--iterations", type=int, default=200, help="of the first training; half as many after corrections")
    options = parser.parse_args()
    print(machine_line(machine()), flush=True)
    atlases, out = load_atlases(options.atlas), options.output
    count = START + TEST + options.pool
    everyone = [cut(make_patient(atlases, FIRST_SEED + n, GRID_MM), 300.0) for n in range(count)]
    first, test, others = everyone[:START], everyone[START : START + TEST], everyone[START + TEST :]
    for number, patient in enumerate(first):
        if not (out / "start" / f"s{number}").is_dir():
            write_labelled(out / "start" / f"s{number}", patient, None)
    bundle = trained(out / "first", out / "start", options.iterations, None)
    pool = {f"v{n}": PoolCase(patient, *scores(patient, bundle, 5)) for n, patient in enumerate(others)}
    dice = [value for patient in test for value in scores(patient, bundle, 2)[1].values()]
    print(f"Before: Dice {np.mean(dice):.3f} on {TEST} unseen patients", flush=True)
    rows = []
    for hours in options.hours:
        for strategy, seed in (("chosen", 0), *(("random", seed) for seed in range(options.seeds))):
            name = f"{strategy}{seed}-{hours:g}h"
            known: dict[str, list[str]] = {}
            left = 60 * hours
            for case, key in order_of(pool, strategy, hours, seed):
                left -= pool[case].minutes(key)
                if left < 0:
                    break
                known.setdefault(case, []).append(key)
            cases = out / "cases" / name
            if not cases.is_dir():
                for number, patient in enumerate(first):
                    write_labelled(cases / f"s{number}", patient, None)
                for case, keys in known.items():
                    write_labelled(cases / case, pool[case].patient, keys)
            after = trained(out / "runs" / name, cases, options.iterations // 2, out / "first" / "bundle")
            dice = [value for patient in test for value in scores(patient, after, 2)[1].values()]
            rows.append([strategy, hours, len(known), sum(map(len, known.values())), f"{np.mean(dice):.3f}"])
            print(*rows[-1], flush=True)
    print(markdown_table(("order", "hours", "patients", "segments corrected", "Dice of unseen patients"), rows))


if __name__ == "__main__":
    main()
