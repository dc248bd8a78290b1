"""A result folder as DICOM objects in a folder: segmentation, structured report, uncertainty map, the report as a PDF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..case_result import CaseResult, HistoryEvent
from ..ct.reading.files import read_ct
from ..errors import InputError
from ..output.filling import whole_folder
from ..output.places import check_new_folder
from ..packages import FOR_DICOM, require
from ..results.result_reading import StoredCase, read_case
from ..review import ReviewSession
from ..review.stored import changed_elsewhere
from .encapsulated_pdf import encapsulated_pdf
from .identity import identity_of
from .parametric_map import make_uncertainty_map
from .segmentation import make_segmentation
from .source import SourceSeries, open_source, recorded_series
from .structured_report import make_report

SEGMENTATION_OBJECT, REPORT_OBJECT, UNCERTAINTY_OBJECT, PDF_OBJECT = (
    "segmentation.dcm",
    "measurements.dcm",
    "uncertainty.dcm",
    "report.dcm",
)
FILES = (SEGMENTATION_OBJECT, REPORT_OBJECT, UNCERTAINTY_OBJECT, PDF_OBJECT)
LARGE = (SEGMENTATION_OBJECT, UNCERTAINTY_OBJECT)
# Deflated Explicit VR Little Endian: of the lossless syntaxes the one that one-bit frames and float pixels may have.
DEFLATED = "1.2.840.10008.1.2.1.99"


def export_dicom(
    result_folder: Path,
    output: Path,
    source: Path | None = None,
    pdf: Callable[[SourceSeries], bytes] | None = None,
    checkpoint: Callable[[], None] = lambda: None,
    deflate: bool = False,
) -> tuple[str, ...]:
    """Write a result, corrections included, as DICOM objects to a new or empty folder; returns the names of the files.

    `source` is where the scanned series lies now; without it the place that the result recorded, if it did. `pdf` makes the
    report for people. With `deflate` the two large ones, segmentation and uncertainty map, are compressed without loss. The folder
    appears whole or not at all.

    Raises:
        InputError: there is no such result or series, they do not belong together, or nothing can be written there.
        DependencyError: highdicom is not installed.
    """
    require(*FOR_DICOM, purpose="DICOM export", extra="dicom")
    real = check_new_folder(output, FILES)
    stored = read_case(result_folder)
    place = source_place(stored.result, source)
    series = open_source(stored.result, place)
    result, history = as_it_stands(stored, place)
    checkpoint()
    document = pdf(series) if pdf else None
    checkpoint()
    with whole_folder(real, "DICOM results", SEGMENTATION_OBJECT, FILES) as partial:
        for name, data in dicom_objects(result, history, series, document):
            checkpoint()
            if deflate and name in LARGE:
                data.file_meta.TransferSyntaxUID = DEFLATED
            data.save_as(partial / name, enforce_file_format=True)
        return tuple(sorted(path.name for path in partial.iterdir()))


def as_it_stands(stored: StoredCase, place: Path) -> tuple[CaseResult, tuple[HistoryEvent, ...]]:
    """The case with its history; measured again on the series at `place` where another program changed the segmentation.

    Numbers and lights of labels that are gone must not go out beside the new ones.
    """
    if not changed_elsewhere(stored.result):
        return stored.result, stored.history
    volume = read_ct(place, recorded_series(stored.result).series_uid, modality=stored.result.task.modality)
    session = ReviewSession.of_stored(stored, volume)
    return session.result, session.history


def source_place(result: CaseResult, source: Path | None) -> Path:
    """Where to look for the result's series.

    Raises:
        InputError: the result was not made from DICOM, or says no place and none is given.
    """
    recorded_series(result)
    place = source or (Path(result.facts.source) if result.facts.source else None)
    if place is None:
        raise InputError(
            "DICOM results copy patient and study from the scanned series, and this result does not say where that lies; name its "
            "folder with --source."
        )
    return place


def dicom_objects(
    result: CaseResult, history: Sequence[HistoryEvent], source: SourceSeries, pdf: bytes | None = None
) -> list[tuple[str, Any]]:
    """The objects of a result by file name, as data sets.

    Raises:
        InputError: the headers of the series lack or contradict what DICOM results need.
    """
    try:
        return _objects(result, history, source, pdf)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise InputError(
            f"The headers of the series do not allow DICOM results ({reason}); export the original series again and segment that."
        ) from error


def _objects(result: CaseResult, history: Sequence[HistoryEvent], source: SourceSeries, pdf: bytes | None) -> list[tuple[str, Any]]:
    identity = identity_of(result, history, source.first.get("SeriesNumber"))
    objects: list[tuple[str, Any]] = []
    segmentation = make_segmentation(result, source, identity) if np.any(result.labels) else None
    if segmentation is not None:
        objects.append((SEGMENTATION_OBJECT, segmentation))
    objects.append((REPORT_OBJECT, make_report(result, history, source, identity, segmentation)))
    if result.uncertainty is not None:
        objects.append((UNCERTAINTY_OBJECT, make_uncertainty_map(result, source, identity)))
    if pdf is not None:
        objects.append((PDF_OBJECT, encapsulated_pdf(pdf, source, identity)))
    return objects
