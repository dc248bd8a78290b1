"""A quick validation of the averaged network on held-out patients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..anatomy import StructureTable
from ..anatomy.built_in import HIP_AND_THIGH
from ..network.families import logits_of
from .data import DataPlan
from .sources import UNLABELLED, Batch

# The same slices at every validation and in every run, so that curves can be compared.
_SEED = 20250


@dataclass(frozen=True)
class ValidationDice:
    """Dice per structure (abbreviation to number, in table order; those that occur) over all slices together."""

    dice: dict[str, float]

    @property
    def mean(self) -> float:
        """The mean over the structures; NaN where none occurs."""
        return sum(self.dice.values()) / len(self.dice) if self.dice else float("nan")


def validation_slices(plan: DataPlan, count: int, size: int) -> list[Batch]:
    """`count` fixed slices, at most `size` in a batch."""
    source = plan.open(_SEED)
    return [source.batch(min(size, count - begun)) for begun in range(0, count, size)]


@torch.no_grad()
def validate(
    network: nn.Module,
    slices: list[Batch],
    device: str,
    precision: str,
    checkpoint: Callable[[], None] = lambda: None,
    table: StructureTable = HIP_AND_THIGH,
) -> ValidationDice:
    """Dice of the most probable class, one pass without dropout; `checkpoint` is called between batches.

    Pixels that nobody labelled do not count; in slices where a structure was not drawn, the network cannot choose it.
    """
    training = network.training
    network.eval()
    counts = torch.zeros(3, table.classes, dtype=torch.int64)
    try:
        for batch in slices:
            checkpoint()
            last = torch.channels_last if batch.images.dim() == 4 else torch.channels_last_3d
            images = batch.images.to(device).contiguous(memory_format=last)
            with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
                logits = logits_of(network, images, batch.positions.to(device))
            allowed = batch.known.view(*batch.known.shape, *[1] * (images.dim() - 2)).to(device)
            found = logits.float().masked_fill(~allowed, -torch.inf).argmax(dim=1).cpu()
            counts += _counts(found, batch.classes, table.classes)
    finally:
        network.train(training)
    true, predicted, both = counts.tolist()
    dice = {
        structure.abbreviation: 2 * both[structure.index] / (true[structure.index] + predicted[structure.index])
        for structure in table.structures
        if true[structure.index]
    }
    return ValidationDice(dice)


def _counts(found: Tensor, classes: Tensor, number: int) -> Tensor:
    """Pixels per class in the truth, the prediction and both, int64 ``[3, number]``."""
    inside = classes != UNLABELLED
    found, classes = found[inside], classes[inside]
    parts = (classes, found, classes[found == classes])
    return torch.stack([torch.bincount(part, minlength=number) for part in parts])
