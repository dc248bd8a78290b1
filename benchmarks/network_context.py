"""Context in the third dimension: networks of 2, 2.5 and 3 dimensions trained on the same virtual patients, judged on others.

    python benchmarks/network_context.py train OUT [--seconds 300] [--patients 24 6] [--seeds 1 2] [--arms NAME ...]
    python benchmarks/network_context.py judge OUT

``train`` makes one simulated CT of 6 x 5 x 5 mm of each patient and gives every arm the same processor time, in turns. Each arm
sees as many voxels in an iteration as the others: 16 slices, or one patch of 16 slices. It goes on where it stopped. ``judge``
prints the Dice coefficients on the patients held out, and what an iteration and a scan cost.
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
from MSKSegmentLib.training.run import quick_precision
from MSKSegmentLib.training.schedules import apply_step, scheduled
from MSKSegmentLib.training.virtual_slices import VirtualSlices, fill_bank
from MSKSegmentLib.virtual.atlas import load_atlases
from MSKSegmentLib.virtual.specimen import load_specimen

SPACING = (6.0, 5.0, 5.0)
GRID = Preprocessing(in_plane_spacing_mm=5.0, slice_interval_mm=6.0)
PATCH = (16, 64, 96)
FIRST_SEED = 95_000
PLANE = NetworkSpec(family="dynunet", levels=4, base_filters=16, dropout=0.125, in_channels=1)
ARMS = {
    "Bayesian U-Net, 3 slices": replace(PLANE, family="bayesian-unet", in_channels=3),
    "DynUNet, 1 slice": PLANE,
    "DynUNet, 3 slices": replace(PLANE, in_channels=3),
    "DynUNet, 3D": replace(PLANE, dimensions=3, patch=PATCH),
}
PEAK = 3e-3
# Arms take turns of so many processor seconds, so that whatever else the machine does meets all of them.
TURN_S = 40.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    training = commands.add_parser("train")
    training.add_argument("output", type=Path)
    training.add_argument("--atlas", type=Path, help="default: MSKSEG_ATLAS")
    training.add_argument("--seconds", type=float, default=300.0)
    training.add_argument("--patients", type=int, nargs=2, default=(24, 6), metavar=("TRAINING", "HELD_OUT"))
    training.add_argument("--seeds", type=int, nargs="+", default=(1,))
    training.add_argument("--arms", nargs="+", choices=ARMS, default=tuple(ARMS))
    judging = commands.add_parser("judge")
    judging.add_argument("output", type=Path)
    judging.add_argument("--samples", type=int, default=3)
    options = parser.parse_args()
    out = options.output
    if options.what == "train":
        scans = make_scans(out, sum(options.patients), options.atlas)
        learned, kept = scans[: options.patients[0]], scans[options.patients[0] :]
        (out / "held_out.json").write_text(json.dumps([path.name for path in kept]))
        for seed in options.seeds:
            in_turns([Arm(name, spec, learned, out, options.seconds, seed) for name, spec in ARMS.items() if name in options.arms])
    else:
        judge(out, options.samples)


def make_scans(folder, number, atlas):
    """One simulated CT of each patient, with its classes: ``[2, z, y, x]`` int16."""
    target, bank = folder / "scans", folder / "specimens"
    target.mkdir(parents=True, exist_ok=True)
    found = [target / f"{FIRST_SEED + index}.npy" for index in range(number)]
    atlases = load_atlases(atlas) if not all(path.exists() for path in found) else ()
    for path in found:
        if path.exists():
            continue
        seed = int(path.stem)
        # In a folder of its own, of which the simulated scanner draws its only patient.
        fill_bank(bank / path.stem, atlases, [seed], SPACING)
        whole = load_specimen(bank / path.stem / path.name).tissue.shape
        batch = VirtualSlices(bank / path.stem, GRID, 1, whole, seed, NO_AUGMENTATION).batch(1)
        hu = as_hu(batch.images[0, 0], GRID).round().to(torch.int16).numpy()
        np.save(path, np.stack([hu, batch.classes[0].numpy().astype(np.int16)]))
        print(path.stem, hu.shape, flush=True)
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
    """A network in training for so many processor seconds; it begins where its file says."""

    def __init__(self, name, spec, scans, folder, seconds, seed):
        self.name, self.seconds = f"{name}, seed {seed}", seconds
        self.path = folder / f"{self.name}.pt"
        files = as_cases(scans, spec.in_channels, folder / f"cases{spec.in_channels}")
        crop, self.size = (PATCH, 1) if spec.dimensions == 3 else (PATCH[1:], PATCH[0])
        torch.manual_seed(seed)
        self.is_bf16 = quick_precision("cpu") == "bf16"
        self.layout = memory_format("cpu", quick_precision("cpu"), spec.dimensions)
        self.network = build_network(spec).to(memory_format=self.layout).train()
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.spent, self.losses, self.skipped = 0.0, [], 0
        if self.path.exists():
            stored = torch.load(self.path, weights_only=True)
            self.network.load_state_dict(stored["state"])
            self.optimizer.load_state_dict(stored["optimizer"])
            self.spent, self.losses, self.skipped = stored["spent"], stored["losses"], stored["skipped"]
        self.source = PairSlices(files, GRID, crop, 1000 * seed + len(self.losses), USUAL_AUGMENTATION)

    @property
    def progress(self):
        """From 0 to 1, by time."""
        return self.spent / self.seconds

    def turn(self):
        """Train for a turn, and write the state."""
        until = min(self.spent + TURN_S, self.seconds)
        while self.spent < until:
            began = time.process_time()
            apply_step(self.optimizer, scheduled("one-cycle", PEAK, self.progress))
            batch = self.source.batch(self.size)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.is_bf16):
                logits = logits_of(self.network, batch.images.contiguous(memory_format=self.layout), batch.positions)
            loss = segmentation_loss(logits, batch.classes, 0.5)
            self.optimizer.zero_grad()
            loss.backward()
            # As `training.loop` does: some processors' bfloat16 in 3D gives a gradient now and then that is no number.
            if bool(torch.isfinite(torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0))):
                self.optimizer.step()
            else:
                self.skipped += 1
            self.losses.append(float(loss.detach()))
            self.spent += time.process_time() - began
        state = {"state": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        partial = self.path.with_suffix(".partial")
        torch.save({**state, "spent": self.spent, "losses": self.losses, "skipped": self.skipped}, partial)
        partial.replace(self.path)
        done = f"{len(self.losses)} iterations ({self.skipped} without a step), {self.spent:.0f} s"
        print(f"{self.name}: {done}, loss {np.mean(self.losses[-20:]):.3f}", flush=True)


def in_turns(arms):
    while left := [arm for arm in arms if arm.progress < 1]:
        for arm in left:
            arm.turn()


def judge(folder, samples):
    """Tables per arm and structure; the scores of every arm and patient are kept in ``scores.json``."""
    scans = [folder / "scans" / name for name in json.loads((folder / "held_out.json").read_text())]
    kept = folder / "scores.json"
    scores = json.loads(kept.read_text()) if kept.exists() else {}
    facts = {}
    for name, spec in ARMS.items():
        for path in sorted(folder.glob(f"{name}, seed *.pt")):
            stored = torch.load(path, weights_only=True)
            facts.setdefault(name, []).append(
                (len(stored["losses"]), stored["spent"], float(np.mean(stored["losses"][-50:])), stored["skipped"])
            )
            network = build_network(spec)
            network.load_state_dict(stored["state"])
            for scan in scans:
                key = f"{path.stem}, {scan.stem}"
                if key not in scores or scores[key]["iterations"] != len(stored["losses"]):
                    scores[key] = {"iterations": len(stored["losses"]), **scored(network.eval(), spec, scan, samples)}
                    kept.write_text(json.dumps(scores, indent=1))
    print(machine_line(machine()))
    print(f"{len(scans)} patients held out, {samples} passes, {torch.get_num_threads()} thread(s)")
    show(facts, scores, [scan.stem for scan in scans])


def scored(network, spec, scan, samples):
    """Dice per structure (both sides together; None where neither has it), processor seconds of the scan, what computed it.

    The passes are computed as in a run on this machine (`inference.backends`).
    """
    hu, truth = np.load(scan)
    depth, height, width = hu.shape
    volume = CTVolume(hu, Geometry((width, height, depth), (SPACING[2], SPACING[1], SPACING[0])))
    began = time.process_time()
    prediction = predict(volume, network, spec, GRID, Sampling(samples, 0))
    found, spent = prediction.classes, time.process_time() - began
    both = (truth, found, np.where(truth == found, truth, 0))
    sizes = [np.bincount(mask.ravel(), minlength=HIP_AND_THIGH.classes)[1:] for mask in both]
    dice = [float(2 * same / (one + other)) if one + other else None for one, other, same in zip(*sizes, strict=True)]
    return {"seconds": spent, "backend": " and ".join(prediction.backends), "dice": dice}


def show(facts, scores, patients):
    """Columns are arms; means over patients and seeds, ± the standard deviation over patients of the mean of their seeds."""
    names = list(facts)
    print("| |", " | ".join(names), "|")
    parameters = [sum(value.numel() for value in build_network(ARMS[name]).parameters()) for name in names]
    rows = {
        "parameters": parameters,
        "seeds": [len(facts[name]) for name in names],
        "processor seconds of training": [np.mean([spent for _, spent, *_ in facts[name]]) for name in names],
        "iterations": [np.mean([number for number, *_ in facts[name]]) for name in names],
        "processor seconds an iteration": [np.mean([spent / number for number, spent, *_ in facts[name]]) for name in names],
        "of these without a step": [np.mean([skipped for *_, skipped in facts[name]]) for name in names],
        "loss of the last 50": [np.mean([loss for _, _, loss, _ in facts[name]]) for name in names],
    }
    by_arm = {
        name: [[scores[f"{name}, seed {seed}, {one}"] for seed in seeds_of(name, scores)] for one in patients] for name in names
    }
    rows["processor seconds a scan"] = [np.mean([run["seconds"] for runs in by_arm[name] for run in runs]) for name in names]
    for label, values in rows.items():
        print(f"| {label} |", " | ".join(f"{value:,d}" if isinstance(value, int) else f"{value:.3g}" for value in values), "|")
    backends = [" or ".join(sorted({run["backend"] for runs in by_arm[name] for run in runs})) for name in names]
    print("| computed by |", " | ".join(backends), "|")
    # [arm, patient, structure]
    dice = np.array([
        [np.nanmean(np.array([run["dice"] for run in runs], float), axis=0) for runs in by_arm[name]] for name in names
    ])  # fmt: skip
    own = [structure.is_bone for structure in HIP_AND_THIGH.structures]
    groups = {"all structures": np.ones(len(own), bool), "bones": np.array(own), "muscles": ~np.array(own)}
    groups |= {structure.name: np.arange(len(own)) == row for row, structure in enumerate(HIP_AND_THIGH.structures)}
    for label, chosen in groups.items():
        each = np.nanmean(dice[:, :, chosen], axis=2)
        print(f"| {label} |", " | ".join(f"{np.nanmean(one):.3f} ± {np.nanstd(one, ddof=1):.3f}" for one in each), "|")
    print("\nPatients in whom the arm of the row is better than that of the column, all structures:")
    each = np.nanmean(dice, axis=2)
    for row, name in enumerate(names):
        print(f"| {name} |", " | ".join(f"{np.count_nonzero(each[row] > other)}" for other in each), "|")


def seeds_of(name, scores):
    """Of an arm, as the scores' keys say them."""
    return sorted({int(key[len(name) + 7 :].split(",")[0]) for key in scores if key.startswith(f"{name}, seed ")})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
