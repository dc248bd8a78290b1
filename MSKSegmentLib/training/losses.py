"""The loss: cross entropy and a batch Dice, both of which ignore unlabelled pixels and structures."""

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
    logits: Tensor, classes: Tensor, dice_weight: float, known: Tensor | None = None, cross_entropy_weight: float = 1.0
) -> Tensor:
    """`cross_entropy_weight` times the cross entropy plus `dice_weight` times (1 - soft Dice).

    Dice is taken over the whole batch and averaged over the structures present in it. Pixels of class `UNLABELLED` and, slice by
    slice, structures that are not `known` count in neither.

    Args:
        logits: ``[N, C, (D,) H, W]``, any float type; the loss is computed in float32.
        classes: int64 ``[N, (D,) H, W]``, 0..C-1 or `UNLABELLED`.
        dice_weight: with 0 the loss is cross entropy alone.
        known: bool ``[N, C]``; None means that everything was labelled.
        cross_entropy_weight: with 0 the loss is Dice alone.
    """
    log_probability = logits.float().log_softmax(dim=1) if known is None else marginal_log_probability(logits, known)
    labelled = classes != UNLABELLED
    # Sum divided by a count of at least 1, because the mean over no pixel is NaN.
    total = functional.nll_loss(log_probability, classes, ignore_index=UNLABELLED, reduction="sum")
    cross_entropy = cross_entropy_weight * total / labelled.sum().clamp_min(1)
    if dice_weight == 0:
        return cross_entropy
    return cross_entropy + dice_weight * _dice_loss(log_probability.exp(), classes, labelled)


def _dice_loss(probability: Tensor, classes: Tensor, labelled: Tensor) -> Tensor:
    truth = functional.one_hot(classes.clamp_min(0), probability.shape[1]).movedim(-1, 1).to(probability.dtype)
    inside = labelled[:, None]
    truth, probability = truth * inside, probability * inside
    # Smoothing by one pixel: without it a structure of a few pixels has gradients as large as those of all others together.
    per_structure = DiceLoss(include_background=False, reduction="none", smooth_nr=1.0, smooth_dr=1.0, batch=True)
    losses = per_structure(probability, truth).flatten()
    present = truth[:, 1:].transpose(0, 1).flatten(1).sum(dim=1) > 0
    return (losses * present).sum() / present.sum().clamp_min(1)
