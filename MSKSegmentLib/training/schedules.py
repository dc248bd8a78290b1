"""The learning rate over the course of a training, which ends after a number of iterations or after a time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

_WARM_UP = 0.08
_FIRST_SHARE = 1 / 25
_LAST_SHARE = _FIRST_SHARE / 100
_MOMENTA = (0.95, 0.85)


@dataclass(frozen=True)
class Step:
    """Learning rate and first-moment decay (Adam's beta 1) of one iteration."""

    learning_rate: float
    momentum: float


def scheduled(kind: str, peak: float, progress: float) -> Step:
    """The step at `progress`, 0 at the start of the training and 1 at its end.

    "constant" is `peak` throughout with Adam's usual momentum. "one-cycle" rises in the first 8 % from 1/25 of `peak` and falls to
    1/2500, both along half a cosine, while the momentum does the opposite (Smith and Topin, arXiv:1708.07120).
    """
    if kind == "constant":
        return Step(peak, 0.9)
    progress = min(max(progress, 0.0), 1.0)
    high, low = _MOMENTA
    if progress < _WARM_UP:
        share = progress / _WARM_UP
        return Step(peak * _between(_FIRST_SHARE, 1, share), _between(high, low, share))
    share = (progress - _WARM_UP) / (1 - _WARM_UP)
    return Step(peak * _between(1, _LAST_SHARE, share), _between(low, high, share))


def apply_step(optimizer: torch.optim.Optimizer, step: Step) -> None:
    """Set learning rate and momentum of an Adam optimiser."""
    for group in optimizer.param_groups:
        group["lr"] = step.learning_rate
        group["betas"] = (step.momentum, group["betas"][1])


class Course:
    """The progress of a training, 0 to 1: by iterations, or by time if `minutes` is given.

    It continues from `progress` at iteration `start`; a training that is resumed with a time limit runs the rest of the schedule
    in that time.
    """

    def __init__(
        self,
        start: int,
        progress: float,
        iterations: int,
        minutes: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start, self._from, self._iterations = start, progress, iterations
        self._seconds = None if minutes is None else 60 * minutes
        self._clock = clock
        self._began = clock()

    @property
    def timed(self) -> bool:
        """Whether time, and not the number of iterations, ends the training."""
        return self._seconds is not None

    @property
    def elapsed(self) -> float:
        """Seconds since the training began or was resumed."""
        return self._clock() - self._began

    def progress(self, iteration: int) -> float:
        """Progress after that many iterations or, with a time limit, at this moment."""
        if self._seconds is not None:
            done = self.elapsed / self._seconds
        elif self._iterations <= self._start:
            return 1.0
        else:
            done = (iteration - self._start) / (self._iterations - self._start)
        return min(1.0, self._from + (1 - self._from) * done)

    def remaining(self, iteration: int) -> float | None:
        """Remaining seconds at the speed so far; None while that is unknown."""
        if self._seconds is not None:
            return max(0.0, self._seconds - self.elapsed)
        if iteration <= self._start:
            return None
        return (self._iterations - iteration) * self.elapsed / (iteration - self._start)


def _between(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
