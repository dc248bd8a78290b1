"""What ``mskseg study disease`` compares: evaluations, and cohorts without true labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..anatomy import StructureTable
from ..errors import InputError
from ..results.result_reading import stored_structures
from .case_facts import check_all_listed, read_case_facts
from .cohort_sides import cohort_sides, is_cohort
from .disease_status import SideNumber, side_numbers
from .inputs import Evaluated, named_folder, read_evaluations

Sources = dict[str, list[SideNumber]]


def read_side_sources(folders: Sequence[str], cases: Path | None) -> tuple[Sources, StructureTable, list[Evaluated]]:
    """The numbers of each source by its name, their structures, and the evaluations among them.

    Raises:
        InputError: a source cannot be used, or evaluations come without a list that says which side is affected.
    """
    cohorts = [text for text in folders if is_cohort(named_folder(text)[1])]
    evaluations = read_evaluations([text for text in folders if text not in cohorts], 0 if cohorts else 1)
    if evaluations and cases is None:
        raise InputError("An evaluation does not say which side is affected; give a list of the cases with --cases LIST.csv.")
    numbers = {name: cohort_sides(folder) for name, folder in map(named_folder, cohorts)}
    if evaluations and cases is not None:
        facts = read_case_facts(cases)
        for evaluation in evaluations:
            check_all_listed(facts, [case.name for case in evaluation.cases], cases)
            numbers[evaluation.name] = side_numbers(evaluation, facts)
    # The tables of a cohort do not state their structures.
    table = evaluations[0].table if evaluations else stored_structures({})
    return numbers, table, evaluations
