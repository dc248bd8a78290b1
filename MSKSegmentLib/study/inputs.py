"""Evaluations under the names that they go by in a study, and whether they can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..anatomy import StructureTable
from ..errors import InputError, shown
from ..evaluation.agreement import judged
from ..evaluation.folder import is_evaluation, read_evaluation
from ..evaluation.metrics import SegmentComparison
from ..evaluation.tables import CaseScores

_MOST_NAMES = 3


@dataclass(frozen=True)
class Evaluated:
    """One evaluation by `name`: its finished cases; what gave them as far as that is known: bundle digest, passes, seed."""

    name: str
    cases: tuple[CaseScores, ...]
    bundle: str | None = None
    passes: int | None = None
    seed: int | None = None

    @property
    def table(self) -> StructureTable:
        """The structures that were compared."""
        return self.cases[0].table

    @property
    def facts(self) -> dict[str, str | int | None]:
        """What a report says of it."""
        bundle = None if self.bundle is None else self.bundle[:12]
        return {"name": self.name, "cases": len(self.cases), "bundle": bundle, "passes": self.passes, "seed": self.seed}


def named_folder(text: str) -> tuple[str, Path]:
    """``NAME=DIR`` as name and folder; a folder alone goes by its own name."""
    name, sign, folder = text.partition("=")
    if sign and name.strip() and not Path(text).exists():
        return name.strip(), Path(folder)
    return Path(text).resolve().name, Path(text)


def read_named_evaluation(name: str, folder: Path) -> Evaluated:
    """An evaluation with what gave it.

    Raises:
        InputError: the folder is no evaluation, cannot be read, or mixes cases of several networks, passes or seeds.
    """
    if not is_evaluation(folder):
        raise InputError(f"The folder {shown(folder)!r} is no evaluation; make one with 'mskseg evaluate'.")
    found = read_evaluation(folder)
    kinds = {(key.get("bundle"), key.get("passes"), key.get("seed")) for key, _ in found}
    if len(kinds) > 1:
        raise InputError(
            f"The evaluation {shown(folder)!r} mixes cases of several runs; run 'mskseg evaluate' again in a new folder."
        )
    if len({scores.table for _, scores in found}) > 1:
        raise InputError(f"The cases of the evaluation {shown(folder)!r} are of different structures; evaluate them apart.")
    return Evaluated(name, tuple(scores for _, scores in found), *kinds.pop())


def read_evaluations(folders: Sequence[str], fewest: int = 1) -> list[Evaluated]:
    """The evaluations of arguments such as ``NAME=DIR``.

    Raises:
        InputError: there are fewer than `fewest`, two go by one name, or one cannot be used.
    """
    named = [named_folder(text) for text in folders]
    if len(named) < fewest:
        raise InputError(f"{fewest} evaluations are needed, and {len(named)} was named; give each as NAME=DIR.")
    for name, _ in named:
        if [other for other, _ in named].count(name) > 1:
            raise InputError(f"Two evaluations go by the name {name!r}; tell them apart by NAME=DIR.")
    return [read_named_evaluation(name, folder) for name, folder in named]


def on_same_cases(evaluations: Sequence[Evaluated], common: bool = False) -> list[Evaluated]:
    """The evaluations with their cases in one order, once it is sure that all hold the same cases with the same labels.

    With `common` those that not all hold are left out.

    Raises:
        InputError: they differ in their structures, cases or labels; the sentence names what differs.
    """
    first = evaluations[0]
    if any(other.table != first.table for other in evaluations):
        raise InputError("The evaluations are of different structures; compare those of one table of structures.")
    held = [{case.name: case for case in evaluation.cases} for evaluation in evaluations]
    every = sorted(set().union(*held))
    shared = [name for name in every if all(name in cases for cases in held)]
    for evaluation, cases in zip(evaluations, held, strict=True):
        lacking = [name for name in every if name not in cases]
        if lacking and not common:
            raise InputError(
                f"The evaluations hold different cases: {evaluation.name!r} lacks {listed(lacking)}; evaluate the same cases, or "
                "compare those that all hold with --common."
            )
    if not shared:
        raise InputError("The evaluations have no case in common; evaluate the same cases.")
    _check_labels(evaluations, held, shared)
    return [
        replace(evaluation, cases=tuple(cases[name] for name in shared))
        for evaluation, cases in zip(evaluations, held, strict=True)
    ]


def judged_segments(evaluation: Evaluated) -> dict[tuple[str, str], SegmentComparison]:
    """The rows that count by case and segment key: what the truth holds, more than a sliver of it."""
    return {(case.name, row.segment.key): row for case in evaluation.cases for row in judged(case.rows)}


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, the first few of them."""
    every = list(names)
    more = f" and {len(every) - _MOST_NAMES} more" if len(every) > _MOST_NAMES else ""
    return ", ".join(every[:_MOST_NAMES]) + more


def _check_labels(evaluations: Sequence[Evaluated], held: Sequence[dict[str, CaseScores]], shared: Sequence[str]) -> None:
    for name in shared:
        truths = [{row.segment.key: row.voxels_true for row in judged(cases[name].rows)} for cases in held]
        for evaluation, truth in zip(evaluations[1:], truths[1:], strict=True):
            if truth != truths[0]:
                raise InputError(
                    f"The case {name!r} was compared with other labels in {evaluation.name!r} than in {evaluations[0].name!r}; "
                    "evaluate both with the same labels."
                )
