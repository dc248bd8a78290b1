"""``mskseg study disease``: affected against unaffected sides of the same patients (figure 6 of the paper)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..anatomy import StructureTable
from ..cohort.case_list import is_affected
from ..errors import InputError
from ..evaluation.agreement import judged, spread
from ..evaluation.plots import new_figure
from .analysis import Analysis, AnalysisColumn, AnalysisTable
from .case_facts import CaseFacts
from .figures import BoxSeries, Bracket, draw_boxes, legend_of
from .inputs import Evaluated
from .model_comparison import MEASURES_BY_NAME, cells_of_test, columns_of_test, notes_on_tests
from .paired_tests import FEWEST_FOR_TEST, PairedTest, paired_test, with_corrected_p
from .values import STUDY_MEASURES, StudyMeasure, StudyScope, group_scopes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVERYBODY = "all"
_PANELS_BESIDE = 3


@dataclass(frozen=True)
class SideNumber:
    """Numbers of a structure on one side of a patient by the name of the measure; `group` is what the list says of the case."""

    patient: str
    group: str
    structure: str
    affected: bool
    numbers: Mapping[str, float | None]


@dataclass(frozen=True)
class SidePairs:
    """Patients' values ``[patients, 2]``, unaffected then affected, of those who have both; `missing` sides lack the number."""

    values: np.ndarray
    missing: int


_Compared = dict[tuple[str, str, str, str], tuple[SidePairs, PairedTest]]


def side_numbers(evaluation: Evaluated, facts: Mapping[str, CaseFacts]) -> list[SideNumber]:
    """The numbers of an evaluation's segments on sides of which `facts` say whether they are affected."""
    return [
        SideNumber(
            known.patient,
            known.group,
            row.segment.structure.abbreviation,
            status,
            {one.name: one.of(row) for one in STUDY_MEASURES},
        )
        for case in evaluation.cases
        for known in (facts[case.name],)
        for row in judged(case.rows)
        if (status := is_affected(row.segment.side.value, known.affected)) is not None
    ]


def side_pairs(sides: Iterable[SideNumber], scope: StudyScope, measure: StudyMeasure) -> SidePairs:
    """A patient's values are means over the structures of which it has both an affected and an unaffected side."""
    found: dict[str, dict[str, dict[bool, list[float]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    missing = 0
    for side in sides:
        if side.structure in scope.members:
            number = side.numbers.get(measure.name)
            if number is None:
                missing += 1
            else:
                found[side.patient][side.structure][side.affected].append(number)
    rows = []
    for _, structures in sorted(found.items()):
        both = [[np.mean(parts[False]), np.mean(parts[True])] for parts in structures.values() if len(parts) == 2]
        if both:
            rows.append(np.mean(both, axis=0))
    return SidePairs(np.array(rows, dtype=float).reshape(len(rows), 2), missing)


def compare_sides(sources: Mapping[str, Sequence[SideNumber]], table: StructureTable, correction: str) -> Analysis:
    """Unaffected against affected sides in each source (evaluation or cohort), for all cases and for each of their groups.

    Raises:
        InputError: too few patients have an affected and an unaffected side.
    """
    scopes = group_scopes(table)
    found = _compared(sources, scopes, correction)
    most = max((len(pairs.values) for pairs, _ in found.values()), default=0)
    if most < FEWEST_FOR_TEST:
        raise InputError(
            f"The comparison needs at least {FEWEST_FOR_TEST} patients with one affected and one unaffected side; these are {most}."
        )
    titles = {scope.name: scope.title for scope in scopes}
    patients = {name: len({side.patient for side in sides}) for name, sides in sources.items()}
    figures: dict[str, tuple[Figure, str]] = {"disease.png": (_plot(found, list(sources), scopes), "Each point is a patient.")}
    return Analysis(
        name="disease",
        title="Affected against unaffected sides",
        tables=(AnalysisTable("disease", "Groups of structures", _columns(titles), _lines(found)),),
        notes=[
            "Unaffected and affected sides of the same patient, over structures of which it has both; patients with both "
            "sides alike, and "
            "midline structures, have no pair. Differences are affected minus unaffected.",
            *notes_on_tests(correction, "the groups of structures that have a test, per measure, source and group of cases"),
            "Published (Figure 6): in DB#1 the unaffected sides had higher accuracy in the bones alone; in DB#5 (2,579 CTs) "
            "the affected "
            "sides had higher uncertainty in all groups.",
        ],
        facts={"correction": correction, "patients_with_a_known_side": patients},
        figures=figures,
    )


def _compared(sources: Mapping[str, Sequence[SideNumber]], scopes: Sequence[StudyScope], correction: str) -> _Compared:
    found: _Compared = {}
    for source, sides in sources.items():
        groups = sorted({side.group for side in sides if side.group})
        for group in [EVERYBODY, *(groups if len(groups) > 1 else [])]:
            chosen = [side for side in sides if group in (EVERYBODY, side.group)]
            for measure in STUDY_MEASURES:
                if not any(side.numbers.get(measure.name) is not None for side in chosen):
                    continue
                pairs = [side_pairs(chosen, scope, measure) for scope in scopes]
                tests = with_corrected_p([paired_test(one.values[:, 0], one.values[:, 1]) for one in pairs], correction)
                for scope, one, test in zip(scopes, pairs, tests, strict=True):
                    found[source, group, measure.name, scope.name] = one, test
    return found


def _lines(found: _Compared) -> list[dict[str, Any]]:
    lines = []
    for (source, group, measure, scope), (pairs, test) in found.items():
        unaffected, affected = (spread(pairs.values[:, number].tolist()) for number in (0, 1))
        line = {"source": source, "group": group, "measure": measure, "scope": scope, "missing": pairs.missing}
        line |= {"unaffected_mean": unaffected.mean, "unaffected_sd": unaffected.sd}
        line |= {"affected_mean": affected.mean, "affected_sd": affected.sd}
        lines.append(line | cells_of_test(test))
    return lines


def _columns(titles: Mapping[str, str]) -> list[AnalysisColumn]:
    def text(status: str) -> Any:
        def show(line: Mapping[str, Any]) -> str:
            measure = MEASURES_BY_NAME[line["measure"]]
            return f"{measure.text(line[f'{status}_mean'])} ± {measure.text(line[f'{status}_sd'])}"

        return show

    return [
        AnalysisColumn("source", "Source", lambda line: line["source"]),
        AnalysisColumn("group", "cases", lambda line: line["group"]),
        AnalysisColumn("measure", "measure", lambda line: MEASURES_BY_NAME[line["measure"]].axis),
        AnalysisColumn("scope", "of", lambda line: titles[line["scope"]]),
        AnalysisColumn("unaffected_mean", "unaffected", text("unaffected")),
        AnalysisColumn("unaffected_sd"),
        AnalysisColumn("affected_mean", "affected", text("affected")),
        AnalysisColumn("affected_sd"),
        *columns_of_test(),
    ]


def _plot(found: _Compared, sources: Sequence[str], scopes: Sequence[StudyScope]) -> Figure:
    """A panel per measure that any source has, three beside each other; each source begins a row."""
    measures = [measure for measure in STUDY_MEASURES if any(key[2] == measure.name for key in found)]
    beside = min(_PANELS_BESIDE, len(measures))
    rows = -(-len(measures) // beside)
    figure, panels = new_figure(max(4.5, 3.7 * beside), (2.9 * rows + 0.1) * len(sources) + 0.4, beside, rows * len(sources))
    for number, source in enumerate(sources):
        own = panels[number * rows * beside : (number + 1) * rows * beside]
        for axes in own[len(measures) :]:
            axes.set_axis_off()
        for axes, measure in zip(own, measures, strict=False):
            parts = [found.get((source, EVERYBODY, measure.name, scope.name)) for scope in scopes]
            if any(part is None for part in parts):
                axes.set_axis_off()
                continue
            known = [part for part in parts if part is not None]
            series = [
                BoxSeries(status, [measure.scale * pairs.values[:, side] for pairs, _ in known])
                for side, status in enumerate(("unaffected", "affected"))
            ]
            ticks = [
                f"{scope.title.replace(' ', chr(10))}\nn = {len(pairs.values)}"
                for scope, (pairs, _) in zip(scopes, known, strict=True)
            ]
            draw_boxes(axes, ticks, series, [Bracket(place, 0, 1, test.mark) for place, (_, test) in enumerate(known)])
            axes.tick_params(axis="x", labelsize=7)
            axes.set_ylabel(measure.axis)
            if axes is own[0] and len(sources) > 1:
                axes.set_title(source, fontsize=9, loc="left")
    legend_of(figure, ["unaffected side", "affected side"])
    return figure
