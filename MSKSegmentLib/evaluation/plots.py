"""Pictures of an evaluation: box plots per structure and Bland-Altman plots, at the size of a page's text width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..anatomy import Group, StructureTable
from ..output.files import whole_file
from .agreement import density_pairs, found, judged, limits_of_agreement, volume_pairs
from .metrics import SegmentComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS_PER_INCH = 200
# Colours that stay apart for colour-blind readers and in grey print.
STYLES = (("#6b6b6b", "s"), ("#0072b2", "o"), ("#d55e00", "^"), ("#009e73", "D"), ("#cc79a7", "v"), ("#e69f00", "P"))
# With fewer values a box plot would mislead; the points are drawn alone.
FEWEST_FOR_BOX = 5


def write_plots(folder: Path, rows: Sequence[SegmentComparison], table: StructureTable) -> list[Path]:
    """Write ``dice.png``, ``asd.png``, ``bland_altman_volume.png`` and, of CT, ``bland_altman_hu.png``; returns their paths.

    Segments that the truth lacks, and slivers, are left out. A missed segment has Dice 0 and is in no other plot.
    """
    counted = judged(rows)
    plots: tuple[tuple[str, Callable[[Sequence[SegmentComparison], StructureTable], Figure]], ...] = (
        ("dice.png", plot_dice),
        ("asd.png", plot_asd),
        ("bland_altman_volume.png", plot_volume_agreement),
    )
    if density_pairs(found(counted))[0].size:
        plots += (("bland_altman_hu.png", plot_density_agreement),)
    for name, plot in plots:
        with whole_file(folder / name, ".png") as path:
            plot(counted, table).savefig(path, dpi=DOTS_PER_INCH)
    return [folder / name for name, _ in plots]


def plot_dice(rows: Sequence[SegmentComparison], table: StructureTable) -> Figure:
    """Dice per structure, structures in table order."""
    figure, (axes,) = new_figure(10, 4.4, 1)
    values = [row.dice for row in rows]
    _boxes(axes, rows, table, lambda row: row.dice)
    # The lower half is shown only where something lies there.
    low = np.floor(10 * min([*values, 0.9])) / 10 - 0.02
    axes.set_ylim(max(low, -0.03), 1.005)
    axes.set_ylabel("Dice coefficient")
    return figure


def plot_asd(rows: Sequence[SegmentComparison], table: StructureTable) -> Figure:
    """Average symmetric surface distance per structure, structures in table order."""
    figure, (axes,) = new_figure(10, 4.4, 1)
    _boxes(axes, rows, table, lambda row: row.asd_mm)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("Average surface distance (mm)")
    return figure


def plot_volume_agreement(rows: Sequence[SegmentComparison], table: StructureTable) -> Figure:
    """Bland-Altman plots of volume: difference in cc, and in percent because differences grow with size."""
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, (left, right) = new_figure(10, 4.2, 2)
    shown = found(rows)
    true, predicted = volume_pairs(shown)
    mean = (true + predicted) / 2
    for axes, difference, unit in ((left, predicted - true, "cc"), (right, 100 * (predicted - true) / mean, "%")):
        _agreement(axes, shown, table, mean, difference, unit)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("Mean of true and predicted volume (cc)")
    left.set_ylabel("Predicted minus true volume (cc)")
    right.set_ylabel("Predicted minus true volume (% of mean)")
    return figure


def plot_density_agreement(rows: Sequence[SegmentComparison], table: StructureTable) -> Figure:
    """Bland-Altman plots of mean radiodensity, bones and soft tissue apart because their scales differ."""
    figure, panels = new_figure(10, 4.2, 2)
    for axes, bones in zip(panels, (False, True), strict=True):
        shown = [row for row in found(rows) if row.segment.structure.is_bone is bones]
        true, predicted = density_pairs(shown)
        _agreement(axes, shown, table, (true + predicted) / 2, predicted - true, "HU")
        axes.set_xlabel("Mean of true and predicted radiodensity (HU)")
        axes.set_ylabel("Predicted minus true radiodensity (HU)")
    return figure


def new_figure(width: float, height: float, columns: int, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of its own, outside pyplot's global state, and its panels row by row; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # The usual gap lets a panel's label touch its neighbour's axis.
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.06))
    FigureCanvasAgg(figure)
    panels = [figure.add_subplot(rows, columns, number + 1) for number in range(rows * columns)]
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.xaxis.label.set_fontsize(9)
        axes.yaxis.label.set_fontsize(9)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    return figure, panels


def _style(table: StructureTable, group: Group) -> tuple[str, str]:
    """Colour and marker of a group."""
    return STYLES[table.groups.index(group) % len(STYLES)]


def _boxes(
    axes: Axes, rows: Sequence[SegmentComparison], table: StructureTable, measure: Callable[[SegmentComparison], float | None]
) -> None:
    """A box with all points per structure; the number of values stands under its name."""
    present = [s for s in table.structures if any(row.segment.structure == s for row in rows)]
    # The same scatter every time, so that a picture changes only with its data.
    random = np.random.default_rng(0)
    ticks = []
    for place, structure in enumerate(present):
        measured = (measure(row) for row in rows if row.segment.structure == structure)
        values = np.array([value for value in measured if value is not None])
        ticks.append(f"{structure.abbreviation}\n{values.size}")
        colour, _ = _style(table, structure.group)
        across = place + random.uniform(-0.16, 0.16, values.size)
        axes.scatter(across, values, s=7, color=colour, alpha=0.45, linewidths=0, zorder=2)
        if values.size >= FEWEST_FOR_BOX:
            draw_box(axes, place, values, colour)
    axes.set_xticks(range(len(present)), ticks, fontsize=7)
    axes.set_xlim(-0.6, len(present) - 0.4)
    axes.annotate("n", (0, 0), (-12, -21), xycoords="axes fraction", textcoords="offset points", fontsize=7, style="italic")
    _legend(axes, table, {structure.group.key for structure in present}, patches=True)


def draw_box(axes: Axes, place: float, values: np.ndarray, colour: str, width: float = 0.55) -> None:
    """A box of values ``[n]`` at `place` of the x axis: quartiles, median, whiskers to 1.5 interquartile ranges."""
    axes.boxplot(
        [values],
        positions=[place],
        widths=width,
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": "none", "edgecolor": colour, "linewidth": 1.1},
        medianprops={"color": colour, "linewidth": 2},
        whiskerprops={"color": colour, "linewidth": 0.9},
        capprops={"color": colour, "linewidth": 0.9},
    )


def _agreement(
    axes: Axes, rows: Sequence[SegmentComparison], table: StructureTable, mean: np.ndarray, difference: np.ndarray, unit: str
) -> None:
    """Points by group, bias and 95 % limits of agreement with their values."""
    groups = np.array([row.segment.structure.group.key for row in rows])
    for group in table.groups:
        colour, marker = _style(table, group)
        chosen = groups == group.key
        if chosen.any():
            axes.scatter(mean[chosen], difference[chosen], s=13, color=colour, marker=marker, alpha=0.55, linewidths=0)
    axes.axhline(0, color="#9a9a9a", linewidth=0.7)
    limits = limits_of_agreement(np.zeros_like(difference), difference)
    if limits is not None:
        lines = ((limits.high, "--", "+1.96 SD"), (limits.bias, "-", "Bias"), (limits.low, "--", "-1.96 SD"))
        for value, style, name in lines:
            axes.axhline(value, color="black", linewidth=1, linestyle=style)
            text, beside = f"{name}\n{value:+.1f} {unit}", ("axes fraction", "data")
            axes.annotate(text, (1, value), (3, 0), beside, "offset points", va="center", fontsize=7)
    axes.margins(y=0.12)
    _legend(axes, table, set(groups.tolist()), patches=False)


def _legend(axes: Axes, table: StructureTable, groups: set[str], patches: bool) -> None:
    from matplotlib.lines import Line2D

    shown: list[Any] = [
        Line2D([], [], linestyle="none", marker="s" if patches else marker, color=colour, label=group.name, markersize=5)
        for group in table.groups
        if group.key in groups
        for colour, marker in [_style(table, group)]
    ]
    if shown:
        axes.legend(handles=shown, fontsize=7, frameon=False, ncols=len(shown), loc="lower left", bbox_to_anchor=(0, 1))
