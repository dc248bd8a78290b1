"""``mskseg study entropy``: does the entropy of one pass or the variance of several follow Dice better? (table 10 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..evaluation.agreement import FEWEST_FOR_AGREEMENT, pearson, spread
from ..evaluation.plots import new_figure
from ..training.folds import patient_of
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .figures import COLOURS, MARKERS, PUBLISHED_COLOUR, legend_of
from .inputs import Evaluated
from .published import published
from .values import DICE, MEAN_UNCERTAINTY, PatientOf, StudyMeasure, StudyScope, entropy_of, patient_values, study_scopes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENTROPY = StudyMeasure("entropy", "Entropy", entropy_of, 3)
MEAN_OF_ALL = "MEAN"
# Columns of scores, as the published ones are called.
ONE_PASS, VARIANCE, ENTROPY_OF_MEAN = "entropy", "variance", "entropy_of_mean"
_WORDS = {ONE_PASS: "entropy, one pass", VARIANCE: "variance, {} passes", ENTROPY_OF_MEAN: "entropy of the mean, {} passes"}


def compare_entropy(evaluations: Sequence[Evaluated], patient: PatientOf = patient_of) -> Analysis:
    """Pearson's r of Dice with each score per structure; one of the two evaluations of the same cases has a single pass.

    The entropy of one pass stands against the Dice of that pass, the scores of several passes against theirs.

    Raises:
        InputError: the evaluations are not one of a single pass and one of more by the same network, or have too few patients.
    """
    single, several = _one_and_more(evaluations)
    scores: tuple[tuple[str, Evaluated, StudyMeasure], ...] = (
        (ONE_PASS, single, ENTROPY),
        (VARIANCE, several, MEAN_UNCERTAINTY),
        (ENTROPY_OF_MEAN, several, ENTROPY),
    )
    lines = [_line(scope, scores, patient) for scope in study_scopes(several.table)]
    lines = [line for line in lines if line["n"]]
    structures = [line for line in lines if line["structure"] in {one.abbreviation for one in several.table.structures}]
    if not any(line[VARIANCE] is not None for line in structures):
        raise InputError(
            f"A correlation needs at least {FEWEST_FOR_AGREEMENT} patients that show a structure; evaluate more cases."
        )
    mean: dict[str, Any] = {"structure": MEAN_OF_ALL, "title": "Mean of structures", "n": None}
    for name, _, _ in scores:
        mean[name] = spread(line[name] for line in structures).mean
        mean[f"published_{name}"] = published("table_10", "values", MEAN_OF_ALL, name)
    dice = [
        spread(patient_values(evaluation, study_scopes(several.table)[-1], DICE, patient).values()).mean
        for evaluation in (single, several)
    ]
    return Analysis(
        name="entropy",
        title="Entropy of one pass against variance of several",
        tables=(AnalysisTable("entropy", "Pearson's r with Dice", _columns(several.passes or 0), [*lines, mean]),),
        notes=[
            "Over patients, whose values are means over both sides (groups: over their structures). A good score falls with "
            "Dice: r near -1.",
            f"Mean Dice over all structures: {DICE.text(dice[0])} with one pass, {DICE.text(dice[1])} with {several.passes}.",
            f"Intervals of r: Fisher's z. Fewer than {FEWEST_FOR_AGREEMENT} patients have no r.",
            "Published (Table 10): 6 levels, 50 patients, variance of 10 passes.",
        ],
        facts={"passes": [single.passes, several.passes], "seeds": [single.seed, several.seed]},
        figures={"entropy.png": (_plot(structures, several.passes or 0), "Pearson's r with Dice per structure.")},
    )


def _one_and_more(evaluations: Sequence[Evaluated]) -> tuple[Evaluated, Evaluated]:
    ordered = sorted(evaluations, key=lambda evaluation: evaluation.passes or 0)
    passes = [evaluation.passes or 0 for evaluation in ordered]
    if len(ordered) != 2 or passes[0] != 1 or passes[1] < 2 or ordered[0].bundle != ordered[1].bundle:
        raise InputError("Two evaluations by one network are needed, one with --samples 1 and one with more.")
    return ordered[0], ordered[1]


def _line(scope: StudyScope, scores: Sequence[tuple[str, Evaluated, StudyMeasure]], patient: PatientOf) -> dict[str, Any]:
    line: dict[str, Any] = {"structure": scope.name, "title": scope.title}
    for name, evaluation, measure in scores:
        dice = patient_values(evaluation, scope, DICE, patient)
        score = patient_values(evaluation, scope, measure, patient)
        both = np.array([(dice[one], score[one]) for one in dice if one in score], dtype=float).reshape(-1, 2)
        line[name] = pearson(both[:, 0], both[:, 1])
        line[f"{name}_low"], line[f"{name}_high"] = _interval(line[name], len(both))
        line[f"published_{name}"] = published("table_10", "values", scope.name, name)
        line["n"] = len(both) if name == VARIANCE else line.get("n")
    return line


def _interval(r: float | None, n: int) -> tuple[float | None, float | None]:
    """95 % interval by Fisher's z; (None, None) where there is none."""
    if r is None or n < 4 or abs(r) >= 1:
        return None, None
    reach = 1.959964 / np.sqrt(n - 3)
    return float(np.tanh(np.arctanh(r) - reach)), float(np.tanh(np.arctanh(r) + reach))


def _text(name: str, line: Mapping[str, Any]) -> str:
    value, low, high = (line.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None:
        return "-"
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} ({low:.2f} to {high:.2f})"


def _columns(passes: int) -> list[AnalysisColumn]:
    columns = [
        AnalysisColumn("structure", "Structure", lambda line: line["title"]),
        AnalysisColumn("n", "n", lambda line: "-" if line["n"] is None else str(line["n"])),
    ]
    for name, words in _WORDS.items():
        columns += [
            AnalysisColumn(name, words.format(passes), partial(_text, name)),
            AnalysisColumn(f"{name}_low"),
            AnalysisColumn(f"{name}_high"),
        ]
        if name != ENTROPY_OF_MEAN:
            columns.append(AnalysisColumn(f"published_{name}", "published", partial(_text, f"published_{name}")))
    return columns


def _plot(lines: Sequence[Mapping[str, Any]], passes: int) -> Figure:
    figure, (axes,) = new_figure(7, 1.3 + 0.27 * len(lines), 1)
    shown = (ONE_PASS, VARIANCE)
    for place, line in enumerate(lines):
        for number, name in enumerate(shown):
            at = place + 0.3 * (number - 0.5)
            if line[name] is not None:
                if line[f"{name}_low"] is not None:
                    axes.plot([line[f"{name}_low"], line[f"{name}_high"]], [at, at], color=COLOURS[number], linewidth=1)
                axes.scatter([line[name]], [at], s=20, color=COLOURS[number], marker=MARKERS[number], zorder=3)
            if line[f"published_{name}"] is not None:
                axes.scatter(
                    [line[f"published_{name}"]], [at], marker="D", s=20, facecolors="none", edgecolors=PUBLISHED_COLOUR, zorder=4
                )
    axes.axvline(0, color="#9a9a9a", linewidth=0.8)
    axes.set_yticks(range(len(lines)), [f"{line['structure']}  {line['n']}" for line in lines], fontsize=7.5)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_xlabel("Pearson's r with Dice (beside each structure: n patients)")
    legend_of(figure, [_WORDS[name].format(passes) for name in shown], "published (r of all 50 patients)", marks=MARKERS)
    return figure
