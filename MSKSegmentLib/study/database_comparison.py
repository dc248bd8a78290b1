"""``mskseg study databases``: one structure in several databases, by one or more models (tables 4 and 5, figure 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..evaluation.agreement import pearson, spread
from ..evaluation.plots import new_figure
from ..training.folds import patient_of
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .figures import BoxSeries, Bracket, draw_boxes, legend_of
from .inputs import Evaluated, on_same_cases
from .model_comparison import MEASURES_BY_NAME, cells_of_test, columns_of_test, notes_on_tests
from .paired_tests import PairedTest, paired_test, with_corrected_p
from .published import published
from .values import DICE, MEAN_UNCERTAINTY, STUDY_MEASURES, PairedValues, PatientOf, StudyMeasure, StudyScope, paired_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Of this structure the paper has external databases.
PUBLISHED_STRUCTURE = "GMED"
Databases = Mapping[str, Mapping[str, Evaluated]]
_Pair = tuple[str, str]


def by_database(evaluations: Sequence[Evaluated], common: bool = False) -> dict[str, dict[str, Evaluated]]:
    """Evaluations called ``DATABASE:MODEL`` (or ``DATABASE``) by database and model, each database on the same cases.

    Raises:
        InputError: the models of a database differ in cases or labels, or structures differ between databases.
    """
    found: dict[str, dict[str, Evaluated]] = {}
    for evaluation in evaluations:
        database, _, model = evaluation.name.partition(":")
        found.setdefault(database, {})[model] = evaluation
    if any(evaluation.table != evaluations[0].table for evaluation in evaluations):
        raise InputError("The evaluations are of different structures; compare those of one table of structures.")
    return {
        database: dict(zip(models, on_same_cases(list(models.values()), common), strict=True)) for database, models in found.items()
    }


def compare_databases(databases: Databases, structure: str, correction: str, patient: PatientOf = patient_of) -> Analysis:
    """One structure in every database; models are tested pair by pair, p is corrected over the databases.

    Raises:
        InputError: no evaluation knows the structure, or none holds it.
    """
    table = next(iter(next(iter(databases.values())).values())).table
    if structure not in [one.abbreviation for one in table.structures]:
        names = ", ".join(one.abbreviation for one in table.structures)
        raise InputError(f"There is no structure {structure!r} in the evaluations; give one of {names}.")
    scope = StudyScope(structure, structure, frozenset([structure]))
    values = {
        (database, measure.name): paired_values(list(models.values()), scope, measure, patient)
        for database, models in databases.items()
        for measure in STUDY_MEASURES
    }
    if not any(found.patients for found in values.values()):
        raise InputError(f"No case of the evaluations shows {structure}; name another one with --structure.")
    models = list(dict.fromkeys(model for models in databases.values() for model in models))
    tests = _tests(databases, values, correction)
    notes = [
        f"Values of {structure}: a patient's mean over both sides. r: Pearson's, of Dice with uncertainty over the patients.",
        "Published (Tables 4 and 5, of GMED): beside a database and model that are called as theirs, for example DB#2:6layers,50.",
    ]
    tables = [AnalysisTable("databases", "Databases: mean ± SD", _COLUMNS, _lines(databases, values, structure))]
    if tests:
        tables.append(AnalysisTable("tests", "Differences of models", _TEST_COLUMNS, _test_lines(values, tests)))
        notes += notes_on_tests(correction, "the databases that have a test, per measure and pair of models")
    return Analysis(
        name="databases",
        title=f"{structure} in {len(databases)} databases",
        tables=tables,
        notes=notes,
        facts={
            "structure": structure,
            "correction": correction,
            "databases": {name: list(found) for name, found in databases.items()},
        },
        figures={"databases.png": (_plot(databases, values, tests, models, structure), f"{structure}; each point is a patient.")},
    )


def published_of_database(database: str, model: str, structure: str, measure: str) -> tuple[float, float] | None:
    """Published mean and standard deviation, in the measure's own unit."""
    if structure != PUBLISHED_STRUCTURE:
        return None
    if measure == MEAN_UNCERTAINTY.name:
        found = published("table_5", "values", database, model, "uncertainty_1e-4")
        return None if found is None else (found[0] / MEAN_UNCERTAINTY.scale, found[1] / MEAN_UNCERTAINTY.scale)
    found = published("table_4", "values", database, measure, model)
    return None if found is None else (float(found[0]), float(found[1]))


def _tests(databases: Databases, values: Mapping[_Pair, PairedValues], correction: str) -> dict[tuple[str, str, _Pair], PairedTest]:
    """(database, measure, models) -> test, for databases that have both models."""
    plain: dict[tuple[str, _Pair], dict[str, PairedTest]] = {}
    for database, models in databases.items():
        names = list(models)
        for measure in STUDY_MEASURES:
            found = values[database, measure.name].values
            for first, second in combinations(range(len(names)), 2):
                key = measure.name, (names[first], names[second])
                plain.setdefault(key, {})[database] = paired_test(found[:, first], found[:, second])
    done = {}
    for (measure_name, pair), by_base in plain.items():
        for database, test in zip(by_base, with_corrected_p(list(by_base.values()), correction), strict=True):
            done[database, measure_name, pair] = test
    return done


def _lines(databases: Databases, values: Mapping[_Pair, PairedValues], structure: str) -> list[dict[str, Any]]:
    lines = []
    for database, models in databases.items():
        for number, model in enumerate(models):
            line: dict[str, Any] = {"database": database, "model": model, "n": len(values[database, DICE.name].patients)}
            line["missing"] = max(values[database, measure.name].missing for measure in STUDY_MEASURES)
            for measure in STUDY_MEASURES:
                found = spread(values[database, measure.name].values[:, number].tolist())
                line |= {f"{measure.name}_mean": found.mean, f"{measure.name}_sd": found.sd}
                known = published_of_database(database, model, structure, measure.name)
                line |= {f"published_{measure.name}_mean": known and known[0], f"published_{measure.name}_sd": known and known[1]}
            line["pearson"] = _correlation(values[database, DICE.name], values[database, MEAN_UNCERTAINTY.name], number)
            is_known = structure == PUBLISHED_STRUCTURE
            line["published_pearson"] = published("table_5", "values", database, model, "pearson") if is_known else None
            lines.append(line)
    return lines


def _correlation(dice: PairedValues, uncertainty: PairedValues, number: int) -> float | None:
    known = dict(zip(uncertainty.patients, uncertainty.values[:, number].tolist(), strict=True))
    pairs = [
        (value, known[name]) for name, value in zip(dice.patients, dice.values[:, number].tolist(), strict=True) if name in known
    ]
    both = np.array(pairs, dtype=float).reshape(-1, 2)
    return pearson(both[:, 0], both[:, 1])


def _test_lines(values: Mapping[_Pair, PairedValues], tests: Mapping[tuple[str, str, _Pair], PairedTest]) -> list[dict[str, Any]]:
    return [
        {
            "database": database,
            "measure": measure,
            "first": pair[0],
            "second": pair[1],
            "missing": values[database, measure].missing,
            **cells_of_test(test),
        }
        for (database, measure, pair), test in tests.items()
    ]


def _plot(
    databases: Databases,
    values: Mapping[_Pair, PairedValues],
    tests: Mapping[tuple[str, str, _Pair], PairedTest],
    models: Sequence[str],
    structure: str,
) -> Figure:
    figure, panels = new_figure(11, 6.2, 3, 2)
    panels[-1].set_axis_off()
    printed = False
    for axes, measure in zip(panels, STUDY_MEASURES, strict=False):
        series = []
        for model in models:
            boxes = [_values_of(databases, values, database, model, measure) for database in databases]
            known = [published_of_database(database, model, structure, measure.name) for database in databases]
            printed = printed or any(known)
            series.append(BoxSeries(model, boxes, [one and measure.scale * one[0] for one in known]))
        brackets = [
            Bracket(list(databases).index(database), models.index(pair[0]), models.index(pair[1]), test.mark)
            for (database, name, pair), test in tests.items()
            if name == measure.name
        ]
        ticks = [f"{database}\nn = {len(values[database, measure.name].patients)}" for database in databases]
        draw_boxes(axes, ticks, series, brackets)
        axes.set_ylabel(measure.axis)
    legend_of(figure, [model or "model" for model in models], "published mean" if printed else "")
    return figure


def _values_of(
    databases: Databases, values: Mapping[_Pair, PairedValues], database: str, model: str, measure: StudyMeasure
) -> np.ndarray:
    names = list(databases[database])
    if model not in names:
        return np.zeros(0)
    return measure.scale * values[database, measure.name].values[:, names.index(model)]


def _measure_columns(measure: StudyMeasure) -> list[AnalysisColumn]:
    def text(start: str) -> Any:
        def show(line: Mapping[str, Any]) -> str:
            mean, sd = line[f"{start}{measure.name}_mean"], line[f"{start}{measure.name}_sd"]
            return "-" if mean is None else f"{measure.text(mean)} ± {measure.text(sd)}"

        return show

    return [
        AnalysisColumn(f"{measure.name}_mean", measure.axis, text("")),
        AnalysisColumn(f"{measure.name}_sd"),
        AnalysisColumn(f"published_{measure.name}_mean", "published", text("published_")),
        AnalysisColumn(f"published_{measure.name}_sd"),
    ]


def _correlation_text(key: str) -> Any:
    return lambda line: "-" if line[key] is None else f"{line[key]:.2f}"


_COLUMNS = (
    AnalysisColumn("database", "Database", lambda line: line["database"]),
    AnalysisColumn("model", "model", lambda line: line["model"] or "-"),
    AnalysisColumn("n", "n", lambda line: str(line["n"])),
    AnalysisColumn("missing", "missing segments", lambda line: str(line["missing"])),
    *[column for measure in STUDY_MEASURES for column in _measure_columns(measure)],
    AnalysisColumn("pearson", "r", _correlation_text("pearson")),
    AnalysisColumn("published_pearson", "published", _correlation_text("published_pearson")),
)
_TEST_COLUMNS = (
    AnalysisColumn("database", "Database", lambda line: line["database"]),
    AnalysisColumn("measure", "measure", lambda line: MEASURES_BY_NAME[line["measure"]].axis),
    AnalysisColumn("first", "first", lambda line: line["first"] or "-"),
    AnalysisColumn("second", "second", lambda line: line["second"] or "-"),
    *columns_of_test(),
)
