"""A network of three dimensions over a CT: slabs as thick as its patch, of each of which the middle counts.

The slices of a slab are sampled together, pass by pass, and only then taken apart: mean, variance and evidence are those of the
slices of a network of two dimensions, but for one thing: what their passes do wrong they do together (`SliceEvidence.group`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from .crop import PixelWindow
from .evidence import PassVotes, SliceEvidence
from .lookahead import one_ahead
from .looking import Look
from .running_sums import SampledSlice
from .sampler import Sampler


@dataclass(frozen=True)
class Slab:
    """Levels of a plan that go through the network together, `seen` ``(first, until)``, of which those of `core` count.

    A slab of fewer levels than the patch is filled by repeating the last.
    """

    seen: tuple[int, int]
    core: tuple[int, int]


def slabs_of(levels: int, depth: int) -> list[Slab]:
    """Slabs of `depth` levels whose cores are all levels, each once; a quarter on either side of a slab is context alone.

    >>> slabs_of(10, 8)
    [Slab(seen=(0, 8), core=(0, 6)), Slab(seen=(2, 10), core=(6, 10))]
    """
    margin, begin, found = depth // 4, 0, []
    while begin < levels:
        first = max(0, min(begin - margin, levels - depth))
        until = min(levels, first + depth)
        end = levels if until == levels else until - margin
        found.append(Slab((first, until), (begin, end)))
        begin = end
    return found


class SlabVotes:
    """`PassVotes` of the slices of a slab's core, pass after pass."""

    def __init__(self, votes: Sequence[PassVotes], offset: int) -> None:
        """`offset` is the first slice of the core in the slab."""
        self._votes = votes
        self._offset = offset

    def add(self, winners: np.ndarray) -> None:
        """Count one pass: the likeliest class of each voxel of the slab, uint8 ``[D, H, W]``."""
        for votes, plane in zip(self._votes, winners[self._offset :], strict=False):
            votes.add(plane)

    def result(self, probability: np.ndarray) -> tuple[SliceEvidence, ...]:
        """The evidence of the slices of the core, given the mean over the passes: float32 ``[classes, D, H, W]``."""
        return tuple(votes.result(probability[:, self._offset + k]) for k, votes in enumerate(self._votes))


def sample_slabs(look: Look, sampler: Sampler, checkpoint: Callable[[], None]) -> Iterator[SampledSlice | None]:
    """Every level of the plan in order, sampled slab by slab; None where there is nothing."""
    slabs = slabs_of(len(look.plan.levels), look.spec.patch[0])

    def read(number: int) -> Tensor | None:
        slab = slabs[number]
        return None if all(look.is_empty(index) for index in range(*slab.core)) else _stack(look, slab)

    for number, image in enumerate(one_ahead(read, range(len(slabs)))):
        checkpoint()
        core = range(*slabs[number].core)
        if image is None:
            yield from [None] * len(core)
            continue
        window, offset = _window([look.windows[index] for index in core]), core.start - slabs[number].seen[0]
        votes = partial(_votes, look, image, slabs[number], window, number)
        sampled = sampler.sample(image[window.inside], number, checkpoint, votes)
        for k, index in enumerate(core):
            plane = sampled.plane(offset + k, k)
            yield None if look.is_empty(index) else window.whole(plane, look.plan.grid)


def _stack(look: Look, slab: Slab) -> Tensor:
    """The slab as the network sees it, float32 ``[1, 1, D, H, W]``."""
    planes = [look.reader.read(look.plan.levels[index])[0] for index in range(*slab.seen)]
    planes += [planes[-1]] * (look.spec.patch[0] - len(planes))
    return torch.stack(planes, dim=1)[None]


def _window(windows: Sequence[PixelWindow | None]) -> PixelWindow:
    """The smallest window around those of the slices, of which one at least has one."""
    first, *others = [window for window in windows if window is not None]
    for other in others:
        first = first.around(other)
    return first


def _votes(look: Look, image: Tensor, slab: Slab, window: PixelWindow, number: int) -> SlabVotes:
    offset, strips = slab.core[0] - slab.seen[0], window.strips(look.plan.grid[1])
    found = []
    for k, index in enumerate(range(*slab.core)):
        hu = look.reader.hu_of(image[:, :, offset + k])[window.inside]
        votes = look.votes(index, hu, strips, look.sampling.keep_maps and _is_nearest(look, index))
        votes.group = number
        found.append(votes)
    return SlabVotes(found, offset)


def _is_nearest(look: Look, index: int) -> bool:
    """Whether no other level lies nearer to the same slice of the result: only some slices are looked at in a preview."""
    position = look.position(index)
    beside = [look.position(other) for other in (index - 1, index + 1) if 0 <= other < len(look.plan.levels)]
    own = abs(position - round(position))
    return all(round(other) != round(position) or abs(other - round(other)) >= own for other in beside)
