"""One case under review: the state that the desktop module and the browser share.

It holds the current label map and reports, keeps the automatic ones, measures again what an edit touched, and remembers who
did what. It knows no screen and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from ..anatomy import StructureTable
from ..case_result import CaseResult, HistoryEvent, ReviewState, SegmentReport
from ..ct.boxes import Box
from ..ct.volume import CTVolume, Geometry
from ..errors import InputError
from ..measurement.volume import checked_height
from ..results.result_folder import result_json
from ..results.result_reading import StoredCase
from ..site_reference.applying import Placing
from ..tasks import Task
from .columns import Column, columns_of
from .corrections import corrected, taken, with_asymmetries, with_height
from .histogram import Histogram, histogram_of
from .history import HistoryLog, utc_now
from .label_maps import LabelEdit, ReviewedLabels
from .masks import SegmentMask, or_none
from .queue import Candidate, priorities
from .rows import SegmentRow, make_row, make_rows, next_flagged, worst_first
from .stored import check_ct, lost_labels, outdated_labels, region_of
from .worst_slices import WorstSlice, worst_slices

KeysCallback = Callable[[tuple[str, ...]], None]


class ReviewSession:
    """A case, its corrections and their history. Not thread-safe: use it from one thread."""

    def __init__(
        self,
        result: CaseResult,
        volume: CTVolume,
        author: str = "",
        height_m: float | None = None,
        *,
        automatic: CaseResult | None = None,
        history: Iterable[HistoryEvent] = (),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Review `result`, made from `volume`.

        Without `automatic` the result itself is the automatic version. The session keeps the arrays of both and never writes
        to them. `author` goes into the history; `height_m` replaces the height that the result was measured with.

        Raises:
            InputError: the volume is on another grid, or the height is impossible.
        """
        if not result.geometry.matches(volume.geometry):
            raise InputError(result.task.in_words("The result and the CT have different grids; choose the CT that was segmented."))
        self._automatic, self._volume = automatic or result, volume
        self._findings, self._facts = result.findings, result.facts
        self._reports = {report.segment.key: report for report in result.reports}
        self._labels = ReviewedLabels(self._automatic.labels, result.labels, result.task, volume, region_of(result))
        # Labels whose automatic content is not known; they can be neither compared with it nor brought back.
        self._lost = set() if automatic is None else lost_labels(automatic.reports, self._labels)
        self._history = HistoryLog(author, history, clock)
        self._callbacks: list[KeysCallback] = []
        self._priorities = priorities(map(Candidate.of_report, self._automatic.reports))
        self._placing: Placing | None = None
        self._slices: dict[str, tuple[WorstSlice, ...]] = {}
        if height_m is not None and height_m != self.height_m:
            self.set_height(height_m)

    @classmethod
    def of_stored(cls, case: StoredCase, volume: CTVolume, author: str = "", **options: Any) -> ReviewSession:
        """Go on with a stored review; `options` as for the constructor.

        Segments whose voxels are not those that the stored numbers were taken from, because another program changed them, are
        measured again and count as edited.

        Raises:
            InputError: the volume is not the CT that the numbers were taken from.
        """
        session = cls(case.result, volume, author, automatic=case.automatic, history=case.history, **options)
        outdated = outdated_labels(case.result.reports, session._labels)
        check_ct(case.result.reports, outdated, session._labels)
        session._measure_again(outdated, "edited", outdated)
        return session

    @property
    def result(self) -> CaseResult:
        """The case as it stands, corrections included. Its label map is the session's own: read it, do not write to it."""
        now = replace(self._automatic, labels=self._labels.current, reports=tuple(self._reports.values()))
        return replace(now, geometry=self.geometry, findings=self._findings, facts=self._facts)

    @property
    def automatic(self) -> CaseResult:
        """The case as the network left it, with the height as it is set now."""
        return self._automatic

    @property
    def volume(self) -> CTVolume:
        """The CT."""
        return self._volume

    @property
    def table(self) -> StructureTable:
        """The structures of the case."""
        return self._automatic.table

    @property
    def task(self) -> Task:
        """The task, for its words and columns."""
        return self._automatic.task

    @property
    def geometry(self) -> Geometry:
        """The grid of all arrays."""
        return self._volume.geometry

    @property
    def history(self) -> tuple[HistoryEvent, ...]:
        """What was done, oldest first."""
        return self._history.events

    @property
    def height_m(self) -> float | None:
        """The patient's height in metres that volumes are normalised with."""
        return self._facts.height_m

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the table."""
        return columns_of(self.task, () if self._placing is None else self._placing.quantities)

    def rows(self) -> tuple[SegmentRow, ...]:
        """The table, in table order."""
        return make_rows(self._reports.values(), self._priorities, self._placing)

    def row(self, key: str) -> SegmentRow:
        """One row of it."""
        return make_row(self._reports[key], self._priorities[key], self._placing)

    def report(self, key: str) -> SegmentReport:
        """What is known of a segment now."""
        return self._reports[key]

    def automatic_report(self, key: str) -> SegmentReport:
        """What was known of it before any correction."""
        return next(report for report in self._automatic.reports if report.segment.key == key)

    def mask(self, key: str) -> SegmentMask | None:
        """The segment's voxels now; None when it has none."""
        return or_none(self._labels.mask(self._label(key)))

    def automatic_mask(self, key: str) -> SegmentMask | None:
        """The voxels that the network gave it; None when it gave none."""
        return or_none(self._labels.automatic_mask(self._label(key)))

    def histogram(self, key: str) -> Histogram | None:
        """The segment's Hounsfield units; None when it was not found."""
        return histogram_of(self._reports[key])

    def worst_slices(self, key: str, count: int | None = None) -> tuple[WorstSlice, ...]:
        """The segment's slices to look at, worst first and at least 10 mm apart; at most `count`."""
        if key not in self._slices:
            self._slices[key] = worst_slices(self._labels.mask(self._label(key)), self._automatic.uncertainty, self.geometry)
        return self._slices[key][:count]

    def next_flagged(self, after_key: str | None = None) -> str | None:
        """The key of the next segment that needs a look, down the queue and round again; None when there is none left."""
        return next_flagged(worst_first(self.rows()), after_key)

    def edit_labels(self, box: Box, labels: np.ndarray) -> LabelEdit | None:
        """Give the voxels of a box these labels, measure what changed, and return the difference; None without one.

        `labels` is uint8 ``[z, y, x]`` with sides. Every segment that lost or gained a voxel counts as edited; one that is
        again as the network drew it is automatic again. Giving `LabelEdit.before` to its box takes the edit back.

        Raises:
            ValueError: the labels are not uint8 of the box's shape, or the box reaches beyond the CT.
        """
        edit = self._labels.change(box, labels)
        return edit and replace(edit, rows=self._measure_again(edit.changed, "edited", edit.changed))

    def edit(self, masks: Mapping[str, SegmentMask], taken_from: str = "") -> tuple[str, ...]:
        """Give segments new content by their keys; returns the keys of the rows that changed, in table order.

        Voxels that a segment loses become background; others lose those that it gains. Where masks overlap, the later one wins.
        `taken_from` says what the content was taken from where nobody drew it, for reasons and history.

        Raises:
            KeyError: there is no such segment.
            ValueError: a mask reaches beyond the CT.
        """
        return self._draw({self._label(key): mask for key, mask in masks.items()}, "edited", taken_from)

    def revert(self, key: str) -> SegmentMask:
        """Bring back what the network drew, and return it (empty where it drew nothing).

        Voxels that other segments lost to the correction do not return to them.

        Raises:
            InputError: the automatic version was not stored with this result.
        """
        label = self._label(key)
        if label in self._lost:
            raise InputError(f"The automatic version of {self.row(key).name} was not stored; run the segmentation again.")
        mask = self._labels.automatic_mask(label)
        self._draw({label: mask}, "reverted")
        return mask

    def accept(self, key: str) -> None:
        """Mark the segment as reviewed; its light stays."""
        report = self._reports[key]
        if report.state is not ReviewState.ACCEPTED:
            self._history.add("accepted", key, {"light": report.light.value, "state": report.state.value})
            self._set({key: replace(report, state=ReviewState.ACCEPTED)})

    def reopen(self, key: str) -> None:
        """Take an acceptance back."""
        report = self._reports[key]
        if report.state is ReviewState.ACCEPTED:
            self._history.add("reopened", key, {})
            before = ReviewState.AUTOMATIC if self._is_automatic(report.segment.label) else ReviewState.EDITED
            self._set({key: replace(report, state=before)})

    def set_height(self, height_m: float | None) -> None:
        """Normalise all volumes by another height in metres; None when it is not known.

        Raises:
            InputError: nobody is that small or tall.
        """
        if checked_height(height_m) == self.height_m:
            return
        self._history.add("height", None, {"from_m": self.height_m, "to_m": height_m})
        self._facts = replace(self._facts, height_m=height_m)
        self._automatic = replace(self._automatic, reports=with_height(self._automatic.reports, height_m))
        self._set({report.segment.key: report for report in with_height(self._reports.values(), height_m)})

    def place(self, placing: Placing | None) -> None:
        """Have `rows` say where the numbers lie among the curves of a site; None ends that. It is not stored."""
        self._placing = placing

    def subscribe(self, callback: KeysCallback) -> Callable[[], None]:
        """Have `callback` called with the keys of changed rows after every change; returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def to_json(self) -> dict[str, Any]:
        """Everything but the arrays, JSON-ready."""
        return result_json(self.result, history=self.history, automatic=self._automatic.reports)

    def _draw(self, masks: Mapping[int, SegmentMask], what: str, taken_from: str = "") -> tuple[str, ...]:
        edit = self._labels.change(*self._labels.with_masks(masks))
        return () if edit is None else self._measure_again(edit.changed, what, masks, taken_from)

    def _label(self, key: str) -> int:
        return self._reports[key].segment.label

    def _measure_again(self, labels: Collection[int], what: str, drawn: Collection[int], source: str = "") -> tuple[str, ...]:
        """New reports and history of segments with other voxels; `drawn` are those that the user worked on."""
        if not labels:
            return ()
        by, new = [key for key in self._reports if self._label(key) in drawn], dict(self._reports)
        for key in [key for key in self._reports if self._label(key) in labels]:
            report = taken(self._new_report(key), source if key in by else "")
            self._slices.pop(key, None)
            self._history.add_change(self._reports[key], report, what if key in by else "edited", by, source)
            new[key] = report
        return self._set(with_asymmetries(self.table, new))

    def _new_report(self, key: str) -> SegmentReport:
        label = self._label(key)
        if self._is_automatic(label):
            return self.automatic_report(key)
        dice = None if label in self._lost else self._labels.dice(label)
        return corrected(self.automatic_report(key), self._labels.measured(label, self.height_m), dice)

    def _is_automatic(self, label: int) -> bool:
        return label not in self._lost and self._labels.dice(label) in (None, 1.0)

    def _set(self, reports: Mapping[str, SegmentReport]) -> tuple[str, ...]:
        """Take over reports; tells the subscribers, and returns the keys of those that differ."""
        changed = tuple(key for key, old in self._reports.items() if reports.get(key, old) != old)
        self._reports |= {key: reports[key] for key in changed}
        for callback in tuple(self._callbacks) if changed else ():
            callback(changed)
        return changed
