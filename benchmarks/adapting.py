"""A bundle adapted to a scanner without labels (``mskseg adapt``): Dice coefficients before and after on other patients.

    python benchmarks/adapting.py OUT --atlas DIR [--scans 4] [--patients 3] [--shares 0.5 1] [--scanner shifted|ordinary]

Virtual patients are scanned by the shifted scanner of ``learning.py`` or by ordinary ones, from which the bundle that comes along
learned. The first `--scans` patients give their scans, without labels; the others are segmented. The adapted bundles stay in OUT.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from common import machine, machine_line
from learning import cut, shifted_patient

from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.inference.devices import wait_without_spinning
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.training.adapting import Adaptation, adapt_bundle
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.patient import make_patient

FIRST_SEED = 991_000
GRID_MM = (6.0, 3.0, 3.0)
LENGTH_MM = 350.0


def main() -> None:
    """Make the patients, adapt, segment, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--atlas", type=Path, required=True)
    parser.add_argument("--bundle")
    parser.add_argument("--scans", type=int, default=4)
    parser.add_argument("--patients", type=int, default=3)
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0])
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--scanner", choices=("shifted", "ordinary"), default="shifted")
    options = parser.parse_args()
    wait_without_spinning()
    print(machine_line(machine()), flush=True)
    atlases, bundle = load_atlases(options.atlas), resolve_bundle(options.bundle)
    make = _shifted if options.scanner == "shifted" else _ordinary
    patients = [make(atlases, FIRST_SEED + k) for k in range(options.scans + options.patients)]
    unlabelled, others = patients[: options.scans], patients[options.scans :]
    columns = {"before": _dice(bundle, others, options.passes)}
    for share in options.shares:
        target = options.output / f"{options.scanner}-{options.scans}-{share:g}"
        scans = (patient.volume for patient in unlabelled)
        adapted = adapt_bundle(bundle, scans, target, f"{bundle.manifest.version}-adapted", Adaptation(share))
        columns[f"share {share:g}"] = _dice(adapted, others, options.passes)
    print(f"Mean Dice coefficient over the segments, {options.passes} passes; {options.scans} scans adapted to.\n")
    print("| patient | " + " | ".join(columns) + " |\n|---|" + "--:|" * len(columns))
    for k in range(len(others)):
        print(f"| {FIRST_SEED + options.scans + k} | " + " | ".join(f"{dice[k]:.3f}" for dice in columns.values()) + " |")
    print("| mean | " + " | ".join(f"{np.mean(dice):.3f}" for dice in columns.values()) + " |")


def _shifted(atlases, seed):
    return shifted_patient(atlases, seed, GRID_MM, LENGTH_MM)


def _ordinary(atlases, seed):
    return cut(make_patient(atlases, seed, GRID_MM), LENGTH_MM)


def _dice(bundle, patients, passes) -> list[float]:
    """Of each patient the mean over the segments that are there."""
    return [
        _mean_dice(segment_case(patient.volume, bundle, Settings(passes=passes, seed=0)).labels, patient.labels)
        for patient in patients
    ]


def _mean_dice(found: np.ndarray, true: np.ndarray) -> float:
    # One cell a pair of labels: both maps are read once.
    pairs = np.bincount(true.ravel().astype(np.intp) * 256 + found.ravel(), minlength=256 * 256).reshape(256, 256)
    present = np.flatnonzero(pairs.sum(axis=1))
    return float(np.mean([2 * pairs[k, k] / (pairs[k].sum() + pairs[:, k].sum()) for k in present if k]))


if __name__ == "__main__":
    main()
