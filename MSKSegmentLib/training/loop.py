"""The training loop: Adam on batches, averaged weights, and a checkpoint from which every run resumes."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import Cancelled, InputError
from ..evaluation.disputed import open_classes
from ..inference.devices import choose_device
from ..network.families import logits_of
from .checkpoints import CHECKPOINT, TrainingState, initial_weights
from .curves import TrainingPoint, append_point, append_scores, draw_curves, forget_after
from .data import DataPlan
from .interruption import deferred_signals
from .losses import segmentation_loss
from .recipes import Recipe
from .schedules import Course, apply_step, scheduled
from .sources import Batch
from .stream import batches, stream_seed
from .validation import validate, validation_slices

_LARGEST_GRADIENT = 5.0
# A stream number that no batch-making process has.
_DROPOUT_STREAM = 2**31


@dataclass(frozen=True)
class Status:
    """The state of a training: its latest point, and the remaining time (None: unknown)."""

    point: TrainingPoint
    iterations: int | None
    progress: float
    remaining_s: float | None

    def __str__(self) -> str:
        """One line for the user."""
        done = f"{self.point.iteration}" + (f"/{self.iterations}" if self.iterations else f" ({100 * self.progress:.0f} %)")
        dice = "" if self.point.dice is None else f", validation Dice {self.point.dice:.3f}"
        left = "" if self.remaining_s is None else f", {_duration(self.remaining_s)} left"
        return f"{done} loss {self.point.loss:.4f}, {self.point.slices_per_second:.1f} slices/s{dice}{left}"

    def to_json(self) -> dict[str, Any]:
        """A line for programs, with the fields of `engine.progress.JsonLines`."""
        return {
            "stage": "training",
            "done": self.point.iteration,
            "total": self.iterations,
            "eta_s": None if self.remaining_s is None else round(self.remaining_s, 1),
            "message": str(self),
            **{key: value for key, value in asdict(self.point).items() if key != "iteration"},
        }


def train(
    recipe: Recipe,
    data: DataPlan,
    folder: Path,
    report: Callable[[Status], None] = print,
    checkpoint: Callable[[], None] = lambda: None,
    validation: DataPlan | None = None,
    minutes: float | None = None,
) -> Path:
    """Train on `data`, resuming from a checkpoint in `folder` if there is one; returns the checkpoint's path.

    `folder` receives ``checkpoint.pt``, ``recipe.json``, ``losses.csv``, ``validation.csv`` and ``curves.png``. With `minutes` the
    schedule follows the clock and ends after that time, whatever the recipe's iterations. `checkpoint` is called every iteration
    and may raise `Cancelled`; signals do so too, between iterations. Either way the checkpoint keeps the training so far.

    Raises:
        InputError: the loss becomes NaN, or the folder's run or the initial weights do not fit the recipe.
        DeviceError: the device is missing.
    """
    device = choose_device(recipe.device).name
    path = folder / CHECKPOINT
    with deferred_signals() as signalled:

        def between() -> None:
            signalled()
            checkpoint()

        torch.manual_seed(recipe.seed)
        state = TrainingState(recipe, device)
        if path.exists():
            state.resume(path)
        elif recipe.initial is not None:
            state.begin_with(initial_weights(recipe.initial, recipe.network))
        _write_recipe(folder, recipe)
        forget_after(folder, state.iteration)
        # A resumed run draws new dropout masks and slices: their seed depends on the iteration.
        seed = (recipe.seed, state.iteration)
        torch.manual_seed(stream_seed(*seed, _DROPOUT_STREAM))
        stream = batches(data, recipe.batch, seed, recipe.workers, device == "cuda")
        try:
            judged = [] if validation is None else validation_slices(validation, recipe.validation.slices, recipe.batch)
            course = Course(state.iteration, state.progress, recipe.iterations, minutes)
            _run(state, stream, judged, course, folder, report, between)
        except Cancelled:
            state.save(path)
            raise
        finally:
            stream.close()
    return path


def _run(
    state: TrainingState,
    stream: Iterator[Batch],
    judged: list[Batch],
    course: Course,
    folder: Path,
    report: Callable[[Status], None],
    between: Callable[[], None],
) -> None:
    recipe, device = state.recipe, state.device
    forward: nn.Module = torch.compile(state.network) if recipe.compiled else state.network  # type: ignore[assignment]
    state.network.train()
    running, steps, began = torch.zeros((), device=device), 0, time.monotonic()
    while state.progress < 1:
        between()
        step = scheduled(recipe.schedule, recipe.learning_rate, state.progress)
        apply_step(state.optimizer, step)
        running += _learn(recipe, state, forward, next(stream), device)
        steps += 1
        state.iteration += 1
        state.progress = course.progress(state.iteration)
        over = state.progress >= 1
        look = bool(judged) and (over or state.iteration % recipe.validation.every == 0)
        if not over and not look and state.iteration % recipe.checkpoint_every:
            continue
        loss = float(running) / steps
        if not math.isfinite(loss):
            raise InputError("The loss is not a number any more; lower the recipe's learning_rate and start again.")
        rate = steps * recipe.batch / (time.monotonic() - began)
        state.save(folder / CHECKPOINT)
        scores = validate(state.averaged, judged, device, recipe.precision, between, recipe.table) if look else None
        point = TrainingPoint(state.iteration, loss, step.learning_rate, rate, scores.mean if scores and scores.dice else None)
        append_point(folder, point)
        if scores:
            append_scores(folder, state.iteration, scores, recipe.table)
        draw_curves(folder)
        limit = None if course.timed else recipe.iterations
        report(Status(point, limit, state.progress, course.remaining(state.iteration)))
        running.zero_()
        steps, began = 0, time.monotonic()


def _learn(recipe: Recipe, state: TrainingState, forward: nn.Module, batch: Batch, device: str) -> Tensor:
    """One iteration; returns the loss."""
    drawn_classes = None if bool(batch.known.all()) else batch.known.to(device, non_blocking=True)
    images = batch.images.to(device, non_blocking=True).contiguous(memory_format=state.memory_format)
    with torch.autocast(device, torch.bfloat16, enabled=recipe.precision == "bf16"):
        logits = logits_of(forward, images, batch.positions.to(device, non_blocking=True))
    classes = batch.classes.to(device, non_blocking=True)
    choices = torch.from_numpy(open_classes()).to(device) if recipe.augmentation.open_borders else None
    loss = segmentation_loss(logits, classes, recipe.dice_weight, drawn_classes, recipe.cross_entropy_weight, choices)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), _LARGEST_GRADIENT)
    # On some processors convolutions in 3D and bfloat16 give, once in a while, a gradient that is no number: one such batch would
    # ruin all weights. Where the loss itself is none, the training ends at its next checkpoint as before.
    if device != "cpu" or bool(torch.isfinite(norm)):
        state.optimizer.step()
    state.averaged.update_parameters(state.network)
    return loss.detach()


def _write_recipe(folder: Path, recipe: Recipe) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "recipe.partial"
    partial.write_text(json.dumps(recipe.to_json(), indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / "recipe.json")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min" if minutes else f"{seconds:.0f} s"
