"""Figures of failure detection: patients' means with line and thresholds, ROC curves, AUROC of every structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..calibration.ranking import roc
from ..evaluation.plots import new_figure
from .failure_detection import Detection, published_area
from .figures import COLOURS, MARKERS, PUBLISHED_COLOUR, legend_of
from .values import DICE, MEAN_UNCERTAINTY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TARGETS = (("inaccurate", COLOURS[5], "--"), ("failed", COLOURS[1], ":"))


def plot_detection(found: Mapping[str, Sequence[Detection]]) -> Figure:
    """A row per evaluation: Dice over uncertainty of the patients' means, and the ROC curves of both targets."""
    figure, panels = new_figure(9, 3.7 * len(found), 2, len(found))
    for number, (name, every) in enumerate(found.items()):
        overall = every[-1]
        _scatter(panels[2 * number], overall)
        panels[2 * number].set_title(f"{name}, n = {len(overall.scores)} patients", fontsize=9, loc="left")
        _curves(panels[2 * number + 1], overall)
    return figure


def plot_areas(found: Mapping[str, Sequence[Detection]], model: str) -> Figure:
    """AUROC for inaccurate segments with intervals, a line per structure; published ones as open diamonds."""
    structures = list(dict.fromkeys(one.structure for every in found.values() for one in every))
    figure, (axes,) = new_figure(7.5, 1.2 + 0.27 * len(structures), 1)
    shift = 0.5 / len(found)
    for number, every in enumerate(found.values()):
        for one in every:
            at = structures.index(one.structure) + shift * (number - (len(found) - 1) / 2)
            found_area = one.areas[0] if one.areas else None
            if found_area is None or found_area.value is None:
                continue
            colour = COLOURS[number % len(COLOURS)]
            if found_area.low is not None and found_area.high is not None:
                axes.plot([found_area.low, found_area.high], [at, at], color=colour, linewidth=1.2)
            axes.scatter([found_area.value], [at], marker=MARKERS[number % len(MARKERS)], s=18, color=colour, zorder=3)
            axes.annotate(
                f"{found_area.positives}/{found_area.n}",
                (1, at),
                (4 + 34 * number, 0),
                ("axes fraction", "data"),
                "offset points",
                va="center",
                fontsize=6.5,
                color=colour,
            )
    for place, structure in enumerate(structures):
        for value in {published_area(name, structure, model, "inaccurate") for name in found}:
            if value is not None:
                axes.scatter([value], [place], marker="D", s=22, facecolors="none", edgecolors=PUBLISHED_COLOUR, zorder=2)
    axes.axvline(0.5, color="#9a9a9a", linewidth=0.8)
    axes.set_yticks(range(len(structures)), structures, fontsize=7.5)
    axes.set_ylim(len(structures) - 0.4, -0.6)
    axes.set_xlim(right=1.01)
    axes.set_xlabel("AUROC of the uncertainty for inaccurate segments")
    legend_of(figure, list(found), published="published", marks=MARKERS)
    return figure


def _scatter(axes: Axes, one: Detection) -> None:
    x = MEAN_UNCERTAINTY.scale * one.uncertainties
    axes.scatter(x, one.scores, s=14, color=COLOURS[0], alpha=0.6, linewidths=0)
    axes.set_xlabel(f"Mean uncertainty ({MEAN_UNCERTAINTY.unit})")
    axes.set_ylabel(f"Mean {DICE.title}")
    if one.limits is None or not x.size:
        return
    for target, colour, style in _TARGETS:
        threshold = getattr(one.limits, target)
        axes.axhline(threshold, color=colour, linestyle=style, linewidth=1)
        text = f"{target} below {threshold:.3f}"
        if one.line is not None:
            at = MEAN_UNCERTAINTY.scale * getattr(one.line, f"uncertainty_{target}")
            axes.axvline(at, color=colour, linestyle=style, linewidth=1)
            text += f", uncertainty from {at:.2f}"
        beside = ("axes fraction", "data")
        axes.annotate(text, (0, threshold), (3, 2), beside, "offset points", fontsize=6.5, color=colour)
    if one.line is not None:
        ends = np.array([x.min(), max(x.max(), MEAN_UNCERTAINTY.scale * one.line.uncertainty_failed)])
        line = one.line.intercept + one.line.slope * ends / MEAN_UNCERTAINTY.scale
        axes.plot(ends, line, color="black", linewidth=1, label=f"r = {one.line.pearson_r:.2f}")
        axes.legend(fontsize=7.5, frameon=False, loc="upper right")
    axes.margins(0.08)


def _curves(axes: Axes, one: Detection) -> None:
    if one.areas is not None and one.limits is not None:
        for (target, colour, style), found in zip(_TARGETS, one.areas, strict=True):
            if found.value is None:
                continue
            false, true = roc(one.uncertainties, one.scores < getattr(one.limits, target))
            interval = "" if found.low is None else f" ({found.low:.2f}-{found.high:.2f})"
            label = f"{target}: {found.value:.3f}{interval}, n = {found.positives}"
            axes.plot(false, true, color=colour, linestyle=style, linewidth=1.8, label=label)
    axes.plot([0, 1], [0, 1], color="#b5b5b5", linewidth=0.7)
    axes.set_xlabel("Share of the others that is flagged")
    axes.set_ylabel("Share of failures that is flagged")
    axes.set_aspect("equal")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(title="AUROC (95 %)", title_fontsize=7, fontsize=7, frameon=False, loc="lower right")
    else:
        axes.annotate("no failure to detect", (0.5, 0.35), fontsize=8, ha="center")
