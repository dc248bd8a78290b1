"""The first stage of a cascade, as a manifest or a recipe names it: whose mask decides what the network sees of a scan."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

# A first network that lies inside the bundle of the second, as one file (`bundle.package_file`).
FIRST_STAGE_FILE = "first_stage.mskseg"
WHOLE_BODY, OTHER_BUNDLE = "body", "bundle"
STAGE_KINDS = (WHOLE_BODY, OTHER_BUNDLE)
# Air, in HU and far enough below every scale of MR.
AIR = -1000.0
MOST_MARGIN_MM = 200.0


@dataclass(frozen=True)
class FirstStage:
    """Everything outside a mask, widened by `margin_mm`, becomes `fill` before the network sees the scan.

    Of the kind "body" the mask is the body inside its skin, without the table (`ct.cropping.body_mask`). Of the kind "bundle" it is
    what another network finds: `bundle` is its file inside this bundle (`FIRST_STAGE_FILE`), or its folder or name; `digest` the
    SHA-256 of its ``bundle.json``, in hex; `structures` the keys of its structures that make the mask. `fill` is on the
    scale of intensity that the second network sees, HU in CT. An empty `digest` is one that a recipe leaves to the training.
    """

    kind: str = WHOLE_BODY
    margin_mm: float = 0.0
    fill: float = AIR
    bundle: str = ""
    digest: str = ""
    structures: tuple[str, ...] = ()

    @property
    def inside(self) -> bool:
        """Whether the first network lies inside the second one's bundle."""
        return self.kind == OTHER_BUNDLE and self.bundle == FIRST_STAGE_FILE

    @property
    def words(self) -> str:
        """For people."""
        what = "the body inside its skin"
        if self.kind == OTHER_BUNDLE:
            where = "in this bundle" if self.inside else f"{self.bundle} ({self.digest[:12] or 'any version'})"
            what = f"what a first network {where} calls {', '.join(self.structures)}"
        return f"{what}, widened by {self.margin_mm:g} mm; {self.fill:g} outside"

    def to_json(self) -> dict[str, Any]:
        """What `first_stage_from_json` reads."""
        content = {**asdict(self), "structures": list(self.structures)}
        if self.kind == WHOLE_BODY:
            for other in ("bundle", "digest", "structures"):
                del content[other]
        return content


def first_stage_from_json(data: Any) -> FirstStage | None:
    """Read an entry ``first_stage``; None where there is none.

    Raises:
        TypeError, ValueError: entries are unknown, of the wrong kind or impossible.
    """
    if data is None or isinstance(data, FirstStage):
        return data
    if not isinstance(data, dict):
        raise TypeError("first_stage is not an object")
    entries: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    stage = FirstStage(**entries)
    if not isinstance(stage.structures, tuple):
        raise TypeError("the first stage's structures are no list")
    texts, numbers = (stage.kind, stage.bundle, stage.digest, *stage.structures), (stage.margin_mm, stage.fill)
    if not all(isinstance(text, str) for text in texts) or not all(type(number) in (int, float) for number in numbers):
        raise TypeError("a text or a number of the first stage is none")
    problem = first_stage_problem(stage)
    if problem:
        raise ValueError(problem)
    return stage


def first_stage_problem(stage: FirstStage) -> str | None:
    """Why there is no such first stage, as a phrase; None where there is."""
    if stage.kind not in STAGE_KINDS:
        return f"a first stage of the kind {stage.kind!r}, which this software does not know ({', '.join(STAGE_KINDS)})"
    if not 0 <= stage.margin_mm <= MOST_MARGIN_MM:
        return f"a first stage with a margin outside 0 to {MOST_MARGIN_MM:g} mm"
    if not math.isfinite(stage.fill) or abs(stage.fill) > 4000:
        return "a first stage with an impossible fill value"
    if stage.kind == OTHER_BUNDLE and not (stage.bundle and stage.structures):
        return "a first stage that names no bundle, or no structures of it"
    if stage.kind == WHOLE_BODY and (stage.bundle or stage.digest or stage.structures):
        return "a first stage of the kind 'body' that names a bundle"
    return None
