"""The segments of a result as a DICOM Segmentation (binary), on the slices that were scanned."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..anatomy.terminology import CATEGORY, side_code
from ..case_result import CaseResult, SegmentReport
from ..errors import InputError
from .codes import ORGANIZATION, verdict_code
from .identity import Identity, algorithm_family, algorithm_name, algorithm_version, concept, drawn_by, finish
from .source import SourceSeries, by_frames

_NAME = "segmentation"
# With what follows it is a value of 64 letters, the most that DICOM allows.
_LONGEST_REGION = 45


def present_segments(result: CaseResult, frames: np.ndarray) -> tuple[SegmentReport, ...]:
    """The segments that have a voxel on the scanned slices, in table order: number ``n`` of the object is entry ``n - 1``."""
    labels = set(np.flatnonzero(np.bincount(frames.ravel(), minlength=256)).tolist())
    return tuple(report for report in result.reports if report.segment.label in labels)


def make_segmentation(result: CaseResult, source: SourceSeries, identity: Identity) -> Any:
    """A Segmentation data set (binary) with names, colours, codes and sides; `present_segments` numbers its segments.

    Raises:
        InputError: no segment has a voxel on the scanned slices.
    """
    from highdicom.seg import Segmentation

    frames = by_frames(source, result.labels)
    present = present_segments(result, frames)
    if not present:
        raise InputError("No structure was found in this scan, so that there is no segmentation to export.")
    numbers = np.zeros(256, np.uint8)
    for number, report in enumerate(present, start=1):
        numbers[report.segment.label] = number
    data = Segmentation(
        source_images=list(source.images),
        pixel_array=numbers[frames],
        segmentation_type="BINARY",
        segment_descriptions=[_description(number, r, result, identity) for number, r in enumerate(present, start=1)],
        content_label="MSKSEGMENT",
        content_description=f"{result.task.words.report[:_LONGEST_REGION]}; research use only",
        content_creator_name=None,
        **identity.series(_NAME, 1, "segmentation"),
    )
    return finish(data, identity, source.first)


def _description(number: int, report: SegmentReport, result: CaseResult, identity: Identity) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription

    segment = report.segment
    algorithm = AlgorithmIdentificationSequence(
        name=algorithm_name(result),
        family=algorithm_family(result),
        version=algorithm_version(result),
        source=ORGANIZATION,
    )
    description = SegmentDescription(
        segment_number=number,
        segment_label=segment.name,
        segmented_property_category=concept(CATEGORY),
        segmented_property_type=concept(segment.structure.code),
        algorithm_type=drawn_by(result, report),
        algorithm_identification=algorithm,
        tracking_uid=identity.uid("segment", segment.key),
        tracking_id=segment.key,
        display_color=CIELabColor.from_rgb(*segment.color),
    )
    description.SegmentDescription = f"{verdict_code(report).meaning}; research use only"
    side = side_code(segment.side)
    if side is not None:
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [concept(side)]
    return description
