"""The density of the large hip muscles in three dimensions, rendered by `density_child` in a process of its own.

Only one application with views may be open in a process, and desktop Slicer and the browser's server have theirs; and a driver that
fails takes its process along. So the report goes on without the pictures, and says why.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from ..ct.boxes import box_of_labels
from ..language.catalogue import Words
from ..packages import FOR_SCENE, is_installed
from .case import ReportCase

RENDERED_MUSCLES = ("GMAX", "GMED")
_MARGIN_MM = 25.0
# Some seconds on a graphics card, a minute by a processor that is busy with other things.
_PATIENCE_S = 300.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class DensityPictures:
    """PNG files by the abbreviation of their muscle, or why there are none, in the reader's language."""

    pngs: dict[str, bytes]
    missing: str = ""


def density_pictures(case: ReportCase, words: Words) -> DensityPictures:
    """Both muscles of each of `RENDERED_MUSCLES` that the case shows, seen from behind, with the bones."""
    _ = words.gettext
    if not case.result.task.measures("composition"):
        return DensityPictures({})
    shown = [name for name in RENDERED_MUSCLES if _labels(case, [name])]
    if not shown:
        return DensityPictures({}, _("No gluteus maximus or medius was found, so their density is not shown."))
    if case.volume is None:
        return DensityPictures({}, _("The CT was not at hand, so the density is not shown."))
    if not all(map(is_installed, FOR_SCENE)):
        return DensityPictures({}, _("The density is not shown in 3D: the package slicer-core is not installed here."))
    with tempfile.TemporaryDirectory(prefix="msk-") as folder:
        _write_task(case, Path(folder) / "task.npz", shown)
        problem = _run(Path(folder))
        found = {name: Path(folder) / f"{name}.png" for name in shown}
        pngs = {name: path.read_bytes() for name, path in found.items() if path.is_file()}
    if problem or len(pngs) < len(shown):
        return DensityPictures({}, _("The density is not shown in 3D: this computer could not render it."))
    return DensityPictures(pngs)


def _labels(case: ReportCase, names: Sequence[str]) -> list[int]:
    """The labels of these structures that have voxels."""
    segments = (report.segment for report in case.result.reports)
    return [one.label for one in segments if one.structure.abbreviation in names and one.label in case.boxes]


def _write_task(case: ReportCase, path: Path, shown: Sequence[str]) -> None:
    """What the child needs: the part of the scan around the muscles."""
    assert case.volume is not None
    result = case.result
    box = box_of_labels(result.labels, _labels(case, shown))
    assert box is not None
    box = box.grown_by_mm(_MARGIN_MM, result.geometry)
    part = result.geometry.cropped(box.start_xyz, box.size_xyz)
    np.savez(
        path,
        labels=_known_labels(case)[result.labels[box.slices]],
        hu=case.volume.hu[box.slices],
        spacing=part.spacing,
        origin=part.origin,
        direction=part.direction,
        muscles=shown,
    )


def _known_labels(case: ReportCase) -> np.ndarray:
    """Label of the result -> label of the built-in table, by which the child knows bones and muscles; 0 for all else."""
    lookup = np.zeros(256, np.uint8)
    known = {segment.key: segment.label for segment in HIP_AND_THIGH.segments}
    for report in case.result.reports:
        lookup[report.segment.label] = known.get(report.segment.key, 0)
    return lookup


def _run(folder: Path) -> bool:
    """Run the child; whether it failed."""
    command = [sys.executable, "-m", f"{__package__}.density_child", str(folder)]
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired):
        return True
    return done.returncode != 0
