"""Pictures of a comparison: histograms, noise and skin as curves, and slices side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .compare import Comparison, Picture
from .measures import pooled

REAL_COLOUR, VIRTUAL_COLOUR = "#b2182b", "#2166ac"
WINDOW_HU = (-160.0, 240.0)
_DPI = 150
# Key of the curve, title, limits in HU, logarithmic.
_HISTOGRAMS = (
    ("body_histogram", "Fat and soft tissue", (-200.0, 200.0), False),
    ("body_histogram", "Whole body", (-250.0, 1000.0), True),
    ("cortical_histogram", "Bone, outer 3 mm", (-100.0, 1500.0), False),
    ("trabecular_histogram", "Bone, deeper than 6 mm", (-200.0, 1200.0), False),
)


def draw(folder: Path, comparison: Comparison) -> list[str]:
    """Write the pictures of a comparison into `folder`; returns their file names."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    names = []
    for kind, make in (("histograms", _histograms), ("texture", _texture), ("slices", _slices)):
        figure = make(comparison)
        FigureCanvasAgg(figure)
        names.append(f"{comparison.name}_{kind}.png")
        figure.savefig(folder / names[-1], dpi=_DPI)
    return names


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _histograms(comparison: Comparison) -> Any:
    figure = _figure(9, 6)
    for axes, (key, title, limits, logarithmic) in zip(figure.subplots(2, 2).flat, _HISTOGRAMS, strict=True):
        _overlay(axes, comparison, key)
        axes.set(title=title, xlabel="HU", ylabel="share per HU", xlim=limits)
        if logarithmic:
            axes.set_yscale("log")
            axes.set_ylim(bottom=1e-6)
        else:
            axes.set_ylim(bottom=0)
    figure.axes[0].legend(frameon=False)
    figure.suptitle(comparison.name)
    return figure


def _texture(comparison: Comparison) -> Any:
    figure = _figure(12, 3.6)
    muscle, fat, skin = figure.subplots(1, 3)
    for axes, key, title in (
        (muscle, "muscle_spectrum", "Noise power, muscle"),
        (fat, "fat_spectrum", "Noise power, fat"),
    ):
        _overlay(axes, comparison, key)
        axes.set(title=title, xlabel="1/mm", ylabel="HU² mm²")
        if axes.lines:
            axes.set_yscale("log")
    _overlay(skin, comparison, "skin_profile")
    skin.set(title="Across the skin", xlabel="mm outwards from the skin", ylabel="HU", ylim=(-1050, 60))
    skin.legend(frameon=False)
    figure.suptitle(comparison.name)
    return figure


def _overlay(axes: Any, comparison: Comparison, key: str) -> None:
    """The real curve over the virtual median and the band from the 5th to the 95th percentile."""
    virtual = pooled([measures.curves[key] for measures in comparison.virtual])
    if virtual is not None:
        x, values = virtual
        low, middle, high = np.percentile(values, (5, 50, 95), axis=0)
        axes.fill_between(x, low, high, color=VIRTUAL_COLOUR, alpha=0.22, linewidth=0, label="virtual, 5-95 %")
        axes.plot(x, middle, color=VIRTUAL_COLOUR, linewidth=1, label="virtual, median")
    real = pooled([comparison.real.curves[key]])
    if real is not None:
        axes.plot(real[0], real[1][0], color=REAL_COLOUR, linewidth=1.4, label="real")
    if virtual is None and real is None:
        axes.text(0.5, 0.5, "too little of this tissue", ha="center", va="center", transform=axes.transAxes)


def _slices(comparison: Comparison) -> Any:
    """A row per scan, the real one first, and a column per level; the same window and scale for all."""
    pictures, count = comparison.pictures, len(comparison.pictures[0].slices)
    height_mm, width_mm = (max(_extent(p)[axis] for p in pictures) for axis in (0, 1))
    tile = 3.0 if count > 1 else 4.5
    # A single level gives a row of scans, several give a row per scan.
    rows, columns = (len(pictures), count) if count > 1 else (1, len(pictures))
    figure = _figure(tile * columns, tile * rows * height_mm / width_mm + 0.5)
    grid = figure.subplots(rows, columns, squeeze=False)
    for number, picture in enumerate(pictures):
        name, colour = (f"{picture.name} (real)", REAL_COLOUR) if number == 0 else (picture.name, VIRTUAL_COLOUR)
        for column, plane in enumerate(picture.slices):
            axes = grid[number, column] if count > 1 else grid[0, number]
            if plane is not None:
                h, w = plane.shape[0] * picture.pixel[0] / 2, plane.shape[1] * picture.pixel[1] / 2
                low, high = WINDOW_HU
                axes.imshow(plane, cmap="gray", vmin=low, vmax=high, extent=(-w, w, h, -h), interpolation="nearest")
            axes.set(xticks=[], yticks=[], facecolor="black", aspect="equal")
            axes.set(xlim=(-width_mm / 2, width_mm / 2), ylim=(height_mm / 2, -height_mm / 2))
            if column == 0:
                axes.set_title(name, fontsize=9, loc="left", color=colour)
    return figure


def _extent(picture: Picture) -> tuple[float, float]:
    """Largest height and width of the slices in mm."""
    shapes = [plane.shape for plane in picture.slices if plane is not None] or [(1, 1)]
    return max(s[0] for s in shapes) * picture.pixel[0], max(s[1] for s in shapes) * picture.pixel[1]
