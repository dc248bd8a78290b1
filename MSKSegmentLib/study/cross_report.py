"""The report of a cross-validation: pooled results by model and number of training patients (table 8 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ..evaluation.agreement import spread
from ..evaluation.plots import new_figure
from ..training.folds import patient_of
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .cross_plan import CrossPlan
from .figures import COLOURS, MARKERS, PUBLISHED_COLOUR, legend_of
from .inputs import Evaluated, on_same_cases
from .model_comparison import MEASURES_BY_NAME, cells_of_test, columns_of_test, notes_on_tests
from .paired_tests import PairedTest, paired_test, with_corrected_p
from .published import published
from .values import ALL_STRUCTURES, ASD, DICE, STUDY_MEASURES, PairedValues, PatientOf, StudyMeasure, group_scopes, paired_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of the networks in the paper's table.
PUBLISHED_LEVELS = 6


def report_cross_validation(
    plan: CrossPlan, models: Sequence[Evaluated], correction: str, patient: PatientOf = patient_of
) -> Analysis:
    """Pooled results of `models`, which are called ``RECIPE,NUMBER``; neighbours in number are tested, and recipes of one number.

    Raises:
        InputError: the models' cases differ.
    """
    same = on_same_cases(models)
    scope = next(one for one in group_scopes(same[0].table) if one.name == ALL_STRUCTURES)
    values = {measure.name: paired_values(same, scope, measure, patient) for measure in STUDY_MEASURES}
    keys = [_key(model) for model in same]
    lines = [
        _line(model, key, place, values, plan.recipes[key[0]].network.levels == PUBLISHED_LEVELS)
        for place, (model, key) in enumerate(zip(same, keys, strict=True))
    ]
    pairs = [
        (first, second)
        for first, (recipe, number) in enumerate(keys)
        for second, (other, larger) in enumerate(keys)
        if (recipe == other and larger == _next(plan.numbers, number)) or (first < second and recipe != other and number == larger)
    ]
    tables = [AnalysisTable("cross-validate", "All structures, patients left out: mean ± SD", _columns(), lines)]
    notes = [
        "Every patient is judged by the network that had not seen it; cases of all folds are pooled, tests count patients.",
        "Published (Table 8): beside recipes of 6 levels, on DB#1, by number of training cases; no significant gain from 30 to 40.",
    ]
    if pairs:
        tables.append(AnalysisTable("tests", "Differences", _test_columns(), _test_lines(same, pairs, values, correction)))
        notes += notes_on_tests(correction, f"{len(pairs)} pairs of models, per measure")
    return Analysis(
        name="cross-validate",
        title="Cross-validation by patient",
        tables=tables,
        notes=notes,
        facts={"plan": plan.to_json(), "numbers": list(plan.numbers), "correction": correction},
        figures={"cross-validate.png": (_plot(lines, list(plan.recipes)), "Mean and standard deviation over patients left out.")},
    )


def _key(model: Evaluated) -> tuple[str, int]:
    recipe, _, number = model.name.rpartition(",")
    return recipe, int(number)


def _next(numbers: Sequence[int], number: int) -> int | None:
    larger = [one for one in numbers if one > number]
    return min(larger) if larger else None


def _line(
    model: Evaluated, key: tuple[str, int], place: int, values: Mapping[str, PairedValues], is_comparable: bool
) -> dict[str, Any]:
    line: dict[str, Any] = {"model": model.name, "recipe": key[0], "training": key[1], "n": len(values[DICE.name].patients)}
    line["missing"] = max(found.missing for found in values.values())
    for measure in STUDY_MEASURES:
        one = spread(values[measure.name].values[:, place].tolist())
        printed = published("table_8", "values", str(key[1]), measure.name) if is_comparable else None
        known = printed or (None, None)
        line |= {f"{measure.name}_mean": one.mean, f"{measure.name}_sd": one.sd}
        line |= {f"published_{measure.name}_mean": known[0], f"published_{measure.name}_sd": known[1]}
    return line


def _test_lines(
    models: Sequence[Evaluated], pairs: Sequence[tuple[int, int]], values: Mapping[str, PairedValues], correction: str
) -> list[dict[str, Any]]:
    lines = []
    for measure in STUDY_MEASURES:
        found = values[measure.name]
        plain: list[PairedTest] = [paired_test(found.values[:, first], found.values[:, second]) for first, second in pairs]
        for (first, second), test in zip(pairs, with_corrected_p(plain, correction), strict=True):
            names = {"first": models[first].name, "second": models[second].name}
            lines.append({"measure": measure.name, **names, "missing": found.missing, **cells_of_test(test)})
    return lines


def _mean_text(start: str, measure: StudyMeasure, line: Mapping[str, Any]) -> str:
    mean, sd = line[f"{start}{measure.name}_mean"], line[f"{start}{measure.name}_sd"]
    return "-" if mean is None else f"{measure.text(mean)} ± {measure.text(sd)}"


def _columns() -> list[AnalysisColumn]:
    columns = [
        AnalysisColumn("model"),
        AnalysisColumn("recipe", "Recipe", lambda line: line["recipe"]),
        AnalysisColumn("training", "training patients", lambda line: str(line["training"])),
        AnalysisColumn("n", "n", lambda line: str(line["n"])),
        AnalysisColumn("missing", "missing segments", lambda line: str(line["missing"])),
    ]
    for measure in STUDY_MEASURES:
        columns += [
            AnalysisColumn(f"{measure.name}_mean", measure.axis, partial(_mean_text, "", measure)),
            AnalysisColumn(f"{measure.name}_sd"),
        ]
        if measure in (DICE, ASD):
            columns.append(
                AnalysisColumn(f"published_{measure.name}_mean", "published", partial(_mean_text, "published_", measure))
            )
            columns.append(AnalysisColumn(f"published_{measure.name}_sd"))
    return columns


def _test_columns() -> list[AnalysisColumn]:
    return [
        AnalysisColumn("measure", "Measure", lambda line: MEASURES_BY_NAME[line["measure"]].axis),
        AnalysisColumn("first", "first", lambda line: line["first"]),
        AnalysisColumn("second", "second", lambda line: line["second"]),
        *columns_of_test(),
    ]


def _plot(lines: Sequence[Mapping[str, Any]], recipes: Sequence[str]) -> Figure:
    figure, panels = new_figure(8, 3.6, 2)
    printed = published("table_8", "values")
    for axes, measure in zip(panels, (DICE, ASD), strict=True):
        for place, recipe in enumerate(recipes):
            own = [line for line in lines if line["recipe"] == recipe and line[f"{measure.name}_mean"] is not None]
            # Apart by a little, so that bars of one number do not hide each other.
            places = [line["training"] * (1 + 0.02 * (place - (len(recipes) - 1) / 2)) for line in own]
            axes.errorbar(
                places,
                [line[f"{measure.name}_mean"] for line in own],
                yerr=[line[f"{measure.name}_sd"] or 0.0 for line in own],
                fmt=f"{MARKERS[place % len(MARKERS)]}-",
                color=COLOURS[place % len(COLOURS)],
                capsize=3,
                linewidth=1.2,
                markersize=5,
            )
        means = [entry[measure.name][0] for entry in printed.values()]
        numbers = [int(number) for number in printed]
        axes.plot(numbers, means, "D:", color=PUBLISHED_COLOUR, markerfacecolor="none", markersize=4.5, linewidth=0.8)
        axes.set_xlabel("Training patients")
        axes.set_ylabel(measure.axis)
    legend_of(figure, [f"{recipe}, n = {lines[0]['n']} patients" for recipe in recipes], "published mean, n = 50", marks=MARKERS)
    return figure
