"""How a result came about: versions, settings, times, and a digest of the input instead of its name."""

from __future__ import annotations

import hashlib
import logging
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib import metadata
from typing import TYPE_CHECKING, Any

from . import RESEARCH_USE_ONLY, __version__
from .ct.volume import CTVolume
from .run_facts import RunFacts

if TYPE_CHECKING:
    from .bundle import ModelBundle
    from .inference.devices import Device

_LOG = logging.getLogger(__name__)
_PACKAGES = ("numpy", "torch", "SimpleITK")


class Stopwatch:
    """Wall time per named stage, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block under `name`."""
        began = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - began, 3)
        _LOG.info("The stage %s took %.2f s", name, self.seconds[name])


def run_facts(
    volume: CTVolume,
    watch: Stopwatch,
    bundle: ModelBundle | None = None,
    device: Device | None = None,
    **facts: Any,
) -> RunFacts:
    """The facts of a run on `volume`, without patient name or path; further `facts` are fields of `RunFacts`."""
    record = {
        "software": {"name": "MSKSegment", "version": __version__, "notice": RESEARCH_USE_ONLY},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in _PACKAGES},
        "bundle": bundle and _identity(bundle),
        "device": device and device.description,
        "seconds": watch.seconds,
        "input": {
            "size": list(volume.geometry.size),
            "spacing_mm": [round(value, 5) for value in volume.geometry.spacing],
        },
    }
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    series = volume.source.identity if volume.source else None
    return RunFacts(date=date, series=series, record=record, **facts)


def _identity(bundle: ModelBundle) -> dict[str, Any]:
    manifest = bundle.manifest
    stage = manifest.preprocessing.first_stage
    first = {} if stage is None else {"first_stage": stage.to_json()}
    return {"name": manifest.name, "version": manifest.version, "digest": bundle.digest, **first}


def input_digest(volume: CTVolume) -> str:
    """SHA-256 over the HU, slice by slice, and the geometry: the same for the same image in any file format."""
    digest = hashlib.sha256()
    for plane in volume.hu:
        digest.update(plane.tobytes())
    geometry = volume.geometry
    numbers = (*geometry.size, *geometry.spacing, *geometry.origin, *(v for row in geometry.direction for v in row))
    # Rounding errors of one format must not make a negative zero of what is zero in another.
    digest.update(" ".join(f"{round(float(number), 4) + 0.0:.4f}" for number in numbers).encode())
    return digest.hexdigest()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
