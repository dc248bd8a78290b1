"""The part of a slice's header that reading needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SliceHeader:
    """The needed attributes of one DICOM image's header; None or "" where it does not state them.

    Vectors are in DICOM's order: `pixel_spacing` is (row, column) mm. Lengths are in mm, `height` in m.
    `frame` counts from 1 where this is one frame of a multi-frame image.
    """

    path: Path
    sop_class: str
    instance_uid: str
    study_uid: str
    series_uid: str
    frame_uid: str
    series_number: str
    instance_number: int | None
    acquisition: int | None
    description: str
    modality: str
    image_type: tuple[str, ...]
    kernel: str
    rows: int
    columns: int
    samples: int
    bits: int | None
    frames: int
    pixel_spacing: tuple[float, ...] | None
    detector_spacing: bool
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    location: float | None
    thickness: float | None
    stated_interval: float | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    height: float | None
    gantry_tilt: float
    frame: int | None = None
