"""Optional parts of virtual patients. They are off by default, so that a seed still gives the same patient without them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from .build import Build
from .deformation import Shape
from .thorax import above_the_psoas


@dataclass(frozen=True)
class Ingredients:
    """Optional parts; each is off by default.

    With `muscle_variation` each muscle gets its own size, length and position (see `muscle_variation`); with `abdomen` the lumbar
    spine and the organs beside it are modelled, not only filled in (see `lumbar` and `abdomen`); with `retroperitoneal_fat`
    a layer of fat keeps bowel off iliacus and psoas (see `retroperitoneum`); `to_thorax` is an abdomen whose scan goes on above
    the psoas to the lungs' bases (see `thorax`); `objects` are a calibration phantom, pads, a cushion and cables at the body (see
    `positioning`).
    """

    muscle_variation: bool = False
    abdomen: bool = False
    retroperitoneal_fat: bool = False
    to_thorax: bool = False
    objects: bool = False

    def applied(self, shape: Shape, build: Build, seed: int) -> tuple[Shape, Build]:
        """Shape and build of that seed with these parts; the variation of muscles is one of the atlas."""
        build = replace(
            build,
            abdomen=self.abdomen or self.to_thorax,
            retroperitoneal_fat=self.retroperitoneal_fat,
            to_thorax=self.to_thorax,
            objects=self.objects,
        )
        return (replace(shape, above=above_the_psoas(seed)) if self.to_thorax else shape), build

    @property
    def folder(self) -> str:
        """Name of the folder that keeps these patients apart from others of the same seeds; empty without optional parts."""
        return "+".join(name for name, wanted in asdict(self).items() if wanted)


PLAIN = Ingredients()
