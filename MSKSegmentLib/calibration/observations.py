"""Observations for a calibration: segments of patients with true labels, with the scores that a run gave them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..case_result import Scores
from ..quality.guards import score_cautions


@dataclass(frozen=True)
class Observation:
    """One segment of one calibration patient.

    `uncertainty` is the paper's score, also ``scores.mean_variance``. `volume_ratio` is the true volume divided by the predicted
    one, `hu_difference` the true mean HU minus the predicted one; None where the truth lacks the segment. `ordinary` is False for
    stress tests: what is usual for a structure comes from the other scans; `condition` names the stress. `truncated` says that the
    field of view cuts the segment, `scan_cautions` are the reasons against green for the scan as a whole (see `guards`),
    `own_cautions` those from findings on the segment. `mask` names which of several label maps of the patient it is of, where
    others' masks are judged.
    """

    patient: str
    abbreviation: str
    side: str
    uncertainty: float | None
    dice: float
    scores: Scores | None = None
    volume_ratio: float | None = None
    hu_difference: float | None = None
    ordinary: bool = True
    truncated: bool = False
    condition: str = ""
    scan_cautions: tuple[str, ...] = ()
    own_cautions: tuple[str, ...] = ()
    mask: str = ""

    @property
    def labelling(self) -> tuple[str, str]:
        """The patient and the label map: segments of one labelling stand and fall together."""
        return self.patient, self.mask

    @property
    def evidence(self) -> Scores:
        """The scores; of older runs, which kept nothing else, the uncertainty alone."""
        return self.scores or Scores(mean_variance=self.uncertainty)

    @property
    def cautions(self) -> tuple[str, ...]:
        """Everything from outside the network that rules out a green light."""
        return (*self.scan_cautions, *self.own_cautions, *score_cautions(self.evidence))


def patients_of(observations: Iterable[Observation]) -> list[str]:
    """The patients by name, each once."""
    return sorted({observation.patient for observation in observations})


def folds(patients: Sequence[str], number: int) -> np.ndarray:
    """The part 0..number-1 that each entry of `patients` belongs to, int ``[n]``; all segments of a patient in the same one."""
    place = {name: rank % number for rank, name in enumerate(sorted(set(patients)))}
    return np.array([place[name] for name in patients], dtype=int)
