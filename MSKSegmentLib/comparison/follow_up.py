"""Two or more examinations of one patient put together: doubts, changes since the first, and every value over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ..anatomy import Segment
from ..errors import InputError, shown
from .changes import Change, ChangeVerdict, changes
from .doubt_sentences import ComparisonDoubt
from .doubts import blocked, bone_doubts, differing_conditions
from .examination import Examination, read_examination


@dataclass(frozen=True)
class ExaminationPair:
    """An examination held against the first one."""

    before: Examination
    after: Examination
    findings: tuple[ComparisonDoubt, ...]
    changes: tuple[Change, ...]

    def count(self, verdict: ChangeVerdict) -> int:
        """How many changes have this verdict."""
        return sum(change.verdict is verdict for change in self.changes)

    def segments(self, key: str) -> tuple[Segment, Segment] | None:
        """A segment of the later result by its key, as both results know it; None where the earlier one does not."""
        tables = [one.result.table.segments for one in (self.before, self.after)]
        before, after = (next((segment for segment in table if segment.key == key), None) for table in tables)
        return None if before is None or after is None else (before, after)


@dataclass(frozen=True)
class FollowUp:
    """Two or more examinations in their order, and the later ones held against the first."""

    examinations: tuple[Examination, ...]
    comparisons: tuple[ExaminationPair, ...]


def compare_examinations(before: Examination, after: Examination) -> ExaminationPair:
    """Hold two examinations of one patient against each other.

    Raises:
        InputError: both are results of the same scan.
    """
    digests = before.result.facts.input_digest, after.result.facts.input_digest
    if digests[0] and digests[0] == digests[1]:
        raise InputError(
            f"{shown(Path(before.name))} and {shown(Path(after.name))} are results of the same scan, so that nothing can have "
            "changed; name results of two dates."
        )
    found = differing_conditions(before, after)
    changed = changes(before.result, after.result, blocked(found))
    return ExaminationPair(before, after, (*found, *bone_doubts(changed)), changed)


def follow_up(examinations: Sequence[Examination]) -> FollowUp:
    """Put examinations together; the first is what the others are compared with.

    Raises:
        InputError: there are fewer than two, or two are of the same scan.
    """
    if len(examinations) < 2:
        raise InputError("One result alone shows no change; name the result folders of two or more dates.")
    first, *later = examinations
    return FollowUp(tuple(examinations), tuple(compare_examinations(first, one) for one in later))


def read_follow_up(folders: Sequence[Path], cts: Sequence[Path] = (), dates: Sequence[date] = ()) -> FollowUp:
    """Read result folders and put them together; `cts` and `dates`, where given, belong to the folders in their order.

    Raises:
        InputError: a folder cannot be used, or there are not as many scans or dates as folders.
    """
    for given, option in ((cts, "--ct"), (dates, "--date")):
        if given and len(given) != len(folders):
            raise InputError(
                f"{option} was given {len(given)} times for {len(folders)} results; give it once for each, in their order."
            )
    scans: list[Path | None] = [*cts] or [None] * len(folders)
    days: list[date | None] = [*dates] or [None] * len(folders)
    return follow_up([read_examination(folder, ct, when) for folder, ct, when in zip(folders, scans, days, strict=True)])
