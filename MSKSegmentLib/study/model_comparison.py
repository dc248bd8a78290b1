"""``mskseg study compare``: two or more models on the same cases, per structure and group, with tests (figure 4 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ..anatomy import StructureTable
from ..errors import InputError
from ..evaluation.agreement import spread
from ..evaluation.plots import new_figure
from ..tasks import HIP_THIGH_CT
from ..training.folds import patient_of
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .figures import BoxSeries, Bracket, draw_boxes, legend_of
from .inputs import Evaluated
from .paired_tests import FEWEST_FOR_TEST, PairedTest, paired_test, with_corrected_p
from .published import published
from .values import (
    ALL_STRUCTURES,
    DICE,
    MR_MEASURES,
    STUDY_MEASURES,
    PairedValues,
    PatientOf,
    StudyMeasure,
    StudyScope,
    measures_of,
    paired_values,
    study_scopes,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPREAD_PARTS = ("n", "mean", "sd", "median", "q1", "q3")
MEASURES_BY_NAME: Mapping[str, StudyMeasure] = {measure.name: measure for measure in (*STUDY_MEASURES, *MR_MEASURES)}
_Compared = dict[tuple[str, str], tuple[PairedValues, list[PairedTest]]]


def compare_models(evaluations: Sequence[Evaluated], correction: str, patient: PatientOf = patient_of) -> Analysis:
    """The comparison of evaluations of the same cases (see `inputs.on_same_cases`).

    Each pair of models is tested per measure and scope; p is corrected for the pairs of models.

    Raises:
        InputError: there are too few patients for any test.
    """
    scopes, measures = study_scopes(evaluations[0].table), measures_of(evaluations)
    found = compared_values(evaluations, scopes, measures, correction, patient)
    most = max(len(values.patients) for values, _ in found.values())
    if most < FEWEST_FOR_TEST:
        raise InputError(f"A comparison needs at least {FEWEST_FOR_TEST} patients that every evaluation holds; these are {most}.")
    names = [evaluation.name for evaluation in evaluations]
    titles = {scope.name: scope.title for scope in scopes}
    pairs = len(names) * (len(names) - 1) // 2
    groups = [scope.name for scope in scopes if len(scope.members) > 1]
    return Analysis(
        name="compare",
        title="Comparison of models on the same cases",
        tables=(
            AnalysisTable(
                "tests",
                "Differences, groups",
                _test_columns(titles),
                _test_lines(found, names),
                lambda line: line["scope"] in groups,
            ),
            AnalysisTable(
                "values", "Structures: mean ± SD", _value_columns(titles, measures), _value_lines(found, names, measures)
            ),
        ),
        notes=[
            *notes_on_tests(correction, "the pairs of models that have a test; structures and measures are not corrected for"),
            *_published_notes(evaluations[0].table, measures),
        ],
        facts={"correction": correction, "comparisons": pairs, "patients": most},
        figures={
            "compare.png": (
                _overview(found, names, measures),
                "All structures: each point is a patient's mean over its structures. * corrected p < 0.05.",
            ),
            "compare_dice.png": (
                _by_structure(found, names, scopes),
                "Dice per structure; each point is a patient's mean over both sides.",
            ),
        },
    )


def compared_values(
    evaluations: Sequence[Evaluated],
    scopes: Sequence[StudyScope],
    measures: Sequence[StudyMeasure],
    correction: str,
    patient: PatientOf = patient_of,
) -> _Compared:
    """(measure, scope) -> the patients' values, and a test for each pair of evaluations in the order of `combinations`."""
    found: _Compared = {}
    for measure in measures:
        for scope in scopes:
            values = paired_values(evaluations, scope, measure, patient)
            pairs = combinations(range(len(evaluations)), 2)
            tests = [paired_test(values.values[:, first], values.values[:, second]) for first, second in pairs]
            found[measure.name, scope.name] = values, with_corrected_p(tests, correction)
    return found


def cells_of_test(test: PairedTest) -> dict[str, Any]:
    """The columns of a test."""
    return {
        "n": test.n,
        "difference": test.difference,
        "difference_low": test.low,
        "difference_high": test.high,
        "shapiro_p": test.shapiro_p,
        "test": test.test,
        "statistic": test.statistic,
        "p": test.p,
        "comparisons": test.comparisons,
        "p_corrected": test.p_corrected,
        "significant": test.significant,
        "effect": test.effect,
        "reason": test.reason,
    }


def p_text(value: float | None) -> str:
    """A p-value in a table."""
    return "-" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def columns_of_test() -> list[AnalysisColumn]:
    """Columns for `cells_of_test`; the difference is shown by the line's ``measure``."""
    return [
        AnalysisColumn("n", "n", lambda line: str(line["n"])),
        AnalysisColumn("missing", "missing segments", lambda line: str(line["missing"])),
        AnalysisColumn("difference", "difference (95 %)", _difference_text),
        AnalysisColumn("difference_low"),
        AnalysisColumn("difference_high"),
        AnalysisColumn("shapiro_p", "Shapiro p", lambda line: p_text(line["shapiro_p"])),
        AnalysisColumn("test", "test", lambda line: line["test"] or f"none: {line['reason']}"),
        AnalysisColumn("statistic"),
        AnalysisColumn("p", "p", lambda line: p_text(line["p"])),
        AnalysisColumn("comparisons"),
        AnalysisColumn("p_corrected", "corrected p", lambda line: p_text(line["p_corrected"])),
        AnalysisColumn("significant", "", lambda line: "*" if line["significant"] else ""),
        AnalysisColumn("effect", "effect", lambda line: "-" if line["effect"] is None else f"{line['effect']:+.2f}"),
        AnalysisColumn("reason"),
    ]


def _difference_text(line: Mapping[str, Any]) -> str:
    measure = MEASURES_BY_NAME[line["measure"]]
    text = measure.text(line["difference"], "+")
    if line["difference_low"] is None:
        return text
    return f"{text} ({measure.text(line['difference_low'], '+')} to {measure.text(line['difference_high'], '+')})"


def _test_columns(titles: Mapping[str, str]) -> list[AnalysisColumn]:
    return [
        AnalysisColumn("measure", "Measure", lambda line: MEASURES_BY_NAME[line["measure"]].axis),
        AnalysisColumn("scope", "of", lambda line: titles[line["scope"]]),
        AnalysisColumn("first", "first", lambda line: line["first"]),
        AnalysisColumn("second", "second", lambda line: line["second"]),
        *columns_of_test(),
    ]


def _test_lines(found: _Compared, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "measure": measure,
            "scope": scope,
            "first": names[first],
            "second": names[second],
            "missing": values.missing,
            **cells_of_test(test),
        }
        for (measure, scope), (values, tests) in found.items()
        for (first, second), test in zip(combinations(range(len(names)), 2), tests, strict=True)
    ]


def _value_columns(titles: Mapping[str, str], measures: Sequence[StudyMeasure]) -> list[AnalysisColumn]:
    columns = [
        AnalysisColumn("scope", "Structure", lambda line: titles[line["scope"]]),
        AnalysisColumn("model", "model", lambda line: line["model"]),
        AnalysisColumn("patients", "n", lambda line: str(line["patients"])),
    ]
    for measure in measures:
        columns += [AnalysisColumn(f"{measure.name}_{part}") for part in SPREAD_PARTS]
        columns[-len(SPREAD_PARTS) + 1] = AnalysisColumn(f"{measure.name}_mean", measure.axis, partial(_mean_and_sd, measure))
    return columns


def _mean_and_sd(measure: StudyMeasure, line: Mapping[str, Any]) -> str:
    mean, sd = line[f"{measure.name}_mean"], line[f"{measure.name}_sd"]
    return "-" if mean is None else f"{measure.text(mean)} ± {measure.text(sd)}"


def _value_lines(found: _Compared, names: Sequence[str], measures: Sequence[StudyMeasure]) -> list[dict[str, Any]]:
    lines = []
    for scope in dict.fromkeys(scope for _, scope in found):
        for number, name in enumerate(names):
            line: dict[str, Any] = {"scope": scope, "model": name, "patients": len(found[DICE.name, scope][0].patients)}
            for measure in measures:
                values = spread(found[measure.name, scope][0].values[:, number].tolist())
                line |= {f"{measure.name}_{part}": getattr(values, part) for part in SPREAD_PARTS}
            lines.append(line)
    return lines


def notes_on_tests(correction: str, comparisons: str) -> list[str]:
    """What a reader must know of the tests; `comparisons` says over what p is corrected."""
    return [
        "n: patients with a number on both sides of the comparison; missing: segments left out because one side lacks it (a "
        "missed segment has Dice 0 and no distance).",
        "Differences are second minus first. Shapiro-Wilk of the differences decides between the paired t-test (p from 0.05) and "
        "Wilcoxon's signed-rank test. Effect: Cohen's d_z beside t, rank-biserial correlation beside Wilcoxon.",
        f"Corrected p: {correction} over {comparisons}.",
    ]


def _published_notes(table: StructureTable, measures: Sequence[StudyMeasure]) -> list[str]:
    if measures == MR_MEASURES:
        return [
            "Published for 23 muscles of the lower limb in T1-weighted MR of 6 women, three networks (Henson et al., PLOS ONE 19, "
            "e0299099, 2024): per subject and network RVE -8.6 to 2.9 %, Dice 0.70 to 0.84, HD 12.2 to 46.5 mm."
        ]
    if table != HIP_THIGH_CT.table:
        return []
    mean, sd = published("figure_4", "values", "6layers,50", "dice")
    return [f"Published (Figure 4, model of 6 levels, 50 patients): Dice {mean:.3f} ± {sd:.3f} over all structures."]


def _overview(found: _Compared, names: Sequence[str], measures: Sequence[StudyMeasure]) -> Figure:
    figure, panels = new_figure(11, 3.6, len(measures))
    for axes, measure in zip(panels, measures, strict=True):
        values, tests = found[measure.name, ALL_STRUCTURES]
        series = [BoxSeries(name, [measure.scale * values.values[:, number]]) for number, name in enumerate(names)]
        brackets = [
            Bracket(0, first, second, test.mark)
            for (first, second), test in zip(combinations(range(len(names)), 2), tests, strict=True)
        ]
        draw_boxes(axes, [f"n = {len(values.patients)}"], series, brackets)
        axes.set_ylabel(measure.axis)
    legend_of(figure, names)
    return figure


def _by_structure(found: _Compared, names: Sequence[str], scopes: Sequence[StudyScope]) -> Figure:
    figure, (axes,) = new_figure(12, 4.2, 1)
    structures = [scope for scope in scopes if len(scope.members) == 1 and found[DICE.name, scope.name][0].patients]
    parts = [found[DICE.name, scope.name] for scope in structures]
    series = [BoxSeries(name, [values.values[:, number] for values, _ in parts]) for number, name in enumerate(names)]
    ticks = [f"{scope.title}\n{len(values.patients)}" for scope, (values, _) in zip(structures, parts, strict=True)]
    marks = [Bracket(place, 0, 1, "*") for place, (_, tests) in enumerate(parts) if len(names) == 2 and tests[0].significant]
    draw_boxes(axes, ticks, series, marks)
    axes.tick_params(axis="x", labelsize=7)
    axes.set_ylabel(DICE.axis)
    low = min((float(np.min(values.values)) for values, _ in parts), default=0.0)
    axes.set_ylim(bottom=max(-0.02, low - 0.02))
    legend_of(figure, names)
    return figure
