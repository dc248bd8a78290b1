"""What a run looks at, and the slices of a network of two dimensions, sampled one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce

import numpy as np
from torch import Tensor

from ..bundle.manifest import NetworkSpec, Preprocessing
from ..ct.volume import CTVolume
from .crop import PixelWindow
from .evidence import PassVotes
from .lookahead import one_ahead
from .running_sums import SampledSlice
from .sampler import Sampler, Sampling
from .slices import SlicePlan, SliceReader, limb_positions

#: How many slices of a scan show a back end the range of the network's activations.
EXAMPLES = 8


@dataclass(frozen=True)
class Look:
    """A CT, and where and how a network or so many `members` look at it: a `plan`, a window for each level (None: no body)."""

    volume: CTVolume
    plan: SlicePlan
    spec: NetworkSpec
    preprocessing: Preprocessing
    sampling: Sampling
    windows: Sequence[PixelWindow | None]
    members: int = 1

    @cached_property
    def reader(self) -> SliceReader:
        """Cuts the network's input from the CT."""
        return SliceReader(self.volume, self.plan, self.preprocessing, self.spec.in_channels)

    @cached_property
    def places(self) -> list[float]:
        """Where the levels lie along the limb, 0 to 1."""
        return limb_positions(self.plan.levels, self.sampling.limb or (0, len(self.volume.hu) - 1))

    def is_empty(self, index: int) -> bool:
        """Whether a level shows nothing to be labelled."""
        return self.windows[index] is None or self.reader.is_empty(self.plan.levels[index])

    def position(self, index: int) -> float:
        """A level in slices of the result."""
        return float(self.plan.levels[index]) / self.sampling.every

    def votes(self, index: int, hu: np.ndarray, strips: np.ndarray, keep_maps: bool) -> PassVotes:
        """What gathers the evidence of a level, of whose slice `hu` ``[H, W]`` is shown in columns of these `strips` ``[W]``."""
        votes = PassVotes(hu, self.spec.classes, self.position(index), strips, keep_maps)
        votes.members = self.members
        return votes


def example_slices(look: Look) -> list[Tensor]:
    """Slices ``[1, channels, H, W]`` at equal distances among those that the network will see, in one window around all of them."""
    seen = [index for index in range(len(look.plan.levels)) if not look.is_empty(index)]
    chosen = [seen[k] for k in np.linspace(0, len(seen) - 1, min(EXAMPLES, len(seen))).astype(int)]
    windows = [window for window in (look.windows[index] for index in chosen) if window is not None]
    around = reduce(PixelWindow.around, windows) if windows else None
    return [] if around is None else [look.reader.read(look.plan.levels[index])[around.inside] for index in chosen]


def sample_slices(look: Look, sampler: Sampler, checkpoint: Callable[[], None]) -> Iterator[SampledSlice | None]:
    """Every level of the plan in order, each sampled as a slice of its own; None where there is nothing."""

    def read(index: int) -> Tensor | None:
        return None if look.is_empty(index) else look.reader.read(look.plan.levels[index])

    for index, image in enumerate(one_ahead(read, range(len(look.plan.levels)))):
        checkpoint()
        window = look.windows[index]
        if image is None or window is None:
            yield None
            continue
        hu, strips = look.reader.hu_of(image)[window.inside], window.strips(look.plan.grid[1])
        votes = partial(look.votes, index, hu, strips, look.sampling.keep_maps)
        sampled = sampler.sample(image[window.inside], index, checkpoint, votes, look.places[index])
        yield window.whole(sampled, look.plan.grid)
