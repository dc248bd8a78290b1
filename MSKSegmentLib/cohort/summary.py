"""What a report says of a whole study, taken case by case: lights, distributions, scanners, and what to look at first."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..case_result import SUSPECT_WORD, UNCONFIRMED_WORD, Light, ReviewState
from ..review.rows import MARKS, SUSPECT_MARK, UNCONFIRMED_MARK
from .found_cases import FoundCase
from .gathered import GatheredCases

SHOWN_IN_REPORT = 200
# The others of these unfold by a click.
SHOWN_AT_ONCE = 20
_PERCENTILES = (5, 25, 50, 75, 95)
# (column, name, unit), in the order of the report.
REPORTED_QUANTITIES = (("volume_cc", "volume", "cc"), ("mean_hu", "mean radiodensity", "HU"), ("fat_percent", "fat", "%"))


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

    # Structures in the order of the table of the first case, which lists what it lacks as well.
    order: dict[str, None] = field(default_factory=dict)
    marks: dict[str, Counter[str]] = field(default_factory=dict)
    values: dict[str, dict[str, list[np.ndarray]]] = field(default_factory=dict)
    scanners: Counter[str] = field(default_factory=Counter)
    # Who segmented, and the network that rated.
    makers: Counter[tuple[str, str]] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    review: list[ReviewEntry] = field(default_factory=list)
    cases: int = 0

    def take(self, cases: Mapping[str, FoundCase], gathered: GatheredCases) -> None:
        """Count cases that are done; `cases` has each by its name."""
        for facts in gathered.facts:
            self.cases += 1
            self.scanners[cases[facts["case"]].scanner or "not stated"] += 1
            self.makers[facts["segmented_by"] or "", facts["bundle"] or ""] += 1
            self.warnings.update(set(facts["warnings"] or ()))
        self._take_segments(gathered.segments)

    def _take_segments(self, table: Any) -> None:
        """Of half a million rows only those to look at become objects."""
        from pyarrow import compute

        def stated(name: str) -> Any:
            return compute.not_equal(compute.fill_null(table[name], ""), "")

        self.order |= dict.fromkeys(table["structure"].unique().to_pylist())
        marks = compute.if_else(stated("not_confirmed"), UNCONFIRMED_MARK, table["light"])
        marks = compute.if_else(stated("likely_wrong"), SUSPECT_MARK, marks)
        found = table.append_column("mark", marks).filter(compute.is_valid(table["volume_cc"]))
        for row in found.group_by(["structure", "mark"], use_threads=False).aggregate([([], "count_all")]).to_pylist():
            self.marks.setdefault(row["structure"], Counter())[row["mark"]] += row["count_all"]
        usable = compute.and_(compute.invert(stated("truncated_by")), compute.not_equal(table["light"], Light.RED.value))
        whole = table.filter(compute.and_(usable, compute.is_valid(table["volume_cc"])))
        columns = [column for column, _, _ in REPORTED_QUANTITIES]
        groups = whole.group_by("structure", use_threads=False).aggregate([(column, "list") for column in columns])
        for number, structure in enumerate(groups["structure"].to_pylist()):
            kept = self.values.setdefault(structure, {})
            for column in columns:
                values = groups[f"{column}_list"][number].values.drop_null()
                if len(values):
                    kept.setdefault(column, []).append(values.to_numpy())
        automatic = compute.equal(table["state"], ReviewState.AUTOMATIC.value)
        self.review += map(_entry, table.filter(compute.and_(stated("asks_for_a_look"), automatic)).to_pylist())

    def worst(self, most: int | None = None) -> list[ReviewEntry]:
        """What to look at over all cases, worst first; `most` of them."""
        if most is not None:
            return heapq.nsmallest(most, self.review, key=_order)
        return sorted(self.review, key=_order)

    def shares(self) -> list[tuple[str, int, list[tuple[str, str, int]]]]:
        """Per structure: how many segments were found, and (mark, its word, number) worst first."""
        return [
            (structure, sum(counts.values()), [(mark, word, counts[mark]) for mark, word in MARKS if counts[mark]])
            for structure in self.order
            if (counts := self.marks.get(structure))
        ]

    def distributions(self, column: str) -> list[tuple[str, Distribution]]:
        """Per structure the spread of a quantity over segments that are whole and not failed."""
        found = []
        for structure in self.order:
            kept = self.values.get(structure, {})
            if column in kept:
                values = np.concatenate(kept[column])
                bounds = tuple(float(bound) for bound in np.percentile(values, _PERCENTILES))
                found.append((structure, Distribution(len(values), bounds)))
        return found


def same_voxels(digests: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    """Case -> the first case with the same voxels, from (case, digest of the voxels); such repetitions have no file in common."""
    first: dict[str, str] = {}
    found = {}
    for case, digest in digests:
        if digest is not None and first.setdefault(digest, case) != case:
            found[case] = first[digest]
    return found


def _entry(row: Mapping[str, Any]) -> ReviewEntry:
    verdict = SUSPECT_WORD if row["likely_wrong"] else UNCONFIRMED_WORD if row["not_confirmed"] else Light(row["light"]).word
    words = row["case"], row["structure"], row["side"], verdict
    return ReviewEntry(row["expected_harm"] or 0.0, *words, row["failure_probability"], row["reasons"])


def _order(entry: ReviewEntry) -> tuple[float, str, str, str]:
    return -entry.harm, entry.case, entry.structure, entry.side
