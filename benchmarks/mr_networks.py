"""Networks for muscles of the lower limb in MR side by side: trained alike on virtual patients, compared on others.

The U-Net, the Attention U-Net, and the Spatial-Channel U-Net with the position added to the classes (as Henson et al. 2024 write)
and multiplied with them (as their code does). All have the same levels and filters, see the same slices in the same order and take
the same number of iterations. Every step is a command of ``mskseg``. It goes on where it stopped.

    python benchmarks/mr_networks.py OUT --atlas DIR [--patients 8 6] [--iterations 1500] [--samples 3]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from common import machine, machine_line, markdown_table
from mr_lights import FIRST_SEED, TEST, dice_line, mskseg, recipe

from MSKSegmentLib.anatomy import StructureTable
from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.evaluation.agreement import spread
from MSKSegmentLib.evaluation.folder import read_evaluation
from MSKSegmentLib.evaluation.metrics import Outcome
from MSKSegmentLib.network.families import build_network
from MSKSegmentLib.tasks import load_task

FAMILIES = {
    "U-Net": "bayesian-unet",
    "Attention U-Net": "attention-unet",
    "Spatial-Channel U-Net": "spatial-channel-unet",
    "Spatial-Channel U-Net, multiplied": "spatial-channel-unet-multiplied",
}
# Of the same grid, which the networks see: nothing is resampled. In mm, z y x.
SPACING = (6, 5, 5)
# The network that the others are held against.
FIRST = "U-Net"


def trained(out: Path, family: str, iterations: int) -> Path:
    """The bundle of a family, trained on the first patients."""
    content = recipe(iterations)
    network = {**content["network"], "family": family, "batch_norm": True}
    path, run = out / f"{family}.json", out / "runs" / family
    path.write_text(json.dumps(content | {"name": family, "network": network, "sources": [{"pairs": str(out / "learning")}]}))
    if not (run / "bundle").is_dir():
        mskseg("train", path, "-o", run)
    return run / "bundle"


def dice_of(folder: Path, table: StructureTable) -> dict[str, float | None]:
    """The mean Dice coefficient of each structure over patients and sides; a missed segment has 0."""
    found: dict[str, list[float]] = {one.name: [] for one in table.structures}
    for _, case in read_evaluation(folder):
        for row in case.rows:
            if row.outcome in (Outcome.COMPARED, Outcome.MISSED):
                found[row.segment.structure.name].append(row.dice)
    return {name: spread(values).mean for name, values in found.items()}


def main() -> None:
    """Print parameters, the comparison and a table per muscle."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--atlas", type=Path, help="default: MSKSEG_ATLAS")
    parser.add_argument("--patients", type=int, nargs=2, default=(8, 6), metavar=("LEARNING", "TEST"))
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--samples", type=int, default=3)
    options = parser.parse_args()
    out = options.output.resolve()
    out.mkdir(parents=True, exist_ok=True)
    seed = FIRST_SEED
    for group, count in zip(("learning", TEST), options.patients, strict=True):
        where = () if options.atlas is None else ("--atlas", options.atlas)
        mskseg("virtual", "-n", count, "--seed", seed, "--spacing", *SPACING, "--modality", "mr", "-o", out / group, *where)
        seed += count
    rows, each = [], {}
    for name, family in FAMILIES.items():
        bundle, place = trained(out, family, options.iterations), out / "evaluations" / family
        mskseg("evaluate", out / TEST, "--bundle", bundle, "--samples", options.samples, "--device", "cpu", "-o", place)
        parameters = sum(value.numel() for value in build_network(load_bundle(bundle).manifest.network).parameters())
        rows.append([name, f"{parameters:,d}", dice_line(place)])
        each[name] = dice_of(place, load_task("lower-limb-mr").table)
    models = (f"{name}={out / 'evaluations' / family}" for name, family in FAMILIES.items())
    mskseg("study", "compare", *models, "-o", out / "compared")
    print(machine_line(machine()))
    print(markdown_table(("network", "parameters", "test"), rows))
    cells = [[name, *("-" if (value := each[one][name]) is None else f"{value:.3f}" for one in FAMILIES)] for name in each[FIRST]]
    print(markdown_table(("muscle", *FAMILIES), cells))
    print((out / "compared" / "compare.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
