"""Structures that one result has and the other's program never draws: no disagreement, and no part of any total."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ..anatomy import Segment
from ..language.catalogue import stated
from .agreement_table import StructureAgreement
from .known import source_of
from .pair import ResultPair


@dataclass(frozen=True)
class NotDrawn:
    """A segment of one result, the first one's where `in_first`; `program` made the other, and never draws the structure."""

    segment: Segment
    volume_cc: float
    in_first: bool
    program: str

    @property
    def words(self) -> str:
        """What stands in place of numbers."""
        return stated(f"not drawn by {self.program}")


def not_drawn_of(pair: ResultPair) -> tuple[NotDrawn, ...]:
    """The segments that the results do not share, those of the first one first."""
    compared = {pair.table.segment(key).structure.abbreviation for key in pair.shared}
    compared.update(part for whole in pair.merged for part in whole.parts)
    found: list[NotDrawn] = []
    for case, other in ((pair.first, pair.second), (pair.second, pair.first)):
        program = source_of(other.result.facts)
        found += [
            NotDrawn(report.segment, report.measurements.volume_cc, case is pair.first, program)
            for report in case.result.reports
            if report.measurements is not None and report.segment.structure.abbreviation not in compared
        ]
    return tuple(found)


def agreement_summary(pair: ResultPair, rows: Sequence[StructureAgreement]) -> tuple[str, ...]:
    """Sentences on the whole: the mean over what both draw, what only one draws, and what is compared as one."""
    sentences = []
    if rows:
        mean = f"{fmean(row.dice for row in rows):.3f}"
        sentences.append(stated(f"Mean Dice coefficient of the {len(rows)} segments that both draw: {mean}."))
    absent: dict[str, list[str]] = {}
    for one in not_drawn_of(pair):
        names = absent.setdefault(one.program, [])
        if one.segment.structure.name not in names:
            names.append(one.segment.structure.name)
    for program, names in absent.items():
        listed = ", ".join(names)
        sentences.append(stated(f"Not drawn by {program}, and not counted: {listed}."))
    for whole in pair.merged:
        name = whole.structure.name
        parts = " and ".join(pair.table.structure(part).name.lower() for part in whole.parts)
        sentences.append(
            stated(f"{name} is one structure in one of the results; {parts} of the other are compared with it together.")
        )
    return tuple(sentences)
