"""Figures of failure detection: Dice against uncertainty and prediction, ROC, risk-coverage, calibration, scores compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..case_result import Light
from ..evaluation.plots import DOTS_PER_INCH, new_figure
from ..output.files import whole_file
from ..quality.calibration import Calibration
from .judging import CALIBRATED_RULE, PAPER_RULE, Judged, Thresholds
from .ranking import risk_coverage, roc
from .report_measures import TARGETS, WITHIN, Measure, by_structure, risk_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Lights by colour and by marker, so that they stay apart in grey print.
LIGHT_STYLES = {
    Light.GREEN: ("#009e73", "o"),
    Light.YELLOW: ("#e69f00", "^"),
    Light.RED: ("#c1121f", "s"),
    Light.GREY: ("#8a8a8a", "x"),
}
# What is drawn as a curve; all scores are in the tables.
CURVES = {
    CALIBRATED_RULE: ("All evidence", "#0072b2", "-", 2.0),
    PAPER_RULE: ("Paper's rule", "#d55e00", "-", 1.6),
    "pairwise_dice": ("Pairwise Dice", "#009e73", "--", 1.1),
    "soft_dice": ("Soft Dice", "#cc79a7", "--", 1.1),
    "mean_entropy": ("Mean entropy", "#6b6b6b", ":", 1.2),
}
PLOT_COLUMNS = 6
RELIABILITY_BINS = 10


def write_quality_plots(
    folder: Path, judged: Sequence[Judged], measures: Sequence[Measure], calibration: Calibration, thresholds: Thresholds
) -> list[Path]:
    """Write the figures that there is data for; returns their paths."""
    rated = [segment for segment in judged if segment.observation.abbreviation in thresholds]
    figures = {
        "quality_dice_uncertainty.png": plot_dice_uncertainty(rated, calibration, thresholds),
        "quality_dice_predicted.png": plot_dice_predicted(rated, calibration, thresholds),
        "quality_roc.png": plot_roc(rated, thresholds),
        "quality_risk_coverage.png": plot_risk_coverage(judged),
        "quality_calibration.png": plot_calibration(rated, measures),
        "quality_scores.png": plot_scores(measures),
    }
    for name, figure in figures.items():
        with whole_file(folder / name, ".png") as path:
            figure.savefig(path, dpi=DOTS_PER_INCH)
    return [folder / name for name in figures]


def plot_dice_uncertainty(judged: Sequence[Judged], calibration: Calibration, thresholds: Thresholds) -> Figure:
    """Dice over the paper's uncertainty with the regression line and the thresholds, a panel per structure; its lights."""
    figure, panels = _panels(by_structure(judged))
    for axes, (name, chosen) in zip(panels, by_structure(judged).items(), strict=True):
        with_uncertainty = [segment for segment in chosen if segment.observation.uncertainty is not None]
        x = np.array([1e3 * float(segment.observation.uncertainty or 0) for segment in with_uncertainty])
        _lit(axes, x, with_uncertainty, PAPER_RULE)
        _dice_thresholds(axes, thresholds[name])
        fitted = calibration.structures.get(name)
        if fitted is not None and x.size:
            line = np.linspace(0.0, float(x.max()), 200)
            axes.plot(line, [fitted.predicted_dice(value / 1e3) for value in line], color="black", linewidth=1)
            for value, style in ((fitted.uncertainty_inaccurate, "--"), (fitted.uncertainty_failed, ":")):
                axes.axvline(1e3 * value, color="black", linewidth=0.8, linestyle=style)
            axes.set_xlim(left=0, right=1.05 * x.max())
        _panel_title(axes, name, chosen)
    _finish(figure, "Mean variance inside the label (10$^{-3}$)", "Dice coefficient", PAPER_RULE)
    return figure


def plot_dice_predicted(judged: Sequence[Judged], calibration: Calibration, thresholds: Thresholds) -> Figure:
    """Dice over the Dice predicted from all evidence with the limits of the lights, a panel per structure."""
    figure, panels = _panels(by_structure(judged))
    for axes, (name, chosen) in zip(panels, by_structure(judged).items(), strict=True):
        with_estimate = [segment for segment in chosen if segment.estimate is not None]
        x = np.array([segment.estimate.dice for segment in with_estimate if segment.estimate is not None])
        _lit(axes, x, with_estimate, CALIBRATED_RULE)
        _dice_thresholds(axes, thresholds[name])
        if x.size:
            low = min(float(x.min()), *(segment.observation.dice for segment in with_estimate))
            axes.plot([low, 1], [low, 1], color="black", linewidth=0.8)
        limits = calibration.model.limits.get(name) if calibration.model else None
        if limits is not None:
            for value, style in ((limits.green_from, "--"), (limits.red_below, ":")):
                if value is not None:
                    axes.axvline(value, color="black", linewidth=0.8, linestyle=style)
        _panel_title(axes, name, chosen)
    _finish(figure, "Predicted Dice coefficient", "Dice coefficient", CALIBRATED_RULE)
    return figure


def plot_roc(judged: Sequence[Judged], thresholds: Thresholds) -> Figure:
    """ROC of all structures pooled, for inaccurate and for failed segments."""
    figure, panels = new_figure(9, 4.5, 2)
    for place, (axes, target) in enumerate(zip(panels, TARGETS, strict=True)):
        bad = np.array([bool(segment.failed if place else segment.inaccurate) for segment in judged], bool)
        for judge, (words, colour, style, width) in CURVES.items():
            risks = np.array([risk_of(segment, judge, thresholds[segment.observation.abbreviation][place]) for segment in judged])
            is_finite = np.isfinite(risks)
            if is_finite.any() and 0 < bad[is_finite].sum() < is_finite.sum():
                false, true = roc(risks[is_finite], bad[is_finite])
                value = float(np.trapezoid(true, false))
                axes.plot(false, true, color=colour, linestyle=style, linewidth=width, label=f"{words} ({value:.3f})")
        axes.plot([0, 1], [0, 1], color="#b5b5b5", linewidth=0.7)
        axes.set_xlabel(f"Share of other segments that are flagged (n = {int((~bad).sum())})")
        axes.set_ylabel(f"Share of {target} segments that are flagged (n = {int(bad.sum())})")
        axes.set_aspect("equal")
        axes.legend(title="Area under the curve", title_fontsize=7, fontsize=7, frameon=False, loc="lower right")
    return figure


def plot_risk_coverage(judged: Sequence[Judged]) -> Figure:
    """Mean error of the segments kept, when those of the highest risk are looked at first."""
    figure, (axes,) = new_figure(5.5, 4.2, 1)
    losses = np.array([1 - segment.observation.dice for segment in judged])
    for judge, (words, colour, style, width) in CURVES.items():
        risks = np.array([risk_of(segment, judge) for segment in judged])
        is_finite = np.isfinite(risks)
        if is_finite.any():
            coverage, loss = risk_coverage(risks[is_finite], losses[is_finite])
            axes.plot(100 * coverage, loss, color=colour, linestyle=style, linewidth=width, label=f"{words} ({loss.mean():.4f})")
    if losses.size:
        coverage, loss = risk_coverage(losses, losses)
        axes.plot(100 * coverage, loss, color="black", linewidth=0.8, label=f"Dice known ({loss.mean():.4f})")
        axes.axhline(losses.mean(), color="#b5b5b5", linewidth=0.8, label=f"Nothing known ({losses.mean():.4f})")
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Segments kept, least risk first (%)")
    axes.set_ylabel("Mean 1 - Dice of the segments kept")
    axes.legend(title="Area under the curve", title_fontsize=7, fontsize=7, frameon=False, loc="upper left")
    return figure


def plot_calibration(judged: Sequence[Judged], measures: Sequence[Measure]) -> Figure:
    """Predicted against true Dice, told against seen frequency of failure, and coverage of the intervals by structure."""
    figure, (left, middle, right) = new_figure(12, 4.2, 3)
    with_estimate = [segment for segment in judged if segment.estimate is not None]
    predicted = np.array([segment.estimate.dice for segment in with_estimate if segment.estimate is not None])
    dice = np.array([segment.observation.dice for segment in with_estimate])
    left.scatter(predicted, dice, s=5, color="#0072b2", alpha=0.3, linewidths=0)
    _binned(left, predicted, dice)
    left.set_xlabel("Predicted Dice coefficient")
    left.set_ylabel("Dice coefficient")
    failures = [
        (segment.estimate.failure_probability, bool(segment.inaccurate))
        for segment in with_estimate
        if segment.estimate is not None
    ]
    pairs = np.array([pair for pair in failures if pair[0] is not None], dtype=float).reshape(-1, 2)
    _binned(middle, pairs[:, 0], pairs[:, 1])
    middle.set_xlabel("Failure probability (Dice below the structure's threshold)")
    middle.set_ylabel("Share that was inaccurate")
    for axes in (left, middle):
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    _coverages(right, measures)
    return figure


def plot_scores(measures: Sequence[Measure]) -> Figure:
    """AUROC within structures of every score and rule with its interval, for inaccurate and for failed."""
    figure, panels = new_figure(10, 4.6, 2)
    for axes, target in zip(panels, TARGETS, strict=True):
        found = [m for m in measures if m.measure == f"auroc_{target}" and m.structure == WITHIN]
        ranked = sorted(((m.value, m) for m in found if m.value is not None), key=lambda pair: pair[0])
        for place, (value, measure) in enumerate(ranked):
            colour = CURVES[measure.judge][1] if measure.judge in (CALIBRATED_RULE, PAPER_RULE) else "#6b6b6b"
            if measure.low is not None and measure.high is not None:
                axes.plot([measure.low, measure.high], [place, place], color=colour, linewidth=1.2)
            axes.plot(value, place, "o", color=colour, markersize=5)
        axes.set_yticks(range(len(ranked)), [measure.judge.replace("_", " ") for _, measure in ranked], fontsize=8)
        axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
        axes.set_xlabel(f"AUROC for {target} segments, within structures")
    return figure


def _panels(parts: dict[str, list[Judged]]) -> tuple[Figure, list[Axes]]:
    rows = -(-max(len(parts), 1) // PLOT_COLUMNS)
    figure, panels = new_figure(2.1 * PLOT_COLUMNS, 1.9 * rows + 0.5, PLOT_COLUMNS, rows)
    for axes in panels[len(parts) :]:
        axes.set_axis_off()
    return figure, panels[: len(parts)]


def _lit(axes: Axes, x: np.ndarray, judged: Sequence[Judged], rule: str) -> None:
    for light, (colour, marker) in LIGHT_STYLES.items():
        chosen = np.array([segment.light_by(rule) is light for segment in judged], bool)
        if chosen.any():
            dice = np.array([segment.observation.dice for segment in judged])[chosen]
            width = 0.7 if marker == "x" else 0
            axes.scatter(x[chosen], dice, s=9, color=colour, marker=marker, alpha=0.6, linewidths=width)


def _dice_thresholds(axes: Axes, limits: tuple[float, float]) -> None:
    for value, style in zip(limits, ("--", ":"), strict=True):
        axes.axhline(value, color="#0072b2", linewidth=0.8, linestyle=style)


def _panel_title(axes: Axes, name: str, chosen: Sequence[Judged]) -> None:
    bad = sum(bool(segment.inaccurate) for segment in chosen)
    axes.set_title(f"{name}  n {len(chosen)}, {bad} inaccurate", fontsize=7.5, loc="left")
    axes.tick_params(labelsize=6.5)
    axes.set_ylim(top=1.01)


def _finish(figure: Figure, x: str, y: str, rule: str) -> None:
    from matplotlib.lines import Line2D

    figure.supxlabel(x, fontsize=9)
    figure.supylabel(y, fontsize=9)
    handles = [
        Line2D([], [], linestyle="none", marker=marker, color=colour, markersize=5, label=light.word)
        for light, (colour, marker) in LIGHT_STYLES.items()
    ]
    handles.append(Line2D([], [], color="#555555", linestyle="--", linewidth=1, label="threshold for inaccurate"))
    handles.append(Line2D([], [], color="#555555", linestyle=":", linewidth=1, label="for failed"))
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=len(handles),
        fontsize=8,
        frameon=False,
        title=f"Lights by {rule}",
        title_fontsize=8,
        alignment="left",
    )


def _binned(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Means of bins with the same number of points, with two standard errors."""
    if x.size < RELIABILITY_BINS:
        return
    for part in np.array_split(np.argsort(x, kind="stable"), RELIABILITY_BINS):
        at, mean, error = float(x[part].mean()), float(y[part].mean()), 2 * float(y[part].std()) / np.sqrt(len(part))
        axes.errorbar(at, mean, yerr=error, fmt="o", color="#d55e00", markersize=4, linewidth=1.2)


def _coverages(axes: Axes, measures: Sequence[Measure]) -> None:
    kinds = (("coverage_dice", "Dice", "o"), ("coverage_volume", "Volume", "^"), ("coverage_mean_hu", "Mean HU", "s"))
    names = list(dict.fromkeys(m.structure for m in measures if m.measure == "coverage_dice"))
    for (measure, words, marker), colour in zip(kinds, ("#0072b2", "#d55e00", "#6b6b6b"), strict=True):
        shares = {m.structure: m.value for m in measures if m.measure == measure}
        places = [place for place, name in enumerate(names) if shares.get(name) is not None]
        axes.scatter(
            [100 * float(shares[names[place]] or 0) for place in places], places, s=16, marker=marker, color=colour, label=words
        )
    axes.axvspan(88, 95, color="#e8f1f8", zorder=0)
    axes.axvline(90, color="black", linewidth=0.8)
    axes.set_yticks(range(len(names)), names, fontsize=6.5)
    axes.invert_yaxis()
    axes.set_xlabel("Truths inside the 90 % interval (%)")
    axes.legend(fontsize=7, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
