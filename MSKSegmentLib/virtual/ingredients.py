"""What a virtual patient gets only on request, so that a seed without requests stays the patient that it was."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Ingredients:
    """Each is off by default.

    With `muscle_variation` each muscle gets a size, length and place of its own (see `muscle_variation`); with `abdomen` the lumbar
    spine and what lies beside it are modelled, not only filled in (see `lumbar` and `abdomen`).
    """

    muscle_variation: bool = False
    abdomen: bool = False

    @property
    def folder(self) -> str:
        """Name of the folder that keeps patients of this kind apart from others of the same seeds; empty for none."""
        return "+".join(name for name, wanted in asdict(self).items() if wanted)


PLAIN = Ingredients()
