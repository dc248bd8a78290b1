"""What tells one network from another: the part of a bundle's manifest and of a recipe that describes it. Needs no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# What a manifest that does not name a family means: it is of before there were several.
FIRST_FAMILY = "bayesian-unet"


@dataclass(frozen=True)
class NetworkSpec:
    """A network of a family of `network.families`.

    Level i (from 0) has ``base_filters * 2**i`` filters, of half the resolution of the level before; `classes` counts the
    background. `in_channels` are neighbouring slices, 1 in three dimensions. `batch_norm` without batch norm means none for the
    Bayesian U-Net and those built on it, and instance norm for "dynunet". `dropout` is the probability that an element is dropped.
    `patch` is what a network of three `dimensions` sees at once, ``(z, y, x)`` in voxels of the bundle's grid; empty in two.
    """

    levels: int = 6
    base_filters: int = 32
    classes: int = 23
    in_channels: int = 1
    batch_norm: bool = True
    dropout: float = 0.5
    family: str = FIRST_FAMILY
    dimensions: int = 2
    patch: tuple[int, ...] = ()

    @property
    def stride(self) -> int:
        """Voxels along an axis that one voxel of the coarsest level covers: sides of the input are multiples of it."""
        return 2 ** (self.levels - 1)

    def to_json(self) -> dict[str, Any]:
        """What a manifest says: of the first family nothing beyond what manifests said before there were others."""
        content = asdict(self)
        if self.family == FIRST_FAMILY:
            for later in ("family", "dimensions", "patch"):
                del content[later]
        return content
