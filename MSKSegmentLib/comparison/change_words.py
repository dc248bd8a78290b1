"""What page and panel say around a table of changes: words that are shown as they are, in one place."""

from __future__ import annotations

from collections.abc import Mapping

from .changes import ChangeVerdict
from .examination import Examination
from .intervals import FollowedQuantity

# "Compare" is taken: the review uses it for two results of one CT.
TITLE = "Before and after"
EARLIER_SCAN = "Earlier scan"
CHANGED_QUANTITIES: Mapping[FollowedQuantity, str] = {
    FollowedQuantity.VOLUME: "Volume (cc)",
    FollowedQuantity.MEAN_HU: "Mean density (HU)",
    FollowedQuantity.FAT: "Fat (% of voxels)",
}
VERDICTS: Mapping[ChangeVerdict, str] = {
    ChangeVerdict.REAL: "a real change",
    ChangeVerdict.WITHIN_ERROR: "within the error",
    ChangeVerdict.NOT_COMPARABLE: "not compared",
}
CHANGE_TABLE = ("Structure", "Before", "After", "Change", "Interval", "Verdict")
# Of a panel beside the views, which has room for five.
NARROW_CHANGE_TABLE = ("Structure", "Before", "After", "Change (interval)", "Verdict")
INTERVAL_NOTE = (
    "The interval holds the true change if the intervals of both results hold the true values. A change is real where it leaves "
    "out 0."
)
SAME_PATIENT = "The headers of both scans name the same patient."
PATIENT_NOT_KNOWN = "The headers do not tell whether both scans are of the same patient: make sure of it before you read the table."
NO_EARLIER = (
    "There is no result of another scan here. Segment the earlier scan into the same folder of results, or name its result with "
    "--previous."
)
CHOOSE_EARLIER = "Which result is that of the patient's earlier scan? Results hold no names of patients, so choose with care."
NO_EARLIER_CT = "The earlier scan is not at hand, so that its slices cannot be shown; its numbers are compared all the same."
NO_COMMON_LEVEL = "No anatomical level of this structure was found in both scans, so that no slices can be shown side by side."
OUTDATED = "The result was corrected since this table was made; compare again."
SAME_LEVEL = "Both slices lie at the same anatomical level, found from the bones of each scan; the scale is the same."


def dates(before: Examination, after: Examination) -> str:
    """Which result is held against which, with their dates."""
    return f"{_dated(before)} \u2192 {_dated(after)}"


def _dated(one: Examination) -> str:
    """The name of a result with the date of its scan, or else of its run."""
    day = (one.result.facts.date or "")[:10]
    return one.title if one.when or not day else f"{one.name} (segmented {day})"


def verdict_summary(counts: Mapping[ChangeVerdict, int]) -> str:
    """How many structures changed really, within the error, and were not compared, of one quantity."""
    return ", ".join(f"{counts.get(verdict, 0)} {word.removeprefix('a ')}" for verdict, word in VERDICTS.items())
