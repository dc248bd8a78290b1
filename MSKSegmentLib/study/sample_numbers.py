"""``mskseg study samples``: what more dropout samples bring (table 9 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..evaluation.agreement import spread
from ..evaluation.plots import new_figure
from ..training.folds import patient_of
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .figures import COLOURS, PUBLISHED_COLOUR, legend_of
from .inputs import Evaluated
from .model_comparison import cells_of_test, columns_of_test, notes_on_tests
from .paired_tests import paired_test, with_corrected_p
from .published import published
from .values import ALL_STRUCTURES, ASD, DICE, PatientOf, StudyMeasure, group_scopes, paired_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLE_MEASURES = (DICE, ASD)


def compare_samples(evaluations: Sequence[Evaluated], correction: str, patient: PatientOf = patient_of) -> Analysis:
    """Dice and ASD by the number of samples, each tested against the largest number; evaluations are of the same cases.

    Raises:
        InputError: the evaluations are of several networks, of given segmentations, or two have the same number of samples.
    """
    ordered = sorted(evaluations, key=lambda evaluation: evaluation.passes or 0)
    numbers = [evaluation.passes or 0 for evaluation in ordered]
    if 0 in numbers:
        raise InputError(f"The evaluation {ordered[0].name!r} is of given segmentations, which have no dropout samples.")
    if len({evaluation.bundle for evaluation in ordered}) > 1:
        raise InputError("The evaluations are of different networks; evaluate one bundle with several numbers of samples.")
    if len(set(numbers)) < len(numbers):
        raise InputError("Two evaluations have the same number of samples; evaluate with different ones by --samples.")
    scope = next(one for one in group_scopes(ordered[0].table) if one.name == ALL_STRUCTURES)
    values = {measure.name: paired_values(ordered, scope, measure, patient) for measure in SAMPLE_MEASURES}
    lines = []
    for measure in SAMPLE_MEASURES:
        found = values[measure.name].values
        tests = with_corrected_p([paired_test(found[:, k], found[:, -1]) for k in range(len(numbers) - 1)], correction)
        for number, passes in enumerate(numbers):
            one = spread(found[:, number].tolist())
            known = published("table_9", "values", str(passes), measure.name) or (None, None)
            line: dict[str, Any] = {"measure": measure.name, "samples": passes, "mean": one.mean, "sd": one.sd}
            line |= {"published_mean": known[0], "published_sd": known[1], "missing": values[measure.name].missing}
            line["n"] = len(found)
            lines.append(line | (cells_of_test(tests[number]) if number < len(tests) else _NO_TEST))
    return Analysis(
        name="samples",
        title="Number of dropout samples",
        tables=(AnalysisTable("samples", "All structures, patients' means", _columns(), lines),),
        notes=[
            *notes_on_tests(correction, f"the comparisons with {numbers[-1]} samples that have a test, per measure"),
            "Published (Table 9): 6 levels, 50 patients; no gain beyond 10 samples.",
        ],
        facts={"samples": numbers, "seeds": [evaluation.seed for evaluation in ordered], "correction": correction},
        figures={"samples.png": (_plot(lines), "Mean and standard deviation over the patients.")},
    )


_NO_TEST = {
    **dict.fromkeys(("difference", "difference_low", "difference_high", "shapiro_p", "statistic", "p", "p_corrected", "effect")),
    "test": "",
    "significant": None,
    "reason": "the largest number",
}


def _columns() -> list[AnalysisColumn]:
    measures = {measure.name: measure for measure in SAMPLE_MEASURES}

    def text(start: str, line: Mapping[str, Any]) -> str:
        measure = measures[line["measure"]]
        mean = line[f"{start}mean"]
        return "-" if mean is None else f"{measure.text(mean)} ± {measure.text(line[f'{start}sd'])}"

    return [
        AnalysisColumn("measure", "Measure", lambda line: measures[line["measure"]].axis),
        AnalysisColumn("samples", "samples", lambda line: str(line["samples"])),
        AnalysisColumn("mean", "mean ± SD", partial(text, "")),
        AnalysisColumn("sd"),
        AnalysisColumn("published_mean", "published", partial(text, "published_")),
        AnalysisColumn("published_sd"),
        *columns_of_test(),
    ]


def _plot(lines: Sequence[Mapping[str, Any]]) -> Figure:
    figure, panels = new_figure(8, 3.6, 2)
    printed = published("table_9", "values")
    for axes, measure in zip(panels, SAMPLE_MEASURES, strict=True):
        own = [line for line in lines if line["measure"] == measure.name]
        _points(axes, measure, own)
        axes.plot(
            [int(number) for number in printed],
            [entry[measure.name][0] for entry in printed.values()],
            "D:",
            color=PUBLISHED_COLOUR,
            markerfacecolor="none",
            markersize=4.5,
            linewidth=0.8,
        )
        axes.set_xscale("log")
        ticks = sorted({*(line["samples"] for line in own), *map(int, printed)})
        axes.set_xticks(ticks, [str(number) for number in ticks])
        axes.minorticks_off()
        axes.set_xlabel("Dropout samples")
        axes.set_ylabel(measure.axis)
    legend_of(figure, [f"all structures, mean ± SD of n = {lines[0]['n']} patients"], "published mean, n = 50")
    return figure


def _points(axes: Any, measure: StudyMeasure, lines: Sequence[Mapping[str, Any]]) -> None:
    numbers = [line["samples"] for line in lines]
    means = np.array([line["mean"] for line in lines], dtype=float)
    deviations = np.array([line["sd"] if line["sd"] is not None else np.nan for line in lines], dtype=float)
    axes.errorbar(
        numbers,
        measure.scale * means,
        yerr=measure.scale * deviations,
        fmt="o-",
        color=COLOURS[0],
        capsize=3,
        linewidth=1.2,
        markersize=5,
    )
