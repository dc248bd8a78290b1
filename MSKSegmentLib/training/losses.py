"""The loss: cross entropy and a batch Dice, which ignore unlabelled pixels and structures and may leave pixels open."""

from __future__ import annotations

import torch
from monai.losses import DiceLoss
from torch import Tensor
from torch.nn import functional

from .sources import UNLABELLED


def marginal_log_probability(logits: Tensor, known: Tensor) -> Tensor:
    """Log probability of the classes where some structures were not labelled, float32 ``[N, C, (D,) H, W]``.

    `logits` is ``[N, C, (D,) H, W]``, `known` bool ``[N, C]``. A structure that is not known counts as background in the truth, so
    that "background" means "background or one of these": their probabilities are added to class 0 (in logits: logsumexp) and
    they themselves get probability 0 (marginal loss: Shi et al., Medical Image Analysis 70, 2021).
    """
    log_probability = logits.float().log_softmax(dim=1)
    unknown = ~known.view(*known.shape, *[1] * (logits.dim() - 2))
    unknown[:, 0] = False
    joined = unknown.clone()
    joined[:, 0] = True
    background = log_probability.masked_fill(~joined, -torch.inf).logsumexp(dim=1, keepdim=True)
    return torch.cat((background, log_probability[:, 1:].masked_fill(unknown[:, 1:], -torch.inf)), dim=1)


def segmentation_loss(
    logits: Tensor,
    classes: Tensor,
    dice_weight: float,
    known: Tensor | None = None,
    cross_entropy_weight: float = 1.0,
    choices: Tensor | None = None,
) -> Tensor:
    """`cross_entropy_weight` times the cross entropy plus `dice_weight` times (1 - soft Dice).

    Dice is taken over the whole batch and averaged over the structures present in it. Pixels of class `UNLABELLED` and, slice by
    slice, structures that are not `known` count in neither. Of a pixel that is open between several classes the cross entropy takes
    the sum of their probabilities, whichever the network prefers; Dice leaves it out.

    Args:
        logits: ``[N, C, (D,) H, W]``, any float type; the loss is computed in float32.
        classes: int64 ``[N, (D,) H, W]``, 0..C-1, `UNLABELLED`, or C + k: open between the classes of row k of `choices`.
        dice_weight: with 0 the loss is cross entropy alone.
        known: bool ``[N, C]``; None means that everything was labelled.
        cross_entropy_weight: with 0 the loss is Dice alone.
        choices: bool ``[K, C]``, the classes between which pixels may be open; None: no pixel is.
    """
    log_probability = logits.float().log_softmax(dim=1) if known is None else marginal_log_probability(logits, known)
    labelled, count = classes != UNLABELLED, log_probability.shape[1]
    settled, open_loss = labelled, torch.zeros((), device=logits.device)
    if choices is not None:
        is_open = classes >= count
        settled, open_loss = labelled & ~is_open, _open_loss(log_probability, classes, is_open, choices)
        classes = classes.masked_fill(is_open, UNLABELLED)
    # Sum divided by a count of at least 1, because the mean over no pixel is NaN.
    total = functional.nll_loss(log_probability, classes, ignore_index=UNLABELLED, reduction="sum")
    cross_entropy = cross_entropy_weight * (total + open_loss) / labelled.sum().clamp_min(1)
    if dice_weight == 0:
        return cross_entropy
    return cross_entropy + dice_weight * _dice_loss(log_probability.exp(), classes, settled)


def _open_loss(log_probability: Tensor, classes: Tensor, is_open: Tensor, choices: Tensor) -> Tensor:
    """The sum over the open pixels of minus the log of the probability of all their classes together."""
    of_pixels = log_probability.movedim(1, -1)[is_open]
    allowed = choices[classes[is_open] - log_probability.shape[1]]
    return -of_pixels.masked_fill(~allowed, -torch.inf).logsumexp(dim=1).sum()


def _dice_loss(probability: Tensor, classes: Tensor, labelled: Tensor) -> Tensor:
    truth = torch.zeros_like(probability).scatter_(1, classes.clamp_min(0)[:, None], 1.0)
    # Two products as large as the probabilities, which change nothing where all is labelled; asking a GPU would make it wait.
    if labelled.device.type != "cpu" or not bool(labelled.all()):
        inside = labelled[:, None]
        truth, probability = truth * inside, probability * inside
    # Smoothing by one pixel: without it a structure of a few pixels has gradients as large as those of all others together.
    # The background is left out of the result, not of the input, whose gradient would be copied for it.
    per_class = DiceLoss(include_background=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0, batch=True)
    losses = per_class(probability, truth).flatten()[1:]
    present = truth.sum(dim=[axis for axis in range(truth.dim()) if axis != 1])[1:] > 0
    return (losses * present).sum() / present.sum().clamp_min(1)
