"""Dropout that can stay on at prediction time, fed by a generator of its own so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional


class MCDropout(nn.Module):
    """Element-wise dropout: on in training, off in evaluation unless `dropout_sampling` turns it on."""

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0.0 <= p < 1.0:
            raise ValueError(f"dropout probability {p} is outside [0, 1)")
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Drop elements of `x` (any shape); kept ones are scaled by 1 / (1 - p)."""
        if self.p == 0.0:
            return x
        if self.training:
            return _dropped(x, self.p)
        if self.generator is None:
            return x
        return x * keep_mask(x, self.p, self.generator) * (1.0 / (1.0 - self.p))

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"p={self.p}"


def _dropped(x: Tensor, p: float) -> Tensor:
    """Dropout for training, with torch's default generator: the same as `functional.dropout`, quicker on a CPU."""
    if x.device.type != "cpu" or not _is_cheap(p):
        return functional.dropout(x, p, training=True)
    # One factor in the activation's own type and layout: forward and backward are then a single plain product.
    return x * keep_mask(x, p, None).to(x.dtype).mul_(1.0 / (1.0 - p))


def keep_mask(like: Tensor, p: float, generator: torch.Generator | None) -> Tensor:
    """Boolean mask of `like`'s shape, True with probability 1 - p; repeatable for a shape, memory layout and generator.

    Without a generator torch's default one is used.
    """
    count = like.numel()
    if like.device.type != "cpu" or not _is_cheap(p):
        uniform = torch.empty_like(like, dtype=torch.float32)
        return uniform.uniform_(generator=generator) >= p
    # Drawing numbers is the slow part on a CPU, so that one 64-bit draw serves many elements: 64 at p = 0.5, where a bit
    # decides, and 8 at any other multiple of 1/256, where a byte does.
    elements_per_draw = 64 if p == 0.5 else 8
    draws = torch.empty(-(-count // elements_per_draw), dtype=torch.int64)
    octets = draws.random_(-(2**63), None, generator=generator).view(torch.uint8)
    flat = (octets.unsqueeze(1) & _BITS).ne(0).view(-1)[:count] if p == 0.5 else octets[:count] >= int(p * 256)
    if like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last):
        n, c, h, w = like.shape
        return flat.view(n, h, w, c).permute(0, 3, 1, 2)
    return flat.view(like.shape)


def _is_cheap(p: float) -> bool:
    return (p * 256) % 1 == 0


_BITS = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8)


@contextmanager
def dropout_sampling(network: nn.Module, generator: torch.Generator) -> Iterator[None]:
    """Keep dropout on inside the block, with masks drawn from `generator` (on the network's device).

    The rest of the network must be in evaluation mode, so that batch normalisation uses its running statistics.
    """
    layers = [module for module in network.modules() if isinstance(module, MCDropout)]
    for layer in layers:
        layer.generator = generator
    try:
        yield
    finally:
        for layer in layers:
            layer.generator = None


def with_mc_dropout(network: nn.Module) -> None:
    """Replace the dropout layers of a library's network, of any kind, by element-wise `MCDropout` of their probability."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, (nn.Dropout, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)):
                setattr(parent, name, MCDropout(child.p))
