"""What rating adds in words: where a mask disagrees with the network, what it lacks, whose the lights are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..case_result import SegmentReport
from ..ct.volume import Geometry
from ..findings import Finding, warning
from .agreement import PassAgreement

# Findings of this package, which a new rating replaces, and that of an import, which is judged now.
CODES = ("not_judged", "rated", "not_rated", "missing_in_mask", "tight_borders")
# Less than this share of a segment in slices of disagreement is not worth a sentence.
_TOLD_SHARE = 0.03
MOST_STRETCHES = 4
# A border is tighter than the network's where nearly all of the mask lies inside and it is so much smaller.
INSIDE_SHARE = 0.95
TIGHT_BELOW = 0.85
# Of so many of the judged segments the borders must be tight to be a habit of whoever drew them.
HABIT_SHARE = 0.5
FEWEST_FOR_HABIT = 5


def disagreement_reasons(agreement: PassAgreement, slices: Sequence[int]) -> tuple[str, ...]:
    """Where a segment disagrees with the network, and whether its border is tighter; `slices` are the CT's numbers."""
    reasons = []
    if agreement.disagreeing_share >= _TOLD_SHARE:
        named = stretches([slices[k] for k in np.flatnonzero(agreement.disagreeing).tolist()], _step(slices))
        reasons.append(f"it disagrees with the network in the slices {named}")
    if is_tight(agreement):
        reasons.append(f"its border lies inside the network's all around (volume ratio {agreement.volume_ratio:.2f})")
    return tuple(reasons)


def is_tight(agreement: PassAgreement) -> bool:
    """Whether the border lies inside the network's."""
    ratio = agreement.volume_ratio
    return ratio is not None and ratio < TIGHT_BELOW and agreement.inside_share >= INSIDE_SHARE


def jump_reason(jumping: np.ndarray, slices: Sequence[int]) -> tuple[str, ...]:
    """In which slices the outline jumps; `jumping` is bool over the view's slices."""
    where = [slices[k] for k in np.flatnonzero(jumping).tolist()]
    return (f"it is missing or jumps in the slices {stretches(where, _step(slices))}",) if where else ()


def _step(slices: Sequence[int]) -> int:
    return max(1, abs(slices[1] - slices[0])) if len(slices) > 1 else 1


def stretches(numbers: Iterable[int], step: int) -> str:
    """Slice numbers as stretches, the longest first: "120-150, 40".

    >>> stretches([1, 2, 3, 9], 1)
    '1-3, 9'
    """
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number - found[-1][1] <= step:
            found[-1][1] = number
        else:
            found.append([number, number])
    found.sort(key=lambda ends: ends[0] - ends[1])
    texts = [f"{first}-{last}" if last > first else str(first) for first, last in found[:MOST_STRETCHES]]
    more = len(found) - MOST_STRETCHES
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def slice_numbers(view: Geometry, ct: Geometry, axis: int) -> list[int]:
    """The CT's slice nearest to each slice of the view; `axis` is the CT's index axis along the body."""
    middle = [(size - 1) / 2 for size in view.size[:2]]
    points = view.to_physical([(middle[0], middle[1], k) for k in range(view.size[2])])
    return [int(np.clip(round(index[axis]), 0, ct.size[axis] - 1)) for index in ct.to_index(points)]


def rating_findings(
    judged: Sequence[SegmentReport], bundle: str, missing: Sequence[str], tight: int, calibrated: bool
) -> tuple[Finding, ...]:
    """Whose the lights are, which structures the mask lacks, and whether its borders are tighter than the network's.

    `judged` are the reports of segments that were judged, `bundle` the name of the network's, `tight` counts those whose border is.
    """
    found = []
    if calibrated:
        sentence = (
            f"The lights of {len(judged)} structures are those of 'mskseg rate', which compared the given segmentation with the "
            f"network of {bundle}: where both disagree, either may be right."
        )
        found.append(warning("rated", sentence))
    else:
        sentence = (
            f"The segmentation was compared with the network of {bundle}, but cannot be judged: that bundle is not calibrated for "
            "masks that others made (see 'mskseg calibrate --masks')."
        )
        found.append(warning("not_rated", sentence))
    if missing:
        sentence = f"The segmentation lacks structures that the network finds in this scan: {', '.join(missing)}."
        found.append(warning("missing_in_mask", sentence))
    if len(judged) >= FEWEST_FOR_HABIT and tight >= HABIT_SHARE * len(judged):
        found.append(
            warning(
                "tight_borders",
                f"Borders of {tight} of {len(judged)} structures lie inside the network's all around: whoever drew them may leave "
                "out the rim by convention, which makes volumes smaller.",
            )
        )
    return tuple(found)
