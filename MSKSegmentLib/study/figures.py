"""Box plots of several series side by side, with the marks of tests above them, in the style of the evaluation's figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.plots import FEWEST_FOR_BOX, STYLES, draw_box
from .paired_tests import UNTESTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue first, grey last, so that the pair that most figures show stands apart.
COLOURS = tuple(colour for colour, _ in (*STYLES[1:], STYLES[0]))
MARKERS = tuple(marker for _, marker in (*STYLES[1:], STYLES[0]))
PUBLISHED_COLOUR = "#111111"


@dataclass(frozen=True)
class BoxSeries:
    """One colour: values ``[n]`` at each place of the axis; `means` are published ones, drawn as open diamonds, or None."""

    name: str
    values: Sequence[np.ndarray]
    published: Sequence[float | None] = ()


@dataclass(frozen=True)
class Bracket:
    """The mark of a test between two series at a place."""

    place: int
    first: int
    second: int
    mark: str


def draw_boxes(axes: Axes, names: Sequence[str], series: Sequence[BoxSeries], brackets: Sequence[Bracket] = ()) -> None:
    """A box with its points per place and series, its mean as a square; brackets between boxes that were tested.

    Fewer than `FEWEST_FOR_BOX` values are points alone. Where there is no value at all, the panel says so.
    """
    # The same scatter every time, so that a picture changes only with its data.
    random = np.random.default_rng(0)
    step = 0.8 / len(series)
    every = [values for one in series for values in one.values if values.size]
    every += [np.array([value]) for one in series for value in one.published if value is not None]
    for number, one in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        for place, values in enumerate(one.values):
            at = _place(place, number, len(series))
            across = at + random.uniform(-0.22 * step, 0.22 * step, values.size)
            # Without a box the points are all that there is to see.
            boxed = values.size >= FEWEST_FOR_BOX
            axes.scatter(across, values, s=8 if boxed else 18, color=colour, alpha=0.45 if boxed else 0.85, linewidths=0, zorder=2)
            if boxed:
                draw_box(axes, at, values, colour, 0.72 * step)
                axes.scatter([at], [values.mean()], marker="s", s=11, color=colour, edgecolors="white", linewidths=0.5, zorder=4)
            known = one.published[place] if place < len(one.published) else None
            if known is not None:
                axes.scatter([at], [known], marker="D", s=20, facecolors="none", edgecolors=PUBLISHED_COLOUR, zorder=5)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(axis="x", visible=False)
    if every:
        _brackets(axes, np.concatenate(every), len(series), [one for one in brackets if one.mark != UNTESTED])
    else:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "no numbers to compare", transform=axes.transAxes, ha="center", va="center", fontsize=8, color="#555555"
        )


def legend_of(figure: Figure, series: Sequence[str], published: str = "", note: str = "", marks: Sequence[str] = "s") -> None:
    """The names of the series above the figure, and what the signs mean; `marks` are the markers of the series in turn."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marks[number % len(marks)],
            color=COLOURS[number % len(COLOURS)],
            markersize=6,
            label=name,
        )
        for number, name in enumerate(series)
    ]
    if published:
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="D",
                color=PUBLISHED_COLOUR,
                markerfacecolor="none",
                markersize=5,
                label=published,
            )
        )
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=len(handles),
        fontsize=8,
        frameon=False,
        title=note or None,
        title_fontsize=7.5,
        alignment="left",
    )


def _place(place: int, number: int, series: int) -> float:
    return place + (number - (series - 1) / 2) * 0.8 / series


def _brackets(axes: Axes, values: np.ndarray, series: int, brackets: Sequence[Bracket]) -> None:
    low, high = float(values.min()), float(values.max())
    span = (high - low) or abs(high) or 1.0
    levels: dict[int, int] = {}
    for bracket in brackets:
        level = levels[bracket.place] = levels.get(bracket.place, 0) + 1
        height = high + span * (0.02 + 0.11 * level)
        left, right = (_place(bracket.place, number, series) for number in (bracket.first, bracket.second))
        tip = height - 0.02 * span
        axes.plot([left, left, right, right], [tip, height, height, tip], color="#333333", linewidth=0.8)
        size = 10 if bracket.mark == "*" else 7
        axes.annotate(
            bracket.mark,
            ((left + right) / 2, height),
            (0, 0 if size == 7 else -3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=size,
        )
    top = high + span * (0.08 + 0.11 * max(levels.values(), default=0))
    axes.set_ylim(low - 0.06 * span, top)
