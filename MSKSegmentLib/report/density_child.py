"""Renders the density of muscles for `density` in a process of its own: ``python -m MSKSegmentLib.report.density_child FOLDER``.

FOLDER holds ``task.npz``; a PNG for each muscle is put beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from ..case_result import CaseResult, Light, SegmentReport
from ..ct.volume import CTVolume, Geometry
from ..scene import (
    HeadlessApplication,
    ThreeDView,
    add_ct,
    add_segmentation,
    bounds_ras,
    ensure_closed_surface,
    render_3d_png,
    show_density,
    show_only_3d,
)

SIZE_PX = (640, 560)
_ROOM_MM = 12.0


def render(folder: Path) -> None:
    """Draw what ``task.npz`` in the folder asks for."""
    with np.load(folder / "task.npz") as task:
        labels, hu = task["labels"], task["hu"]
        direction = tuple(tuple(map(float, row)) for row in task["direction"])
        spacing, origin = (tuple(map(float, task[name])) for name in ("spacing", "origin"))
        muscles = [str(name) for name in task["muscles"]]
    grid = Geometry(labels.shape[::-1], spacing, origin, direction)  # type: ignore[arg-type]
    result = CaseResult(labels, grid, tuple(SegmentReport(segment, Light.GREY, ()) for segment in HIP_AND_THIGH.segments))
    bones = [segment.key for segment in HIP_AND_THIGH.segments if segment.structure.is_bone]
    with HeadlessApplication(views=True) as application:
        scene = application.scene
        ct = add_ct(scene, CTVolume(hu, grid))
        node = add_segmentation(scene, result, ct)
        for muscle in muscles:
            keys = [segment.key for segment in HIP_AND_THIGH.segments if segment.structure.abbreviation == muscle]
            ensure_closed_surface(node, keys)
            box = np.reshape(bounds_ras(node, keys) or (0, 1) * 3, (3, 2)) + (-_ROOM_MM, _ROOM_MM)
            show_only_3d(node, bones)
            show_density(scene, ct, result, keys)
            bounds = tuple(float(value) for value in box.ravel())
            view = ThreeDView("posterior", bounds, SIZE_PX)  # type: ignore[arg-type]
            render_3d_png(folder / f"{muscle}.png", application.logic, scene, view)


if __name__ == "__main__":
    render(Path(sys.argv[1]))
