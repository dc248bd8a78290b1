"""Ten folds of a small V-Net on virtual femora, with a tenth held out of all: overlap, volumes, bone mineral density, by sex.

    python benchmarks/femur_folds.py OUT [--patients 20] [--iterations 100] [--levels 3] [--filters 4] [--voxel 6] [--samples 2]

Makes virtual hips, cross-validates with ``mskseg study cross-validate``, and prints tables in Markdown. The density is that of the
whole label (`proximal_femur.density_column`), by the line through the phantom in the scan; its error is split into what the
scanner's blur does to the true label and what the network's label adds. It goes on where it stopped.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from common import machine, machine_line, markdown_table

from MSKSegmentLib.ct import read_ct
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.folder import read_evaluation
from MSKSegmentLib.proximal_femur.calibration import fitted_calibration, stated_calibration
from MSKSegmentLib.proximal_femur.phantom import read_phantom
from MSKSegmentLib.proximal_femur.rods import find_rods
from MSKSegmentLib.proximal_femur.virtual_cases import LIST_FILE, PHANTOM_FILE, TASK, write_virtual_hips
from MSKSegmentLib.training.run import quick_precision
from MSKSegmentLib.virtual.cases import CT_FILE, FACTS_FILE

SPACING = (2.0, 2.0, 3.0)
FIRST_SEED = 4000
FOLDS = 10


def recipe(options):
    """The preset ``proximal-femur-vnet``, much smaller."""
    patch = [16, 32, 48]
    return {
        "name": "small-vnet",
        "task": TASK,
        "network": {"family": "vnet", "dimensions": 3, "patch": patch, "levels": options.levels, "base_filters": options.filters,
                    "classes": 2, "in_channels": 1, "batch_norm": True, "dropout": 0.1},
        "preprocessing": {"hu_window": [-200, 1500], "value_range": [0, 1], "in_plane_spacing_mm": options.voxel,
                          "slice_interval_mm": options.voxel},
        "iterations": options.iterations, "batch": 1, "crop": patch, "learning_rate": 1e-2, "average": 0.9, "dice_weight": 1,
        "cross_entropy_weight": 0, "l2": 1e-4, "checkpoint_every": 50, "precision": quick_precision("cpu"), "device": "cpu",
        "augmentation": {"flip": 0.5},
        "sources": [{"pairs": "cases"}],
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--levels", type=int, default=3)
    parser.add_argument("--filters", type=int, default=4)
    parser.add_argument("--voxel", type=float, default=6.0, help="mm")
    parser.add_argument("--samples", type=int, default=2)
    options = parser.parse_args()
    cases, study = options.output / "cases", options.output / "study"
    for line in write_virtual_hips(cases, options.patients, FIRST_SEED, SPACING):
        print(line, flush=True)
    path = options.output / "small-vnet.json"
    path.write_text(json.dumps(recipe(options), indent=1))
    asked = ["study", "cross-validate", cases, path, "--folds", FOLDS, "--hold-out", 10, "--cases", cases / LIST_FILE, "-o", study]
    asked += ["--samples", options.samples, "--device", "cpu"]
    done = subprocess.run([sys.executable, "-m", "MSKSegmentLib", *map(str, asked)])
    if done.returncode:
        raise SystemExit(done.returncode)
    print(machine_line(machine()))
    for title, folders in (
        (f"{FOLDS} folds, pooled", sorted(study.glob("small-vnet/*/fold*/evaluation"))),
        ("the tenth held out", sorted(study.glob("small-vnet/*/held-out/evaluation"))),
    ):
        rows = [row for folder in folders for row in rows_of(folder, cases)]
        table(title, rows)


def rows_of(folder, cases):
    """Of each femur of an evaluation: sex, and the numbers that `table` averages."""
    for _, scores in read_evaluation(folder):
        facts = json.loads((cases / scores.name / FACTS_FILE).read_text())
        line = line_of(cases / scores.name, facts)
        truth = {row["side"]: row for row in facts["truth"] if (row["region"], row["compartment"]) == ("total", "integral")}
        for row in scores.rows:
            true = truth[row.segment.side.value]["bmd_mg_cm3"]
            blurred, found = (
                None if hu is None else line.slope * hu + line.intercept for hu in (row.mean_hu_true, row.mean_hu_predicted)
            )
            yield {
                "patient": scores.name, "sex": facts["sex"], "dice": row.dice, "sensitivity": row.sensitivity,
                "specificity": row.specificity, "volume": row.volume_true_cc, "found": row.volume_predicted_cc,
                "blur": None if blurred is None else 100 * (blurred / true - 1),
                "bmd": None if found is None else 100 * (found / true - 1),
                "added": None if found is None else 100 * (found / blurred - 1),
            }  # fmt: skip


def line_of(case, facts):
    """The line through the phantom in the scan; the scanner's own where its rods are not found, which is told."""
    try:
        return fitted_calibration(find_rods(read_ct(case / CT_FILE), read_phantom(case / PHANTOM_FILE)), "virtual", "benchmark")
    except InputError as error:
        print(f"{case.name}: {error}")
        return stated_calibration(facts["slope_mg_cm3_per_hu"], facts["intercept_mg_cm3"])


def table(title, rows):
    """Mean ± standard deviation over femora, by sex."""
    lines = []
    for group in ("all", "female", "male"):
        chosen = [row for row in rows if group in ("all", row["sex"])]
        if not chosen:
            continue
        true, found = (np.array([row[key] for row in chosen]) for key in ("volume", "found"))
        residual = 1 - ((true - found) ** 2).sum() / ((true - true.mean()) ** 2).sum()
        values = {
            key: np.array([row[key] for row in chosen], float)
            for key in ("dice", "sensitivity", "specificity", "blur", "bmd", "added")
        }
        text = {key: f"{np.nanmean(one):.4f} ± {np.nanstd(one, ddof=1):.4f}" for key, one in values.items()}
        percent = {
            key: f"{np.nanmean(values[key]):+.1f} ± {np.nanstd(values[key], ddof=1):.1f}" for key in ("blur", "added", "bmd")
        }
        error = 100 * (found / true - 1)
        lines.append([
            group, len({row["patient"] for row in chosen}), len(chosen), text["dice"], text["sensitivity"], text["specificity"],
            f"{error.mean():+.1f} ± {error.std(ddof=1):.1f}", f"{residual:.3f}", f"{np.corrcoef(true, found)[0, 1] ** 2:.3f}",
            percent["blur"], percent["added"], percent["bmd"],
        ])  # fmt: skip
    head = (title, "patients", "femora", "Dice", "sensitivity", "specificity", "volume error %", "R2 of volumes", "r2 of volumes",
            "BMD error of the true label %", "added by the network %", "BMD error %")  # fmt: skip
    print("\n" + markdown_table(head, lines))


if __name__ == "__main__":
    main()
