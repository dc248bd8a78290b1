"""How well the density of virtual proximal femora is recovered, by voxel size and noise, through the phantom in the scan.

Prints a table in Markdown: mean and standard deviation over femora of the relative error of density, by region and kind of bone,
and the line's error. Takes some seconds per scan.
"""

import argparse
from dataclasses import replace

import numpy as np

from MSKSegmentLib.proximal_femur.calibration import fitted_calibration
from MSKSegmentLib.proximal_femur.measures import measure_femora
from MSKSegmentLib.proximal_femur.regions import Compartment, FemurRegion
from MSKSegmentLib.proximal_femur.rods import find_rods
from MSKSegmentLib.proximal_femur.virtual_cases import TASK, cut_labels, true_measures, virtual_person
from MSKSegmentLib.proximal_femur.virtual_scan import virtual_hips
from MSKSegmentLib.tasks import load_task

SCANS = (("0.7 x 0.7 x 0.7 mm", (0.7, 0.7, 0.7)), ("0.8 x 0.8 x 1.5 mm", (0.8, 0.8, 1.5)), ("0.9 x 0.9 x 3 mm", (0.9, 0.9, 3.0)))
SHOWN = (
    (FemurRegion.TOTAL, Compartment.INTEGRAL),
    (FemurRegion.NECK, Compartment.INTEGRAL),
    (FemurRegion.TROCHANTERIC, Compartment.INTEGRAL),
    (FemurRegion.TOTAL, Compartment.CORTICAL),
    (FemurRegion.HEAD, Compartment.TRABECULAR),
    (FemurRegion.NECK, Compartment.TRABECULAR),
    (FemurRegion.TROCHANTERIC, Compartment.TRABECULAR),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=3, help="people per kind of scan")
    parser.add_argument("--noise", type=float, help="SD in HU (default: 8 to 25, drawn)")
    options = parser.parse_args()
    print("| Voxels | slope % | " + " | ".join(f"{region.value} {kind.value} %" for region, kind in SHOWN) + " | total volume cc |")
    print("|---|" + "---:|" * (len(SHOWN) + 2))
    for name, spacing in SCANS:
        slopes, errors, volumes = [], [], []
        for seed in range(options.n):
            slope, rows, sizes = errors_of(seed, spacing, options.noise)
            slopes.append(slope)
            errors += rows
            volumes += sizes
        cells = [f"{np.mean(column):+.1f} ± {np.std(column):.1f}" for column in np.array(errors).T]
        print(
            f"| {name} | {np.mean(np.abs(slopes)):.2f} | " + " | ".join(cells) + f" | {min(volumes):.0f}-{max(volumes):.0f} |",
            flush=True,
        )


def errors_of(seed, spacing, noise):
    """Error of the slope in percent, and of each of `SHOWN` for both femora."""
    right, left, scanner = virtual_person(seed, spacing)
    hips = virtual_hips(right, left, scanner if noise is None else replace(scanner, noise_hu=noise), seed)
    table = load_task(TASK).table
    line = fitted_calibration(find_rods(hips.volume, scanner.phantom), "virtual", "benchmark")
    found = measure_femora(cut_labels(hips, table), hips.volume, table, line)
    truth = {(row["side"], row["region"], row["compartment"]): row["bmd_mg_cm3"] for row in true_measures(hips, table)}
    errors = [
        [100 * (femur.measure(*key).bmd_mg_cm3 / truth[femur.segment.side.value, key[0].value, key[1].value] - 1) for key in SHOWN]
        for femur in found.femora
    ]
    volumes = [femur.measure(FemurRegion.TOTAL, Compartment.INTEGRAL).volume_cc for femur in found.femora]
    return 100 * (line.slope / scanner.slope - 1), errors, volumes


if __name__ == "__main__":
    main()
