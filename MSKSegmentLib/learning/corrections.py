"""What a reviewed result says for certain: which segments a person drew or accepted, and in which slices.

An accepted segment is known in all slices. One that was drawn on but not accepted is known in the slices in which it was changed.
A segment that only lost voxels to a neighbour that was drawn, and everything that nobody touched, is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from ..case_result import HistoryEvent, ReviewState
from ..ct.orientation import axis_order
from ..errors import InputError, shown
from ..results.result_reading import StoredCase, read_case
from ..review.stored import changed_elsewhere


class KnownKind(str, Enum):
    """How much of a segment a person stands for, and whether it differs from what the network drew."""

    CORRECTED = "corrected"
    SLICES = "corrected in slices"
    AS_DRAWN = "accepted as drawn"


@dataclass(frozen=True)
class Correction:
    """One segment that a person stands for; `slices` along the array's first axis, None for all of them."""

    kind: KnownKind
    slices: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ReviewedResult:
    """A result folder with what is known in it, by the segment's key.

    `digest` and `study` are those of the CT: its voxels, and the UID of its DICOM study where it is of one.
    """

    folder: Path
    digest: str | None
    study: str | None
    corrections: Mapping[str, Correction]

    @property
    def is_corrected(self) -> bool:
        """Whether a person changed anything: what was accepted as drawn teaches a network nothing new."""
        return any(one.kind is not KnownKind.AS_DRAWN for one in self.corrections.values())


def read_reviewed(folder: Path) -> ReviewedResult:
    """What is known in a result folder.

    Raises:
        InputError: it cannot be read, is of other structures or of a part of a scan, or was changed by another program.
    """
    stored = read_case(folder)
    result = stored.result
    if result.table != HIP_AND_THIGH:
        raise InputError(f"The result {shown(folder)!r} is of other structures than hip and thigh; leave it out.")
    if result.facts.region_lps_mm is not None:
        raise InputError(f"The result {shown(folder)!r} is of a region of its scan only; segment the whole scan, or leave it out.")
    if changed_elsewhere(result):
        raise InputError(
            f"The segmentation in {shown(folder)!r} was changed by another program; open it with 'mskseg review' once, or leave it "
            "out."
        )
    series = result.facts.series
    study = series.study_uid if series else None
    return ReviewedResult(folder, result.facts.input_digest, study, _corrections(stored))


def _corrections(stored: StoredCase) -> dict[str, Correction]:
    drawn = _drawn_by_hand(stored.history)
    found = {}
    for report in stored.result.reports:
        key, label = report.segment.key, report.segment.label
        if report.state is ReviewState.AUTOMATIC:
            continue
        now, before = stored.result.labels, stored.automatic.labels
        changed = np.zeros(now.shape[0], bool)
        if now is not before:
            changed = ((now == label) != (before == label)).any(axis=(1, 2))
        if report.state is ReviewState.ACCEPTED:
            found[key] = Correction(KnownKind.CORRECTED if changed.any() else KnownKind.AS_DRAWN)
        elif key in drawn and changed.any() and axis_order(stored.result.geometry.direction).axes[2] == 2:
            # Across other slices than axial ones a stroke shows a line of each axial slice, not its outline.
            found[key] = Correction(KnownKind.SLICES, tuple(int(k) for k in np.flatnonzero(changed)))
    return found


def _drawn_by_hand(history: tuple[HistoryEvent, ...]) -> set[str]:
    """The segments that somebody worked on themselves, not those alone that lost voxels to another one."""
    return {event.key for event in history if event.what == "edited" and event.key is not None and "by" not in event.details}
