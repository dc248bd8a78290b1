"""What a report says of a whole study, taken case by case: lights, distributions, scanners, and what to look at first."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from ..case_result import SUSPECT_WORD, Light, ReviewState
from ..review.rows import MARKS, SUSPECT_MARK
from .case_rows import SEGMENT_COLUMNS
from .found_cases import FoundCase

SHOWN_IN_REPORT = 200
_PERCENTILES = (5, 25, 50, 75, 95)
# (column, name, unit), in the order of the report.
REPORTED_QUANTITIES = (("volume_cc", "volume", "cc"), ("mean_hu", "mean radiodensity", "HU"), ("fat_percent", "fat", "%"))

# Of half a million rows only what is counted is looked at.
_COUNTED = (
    "structure", "side", "light", "likely_wrong", "volume_cc", "mean_hu", "fat_percent", "truncated_by", "asks_for_a_look", "state",
    "expected_harm", "failure_probability", "reasons",
)  # fmt: skip
_counted = itemgetter(*map(SEGMENT_COLUMNS.index, _COUNTED))


@dataclass(frozen=True)
class ReviewEntry:
    """A segment that somebody should look at, the most harmful first: `harm` is expected harm, see `review.queue`."""

    harm: float
    case: str
    structure: str
    side: str
    verdict: str
    failure_probability: float | None
    reasons: str


@dataclass(frozen=True)
class Distribution:
    """Percentiles 5, 25, 50, 75 and 95 of one quantity of one structure over `count` segments."""

    count: int
    percentiles: tuple[float, ...]


@dataclass
class StudySummary:
    """Counts and values over the cases that were taken."""

    marks: dict[str, Counter[str]] = field(default_factory=dict)
    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    scanners: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    review: list[ReviewEntry] = field(default_factory=list)
    cases: int = 0

    def take(self, case: FoundCase, rows: Mapping[str, Any]) -> None:
        """Count a case that is done, from what `case_rows` made."""
        self.cases += 1
        self.scanners[case.scanner or "not stated"] += 1
        self.warnings.update(set(rows["warnings"]))
        for row in rows["segments"]:
            self._take_segment(case.case, dict(zip(_COUNTED, _counted(row), strict=True)))

    def _take_segment(self, case: str, row: Mapping[str, Any]) -> None:
        structure = row["structure"]
        if row["volume_cc"] is not None:
            mark = SUSPECT_MARK if row["likely_wrong"] else row["light"]
            self.marks.setdefault(structure, Counter())[mark] += 1
            if not row["truncated_by"] and row["light"] != Light.RED.value:
                kept = self.values.setdefault(structure, {})
                for column, _, _ in REPORTED_QUANTITIES:
                    if row[column] is not None:
                        kept.setdefault(column, []).append(row[column])
        if row["asks_for_a_look"] and row["state"] == ReviewState.AUTOMATIC.value:
            verdict = SUSPECT_WORD if row["likely_wrong"] else Light(row["light"]).word
            self.review.append(
                ReviewEntry(
                    row["expected_harm"] or 0.0,
                    case,
                    row["structure"],
                    row["side"],
                    verdict,
                    row["failure_probability"],
                    row["reasons"],
                )
            )

    def worst(self, most: int | None = None) -> list[ReviewEntry]:
        """What to look at over all cases, worst first; `most` of them."""
        if most is not None:
            return heapq.nsmallest(most, self.review, key=_order)
        return sorted(self.review, key=_order)

    def shares(self) -> list[tuple[str, int, list[tuple[str, str, int]]]]:
        """Per structure: how many segments were found, and (mark, its word, number) worst first."""
        return [
            (structure, sum(counts.values()), [(mark, word, counts[mark]) for mark, word in MARKS if counts[mark]])
            for structure, counts in self.marks.items()
        ]

    def distributions(self, column: str) -> list[tuple[str, Distribution]]:
        """Per structure the spread of a quantity over segments that are whole and not failed."""
        found = []
        for structure, kept in self.values.items():
            if column in kept:
                bounds = tuple(float(bound) for bound in np.percentile(kept[column], _PERCENTILES))
                found.append((structure, Distribution(len(kept[column]), bounds)))
        return found


def same_voxels(digests: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """Case -> the first case with the same voxels, from (case, digest of the voxels); such repetitions have no file in common."""
    first: dict[str, str] = {}
    found = {}
    for case, digest in digests:
        if digest is not None and first.setdefault(digest, case) != case:
            found[case] = first[digest]
    return found


def _order(entry: ReviewEntry) -> tuple[float, str, str, str]:
    return -entry.harm, entry.case, entry.structure, entry.side
