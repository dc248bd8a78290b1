"""Changes between two scans with the errors of a real network: how often their intervals hold the true change.

    python benchmarks/two_scans.py OUT [--atlas DIR] [--bundle B] [-n 20]
    python benchmarks/two_scans.py OUT --table

Each virtual patient is scanned twice. In between about half of the muscles lose some of their thickness and what is left of them
gets fatter; at the second date the patient lies differently (legs turned and spread, pelvis tilted) and the scanner is another one
(kernel, dose, slice profile, calibration, artefacts). The bundle segments both scans with its usual number of passes, and the
changes are those of ``mskseg compare``. The true numbers are those of the true labels on the same two scans, so that a scanner's
own shift of HU belongs to the true change. Bodies and scanners are of the kinds that the bundle was trained on, with other seeds.

What is done is kept: the command goes on where it was stopped. ``--table`` prints what is there. A patient takes some 60 seconds
of one core.
"""

import argparse
import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from change_coverage import Tally, overlaps, truth
from common import markdown_table
from wasted_patients import LOSSES

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.comparison.changes import ChangeVerdict
from MSKSegmentLib.comparison.follow_up import read_follow_up
from MSKSegmentLib.comparison.intervals import FollowedQuantity
from MSKSegmentLib.measurement import measure
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.virtual.acquisition import random_acquisition
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.coverage import Coverage
from MSKSegmentLib.virtual.disease import Disease, waste_muscles
from MSKSegmentLib.virtual.patient import scan_specimen
from MSKSegmentLib.virtual.radiodensity import random_composition
from MSKSegmentLib.virtual.specimen import build_specimen, random_body

FIRST_SEED = 82_000
# Within the slices that the bundle was calibrated on.
SPACING = (6.0, 3.0, 3.0)
DATES = "before", "after"
# What counts as no change: in percent of the volume, HU, percentage points.
NEARLY_NONE = {FollowedQuantity.VOLUME: 2.0, FollowedQuantity.MEAN_HU: 2.0, FollowedQuantity.FAT: 1.0}


def lies_differently(shape, rng):
    """The same body in another pose; flexion stays, because it decides the size of the grid on which the body is drawn."""
    legs = [
        replace(
            leg,
            abduction=leg.abduction + float(rng.normal(0, 2)),
            rotation=leg.rotation + float(rng.normal(0, 6)),
            knee=max(0.0, leg.knee + float(rng.normal(0, 3))),
        )
        for leg in shape.legs
    ]
    return replace(shape, legs=tuple(legs), tilt=tuple(angle + float(rng.normal(0, 1.5)) for angle in shape.tilt))


def make(atlases, seed):
    """Both scans of a patient, and the share of its thickness that each wasted muscle lost."""
    atlas, shape, build, disease, _ = random_body(atlases, np.random.default_rng(seed))
    rng = np.random.default_rng((seed, 9))
    muscles = [segment.label for segment in HIP_AND_THIGH.segments if not segment.structure.is_bone]
    lost = {label: float(rng.uniform(*LOSSES)) for label in muscles if rng.random() < 0.5}
    # The same stream for both: the body's own bumps are drawn from it.
    bodies = [
        build_specimen(atlas, one, build, disease, SPACING, np.random.default_rng((seed, 3)), False, {"seed": seed})
        for one in (shape, lies_differently(shape, rng))
    ]
    what = random_composition(rng, disease.atrophy)
    tissue = bodies[1].tissue.copy()
    waste_muscles(tissue, Disease(lost, outline_kept=True), SPACING, rng)
    fatter = {
        label: float(np.clip(share + 0.6 * lost.get(label, 0.0) * rng.uniform(0.4, 1.2), 0, 0.6))
        for label, share in what.infiltration.items()
    }
    dates = (bodies[0], what), (replace(bodies[1], tissue=tissue), replace(what, infiltration=fatter))
    scans = []
    for number, (body, composition) in enumerate(dates, 1):
        own = np.random.default_rng((seed, 10 + number))
        settings = replace(random_acquisition(own), view_mm=1000.0)
        scans.append(scan_specimen(body, composition, settings, Coverage(), own, SPACING))
    return scans, lost


def write_patient(folder, atlases, bundle, seed):
    """Scan and segment at both dates: a result folder each and, after it, the truth beside it."""
    scans, lost = make(atlases, seed)
    for name, scan in zip(DATES, scans, strict=True):
        if truth_file(folder, name).exists():
            continue
        volume = scan.volume
        result = segment_case(volume, bundle, Settings(device="cpu", seed=seed))
        write_result(folder / name, result)
        numbers = measure(scan.labels, volume.hu, volume.geometry, HIP_AND_THIGH)
        overlap = overlaps(scan.labels, result.labels)
        true = {
            label: {"dice": float(overlap[label]), **{quantity.value: truth(found, quantity) for quantity in FollowedQuantity}}
            for label, found in numbers.items()
        }
        truth_file(folder, name).write_text(json.dumps({"lost": lost, "segments": true}))


def truth_file(folder, name):
    return folder / f"{name}.json"


def is_done(folder):
    return all(truth_file(folder, name).exists() for name in DATES)


class Counts:
    """What the tables say, over patients."""

    def __init__(self):
        self.tallies, self.lights, self.verdicts = defaultdict(Tally), Counter(), Counter()
        self.false_real, self.dice, self.errors = [], defaultdict(list), []

    def add(self, folder):
        """Count a patient: the changes of volume, HU and share of fat in all structures."""
        true = [json.loads(truth_file(folder, name).read_text())["segments"] for name in DATES]
        pair = read_follow_up([folder / name for name in DATES]).comparisons[0]
        lights = [{one.segment.label: one for one in examination.result.reports} for examination in (pair.before, pair.after)]
        for date, reports in zip(true, lights, strict=True):
            for label, one in reports.items():
                self.lights[one.light] += 1
                if one.measurements is not None and str(label) in date:
                    self.dice[one.light].append(date[str(label)]["dice"])
        called = 0
        for change in pair.changes:
            label = str(change.segment.label)
            was, now = (date.get(label) for date in true)
            self.verdicts[change.quantity, change.verdict] += 1
            if change.difference is None or was is None or now is None:
                continue
            both = [reports[change.segment.label].light for reports in lights]
            called += self.count(change, was[change.quantity.value], now[change.quantity.value], both)
        self.false_real.append(called)

    def count(self, change, was, now, both):
        """Count a change; whether a volume that hardly changed was called a real change."""
        difference, name = now - was, change.quantity.value
        light = "both green" if all(one is Light.GREEN for one in both) else "at least one yellow"
        volume = change.quantity is FollowedQuantity.VOLUME
        none = abs(100 * difference / was if volume else difference) <= NEARLY_NONE[change.quantity]
        kinds = ["all", light, *(["hardly changed"] if none else [])]
        if volume and not none:
            loss = 1 - now / was
            kinds.append("gained" if loss < 0 else f"lost {'2-20' if loss < 0.2 else '20-40' if loss < 0.4 else '40-100'} %")
        for kind in kinds:
            self.tallies[f"{name}: {kind}"].add(change, difference)
        if volume:
            self.errors.append([np.log(one.value / one_true) for one, one_true in ((change.before, was), (change.after, now))])
        return volume and none and change.verdict is ChangeVerdict.REAL

    def write(self):
        """Print the tables."""
        patients = len(self.false_real)
        shown = ", ".join(
            f"{light.value} {number} (mean Dice {np.mean(self.dice[light]):.3f})"
            for light, number in sorted(self.lights.items(), key=lambda pair: pair[0].value)
            if self.dice[light]
        )
        print(f"{patients} patients; lights of both dates: {shown}\n")
        head = ["", "Changes", "Held %", "Called real %", "Held % (squares)", "Real % (squares)", "Width, median", "Wrong way"]
        print(markdown_table(head, [self.tallies[name].row(name) for name in sorted(self.tallies)]))
        refused = ", ".join(f"{q.value} {self.verdicts[q, ChangeVerdict.NOT_COMPARABLE]}" for q in FollowedQuantity)
        print(f"\nNot compared: {refused}.")
        called = f"{np.mean(self.false_real):.2f} on average, {max(self.false_real)} at most"
        print(f"Volumes that hardly changed called a real change, per pair: {called}")
        errors = np.array(self.errors)
        spread, change = errors.std(axis=0), (errors[:, 1] - errors[:, 0]).std()
        print(
            f"Logarithmic errors of volume: standard deviation {spread[0]:.3f} and {spread[1]:.3f} at the two dates, correlation "
            f"{np.corrcoef(errors.T)[0, 1]:.2f}, of the change {change:.3f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("-n", "--number", type=int, default=20)
    parser.add_argument("--atlas", type=Path)
    parser.add_argument("--bundle")
    parser.add_argument("--table", action="store_true", help="print the tables of what is there")
    options = parser.parse_args()
    folders = [options.output / f"patient_{seed}" for seed in range(FIRST_SEED, FIRST_SEED + options.number)]
    if not options.table:
        atlases, bundle = load_atlases(options.atlas), resolve_bundle(options.bundle)
        for seed, folder in enumerate(folders, FIRST_SEED):
            if not is_done(folder):
                folder.mkdir(parents=True, exist_ok=True)
                write_patient(folder, atlases, bundle, seed)
                print(f"{folder.name} is done", flush=True)
    counts = Counts()
    for folder in folders:
        if is_done(folder):
            counts.add(folder)
    counts.write()


if __name__ == "__main__":
    main()
