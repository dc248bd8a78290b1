"""What a run of the cases would take here, and what a dry run says of each of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from ..engine import DevicesRequest, EngineRun
from ..errors import InputError
from ..settings import Settings
from .found_cases import FoundCase
from .progress import duration

# A scan like those of the published cohort, where no case says another.
_USUAL_SIZE, _USUAL_SPACING = (460, 320, 500), (0.8, 0.8, 1.0)
_ESTIMATE_S = 600.0
# What judging a segmentation takes of the time of making one: fewer slices, fewer passes.
_JUDGING_SHARE = 0.25


@dataclass(frozen=True)
class Estimate:
    """What one case of `volume_mm3` takes with this computer for itself, how many GPUs there are, and the device in words."""

    seconds: float
    volume_mm3: float
    gpus: int
    device: str

    def total_seconds(self, cases: Iterable[FoundCase]) -> float:
        """Of these cases: each takes its share by volume, for the network sees every scan on a grid of its own.

        The body is taken to fill the scan, so that it will rather be less. Cases at once on one processor share it; every GPU takes
        cases of its own.
        """
        alone = sum((_JUDGING_SHARE if case.mask else 1.0) * self.seconds * _volume(case) / self.volume_mm3 for case in cases)
        return alone / max(1, self.gpus)


def estimate_cases(cases: Sequence[FoundCase], settings: Settings, python: str = sys.executable) -> Estimate:
    """Have a child process time the network for the middle one of the cases; this finds a missing bundle or device, too.

    Raises:
        InputError: bundle, device or packages do not do, in the child's sentence.
    """
    size, spacing = _USUAL_SIZE, _USUAL_SPACING
    if cases:
        middle = median(_volume(case) for case in cases)
        nearest = min(cases, key=lambda case: abs(_volume(case) - middle))
        size, spacing = nearest.size or size, nearest.spacing or spacing
    run = EngineRun.devices(DevicesRequest(size, spacing, settings.bundle, settings.passes, settings.device), python)
    try:
        code = run.wait(_ESTIMATE_S)
    finally:
        run.cancel()
    if code:
        raise InputError(run.message)
    answer = run.answer
    volume = math.prod(size) * math.prod(spacing)
    return Estimate(float(answer["seconds"]), volume, int(answer["gpus"]), str(answer["device"]["description"]))


def listing(cases: Sequence[FoundCase]) -> Iterator[str]:
    """A line per case: what it is, or why it will be refused."""
    width = max(len(case.case) for case in cases)
    for case in cases:
        yield f"{case.case:{width}}  {_words(case)}"


def time_in_words(estimate: Estimate, cases: Sequence[FoundCase]) -> str:
    """How long the cases will take here."""
    each = duration(estimate.seconds)
    total = duration(estimate.total_seconds(cases))
    return f"{len(cases)} cases would take {total} on this computer ({estimate.device}; {each} for one of middle size)."


def _words(case: FoundCase) -> str:
    if case.problem:
        return f"REFUSED: {case.problem}"
    if case.same_as:
        return f"the same images as {case.same_as}: not run"
    assert case.size is not None and case.spacing is not None  # held by the headers of what is not refused
    sizes, spacings = (" x ".join(f"{value:.4g}" for value in values) for values in (case.size, case.spacing))
    mask = f"; its segmentation {Path(case.mask).name} is judged" if case.mask else ""
    return f"{sizes} voxels of {spacings} mm" + (f", {case.scanner}" if case.scanner else "") + mask


def _volume(case: FoundCase) -> float:
    return math.prod(case.size or _USUAL_SIZE) * math.prod(case.spacing or _USUAL_SPACING)
