"""Small pictures for the details of a segment: its slices to look at, its histogram; the key to the colours of its density."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...anatomy import Segment
from ...comparison.same_level import LevelPair
from ...ct.orientation import axis_order
from ...ct.volume import Vector
from ...language.catalogue import tr
from ...measurement.shown_extent import extent_in_plane
from ...review import Histogram, ReviewSession, WorstSlice
from ...scene.ct_window import usual_window
from ..views.four_views import WINDOWS

_THUMBNAIL_PX = 168

_CHART_WIDTH, _CHART_HEIGHT = 330.0, 116.0
# Percent of the width that a number at the edge needs on its side.
_EDGE = 4.0
_TICKS_HU = (-200, -100, -30, 30, 100, 200, 300)


@dataclass(frozen=True)
class _Window:
    """The part of a slice that a picture shows, in voxels: middle ``(x, y)`` and half widths."""

    middle: tuple[float, float]
    half: tuple[float, float]


def thumbnail(session: ReviewSession, key: str, worst: WorstSlice) -> str:
    """A slice of the CT around a segment with its outline, as the address of a PNG picture; right is left, as in the views."""
    return section_picture(session, key, worst.index)


def section_picture(session: ReviewSession, key: str, index: int, half_mm: float = 0.0) -> str:
    """Like `thumbnail`; `half_mm` is half of the width to show, for pictures at one scale, or 0 for what the segment fills."""
    shown = _planes(session, session.table.segment(key), index, [session.result.labels])
    return _outlined(shown, shown.inside[0], half_mm)


def section_pictures(session: ReviewSession, segment: Segment, index: int, others: Sequence[np.ndarray]) -> list[str]:
    """One slice of the CT around a segment, with its outline in each of several label maps ``[z, y, x]`` of the session's grid."""
    shown = _planes(session, segment, index, others)
    return [_outlined(shown, inside) for inside in shown.inside]


def level_pictures(pair: LevelPair, segments: Sequence[Segment], windows: Sequence[tuple[float, float] | None]) -> list[str]:
    """A segment at one anatomical level in the earlier and in the later scan, with its outline, at one scale.

    `segments` and `windows` are those of the two scans; a window of None is that of the structure in CT.
    """
    shown = [
        _Planes(one.values, [one.labels == segment.label], (*one.spacing_mm, 0.0), segment, window or _hu_window(segment))
        for one, segment, window in zip((pair.before, pair.after), segments, windows, strict=True)
    ]
    half_mm = max(extent_in_plane(one.inside[0], one.spacing)[1] for one in shown if one.inside[0].any())
    return [_outlined(one, one.inside[0], half_mm) for one in shown]


@dataclass(frozen=True)
class _Planes:
    """A slice ``[y, x]`` of the scan with the window to show it in, and where a segment lies in it by several label maps."""

    hu: np.ndarray
    inside: list[np.ndarray]
    spacing: Vector
    segment: Segment
    window: tuple[float, float]


def _planes(session: ReviewSession, segment: Segment, index: int, maps: Sequence[np.ndarray]) -> _Planes:
    order = axis_order(session.geometry.direction)
    hu = order.apply(session.volume.hu)
    k = index if order.signs[2] > 0 else hu.shape[0] - 1 - index
    inside = [order.apply(labels)[k] == segment.label for labels in maps]
    return _Planes(hu[k], inside, order.geometry(session.geometry).spacing, segment, _window_of(session, segment))


def _outlined(shown: _Planes, inside: np.ndarray, half_mm: float = 0.0) -> str:
    middle, wanted_mm = extent_in_plane(np.any(shown.inside, axis=0), shown.spacing)
    wanted_mm = half_mm or wanted_mm
    y, x = _samples(_Window(middle, (wanted_mm / shown.spacing[0], wanted_mm / shown.spacing[1])))
    picture = _grey(_sampled(shown.hu, y, x), shown.window)
    mask = _sampled(inside.astype(np.float32), y, x) > 0.5
    picture[_outline(mask)] = _bright(shown.segment.color)
    return _png_address(picture)


def histogram_chart(histogram: Histogram | None, other: Histogram | None = None) -> dict[str, Any] | None:
    """Places and sizes of a histogram's bars, bands and ticks in a drawing of 330 by 116; None without a histogram.

    `other`, the same structure's on the other side, is drawn as a line; both as shares of their voxels.
    """
    if histogram is None:
        return None
    low, high = histogram.edges_hu[0], histogram.edges_hu[-1]

    def at(hu: float) -> float:
        return round(_CHART_WIDTH * (hu - low) / (high - low), 2)

    # The first and the last bin hold everything beyond, and would press down all others.
    # The other side is scaled to as many voxels.
    factor = sum(histogram.counts) / max(sum(other.counts), 1) if other else 0.0
    line = [count * factor for count in other.counts] if other else []
    top = max(*histogram.counts[1:-1], *line[1:-1], 1)
    scale = _CHART_HEIGHT / top
    bars = [
        {
            "x": at(edge),
            "width": at(after) - at(edge),
            "height": (height := round(min(count, top) * scale, 2)),
            "y": round(_CHART_HEIGHT - height, 2),
            "band": band.name if (band := histogram.band_of(number)) else "",
        }
        for number, (edge, after, count) in enumerate(
            zip(histogram.edges_hu[:-1], histogram.edges_hu[1:], histogram.counts, strict=True)
        )
    ]
    bands = [
        {
            "name": band.name,
            "x": at(band.low_hu),
            "width": at(band.high_hu) - at(band.low_hu),
            "text": f"{tr(band.name)} {band.percent:.0f} %",
        }
        for band in histogram.bands
    ]
    shares = tr(", ").join(f"{tr(band.name)} {band.percent:.1f} %" for band in histogram.bands)
    return {
        "width": _CHART_WIDTH,
        "height": _CHART_HEIGHT,
        "bars": bars,
        "bands": bands,
        "ticks": [{"at": min(max(100 * at(hu) / _CHART_WIDTH, _EDGE), 100 - _EDGE), "text": str(hu)} for hu in _TICKS_HU],
        "label": _chart_label(histogram.title, shares),
        "name": _side_name(histogram),
        "other": other
        and {
            "name": _side_name(other),
            "path": _steps([at(edge) for edge in histogram.edges_hu], [_CHART_HEIGHT - min(value, top) * scale for value in line]),
        },
    }


def density_bands() -> list[dict[str, str]]:
    """The colours of the density rendering for its key."""
    from ...measurement.density import FAT_BELOW_HU, LEAN_ABOVE_HU
    from ...scene.density import density_look

    look = density_look()
    texts = {
        "fat": tr("fat, below {limit} HU").format(limit=FAT_BELOW_HU),
        "composite": tr("composite, {low} to {high} HU").format(low=FAT_BELOW_HU, high=LEAN_ABOVE_HU),
        "lean": tr("lean, above {limit} HU").format(limit=LEAN_ABOVE_HU),
    }
    bands = []
    for name, text in texts.items():
        red, green, blue = (round(255 * channel) for channel in getattr(look, name).color)
        bands.append({"name": name, "text": text, "color": f"rgb({red} {green} {blue})"})
    return bands


def _chart_label(title: str, shares: str) -> str:
    label = tr("Hounsfield units of {name}").format(name=title)
    return tr("{name}: {text}").format(name=label, text=shares) if shares else label


def _side_name(histogram: Histogram) -> str:
    """The side of a structure that has two; the whole title of one without sides."""
    return histogram.side or histogram.title


def _steps(edges: list[float], heights: list[float]) -> str:
    """The line along the tops of bars, as a path of SVG."""
    parts = [f"M{edges[0]:.2f} {heights[0]:.2f}"]
    for after, height in zip(edges[1:], heights, strict=True):
        parts.append(f"V{height:.2f}H{after:.2f}")
    return "".join(parts)


def _samples(window: _Window) -> tuple[np.ndarray, np.ndarray]:
    """Positions ``(rows, columns)`` in voxels of the thumbnail's pixels."""
    steps = np.linspace(-1.0, 1.0, _THUMBNAIL_PX)
    return window.middle[1] + steps * window.half[1], window.middle[0] + steps * window.half[0]


def _sampled(plane: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """A plane at these rows and columns, linearly interpolated; air outside."""
    from scipy import ndimage

    at = np.meshgrid(rows, columns, indexing="ij")
    outside = -1024 if plane.dtype == np.int16 else 0
    return ndimage.map_coordinates(plane.astype(np.float32), at, order=1, mode="constant", cval=outside)


def _window_of(session: ReviewSession, segment: Segment) -> tuple[float, float]:
    """Window and level that suit a segment: for bone or soft tissue in CT, the usual one of the scan in MR."""
    if not session.task.in_hounsfield:
        return usual_window(session.volume)
    return _hu_window(segment)


def _hu_window(segment: Segment) -> tuple[float, float]:
    _, window, level = WINDOWS["bone" if segment.structure.is_bone else "soft"]
    return window, level


def _grey(hu: np.ndarray, window_level: tuple[float, float]) -> np.ndarray:
    """uint8 ``[y, x, 3]`` in a window."""
    window, level = window_level
    grey = np.clip((hu - level) / window + 0.5, 0, 1) * 255
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def _outline(mask: np.ndarray) -> np.ndarray:
    from scipy import ndimage

    return mask & ~ndimage.binary_erosion(mask, iterations=2)


def _bright(color: tuple[int, int, int]) -> tuple[int, int, int]:
    """The same hue, light enough to be seen on muscle."""
    factor = 235 / max(*color, 1)
    red, green, blue = (min(255, round(channel * factor)) for channel in color)
    return red, green, blue


def _png_address(picture: np.ndarray) -> str:
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

    height, width, _ = picture.shape
    image = vtk.vtkImageData()
    image.SetDimensions(width, height, 1)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(picture[::-1]).reshape(-1, 3), deep=True))
    writer = vtk.vtkPNGWriter()
    writer.WriteToMemoryOn()
    writer.SetInputData(image)
    writer.Write()
    data = vtk_to_numpy(writer.GetResult()).tobytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
