"""How a result came about, as far as the program itself asks for it, and the record that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .ct.bounds import Bounds
from .ct.dicom_source import SeriesIdentity, series_identity_from_json


@dataclass(frozen=True)
class RunFacts:
    """Facts of one run; None where a thing is unknown or there was no run of a network.

    `height_m` is the height in metres that volumes are normalised with. `region_lps_mm` bounds the part of the scan that was
    segmented, ``(x0, x1, y0, y1, z0, z1)`` in mm (LPS), None for the whole scan. `passes` is the number of dropout passes,
    `mean_passes` how many a slice got on average, `lights` the rule that gave the lights. `backends` sampled the slices, in
    order. `input_digest` is the SHA-256 of the CT's voxels and geometry, `source` its path, kept only when the user asked for
    it, `series` the DICOM series that it is, by its UIDs, None for other files, `date` ISO 8601 in UTC. `record` is JSON-ready and
    for people: versions, bundle, device, times.
    """

    height_m: float | None = None
    region_lps_mm: Bounds | None = None
    passes: int | None = None
    mean_passes: float | None = None
    seed: int | None = None
    lights: str | None = None
    auto_passes: bool = False
    preview: bool = False
    backends: tuple[str, ...] = ()
    input_digest: str | None = None
    source: str | None = None
    series: SeriesIdentity | None = None
    date: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The ``provenance`` of ``result.json``; `facts_from_json` reads it."""
        content: dict[str, Any] = {
            **self.record,
            "date": self.date,
            "settings": {
                "passes": self.passes,
                "seed": self.seed,
                "height_m": self.height_m,
                "region_lps_mm": self.region_lps_mm and list(self.region_lps_mm),
                "lights": self.lights,
                "auto_passes": self.auto_passes,
            },
            "mean_passes": self.mean_passes,
            "backends": list(self.backends),
            "preview": self.preview,
            "input": {
                **self.record.get("input", {}),
                "digest": self.input_digest,
                **({"dicom": self.series.to_json()} if self.series else {}),
            },
        }
        return content | ({"source": self.source} if self.source else {})


_FIELDS = {"date", "settings", "mean_passes", "backends", "preview", "source"}


def facts_from_json(data: Mapping[str, Any]) -> RunFacts:
    """What `RunFacts.to_json` made, also by earlier versions, which left out what they did not know.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: entries are of the wrong kind.
    """
    settings, image = data.get("settings", {}), dict(data.get("input", {}))
    bounds = settings.get("region_lps_mm")
    digest = image.pop("digest", None)
    series = image.pop("dicom", None)
    record = {key: value for key, value in data.items() if key not in _FIELDS and key != "input"}
    return RunFacts(
        height_m=_number(settings.get("height_m")),
        region_lps_mm=None if bounds is None else _bounds(bounds),
        passes=settings.get("passes"),
        mean_passes=_number(data.get("mean_passes")),
        seed=settings.get("seed"),
        lights=_text(settings.get("lights")),
        auto_passes=bool(settings.get("auto_passes", False)),
        preview=bool(data.get("preview", False)),
        backends=tuple(str(name) for name in data.get("backends", ())),
        input_digest=_text(digest),
        source=_text(data.get("source")),
        series=None if series is None else series_identity_from_json(series),
        date=_text(data.get("date")),
        record={**record, **({"input": image} if image else {})},
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _bounds(values: Any) -> Bounds:
    x0, x1, y0, y1, z0, z1 = (float(value) for value in values)
    return x0, x1, y0, y1, z0, z1
