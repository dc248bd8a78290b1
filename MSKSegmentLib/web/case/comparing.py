"""Another result of the open one's CT, held beside it: which there are, how far they agree, where they differ."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ...case_result import CaseResult
from ...ct.boxes import label_boxes
from ...results.result_reading import StoredCase, read_case
from ...review import ReviewSession
from ...review.masks import SegmentMask
from ...review.source_ct import input_of
from ...two_results.agreement_table import StructureAgreement, agreement_of, places_of_disagreement
from ...two_results.known import source_of
from ...two_results.not_drawn import NotDrawn, agreement_summary, not_drawn_of
from ...two_results.pair import ResultPair, pair_cases
from ...two_results.taking import mask_of_other
from .opening import Opened
from .options import ReviewOptions
from .result_list import list_results


@dataclass(frozen=True)
class HeldBeside:
    """The open result as it stood, and another one: `rows` with the least agreeing structure first, `places` where they differ,
    `not_drawn` what only one of them can have."""

    name: str
    pair: ResultPair
    rows: tuple[StructureAgreement, ...]
    places: CaseResult
    not_drawn: tuple[NotDrawn, ...]

    @property
    def summary(self) -> tuple[str, ...]:
        """Sentences on the whole."""
        return agreement_summary(self.pair, self.rows)

    @property
    def source(self) -> str:
        """What labelled the other result."""
        return source_of(self.pair.second.result.facts)

    def mask_of_other(self, key: str) -> SegmentMask | None:
        """The voxels that the other result gives a segment; None where it gives none."""
        label = self.pair.table.segment(key).label
        boxes = label_boxes(self.pair.other_labels)
        return mask_of_other(self.pair, key, boxes) if label in boxes else None


def others_of(opened: Opened, options: ReviewOptions) -> dict[str, Path]:
    """The folders of the results that may be held beside the open one, by their names: those of the same CT.

    Where only one given result is reviewed, that is the one that the command line named. Reads a file of every listed result.
    """
    if options.single:
        return {options.other.resolve().name: options.other} if options.other is not None else {}
    digest = input_of(opened.folder)
    if digest is None:
        return {}
    listed = ((result.title, options.folder / result.name) for result in list_results(options.folder) if not result.problem)
    own = opened.folder.resolve()
    return {title: folder for title, folder in listed if folder.resolve() != own and input_of(folder) == digest}


def snapshot_of(session: ReviewSession) -> StoredCase:
    """The case as it stands, whose label map later corrections do not change."""
    result = session.result
    return StoredCase(replace(result, labels=result.labels.copy()), session.automatic, session.history)


def compare_with(first: StoredCase, session: ReviewSession, name: str, folder: Path) -> HeldBeside:
    """Hold the result in a folder beside the open one, which was taken by `snapshot_of`; takes seconds for a large scan.

    Raises:
        InputError: it cannot be read, or has no structure in common.
    """
    return _held(name, pair_cases(first, read_case(folder), session.volume, ("this result", name)))


def compare_again(first: StoredCase, before: HeldBeside) -> HeldBeside:
    """The same after corrections of the open result."""
    return _held(before.name, before.pair.with_first(first))


def _held(name: str, pair: ResultPair) -> HeldBeside:
    return HeldBeside(name, pair, agreement_of(pair, distances=False), places_of_disagreement(pair), not_drawn_of(pair))
