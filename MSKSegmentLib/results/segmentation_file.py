"""Files of a result that 3D Slicer opens directly: segmentation (``.seg.nrrd``), uncertainty and CT (``.nrrd``).

Written with SimpleITK alone, so that a result folder needs no Slicer. The tags that carry the traffic light are built
here once; the MRML scene uses the same ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

import numpy as np

from ..anatomy import Segment, StructureTable
from ..anatomy.terminology import terminology_entry
from ..case_result import CaseResult, ReviewState, SegmentReport
from ..ct.boxes import Box, label_boxes
from ..ct.reading.images.nrrd import FINDINGS_KEY
from ..ct.volume import CTVolume, Geometry
from ..errors import InputError
from ..findings import findings_json
from ..output.files import whole_file
from .nrrd_writing import write_nrrd
from .uncertainty_rounding import rounded_uncertainty

TERMINOLOGY_TAG = "TerminologyEntry"
STATUS_TAG = "Segmentation.Status"
LIGHT_TAG = "MSKSegment.Light"
VERDICT_TAG = "MSKSegment.Verdict"
REASONS_TAG = "MSKSegment.Reasons"
STATE_TAG = "MSKSegment.State"
UNCERTAINTY_TAG = "MSKSegment.Uncertainty"
PREDICTED_DICE_TAG = "MSKSegment.PredictedDice"
DICE_INTERVAL_TAG = "MSKSegment.DiceInterval"
DICE_GOOD_FROM_TAG = "MSKSegment.DiceGoodFrom"
DICE_FAILED_BELOW_TAG = "MSKSegment.DiceFailedBelow"
VOLUME_INTERVAL_TAG = "MSKSegment.VolumeIntervalCc"
MEAN_HU_INTERVAL_TAG = "MSKSegment.MeanHuInterval"
FAILURE_TAG = "MSKSegment.FailureProbability"
PAPER_LIGHT_TAG = "MSKSegment.PaperLight"
ALL_SCORES_TAG = "MSKSegment.Scores"
# Those that a segment may lack, for example after an edit.
SCORE_TAGS = (
    UNCERTAINTY_TAG,
    PREDICTED_DICE_TAG,
    DICE_INTERVAL_TAG,
    DICE_GOOD_FROM_TAG,
    DICE_FAILED_BELOW_TAG,
    VOLUME_INTERVAL_TAG,
    MEAN_HU_INTERVAL_TAG,
    FAILURE_TAG,
    PAPER_LIGHT_TAG,
    ALL_SCORES_TAG,
)
ABSENT_ATTRIBUTE = "MSKSegment.Absent"

SMOOTHING_FACTOR = 0.5
REPRESENTATION = "Binary labelmap"
# How Slicer writes the extent of a segment without a voxel.
_NO_EXTENT = "0 -1 0 -1 0 -1"


def review_status(report: SegmentReport) -> str:
    """Slicer's own review status of a segment, as the Segmentations module shows it.

    It says how far people got, and what asks for their attention: accepted -> completed, edited -> in progress,
    untouched -> flagged if its light is yellow or red (or grey, but the segment is likely wrong), else not started. A green
    light is never "completed", because nobody has looked at it.
    """
    if report.state is ReviewState.ACCEPTED:
        return "completed"
    if report.state is ReviewState.EDITED:
        return "inprogress"
    return "flagged" if report.asks_for_a_look else "notstarted"


def segment_tags(report: SegmentReport) -> dict[str, str]:
    """The tags of a segment in Slicer that change with its review: status, light and verdict, reasons (a JSON list), state, scores.

    Tags of what is not known are left out. Tags of intervals hold the lower and the upper bound, ``MSKSegment.Scores`` a JSON
    object of all scores that exist.
    """
    scores, limits = report.told_scores, report.dice_limits
    tags = {
        STATUS_TAG: review_status(report),
        LIGHT_TAG: report.light.value,
        VERDICT_TAG: report.verdict,
        REASONS_TAG: _json(report.reasons),
        STATE_TAG: report.state.value,
    }
    known = {
        UNCERTAINTY_TAG: _number(report.uncertainty, ".6g"),
        PREDICTED_DICE_TAG: _number(report.predicted_dice, ".4f"),
        DICE_INTERVAL_TAG: _interval(report.dice_interval, ".4f"),
        DICE_GOOD_FROM_TAG: _number(limits.good_from if limits else None, ".4f"),
        DICE_FAILED_BELOW_TAG: _number(limits.failed_below if limits else None, ".4f"),
        VOLUME_INTERVAL_TAG: _interval(report.volume_interval_cc, ".2f"),
        MEAN_HU_INTERVAL_TAG: _interval(report.mean_hu_interval, ".2f"),
        FAILURE_TAG: _number(report.failure_probability, ".4f"),
        PAPER_LIGHT_TAG: report.paper_light.value if report.paper_light else "",
        ALL_SCORES_TAG: _json(_rounded(scores)) if scores else "",
    }
    return tags | {tag: text for tag, text in known.items() if text}


def segment_boxes(labels: np.ndarray, table: StructureTable) -> dict[int, Box]:
    """The smallest box around each label of the table that occurs in a uint8 map ``[z, y, x]``."""
    return {label: box for label, box in label_boxes(labels).items() if table.segment_of_label(label)}


def absent_note(result: CaseResult, present: set[int]) -> str:
    """The segments without a voxel, with their lights and reasons, as JSON: files and nodes hold no empty segments."""
    return _json(
        [
            {"key": report.segment.key, "light": report.light.value, "reasons": report.reasons}
            for report in result.reports
            if report.segment.label not in present
        ]
    )


def write_segmentation(path: str | os.PathLike[str], result: CaseResult) -> None:
    """Write the label map as a segmentation with names, colours, codes and lights (gzip NRRD, one layer).

    The grid is the CT's own, and voxel values are those of the label map with sides, so that any NRRD reader gets the
    label map back. Segments without a voxel are listed under the key ``MSKSegment.Absent``.

    Raises:
        InputError: the file cannot be written there.
    """
    boxes = segment_boxes(result.labels, result.table)
    entries = segmentation_header(result.geometry)
    present = [report for report in result.reports if report.segment.label in boxes]
    for number, report in enumerate(present):
        segment, box = report.segment, boxes[report.segment.label]
        tags = {TERMINOLOGY_TAG: terminology_entry(segment, result.table), **segment_tags(report)}
        entries |= _numbered(number, _segment_header(segment, _extent(box), tags))
    entries[ABSENT_ATTRIBUTE] = absent_note(result, set(boxes))
    _write_image(path, result.labels, result.geometry, entries, ".seg.nrrd")


def write_segments_to_draw(path: str | os.PathLike[str], labels: np.ndarray, geometry: Geometry, table: StructureTable) -> None:
    """Write labels with sides, uint8 ``[z, y, x]``, as a segmentation that has all segments of a table, the empty ones too.

    Names, colours and codes are there for whoever draws; no lights, since nothing was measured.

    Raises:
        InputError: the file cannot be written there.
    """
    entries, boxes = segmentation_header(geometry), segment_boxes(labels, table)
    for number, segment in enumerate(table.segments):
        tags = {TERMINOLOGY_TAG: terminology_entry(segment, table)}
        extent = _extent(boxes[segment.label]) if segment.label in boxes else _NO_EXTENT
        entries |= _numbered(number, _segment_header(segment, extent, tags))
    _write_image(path, labels, geometry, entries, ".seg.nrrd")


def write_uncertainty(path: str | os.PathLike[str], result: CaseResult) -> None:
    """Write the voxel uncertainty (float32, on the CT's grid) as a gzip NRRD, rounded as `rounded_uncertainty` says.

    Raises:
        InputError: the result holds no uncertainty, or the file cannot be written there.
    """
    uncertainty = uncertainty_of(result)
    with whole_file(path, ".nrrd") as temporary:
        write_nrrd(temporary, uncertainty, result.geometry, {}, rounded_uncertainty)


def write_ct(path: str | os.PathLike[str], volume: CTVolume) -> None:
    """Write the CT as it was segmented (int16 HU) as a gzip NRRD; nothing of a DICOM header goes along but what reading it found.

    Raises:
        InputError: the file cannot be written there.
    """
    entries = {FINDINGS_KEY: json.dumps(findings_json(volume.findings))} if volume.findings else {}
    _write_image(path, volume.hu, volume.geometry, entries, ".nrrd")


def uncertainty_of(result: CaseResult) -> np.ndarray:
    """The voxel uncertainty, float32 ``[z, y, x]``.

    Raises:
        InputError: the result holds none.
    """
    if result.uncertainty is None:
        raise InputError("This result holds no uncertainty, only measured labels: run the network on the CT.")
    return result.uncertainty.astype(np.float32, copy=False)


def serialized_geometry(geometry: Geometry) -> str:
    """The grid in the text form of Slicer's "Reference image geometry": IJK-to-RAS matrix by rows, then the extent."""
    matrix = ras_matrix(geometry)
    extent = [bound for count in geometry.size for bound in (0, count - 1)]
    return "".join(f"{value!r};" for value in [*matrix.ravel().tolist(), *extent])


def ras_matrix(geometry: Geometry) -> np.ndarray:
    """``[4, 4]`` matrix from voxel indices ``(i, j, k, 1)`` to mm in RAS, Slicer's frame: LPS with x and y negated."""
    matrix = np.eye(4)
    matrix[:3, :3] = geometry.matrix
    matrix[:3, 3] = geometry.origin
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _interval(bounds: tuple[float, float] | None, form: str) -> str:
    return " ".join(format(bound, form) for bound in bounds or ())


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {name: value if isinstance(value, int) else float(f"{value:.6g}") for name, value in scores.items()}


def _json(value: object) -> str:
    # Slicer separates tags by "|"; JSON may write that character as an escape.
    return json.dumps(value, ensure_ascii=False).replace("|", "\\u007c")


def segmentation_header(geometry: Geometry) -> dict[str, str]:
    """The header fields that make a NRRD image on this grid a segmentation of 3D Slicer."""
    parameters = {"Smoothing factor": str(SMOOTHING_FACTOR), "Reference image geometry": serialized_geometry(geometry)}
    return {
        "Segmentation_MasterRepresentation": REPRESENTATION,
        "Segmentation_SourceRepresentation": REPRESENTATION,
        "Segmentation_ContainedRepresentationNames": f"{REPRESENTATION}|",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
        "Segmentation_ConversionParameters": "".join(f"{name}|{value}|&" for name, value in parameters.items()),
    }


def _extent(box: Box) -> str:
    return " ".join(f"{start} {stop - 1}" for start, stop in zip(box.start_xyz, box.stop_xyz, strict=True))


def _segment_header(segment: Segment, extent: str, tags: Mapping[str, str]) -> dict[str, str]:
    return {
        "ID": segment.key,
        "Name": segment.name,
        "NameAutoGenerated": "0",
        "Color": " ".join(f"{channel / 255:.6g}" for channel in segment.color),
        "ColorAutoGenerated": "0",
        "LabelValue": str(segment.label),
        "Layer": "0",
        "Extent": extent,
        "Tags": "".join(f"{tag}:{value}|" for tag, value in tags.items()),
    }


def _numbered(number: int, header: Mapping[str, str]) -> dict[str, str]:
    return {f"Segment{number}_{key}": value for key, value in header.items()}


def _write_image(
    path: str | os.PathLike[str], array: np.ndarray, geometry: Geometry, entries: Mapping[str, str], suffix: str
) -> None:
    with whole_file(path, suffix) as temporary:
        write_nrrd(temporary, array, geometry, entries)
