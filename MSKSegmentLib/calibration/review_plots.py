"""Picture of a simulated review: how soon errors are found by the queue, by uncertainty alone, and at best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..evaluation.plots import new_figure
from .review_saving import BEST, BY_UNCERTAINTY, QUEUE, SHARES, ReviewSaving

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOOKS: dict[str, dict[str, Any]] = {
    QUEUE: {"color": "#0072b2", "linewidth": 2.2},
    BY_UNCERTAINTY: {"color": "#d55e00", "linewidth": 1.4, "linestyle": "--"},
    BEST: {"color": "#6b6b6b", "linewidth": 1.0, "linestyle": ":"},
}


def plot_review(saving: ReviewSaving) -> Figure:
    """Share of the wrong structures, and of their weight, found over the share of structures looked at."""
    figure, panels = new_figure(10, 4.2, 2)
    shown = (
        (saving.curves, f"Inaccurate or failed structures found (%), n = {saving.wrong}"),
        (saving.weight_curves, "Found, by weight (%)"),
    )
    flagged = 100 * saving.flagged / max(saving.looks, 1)
    for axes, (curves, title) in zip(panels, shown, strict=True):
        axes.plot([0, 100], [0, 100], color="#c4c4c4", linewidth=0.8, label="Chance")
        for name, curve in curves.items():
            if np.isfinite(curve).all():
                axes.plot(100 * SHARES, 100 * curve, label=name, **_LOOKS[name])
        axes.axvline(flagged, color="black", linewidth=0.8)
        shift, side = (-4, "right") if flagged > 50 else (4, "left")
        axes.annotate(f"flagged {flagged:.0f} %", (flagged, 2), (shift, 0), textcoords="offset points", fontsize=7, ha=side)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 101)
        axes.set_xlabel("Structures looked at (% of all cases' structures)")
        axes.set_ylabel(title)
    panels[0].legend(fontsize=7, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.06))
    return figure
