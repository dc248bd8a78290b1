"""Context in the third dimension: one network in 2D, 2.5D and 3D, trained for the same processor time on the same virtual patients.

    python benchmarks/network_context.py train BANK -o OUT [--seconds 100] [--held-out 2]
    python benchmarks/network_context.py judge OUT

BANK is a folder of specimens that ``mskseg train`` made (``RUN/patients/...``, 3 x 2.5 x 2.5 mm); every second voxel is used. Each
arm sees as many voxels in an iteration as the others: 16 slices, or one patch of 16 slices. ``train`` writes ``OUT/<arm>.pt``,
``judge`` prints the Dice coefficients on patients held out, and what a scan costs.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from common import machine, machine_line

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import NetworkSpec, Preprocessing
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.inference.predict import predict
from MSKSegmentLib.inference.sampler import Sampling
from MSKSegmentLib.inference.slices import as_hu
from MSKSegmentLib.network.families import build_network, logits_of
from MSKSegmentLib.training.augmentation import NO_AUGMENTATION, USUAL_AUGMENTATION
from MSKSegmentLib.training.losses import segmentation_loss
from MSKSegmentLib.training.pairs import PairSlices
from MSKSegmentLib.training.schedules import apply_step, scheduled
from MSKSegmentLib.training.virtual_slices import VirtualSlices
from MSKSegmentLib.virtual.specimen import load_specimen, save_specimen

SPACING = (6.0, 5.0, 5.0)
GRID = Preprocessing(in_plane_spacing_mm=5.0, slice_interval_mm=6.0)
PATCH = (16, 64, 96)
SMALL = NetworkSpec(levels=4, base_filters=12, dropout=0.125, family="dynunet")
ARMS = {
    "2D": SMALL,
    "2.5D": replace(SMALL, in_channels=3),
    "3D": replace(SMALL, dimensions=3, patch=PATCH),
}
PEAK = 3e-3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    training = commands.add_parser("train")
    training.add_argument("bank", type=Path)
    training.add_argument("-o", "--output", type=Path, required=True)
    training.add_argument("--seconds", type=float, default=100.0)
    training.add_argument("--held-out", type=int, default=2)
    judging = commands.add_parser("judge")
    judging.add_argument("output", type=Path)
    judging.add_argument("--samples", type=int, default=3)
    options = parser.parse_args()
    if options.what == "train":
        scans = make_scans(options.bank, options.output / "scans")
        for name, spec in ARMS.items():
            train_arm(name, spec, scans[: -options.held_out], options.output, options.seconds)
        (options.output / "held_out.json").write_text(json.dumps([path.name for path in scans[-options.held_out :]]))
    else:
        judge(options.output, options.samples)


def make_scans(bank, folder):
    """One simulated CT of each specimen on the coarse grid, with its classes: ``[2, z, y, x]`` int16."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, path in enumerate(sorted(bank.glob("*.npy"))):
        target = folder / path.name
        found.append(target)
        if target.exists():
            continue
        whole = load_specimen(path)
        halves = (slice(None, None, 2),) * 3
        femora = {label: (low // 2, high // 2) for label, (low, high) in whole.femora.items()}
        coarse = replace(
            whole,
            tissue=whole.tissue[halves].copy(),
            depth=whole.depth[halves].copy(),
            spacing=SPACING,
            femora=femora,
            details=None,
        )
        alone = folder / path.stem
        alone.mkdir(exist_ok=True)
        save_specimen(coarse, alone / path.name)
        depth, height, width = coarse.tissue.shape
        # A patch of all slices is a scan of the whole patient by one scanner.
        crop = (depth, height, width)
        batch = VirtualSlices(alone, GRID, 1, crop, number, NO_AUGMENTATION).batch(1)
        hu = as_hu(batch.images[0, 0], GRID).round().to(torch.int16).numpy()
        np.save(target, np.stack([hu, batch.classes[0].numpy().astype(np.int16)]))
    return found


def as_cases(scans, channels, folder):
    """The scans as `training.pairs.prepare_case` keeps cases: channels and classes of every slice."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in scans:
        hu, classes = np.load(path)
        reach = np.arange(channels) - channels // 2
        planes = hu[np.clip(np.arange(len(hu))[:, None] + reach, 0, len(hu) - 1)]
        np.save(folder / path.name, np.concatenate([planes, classes[:, None]], axis=1))
        facts = {"known": [True] * HIP_AND_THIGH.classes, "positions": np.linspace(0, 1, len(hu)).tolist()}
        (folder / path.name).with_suffix(".json").write_text(json.dumps(facts))
    return [folder / path.name for path in scans]


def train_arm(name, spec, scans, folder, seconds):
    if (folder / f"{name}.pt").exists():
        return
    files = as_cases(scans, spec.in_channels, folder / f"cases{spec.in_channels}")
    crop, size = (PATCH, 1) if spec.dimensions == 3 else (PATCH[1:], PATCH[0])
    source = PairSlices(files, GRID, crop, 1, USUAL_AUGMENTATION)
    torch.manual_seed(1)
    network = build_network(spec).train()
    optimizer = torch.optim.Adam(network.parameters())
    began, iterations, losses = time.process_time(), 0, []
    while (done := (time.process_time() - began) / seconds) < 1:
        apply_step(optimizer, scheduled("one-cycle", PEAK, done))
        batch = source.batch(size)
        loss = segmentation_loss(logits_of(network, batch.images, batch.positions), batch.classes, 0.5)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        iterations += 1
        losses.append(float(loss.detach()))
    spent = time.process_time() - began
    facts = {"iterations": iterations, "seconds": spent, "loss": float(np.mean(losses[-max(1, iterations // 10) :]))}
    torch.save({"state": network.state_dict(), "facts": facts}, folder / f"{name}.pt")
    print(name, facts, flush=True)


def judge(folder, samples):
    scans = [folder / "scans" / name for name in json.loads((folder / "held_out.json").read_text())]
    print(machine_line(machine()), f"{torch.get_num_threads()} thread(s); {len(scans)} patients held out, {samples} passes")
    columns, costs = {}, {}
    for name, spec in ARMS.items():
        stored = torch.load(folder / f"{name}.pt", weights_only=True)
        network = build_network(spec)
        network.load_state_dict(stored["state"])
        counts, spent = np.zeros((3, HIP_AND_THIGH.classes)), 0.0
        for path in scans:
            hu, truth = np.load(path)
            depth, height, width = hu.shape
            volume = CTVolume(hu, Geometry((width, height, depth), (SPACING[2], SPACING[1], SPACING[0])))
            began = time.process_time()
            found = predict(volume, network.eval(), spec, GRID, Sampling(samples, 0, backends=["reference"])).classes
            spent += time.process_time() - began
            for row, mask in enumerate((truth, found, np.where(truth == found, truth, 0))):
                counts[row] += np.bincount(mask.ravel(), minlength=HIP_AND_THIGH.classes)
        columns[name] = 2 * counts[2] / np.maximum(counts[0] + counts[1], 1)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        facts = stored["facts"]
        costs[name] = (parameters, facts["iterations"], facts["seconds"] / facts["iterations"], spent / len(scans), facts["loss"])
    print("| |", " | ".join(columns), "|")
    labels = ("parameters", "iterations", "processor seconds an iteration", "processor seconds a scan", "loss at the end")
    for row, label in enumerate(labels):
        print(f"| {label} |", " | ".join(f"{costs[name][row]:.4g}" for name in columns), "|")
    for structure in HIP_AND_THIGH.structures:
        print(f"| {structure.name} |", " | ".join(f"{dice[structure.index]:.3f}" for dice in columns.values()), "|")
    print("| mean |", " | ".join(f"{dice[1:].mean():.3f}" for dice in columns.values()), "|")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
