"""What page and panel say around a table of changes, in one place and in English: translated where they are shown."""

from __future__ import annotations

from collections.abc import Mapping

from ..language.catalogue import Words, tr
from ..language.catalogue import noted as N_
from .changes import ChangeVerdict
from .examination import Examination
from .intervals import FollowedQuantity

# "Compare" is taken: the review uses it for two results of one CT.
EARLIER_SCAN = N_("Earlier scan")
CHANGED_QUANTITIES: Mapping[FollowedQuantity, str] = {
    FollowedQuantity.VOLUME: N_("Volume (cc)"),
    FollowedQuantity.MEAN_HU: N_("Mean density (HU)"),
    FollowedQuantity.FAT: N_("Fat (% of voxels)"),
}
VERDICTS: Mapping[ChangeVerdict, str] = {
    ChangeVerdict.REAL: N_("a real change"),
    ChangeVerdict.WITHIN_ERROR: N_("within the error"),
    ChangeVerdict.NOT_COMPARABLE: N_("not compared"),
}
BEFORE, AFTER = N_("Before"), N_("After")
CHANGE_TABLE = (N_("Structure"), BEFORE, AFTER, N_("Change"), N_("Interval"), N_("Verdict"))
# Of a panel beside the views, which has room for five.
NARROW_CHANGE_TABLE = (N_("Structure"), BEFORE, AFTER, N_("Change (interval)"), N_("Verdict"))
INTERVAL_NOTE = N_(
    "The interval holds the true change if the intervals of both results hold the true values. A change is real where it leaves "
    "out 0."
)
SAME_PATIENT = N_("The headers of both scans name the same patient.")
PATIENT_NOT_KNOWN = N_(
    "The headers do not tell whether both scans are of the same patient: make sure of it before you read the table."
)
NO_EARLIER = N_(
    "There is no result of another scan here. Segment the earlier scan into the same folder of results, or name its result with "
    "--previous."
)
CHOOSE_EARLIER = N_("Which result is that of the patient's earlier scan? Results hold no names of patients, so choose with care.")
NO_EARLIER_CT = N_("The earlier scan is not at hand, so that its slices cannot be shown; its numbers are compared all the same.")
NO_COMMON_LEVEL = N_("No anatomical level of this structure was found in both scans, so that no slices can be shown side by side.")
OUTDATED = N_("The result was corrected since this table was made; compare again.")
SAME_LEVEL = N_("Both slices lie at the same anatomical level, found from the bones of each scan; the scale is the same.")

# Why a segment is not compared, at one date or at both, or at all: `usable`, `changes`, `doubts`.
_REASONS = (
    N_("not found"),
    N_("cut by the scan"),
    N_("corrected, but not accepted"),
    N_("failed (red light)"),
    N_("not rated (grey light)"),
    N_("by hand at one date only: review and accept it at the other one too"),
    N_("its error is not known: the result has no interval for it"),
    N_("the headers name different patients"),
    N_("one scan has a contrast medium, the other has none"),
    N_("the tube voltages differ"),
    N_("the scans differ in noise or sharpness"),
)
_WHEN = {" before": N_("{reason} before"), " after": N_("{reason} after"), " at both dates": N_("{reason} at both dates")}


def dates(before: Examination, after: Examination) -> str:
    """Which result is held against which, with their dates."""
    return f"{_dated(before)} \u2192 {_dated(after)}"


def _dated(one: Examination) -> str:
    """The name of a result with the date of its scan, or else of its run."""
    day = (one.result.facts.date or "")[:10]
    return one.title if one.when or not day else tr("{name} (segmented {date})").format(name=one.name, date=day)


def verdict_summary(counts: Mapping[ChangeVerdict, int]) -> str:
    """How many structures changed really, within the error, and were not compared, of one quantity."""
    numbers = {verdict.name.lower(): counts.get(verdict, 0) for verdict in VERDICTS}
    return tr("{real} real change, {within_error} within the error, {not_comparable} not compared").format(**numbers)


def told_exclusion(reason: str, words: Words) -> str:
    """Why a number is not compared, in the language of `words`; English where the catalogue lacks it."""
    for ending, form in _WHEN.items():
        base = reason.removesuffix(ending)
        if base != reason and base in _REASONS:
            return words.gettext(form).format(reason=words.gettext(base))
    return words.gettext(reason)
