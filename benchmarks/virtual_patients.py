"""How fast virtual patients are made: whole bodies, and training slices per second and core.

    python benchmarks/virtual_patients.py ATLAS [--slices 200] [--json FILE]

Prints figures of one run on one thread; ratios are to the training step that the slices feed.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from common import machine, machine_line

from MSKSegmentLib.bundle.manifest import NetworkSpec, Preprocessing
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.training.virtual_slices import VirtualSlices, fill_bank
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.patient import make_patient

GRID = Preprocessing(hu_window=(-150, 350), value_range=(0, 1), in_plane_spacing_mm=2.5, slice_interval_mm=3.0)
SPACING = (3.0, 2.5, 2.5)
CROP = (112, 160)


def _seconds(function):
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("atlas", type=Path)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    facts = machine()
    atlases = load_atlases(options.atlas)
    make_patient(atlases, 0, SPACING)
    patient = sum(_seconds(lambda seed=seed: make_patient(atlases, seed, SPACING)) for seed in (1, 2, 3)) / 3
    with tempfile.TemporaryDirectory() as folder:
        body = sum(_seconds(lambda seed=seed: fill_bank(Path(folder), atlases, [seed], SPACING)) for seed in (1, 2, 3)) / 3
        source = VirtualSlices(Path(folder), GRID, 3, CROP, seed=0)
        for _ in range(6):
            source.batch(8)
        per_slice = _seconds(lambda: [source.batch(8) for _ in range(options.slices // 8)]) / (options.slices // 8 * 8)
        batch = source.batch(8)
    network = BayesianUNet(**vars(NetworkSpec(levels=5, base_filters=16, in_channels=3, dropout=0.25)))
    network = network.to(memory_format=torch.channels_last).train()
    images = batch.images.contiguous(memory_format=torch.channels_last)

    def step():
        with torch.autocast("cpu", torch.bfloat16):
            logits = network(images)
        torch.nn.functional.cross_entropy(logits.float(), batch.classes).backward()

    step()
    training = sum(_seconds(step) for _ in range(4)) / 32
    figures = {
        "seconds_per_whole_patient": patient,
        "seconds_per_stored_body": body,
        "slices_per_second_and_core": 1 / per_slice,
        "ratio_slice_to_training_step": per_slice / training,
    }
    print(f"{machine_line(facts)}; one thread, {SPACING} mm, slices of {CROP[0]} x {CROP[1]} with neighbours")
    for name, value in figures.items():
        print(f"{name:32s} {value:8.2f}")
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, "figures": figures}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
