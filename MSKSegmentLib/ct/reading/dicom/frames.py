"""Multi-frame CT and MR images (Enhanced CT and MR, and the converted kind): each frame as a slice with a header of its own.

The attributes of a frame are in its own functional groups, or else in those that all frames share (DICOM PS3.3 C.7.6.16).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

from ...storage_classes import MULTI_FRAME
from .slice_header import SliceHeader
from .values import clean, number_of, numbers_of, text_of, whole_of, words_of

_ENHANCED_IMAGES = {uid for uids in MULTI_FRAME.values() for uid in uids}
FRAME_TAGS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ConcatenationFrameOffsetNumber")


def frame_headers(data: Any, image: SliceHeader) -> list[SliceHeader]:
    """A header for every frame of a multi-frame image; for other images, or without descriptions of frames, the image's header.

    `image` is the header of the image as a whole.
    """
    if image.frames == 1 and image.sop_class not in _ENHANCED_IMAGES:
        return [image]
    own = data.get("PerFrameFunctionalGroupsSequence") or ()
    if image.sop_class not in _ENHANCED_IMAGES or len(own) != image.frames:
        return [image]
    shared = data.get("SharedFunctionalGroupsSequence") or [None]
    before = whole_of(data, "ConcatenationFrameOffsetNumber") or 0
    return [_frame(_Groups(groups, shared[0]), image, number, before) for number, groups in enumerate(own, start=1)]


class _Groups:
    """The functional groups of one frame; its own take precedence over shared ones."""

    def __init__(self, own: Any, shared: Any) -> None:
        self._places = [place for place in (own, shared) if place is not None]

    def of(self, keyword: str) -> Any:
        """The first item of a functional group; an empty data set where there is none."""
        from pydicom.dataset import Dataset

        for place in self._places:
            items = place.get(keyword)
            if items:
                return items[0]
        return Dataset()


def _frame(groups: _Groups, image: SliceHeader, number: int, before: int) -> SliceHeader:
    measures, rescale = groups.of("PixelMeasuresSequence"), groups.of("PixelValueTransformationSequence")
    content = groups.of("FrameContentSequence")
    return replace(
        image,
        frame=number,
        frames=1,
        # In a concatenation the numbers continue from file to file.
        instance_number=before + number,
        acquisition=whole_of(content, "FrameAcquisitionNumber"),
        image_type=words_of(groups.of("CTImageFrameTypeSequence"), "FrameType")
        or words_of(groups.of("MRImageFrameTypeSequence"), "FrameType")
        or image.image_type,
        kernel=text_of(groups.of("CTReconstructionSequence"), "ConvolutionKernel") or image.kernel,
        pixel_spacing=numbers_of(measures, "PixelSpacing", 2),
        orientation=numbers_of(groups.of("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        position=numbers_of(groups.of("PlanePositionSequence"), "ImagePositionPatient", 3),
        thickness=number_of(measures, "SliceThickness"),
        stated_interval=number_of(measures, "SpacingBetweenSlices"),
        slope=number_of(rescale, "RescaleSlope"),
        intercept=number_of(rescale, "RescaleIntercept"),
        rescale_type=clean(text_of(rescale, "RescaleType")).upper(),
        gantry_tilt=number_of(groups.of("CTAcquisitionDetailsSequence"), "GantryDetectorTilt") or 0.0,
    )


def encapsulated_frame(content: bytes, number: int, frames: int) -> bytes:
    """The compressed bytes of one frame, counted from 1, out of a multi-frame image's pixel data.

    Raises:
        Exception: of nearly any kind, if the data are damaged.
    """
    from pydicom import encaps

    if hasattr(encaps, "get_frame"):
        return encaps.get_frame(content, number - 1, number_of_frames=frames)
    # pydicom 2
    return next(islice(encaps.generate_pixel_data_frame(content, frames), number - 1, None))
