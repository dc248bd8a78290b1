"""Another result of a CT held beside the one under review: how far they agree, where they differ, and what can be taken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..ct.boxes import label_boxes
from ..ct.volume import CTVolume
from ..errors import InputError, shown
from ..results.result_reading import StoredCase, read_case
from ..review import ReviewSession
from ..review.masks import SegmentMask
from ..review.source_ct import input_of
from ..run_facts import RunFacts
from .agreement_table import StructureAgreement, agreement_of
from .differences import kinds_of_difference
from .known import source_of
from .not_drawn import NotDrawn, agreement_summary, not_drawn_of
from .pair import ResultPair, pair_cases
from .taking import mask_of_other


@dataclass(frozen=True)
class HeldBeside:
    """The open result as it stood, and another one, called `name`: `rows` with the least agreeing structure first, `kinds` where
    they differ and how (`differences.kinds_of_difference`), `not_drawn` what only one of them can have."""

    name: str
    pair: ResultPair
    rows: tuple[StructureAgreement, ...]
    kinds: np.ndarray
    not_drawn: tuple[NotDrawn, ...]

    @property
    def summary(self) -> tuple[str, ...]:
        """Sentences on the whole."""
        return agreement_summary(self.pair, self.rows)

    @property
    def source(self) -> str:
        """What labelled the other result."""
        return source_of(self.pair.second.result.facts)

    def row(self, key: str) -> StructureAgreement | None:
        """The row of a segment; None for one that is not compared."""
        return next((row for row in self.rows if row.segment.key == key), None)

    def mask_of_other(self, key: str) -> SegmentMask | None:
        """The voxels that the other result gives a segment; None where it gives none."""
        label = self.pair.table.segment(key).label
        boxes = label_boxes(self.pair.other_labels)
        return mask_of_other(self.pair, key, boxes) if label in boxes else None


def snapshot_of(session: ReviewSession) -> StoredCase:
    """The case as it stands, whose label map later corrections do not change."""
    result = session.result
    return StoredCase(replace(result, labels=result.labels.copy()), session.automatic, session.history)


def read_of_same_ct(folder: Path, facts: RunFacts) -> StoredCase:
    """Read a result folder that is to be held beside a result with these facts.

    Raises:
        InputError: it holds no result, or one of another scan.
    """
    digests = {digest for digest in (input_of(folder), facts.input_digest) if digest is not None}
    case = read_case(folder)
    if len(digests) > 1:
        raise InputError(f"The result {shown(folder)!r} is of another scan than the open one; choose a result of the same scan.")
    return case


def hold_beside(first: StoredCase, second: StoredCase, volume: CTVolume, name: str) -> HeldBeside:
    """Hold a result beside the open one, which `snapshot_of` took; takes seconds for a large scan.

    Raises:
        InputError: they have no structure in common, or lie elsewhere.
    """
    return _held(name, pair_cases(first, second, volume, ("this result", name)))


def hold_beside_again(first: StoredCase, before: HeldBeside) -> HeldBeside:
    """The same after corrections of the open result."""
    return _held(before.name, before.pair.with_first(first))


def _held(name: str, pair: ResultPair) -> HeldBeside:
    return HeldBeside(name, pair, agreement_of(pair, distances=False), kinds_of_difference(pair), not_drawn_of(pair))
