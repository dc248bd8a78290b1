"""The radiographs of a report, computed from its CT."""

from __future__ import annotations

from ..ct.radiograph import Radiograph, RayDirection, both_radiographs
from ..language.catalogue import Words
from .case import ReportCase
from .pictures import Outline, Plane, draw_slice
from .slices import OUTLINE

HEIGHT_PX = 620
_LETTERS = {RayDirection.FRONTAL: ("R", "L"), RayDirection.LATERAL: ("A", "P")}


def radiographs(case: ReportCase, words: Words) -> list[tuple[bytes, str]]:
    """JPEG and caption, frontal and lateral; none where the CT is not at hand, or the scan is none."""
    if case.hu is None or not case.result.task.in_hounsfield:
        return []
    captions = {RayDirection.FRONTAL: words.gettext("From the front"), RayDirection.LATERAL: words.gettext("From the right")}
    found = both_radiographs(case.hu, case.grid)
    return [(_picture(found[view], _LETTERS[view]), caption) for view, caption in captions.items()]


def _picture(found: Radiograph, letters: tuple[str, str]) -> bytes:
    plane = Plane(found.water_mm[::-1], found.limits, found.pixel_mm, letters)
    width_mm, height_mm = plane.size_mm
    return draw_slice(plane, [Outline(found.metal[::-1], OUTLINE, 0.0, 1.3)], round(HEIGHT_PX * width_mm / height_mm))
