"""How often the interval of a change holds the true change, and how often something that did not change is called a real change.

    python benchmarks/wasted_patients.py -o PATIENTS
    python benchmarks/change_coverage.py PATIENTS [--bundle B] [--draws 3]

True labels are known at both dates, and a network's errors are simulated: the border of every structure is moved by a smooth field
and by a shift of its own, at each date anew, from half a millimetre to three. The Dice coefficient of that with the truth is then
known; the predicted one is off by as much as the bundle's calibration says predictions are, and the intervals are those that the
calibration gives for it. How a real network's errors at two dates go together is not known: here they are independent, save with
``--shared``, where the shift is the same at both dates.

Also printed: the same for intervals made by the square root of the sum of squares (MOVER: Zou and Donner 2008), which asks that the
errors at two dates are independent.
"""

import argparse
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import markdown_table
from scipy import ndimage

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.case_result import CaseResult, Light, Scores, SegmentReport
from MSKSegmentLib.comparison.changes import ChangeVerdict, changes
from MSKSegmentLib.comparison.intervals import Bounded, FollowedQuantity
from MSKSegmentLib.ct.boxes import label_boxes
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.measurement import measure
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.dice_model import log_error
from MSKSegmentLib.quality.limits import needed_dice
from MSKSegmentLib.virtual.tissue import smooth_noise

SPACING = (4.0, 3.0, 3.0)
DAMAGE_MM = (0.5, 3.0)
NOISE_MM = 12.0
TAIL = 1.645


def damaged(labels, mm, shifts, rng):
    """The label map with moved borders; `shifts` are in mm by label, positive outwards. Of two structures the deeper one wins."""
    best = np.zeros(labels.shape, np.float32)
    result = np.zeros_like(labels)
    margin = np.ceil(4 * mm / np.array(SPACING)).astype(int) + 2
    for label, box in label_boxes(labels).items():
        part = box.grown(tuple(margin[::-1]), labels.shape[::-1]).slices
        inside = labels[part] == label
        depth = ndimage.distance_transform_edt(inside, sampling=SPACING) - ndimage.distance_transform_edt(~inside, sampling=SPACING)
        depth -= np.sign(depth) * 0.5 * min(SPACING)
        moved = depth + shifts[label] + mm * smooth_noise(rng, inside.shape, tuple(NOISE_MM / s for s in SPACING))
        taken = moved > best[part]
        best[part][taken], result[part][taken] = moved[taken], label
    return result


def drawn(reach, rng):
    """A residual whose 5 and 95 % quantiles are the reach."""
    z = rng.normal()
    return z * (reach.high if z > 0 else -reach.low) / TAIL


def report(segment, found, true_dice, model, rng):
    name = segment.structure.abbreviation
    error = float(log_error(true_dice))
    predicted = error - drawn(model.dice_reach.of(name), rng) * float(model.scatter.at(error))
    estimate, limits = model.estimate_of_error(name, predicted), model.limits[name]
    good_from, failed_below = needed_dice(limits)
    light = Light.GREEN if estimate.dice >= good_from else Light.YELLOW if estimate.dice >= failed_below else Light.RED
    low, high = (found.volume_cc * factor for factor in estimate.volume_factors)
    return SegmentReport(
        segment,
        light,
        (),
        found,
        predicted_dice=estimate.dice,
        volume_interval_cc=(low, high),
        mean_hu_interval=tuple(found.mean_hu + shift for shift in estimate.hu_shifts),
        scores=Scores(),
    )


def overlaps(truth, predicted):
    """The Dice coefficient of each label."""
    sizes = np.bincount(truth.ravel(), minlength=256) + np.bincount(predicted.ravel(), minlength=256)
    both = np.bincount(truth[truth == predicted], minlength=256)
    return 2 * both / np.maximum(sizes, 1)


def simulated(labels, hu, grid, model, damage, rng):
    """A result as a network might have made it, or None for segments that the damage lost."""
    mm, shifts = damage
    predicted = damaged(labels, mm, shifts, rng)
    found = measure(predicted, hu, grid, HIP_AND_THIGH)
    overlap = overlaps(labels, predicted)
    reports = []
    for segment in HIP_AND_THIGH.segments:
        one = found.get(segment.label)
        if one is None:
            reports.append(SegmentReport(segment, Light.GREY, ()))
        else:
            # The virtual scans show every structure; those that reach an end of the body's model are left out as cut.
            made = report(segment, one, overlap[segment.label], model, rng)
            reports.append(replace(made, light=Light.GREY) if one.truncated_by else made)
    return CaseResult(predicted, grid, tuple(reports))


def by_squares(change):
    """The interval by the square root of the sum of squares; a value outside of its own interval counts as its nearest end."""
    one, two = change.before, change.after
    down = math.hypot(max(two.value - two.low, 0), max(one.high - one.value, 0))
    up = math.hypot(max(two.high - two.value, 0), max(one.value - one.low, 0))
    return Bounded(two.value - one.value, two.value - one.value - down, two.value - one.value + up)


def truth(found, quantity):
    share = None if found.fat_fraction is None else 100 * found.fat_fraction
    return {FollowedQuantity.VOLUME: found.volume_cc, FollowedQuantity.MEAN_HU: found.mean_hu, FollowedQuantity.FAT: share}[
        quantity
    ]


class Tally:
    """Counts per line of the table."""

    def __init__(self):
        self.held, self.squares_held, self.real, self.squares_real, self.wrong_way, self.widths = [], [], [], [], [], []

    def add(self, change, true):
        """Count a change whose true value is known."""
        sum_of, squares = change.difference, by_squares(change)
        self.held.append(sum_of.low <= true <= sum_of.high)
        self.squares_held.append(squares.low <= true <= squares.high)
        self.real.append(change.verdict is ChangeVerdict.REAL)
        self.squares_real.append(squares.low > 0 or squares.high < 0)
        self.wrong_way.append(self.real[-1] and true * sum_of.value < 0)
        self.widths.append(sum_of.high - sum_of.low)

    def row(self, name):
        """The line of the table."""
        percent = [f"{100 * np.mean(values):.1f}" for values in (self.held, self.real, self.squares_held, self.squares_real)]
        return [name, len(self.held), *percent, float(np.median(self.widths)), sum(self.wrong_way)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("patients", type=Path)
    parser.add_argument("--bundle")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--shared", action="store_true", help="the same shift of a structure's border at both dates")
    options = parser.parse_args()
    model = Calibration.from_json(resolve_bundle(options.bundle).calibration).model
    tallies, lights, patients, per_patient = (
        defaultdict(Tally),
        defaultdict(int),
        sorted(options.patients.glob("patient_*[0-9].npz")),
        [],
    )
    for number, path in enumerate(patients):
        data = np.load(path)
        grid = Geometry(data["labels_1"].shape[::-1], SPACING[::-1])
        dates = [(data[f"labels_{date}"], data[f"hu_{date}"]) for date in (1, 2)]
        true, lost = [measure(labels, hu, grid, HIP_AND_THIGH) for labels, hu in dates], set(data["lost"].tolist())
        for draw in range(options.draws):
            rng = np.random.default_rng((number, draw))
            mm = float(np.exp(rng.uniform(*np.log(DAMAGE_MM))))
            shifts = [{segment.label: rng.normal(0, 0.4 * mm) for segment in HIP_AND_THIGH.segments} for _ in dates]
            damage = [(mm, shifts[0]), (mm, shifts[0 if options.shared else 1])]
            pair = [simulated(*date, grid, model, one, rng) for date, one in zip(dates, damage, strict=True)]
            count(pair, true, lost, tallies, lights, per_patient)
    head = ["", "Changes", "Held %", "Called real %", "Held % (squares)", "Real % (squares)", "Width, median", "Wrong way"]
    print(f"{len(patients)} patients, {options.draws} draws each; lights: {dict(sorted(lights.items()))}\n")
    print(markdown_table(head, [tallies[name].row(name) for name in sorted(tallies)]))
    print(f"\nReal changes of volume where nothing was wasted, per pair: {np.mean(per_patient):.2f}, at most {max(per_patient)}")


def count(pair, true, lost, tallies, lights, per_patient):
    called = 0
    for case in pair:
        for one in case.reports:
            lights[one.light.value] += 1
    for change in changes(*pair):
        label = change.segment.label
        if change.difference is None or label not in true[0] or label not in true[1]:
            continue
        was, now = (truth(found[label], change.quantity) for found in true)
        name = change.quantity.value
        tallies[f"{name}: all"].add(change, now - was)
        if label not in lost:
            # Shape and place stay, but the texture of HU is drawn anew for each scan.
            tallies[f"{name}: not wasted"].add(change, now - was)
            called += change.verdict is ChangeVerdict.REAL and change.quantity is FollowedQuantity.VOLUME
        elif change.quantity is FollowedQuantity.VOLUME:
            loss = 1 - now / was
            step = "0-20" if loss < 0.2 else "20-40" if loss < 0.4 else "40-60" if loss < 0.6 else "60-100"
            tallies[f"{name}: wasted by {step} %"].add(change, now - was)
        else:
            tallies[f"{name}: wasted"].add(change, now - was)
    per_patient.append(called)


if __name__ == "__main__":
    main()
