"""The SOP classes of images that are read, by modality: one image per slice, or all slices in one image (DICOM PS3.4 B.5)."""

from __future__ import annotations

from .modality import CT_MODALITY, MR_MODALITY

CT_IMAGE, MR_IMAGE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
SINGLE_FRAME = {CT_MODALITY: CT_IMAGE, MR_MODALITY: MR_IMAGE}
# Enhanced, and legacy converted enhanced.
MULTI_FRAME = {
    CT_MODALITY: ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"),
    MR_MODALITY: ("1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"),
}


def image_classes(modality: str) -> tuple[str, ...]:
    """The SOP classes of a modality's images.

    >>> image_classes("MR")[0]
    '1.2.840.10008.5.1.4.1.1.4'
    """
    return SINGLE_FRAME[modality], *MULTI_FRAME[modality]
