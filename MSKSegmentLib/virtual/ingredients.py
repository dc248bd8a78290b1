"""Optional parts of virtual patients. They are off by default, so that a seed still gives the same patient without them."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Ingredients:
    """Optional parts; each is off by default.

    With `muscle_variation` each muscle gets its own size, length and position (see `muscle_variation`); with `abdomen` the lumbar
    spine and the organs beside it are modelled, not only filled in (see `lumbar` and `abdomen`); with `retroperitoneal_fat`
    a layer of fat keeps bowel off iliacus and psoas (see `retroperitoneum`).
    """

    muscle_variation: bool = False
    abdomen: bool = False
    retroperitoneal_fat: bool = False

    @property
    def folder(self) -> str:
        """Name of the folder that keeps these patients apart from others of the same seeds; empty without optional parts."""
        return "+".join(name for name, wanted in asdict(self).items() if wanted)


PLAIN = Ingredients()
