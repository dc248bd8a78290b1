"""Context in the third dimension: networks of 2.5 and 3 dimensions trained on the same virtual patients, judged on others.

    python benchmarks/network_context.py train BANK -o OUT [--seconds 400] [--held-out 4]
    python benchmarks/network_context.py judge OUT

BANK is a folder of specimens that ``mskseg train`` made (``RUN/patients/...``, 3 x 2.5 x 2.5 mm); every second voxel is used. Each
arm sees as many voxels in an iteration as the others: 16 slices, or one patch of 16 slices. ``train`` gives every arm the same
processor time, in turns, and then trains those of 2.5 dimensions anew for as many iterations as the one of 3 dimensions had. It
goes on where it stopped. ``judge`` prints the Dice coefficients on patients held out, what a scan costs, and how well the
uncertainty of a voxel tells that its label is wrong.
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
from MSKSegmentLib.training.checkpoints import memory_format
from MSKSegmentLib.training.losses import segmentation_loss
from MSKSegmentLib.training.pairs import PairSlices
from MSKSegmentLib.training.schedules import apply_step, scheduled
from MSKSegmentLib.training.virtual_slices import VirtualSlices
from MSKSegmentLib.virtual.specimen import load_specimen, save_specimen

SPACING = (6.0, 5.0, 5.0)
GRID = Preprocessing(in_plane_spacing_mm=5.0, slice_interval_mm=6.0)
PATCH = (16, 64, 96)
SMALL = NetworkSpec(levels=4, base_filters=16, dropout=0.125, in_channels=3)
SOLID = "DynUNet, 3D"
ARMS = {
    "Bayesian U-Net, 3 slices": SMALL,
    "DynUNet, 3 slices": replace(SMALL, family="dynunet"),
    SOLID: replace(SMALL, family="dynunet", in_channels=1, dimensions=3, patch=PATCH),
}
# What is added to an arm's name where it is trained for the iterations of the one of 3 dimensions.
SAME_ITERATIONS = ", same iterations"
PEAK = 3e-3
# Arms take turns of so many processor seconds, so that whatever else the machine does meets all of them.
TURN_S = 40.0


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
        learned, kept = scans[: -options.held_out], scans[-options.held_out :]
        (options.output / "held_out.json").write_text(json.dumps([path.name for path in kept]))
        in_turns([Arm(name, spec, learned, options.output, seconds=options.seconds) for name, spec in ARMS.items()])
        solid = Arm(SOLID, ARMS[SOLID], learned, options.output, seconds=options.seconds).iterations
        plane = {name: spec for name, spec in ARMS.items() if spec.dimensions == 2}
        in_turns([Arm(name + SAME_ITERATIONS, spec, learned, options.output, limit=solid) for name, spec in plane.items()])
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


class Arm:
    """A network in training, for so many processor seconds or, with a `limit`, iterations; it begins where its file says."""

    def __init__(self, name, spec, scans, folder, seconds=None, limit=None):
        self.name, self.seconds, self.limit = name, seconds, limit
        self.path = folder / f"{name}.pt"
        files = as_cases(scans, spec.in_channels, folder / f"cases{spec.in_channels}")
        crop, self.size = (PATCH, 1) if spec.dimensions == 3 else (PATCH[1:], PATCH[0])
        torch.manual_seed(1)
        self.layout = memory_format("cpu", "bf16", spec.dimensions)
        self.network = build_network(spec).to(memory_format=self.layout).train()
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.spent, self.losses = 0.0, []
        if self.path.exists():
            stored = torch.load(self.path, weights_only=True)
            self.network.load_state_dict(stored["state"])
            self.optimizer.load_state_dict(stored["optimizer"])
            self.spent, self.losses = stored["spent"], stored["losses"]
        self.source = PairSlices(files, GRID, crop, 1 + len(self.losses), USUAL_AUGMENTATION)

    @property
    def iterations(self):
        """How many it has done."""
        return len(self.losses)

    @property
    def progress(self):
        """From 0 to 1, by time or iterations."""
        return self.iterations / self.limit if self.limit else self.spent / self.seconds

    def turn(self):
        """Train for a turn, and write the state."""
        until = self.spent + TURN_S
        while self.spent < until and self.progress < 1:
            began = time.process_time()
            apply_step(self.optimizer, scheduled("one-cycle", PEAK, self.progress))
            batch = self.source.batch(self.size)
            with torch.autocast("cpu", torch.bfloat16):
                logits = logits_of(self.network, batch.images.contiguous(memory_format=self.layout), batch.positions)
            loss = segmentation_loss(logits, batch.classes, 0.5)
            self.optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimizer.step()
            self.losses.append(float(loss.detach()))
            self.spent += time.process_time() - began
        state = {"state": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        partial = self.path.with_suffix(".partial")
        torch.save({**state, "spent": self.spent, "losses": self.losses}, partial)
        partial.replace(self.path)
        print(f"{self.name}: {self.iterations} iterations, {self.spent:.0f} s, loss {np.mean(self.losses[-20:]):.3f}", flush=True)


def in_turns(arms):
    while left := [arm for arm in arms if arm.progress < 1]:
        for arm in left:
            arm.turn()


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
