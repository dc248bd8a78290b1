"""The histogram of Hounsfield units as shapes for a page: sharp at any size, and its words in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..review.histogram import Histogram
from ..scene.density import density_look

WIDTH, HEIGHT = 100.0, 40.0
# Where the axis has numbers: ends of the histogram, limits of the tissue classes.
TICKS_HU = (-200, -100, -30, 30, 100, 200, 300)
_PLAIN = "#8a8f96"


@dataclass(frozen=True)
class HistogramArea:
    """A closed polygon in units of the plot, y downwards, as SVG writes points; `x` is the middle of its band for `text`."""

    points: str
    color: str
    text: str
    x: float


@dataclass(frozen=True)
class Plot:
    """A histogram of `WIDTH` by `HEIGHT` units; `ticks` are places with texts, `limits` the borders of the tissue classes."""

    areas: tuple[HistogramArea, ...]
    ticks: tuple[tuple[float, str], ...]
    limits: tuple[float, ...]


def hex_of(color: tuple[float, float, float]) -> str:
    """An RGB colour (0..1) for a style sheet."""
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * channel) for channel in color))


def plot_of(histogram: Histogram, texts: Sequence[str]) -> Plot:
    """The plot; `texts` say of each band what is written over it. Without bands, as for bones, it has one colour."""
    first, last = histogram.edges_hu[0], histogram.edges_hu[-1]

    def place(hu: float) -> float:
        return round((hu - first) / (last - first) * WIDTH, 2)

    highest = max(histogram.counts) or 1
    look = density_look()
    colored = [(band.low_hu, band.high_hu, hex_of(getattr(look, band.name).color)) for band in histogram.bands]
    bands = colored or [(first, last, _PLAIN)]
    areas = []
    for number, (low, high, color) in enumerate(bands):
        corners = [(place(low), HEIGHT)]
        for start, stop, count in zip(histogram.edges_hu, histogram.edges_hu[1:], histogram.counts, strict=False):
            if low <= start < high:
                top = round(HEIGHT * (1 - count / highest), 2)
                corners += [(place(start), top), (place(stop), top)]
        corners.append((place(high), HEIGHT))
        points = " ".join(f"{x:g},{y:g}" for x, y in corners)
        text = texts[number] if number < len(texts) else ""
        areas.append(HistogramArea(points, color, text, (place(low) + place(high)) / 2))
    ticks = tuple((place(hu), f"{hu:d}".replace("-", "\N{MINUS SIGN}")) for hu in TICKS_HU)
    return Plot(tuple(areas), ticks, tuple(place(low) for low, _, _ in bands[1:]))
