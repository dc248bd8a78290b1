"""Pictures of a report as JPEG: slices of the CT with segments, drawn by matplotlib without a screen.

Text in pictures is letters that every reader knows (R, L, cm); words stand beside them, in the reader's language.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OVERLAY_OPACITY = 0.45
_DOTS_PER_INCH = 150
_SCALE_BAR_MM = 50.0
# Height of letters in points for each inch of the picture's width, or of this share of its height where that is more.
_LETTER, _NARROW = 3.6, 0.6
_EDGE = "#000000"
# Lines of at least this width (points) have a dark edge, to be seen on bone and in print.
_NEEDS_EDGE = 1.0

_Color = tuple[int, int, int]


@dataclass(frozen=True)
class Plane:
    """A picture's ground: `grey` float or int ``[rows, columns]`` with its black and white, and height and width of a pixel in mm.

    Rows go down, columns from the patient's right to the left, or as the `letters` at their ends say.
    """

    grey: np.ndarray
    limits: tuple[float, float]
    pixel_mm: tuple[float, float]
    letters: tuple[str, str] = ("R", "L")

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height."""
        rows, columns = self.grey.shape
        return columns * self.pixel_mm[1], rows * self.pixel_mm[0]


@dataclass(frozen=True)
class Outline:
    """A region to draw: bool ``[rows, columns]``, its 0-255 RGB colour, and how opaque its inside is (0..1)."""

    mask: np.ndarray
    color: _Color
    opacity: float = 0.0
    width: float = 0.7


def draw_slice(plane: Plane, outlines: Iterable[Outline], width_px: int) -> bytes:
    """The JPEG of a plane with outlines, letters for the patient's directions and a bar of 5 cm."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width_mm, height_mm = plane.size_mm
    inches = width_px / _DOTS_PER_INCH
    figure = Figure((inches, inches * height_mm / width_mm), dpi=_DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    extent = (0.0, width_mm, height_mm, 0.0)
    low, high = plane.limits
    axes.imshow(plane.grey, cmap="gray", vmin=low, vmax=high, extent=extent, interpolation="bilinear", aspect="auto")
    _add_outlines(axes, plane, tuple(outlines), extent)
    # Letters of a narrow picture stay legible beside those of its neighbours.
    letters = inches * max(1.0, _NARROW * height_mm / width_mm)
    _add_letters(axes, letters, plane.letters)
    _add_scale(axes, width_mm, letters)
    picture = io.BytesIO()
    # A quarter of the size of a PNG, and goes into a PDF as it is.
    figure.savefig(picture, format="jpeg", pil_kwargs={"quality": 88, "subsampling": 0})
    return picture.getvalue()


def data_address(picture: bytes, kind: str = "jpeg") -> str:
    """The picture as an address that holds it, so that a page needs no other file."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def _add_outlines(axes: Axes, plane: Plane, outlines: Sequence[Outline], extent: tuple[float, float, float, float]) -> None:
    fill = np.zeros((*plane.grey.shape, 4))
    for outline in outlines:
        fill[outline.mask] = (*(channel / 255 for channel in outline.color), outline.opacity)
    if any(outline.opacity for outline in outlines):
        axes.imshow(fill, extent=extent, interpolation="nearest", aspect="auto")
    rows, columns = plane.grey.shape
    x = (np.arange(columns) + 0.5) * plane.pixel_mm[1]
    y = (np.arange(rows) + 0.5) * plane.pixel_mm[0]
    for outline in outlines:
        if outline.width and outline.mask.any() and min(outline.mask.shape) > 1:
            color = tuple(channel / 255 for channel in outline.color)
            if outline.width > _NEEDS_EDGE:
                axes.contour(x, y, outline.mask, levels=[0.5], colors=[_EDGE], linewidths=2.2 * outline.width)
            axes.contour(x, y, outline.mask, levels=[0.5], colors=[color], linewidths=outline.width)


def _add_letters(axes: Axes, inches: float, letters: tuple[str, str]) -> None:
    from matplotlib.patheffects import withStroke

    for letter, x, side in zip(letters, (0.02, 0.98), ("left", "right"), strict=True):
        axes.text(
            x, 0.98, letter, transform=axes.transAxes, color="white", ha=side, va="top", fontsize=_LETTER * inches,
            fontweight="bold", path_effects=[withStroke(linewidth=1.5, foreground=_EDGE)],
        )  # fmt: skip


def _add_scale(axes: Axes, width_mm: float, inches: float) -> None:
    """A bar of known length; a picture without one may be taken for life size."""
    from matplotlib.patheffects import withStroke

    length = _SCALE_BAR_MM if width_mm > 2 * _SCALE_BAR_MM else _SCALE_BAR_MM / 5
    share = length / width_mm
    effects = [withStroke(linewidth=2.4, foreground=_EDGE)]
    axes.plot([0.97 - share, 0.97], [0.04, 0.04], transform=axes.transAxes, color="white", lw=1.2, path_effects=effects)
    axes.text(
        0.97, 0.055, f"{length / 10:.0f} cm", transform=axes.transAxes, color="white", ha="right", va="bottom",
        fontsize=0.7 * _LETTER * inches,
        path_effects=[withStroke(linewidth=1.2, foreground=_EDGE)],
    )  # fmt: skip
