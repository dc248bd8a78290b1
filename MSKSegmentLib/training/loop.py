"""The training loop: cross entropy and soft Dice, Adam, averaged weights, a checkpoint to resume from at any moment."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..bundle.manifest import NetworkSpec, Preprocessing
from ..network.bayesian_unet import BayesianUNet
from .slices import SliceBank


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. `crop` is ``(height, width)`` in pixels of the bundle's in-plane spacing."""

    network: NetworkSpec
    preprocessing: Preprocessing
    iterations: int = 3000
    batch: int = 8
    crop: tuple[int, int] = (112, 160)
    learning_rate: float = 1.5e-3
    average: float = 0.998
    dice_weight: float = 0.5
    checkpoint_every: int = 100
    compiled: bool = False
    seed: int = 0


def train(
    recipe: Recipe,
    bank: Path,
    folder: Path,
    report: Callable[[str], None] = print,
    checkpoint: Callable[[], None] = lambda: None,
) -> Path:
    """Train on the patients in `bank`, resume from `folder` when it holds a checkpoint; returns the checkpoint's path.

    `checkpoint` is called every iteration and may raise `Cancelled`; what is lost then is the time since the last checkpoint.

    `folder` receives ``checkpoint.pt``, ``recipe.json`` and ``losses.csv`` (iteration, loss, slices per second).
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=1), encoding="utf-8")
    torch.manual_seed(recipe.seed)
    network = BayesianUNet(**asdict(recipe.network)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.average), use_buffers=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.iterations, pct_start=0.08, final_div_factor=100
    )
    path = folder / "checkpoint.pt"
    start = _resume(path, network, averaged, optimizer, schedule)
    slices = SliceBank(bank, recipe.preprocessing, recipe.network.in_channels, recipe.crop, recipe.seed + start)
    forward = torch.compile(network) if recipe.compiled else network
    network.train()
    running, began = 0.0, time.monotonic()
    for iteration in range(start, recipe.iterations):
        checkpoint()
        images, classes = slices.batch(recipe.batch)
        loss = segmentation_loss(forward(images.contiguous(memory_format=torch.channels_last)), classes, recipe.dice_weight)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        averaged.update_parameters(network)
        running += float(loss.detach())
        done = iteration + 1
        if done % recipe.checkpoint_every == 0 or done == recipe.iterations:
            _save(path, done, network, averaged, optimizer, schedule)
            steps = (done - start - 1) % recipe.checkpoint_every + 1
            seconds = time.monotonic() - began
            rate = steps * recipe.batch / seconds
            remaining = (recipe.iterations - done) * seconds / steps
            _append(folder / "losses.csv", done, running / steps, rate)
            report(
                f"{done}/{recipe.iterations} loss {running / steps:.4f} {rate:.1f} slices/s "
                f"{slices.refresh()} patients, {remaining / 60:.0f} min left"
            )
            running, began = 0.0, time.monotonic()
    return path


def averaged_state(checkpoint: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint, named as in `BayesianUNet`."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["averaged"]
    return {key.removeprefix("module."): value for key, value in state.items() if key.startswith("module.")}


def segmentation_loss(logits: Tensor, classes: Tensor, dice_weight: float) -> Tensor:
    """Cross entropy plus `dice_weight` times (1 - soft Dice), averaged over the structures present in the batch.

    `logits` is ``[N, C, H, W]``, `classes` int64 ``[N, H, W]``.
    """
    cross_entropy = functional.cross_entropy(logits, classes)
    probability = logits.softmax(dim=1)
    truth = functional.one_hot(classes, logits.shape[1]).permute(0, 3, 1, 2).to(probability.dtype)
    overlap = (probability * truth).sum(dim=(0, 2, 3))
    total = probability.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    present = truth.sum(dim=(0, 2, 3)) > 0
    dice = ((2 * overlap + 1) / (total + 1))[1:][present[1:]]
    return cross_entropy + dice_weight * (1 - dice.mean() if dice.numel() else cross_entropy * 0)


def _resume(path: Path, network, averaged, optimizer, schedule) -> int:  # type: ignore[no-untyped-def]
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict(state["network"])
    averaged.load_state_dict(state["averaged"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return int(state["iteration"])


def _save(path: Path, iteration: int, network, averaged, optimizer, schedule) -> None:  # type: ignore[no-untyped-def]
    partial = path.with_suffix(".partial")
    torch.save(
        {
            "iteration": iteration,
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
        },
        partial,
    )
    partial.replace(path)


def _append(path: Path, iteration: int, loss: float, rate: float) -> None:
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(["iteration", "loss", "slices_per_second"])
        writer.writerow([iteration, f"{loss:.5f}", f"{rate:.2f}"])
