"""Virtual patients at two dates, a known part of their muscles wasted in between: label maps and CT for ``change_coverage.py``.

    python benchmarks/wasted_patients.py -o PATIENTS [-n 20] [--atlas DIR]

Each file of PATIENTS holds both dates; patients that are there already are kept. The bodies are those of the seeds, without metal.
About half of a patient's muscles lose some of their thickness, and what is left of them gets fatter; the others stay as they are.
Both dates are scanned by scanners of the same kind with noise of their own. Some 40 seconds of one core a patient.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.virtual.acquisition import random_acquisition
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.coverage import Coverage
from MSKSegmentLib.virtual.disease import Disease, waste_muscles
from MSKSegmentLib.virtual.patient import scan_specimen
from MSKSegmentLib.virtual.radiodensity import random_composition
from MSKSegmentLib.virtual.specimen import make_specimen

FIRST_SEED = 81_000
SPACING = (4.0, 3.0, 3.0)
# The share of its thickness that a muscle loses.
LOSSES = (0.05, 0.5)


def make(atlases, seed):
    specimen = make_specimen(atlases, seed, SPACING, metal=False)
    rng = np.random.default_rng((seed, 9))
    what = random_composition(rng, specimen.atrophy)
    muscles = [segment.label for segment in HIP_AND_THIGH.segments if not segment.structure.is_bone]
    lost = {label: float(rng.uniform(*LOSSES)) for label in muscles if rng.random() < 0.5}
    tissue = specimen.tissue.copy()
    waste_muscles(tissue, Disease(lost, outline_kept=True), SPACING, rng)
    fatter = {
        label: float(np.clip(share + 0.6 * lost.get(label, 0.0) * rng.uniform(0.4, 1.2), 0, 0.6))
        for label, share in what.infiltration.items()
    }
    settings = replace(random_acquisition(rng), view_mm=1000.0)
    dates = (specimen, what), (replace(specimen, tissue=tissue), replace(what, infiltration=fatter))
    arrays = {}
    for number, (body, composition) in enumerate(dates, 1):
        scan = scan_specimen(body, composition, settings, Coverage(), np.random.default_rng((seed, 10 + number)), SPACING)
        arrays[f"labels_{number}"], arrays[f"hu_{number}"] = scan.labels, scan.volume.hu
    return {**arrays, "lost": np.array(sorted(lost))}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("-n", "--number", type=int, default=20)
    parser.add_argument("--atlas", type=Path)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    atlases = load_atlases(options.atlas)
    for seed in range(FIRST_SEED, FIRST_SEED + options.number):
        target = options.output / f"patient_{seed}.npz"
        if target.exists():
            continue
        arrays = make(atlases, seed)
        np.savez_compressed(target.with_suffix(".partial.npz"), **arrays)
        target.with_suffix(".partial.npz").rename(target)
        print(f"{target.name}: {len(arrays['lost'])} muscles wasted", flush=True)


if __name__ == "__main__":
    main()
