"""What a report is made from: a result as it stands, its rows and history, its images with axes in order; read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ..anatomy import Segment
from ..case_result import CaseResult, HistoryEvent, SegmentReport
from ..comparison.follow_up import ExaminationPair
from ..ct.boxes import Box, label_boxes
from ..ct.cropping import coarse_stride, subsampled
from ..ct.orientation import AxisOrder, axis_order
from ..ct.volume import CTVolume, Geometry
from ..errors import InputError, shown
from ..proximal_femur.stored_femora import StoredFemora, read_stored_femora
from ..results.result_reading import StoredCase, read_case
from ..review import ReviewSession, SegmentRow, make_rows
from ..review.queue import Candidate, priorities
from ..review.source_ct import locate_ct, read_own_ct
from ..review.stored import changed_elsewhere
from ..site_reference.applying import Placing

# What is black and what is white in a CT: fat, muscle and the inside of bone are told apart.
GREY_WINDOW_HU = (-160.0, 240.0)


@dataclass(frozen=True)
class ReportCase:
    """A case as a report shows it.

    `title` is what the reader calls it, `volume` None where the CT is not at hand. `changes` holds it against an earlier result,
    `femora` is what was measured of its proximal femora. `placing` says among whose curves its rows are placed.
    """

    title: str
    result: CaseResult
    rows: tuple[SegmentRow, ...]
    history: tuple[HistoryEvent, ...]
    volume: CTVolume | None = None
    changes: ExaminationPair | None = None
    femora: StoredFemora | None = None
    placing: Placing | None = None

    @cached_property
    def reports(self) -> Mapping[str, SegmentReport]:
        """The reports by the keys of their segments, in table order."""
        return {report.segment.key: report for report in self.result.reports}

    @cached_property
    def pairs(self) -> tuple[tuple[SegmentRow, ...], ...]:
        """The rows of one structure together, in table order."""
        found: dict[str, list[SegmentRow]] = {}
        for row in self.rows:
            found.setdefault(self.segment(row).structure.abbreviation, []).append(row)
        return tuple(map(tuple, found.values()))

    def segment(self, row: SegmentRow) -> Segment:
        """The segment of a row: the one place that names and colours of a report come from."""
        return self.reports[row.key].segment

    def segment_of(self, key: str) -> Segment | None:
        """The segment with that key; None where the result has none, as a history of another version may name it."""
        report = self.reports.get(key)
        return report.segment if report else None

    @cached_property
    def order(self) -> AxisOrder:
        """How the axes of the CT are put in order for pictures."""
        return axis_order(self.result.geometry.direction)

    @cached_property
    def grid(self) -> Geometry:
        """The grid of the arrays below."""
        return self.order.geometry(self.result.geometry)

    @cached_property
    def labels(self) -> np.ndarray:
        """uint8 ``[z, y, x]`` with sides, growing to superior, posterior, left."""
        return self.order.apply(self.result.labels)

    @cached_property
    def hu(self) -> np.ndarray | None:
        """int16 of the same shape; None without the CT."""
        return None if self.volume is None else self.order.apply(self.volume.hu)

    @cached_property
    def grey_window(self) -> tuple[float, float]:
        """Black and white of pictures: the soft tissues of a CT; of MR all but half a per cent of the voxels at either end."""
        if self.hu is None or self.result.task.in_hounsfield:
            return GREY_WINDOW_HU
        low, high = np.percentile(subsampled(self.hu, coarse_stride(self.grid)), (0.5, 99.5))
        return float(low), max(float(high), float(low) + 1.0)

    @cached_property
    def uncertainty(self) -> np.ndarray | None:
        """float32 of the same shape; None where labels were only measured."""
        return None if self.result.uncertainty is None else self.order.apply(self.result.uncertainty)

    @cached_property
    def boxes(self) -> Mapping[int, Box]:
        """The box of each label in `labels`."""
        return label_boxes(np.ascontiguousarray(self.labels))


def case_of_session(session: ReviewSession, title: str) -> ReportCase:
    """The case of a review that is going on."""
    return ReportCase(title, session.result, session.rows(), session.history, session.volume)


def read_report_case(
    folder: Path,
    title: str | None = None,
    ct: Path | None = None,
    series: str | None = None,
    assume_orientation: str | None = None,
    placing: Placing | None = None,
) -> ReportCase:
    """The case in a result folder as it stands, corrections included; without a `title` it is called as its folder is.

    `ct`, `series` and `assume_orientation` say what its CT is and how to read it where the folder does not hold it. The report can
    do without the CT, but not where another program changed the segmentation, so that it has to be measured again.

    Raises:
        InputError: there is no result, it is damaged, or its CT is needed or another one.
    """
    name = folder.resolve().name if title is None else title
    stored = read_case(folder)
    if locate_ct(folder, ct) is None:
        return replace(_without_ct(stored, name, folder, placing), placing=placing)
    session = ReviewSession.of_stored(stored, read_own_ct(folder, ct, series, assume_orientation))
    session.place(placing)
    return _with_femora(replace(case_of_session(session, name), placing=placing), folder)


def _without_ct(stored: StoredCase, name: str, folder: Path, placing: Placing | None) -> ReportCase:
    if changed_elsewhere(stored.result):
        raise InputError(
            f"The segmentation in {shown(folder.resolve())!r} was changed by another program since it was measured; name the CT "
            "with --ct, so that it is measured again."
        )
    urgency = priorities(map(Candidate.of_report, stored.automatic.reports))
    return _with_femora(ReportCase(name, stored.result, make_rows(stored.result.reports, urgency, placing), stored.history), folder)


def _with_femora(case: ReportCase, folder: Path) -> ReportCase:
    return replace(case, femora=read_stored_femora(folder, case.result.labels, case.result.table))
