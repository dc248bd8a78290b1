"""Which DICOM images a CT was read from, so that results can refer to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .volume import Vector


@dataclass(frozen=True)
class SourceSlice:
    """One slice of a series: its file, its image, and for multi-frame images its frame, counted from 1.

    `position` is the centre of the slice's first pixel (LPS, mm), `orientation` the direction cosines of row and column, as the
    reader determined them. A `path` from a zip no longer exists after reading.
    """

    path: Path
    instance_uid: str
    frame: int | None
    position: Vector
    orientation: tuple[float, ...]


@dataclass(frozen=True)
class SeriesIdentity:
    """A series by its UIDs; `instances` are its images in the order of their slices, each once. It holds no path and no name."""

    study_uid: str
    series_uid: str
    instances: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The UIDs as JSON values; `series_identity_from_json` reads them."""
        return {"study": self.study_uid, "series": self.series_uid, "instances": list(self.instances)}


@dataclass(frozen=True)
class DicomSource:
    """The slices that a scan was read from, ordered by their positions along the normal, without copies and stray images."""

    study_uid: str
    series_uid: str
    slices: tuple[SourceSlice, ...]

    @property
    def identity(self) -> SeriesIdentity:
        """The UIDs that a result records."""
        return SeriesIdentity(self.study_uid, self.series_uid, tuple(dict.fromkeys(one.instance_uid for one in self.slices)))


def series_identity_from_json(data: Mapping[str, Any]) -> SeriesIdentity:
    """Read what `SeriesIdentity.to_json` returned.

    Raises:
        KeyError, TypeError, ValueError: entries are missing or of the wrong kind.
    """
    instances = data["instances"]
    if not isinstance(instances, list) or not instances:
        raise ValueError("no instances")
    return SeriesIdentity(str(data["study"]), str(data["series"]), tuple(str(uid) for uid in instances))
