"""A structure taken from another result of the same CT: a correction like one by hand, which says where it comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..ct.boxes import Box, label_boxes
from ..errors import InputError
from ..review import ReviewSession
from ..review.masks import SegmentMask
from .known import source_of
from .pair import ResultPair

_AUTHOR = "mskseg agreement --take"


def take_segments(pair: ResultPair, names: Sequence[str]) -> ReviewSession:
    """The review of the first result after segments of these names (keys such as ``GMAX_left``, or ``GMAX`` for both sides) were
    taken from the second one.

    Voxels that a taken segment gains are lost by others, which then count as edited, too. Nothing is judged.

    Raises:
        InputError: there is no such segment in both results, or the second one has no voxel of it.
    """
    keys = _keys(pair, names)
    boxes = label_boxes(pair.other_labels)
    label_of = {key: pair.table.segment(key).label for key in keys}
    absent = [key for key in keys if label_of[key] not in boxes]
    if absent:
        raise InputError(f"The second result has nothing of {', '.join(absent)}; take structures that it has.")
    session = ReviewSession.of_stored(pair.first, pair.volume, _AUTHOR)
    session.edit({key: mask_of_other(pair, key, boxes) for key in keys}, source_of(pair.second.result.facts))
    return session


def mask_of_other(pair: ResultPair, key: str, boxes: Mapping[int, Box]) -> SegmentMask:
    """The voxels that the second result gives a segment; `boxes` are those of its labels (`ct.boxes.label_boxes`).

    Raises:
        KeyError: it gives none.
    """
    label = pair.table.segment(key).label
    return SegmentMask.of_labels(pair.other_labels, label, boxes[label])


def _keys(pair: ResultPair, names: Sequence[str]) -> list[str]:
    """The keys of the segments of these names, in the order of the table.

    Raises:
        InputError: a name is none of those that both results have.
    """
    table = pair.table
    wanted = {name.casefold() for name in names}
    known = {
        key: {key.casefold(), table.segment(key).structure.abbreviation.casefold(), table.segment(key).name.casefold()}
        for key in pair.takeable
    }
    unknown = [name for name in names if not any(name.casefold() in texts for texts in known.values())]
    if unknown:
        raise InputError(f"No structure that both results know is called {unknown[0]!r}; known are {', '.join(known)}.")
    return [key for key, texts in known.items() if texts & wanted]
