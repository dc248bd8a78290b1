"""Which muscles may be on the wrong side, where no bone shows the median surface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..anatomy import LEFT_OFFSET, Segment, Side, Structure
from ..findings import Finding, warning
from .canvas import Canvas
from .components import Parts
from .leftovers import Sizes

# A structure is in doubt from this share of its smaller side on.
UNSURE_SHARE = 0.1


def unsure_sides(doubtful: Sequence[tuple[Parts, Sizes]], canvas: Canvas, field: np.ndarray) -> tuple[Finding, ...]:
    """A finding for either side of each structure of which a part may be on the wrong side.

    Components that were not clear by the first side field went where their neighbours are, or were cut there. That part is in doubt
    which the first field puts on the other side; and the whole of a component that lies at the median surface by it.

    Args:
        doubtful: those components, each alone, and how near to the surface it is in doubt.
        canvas: the labels, finished.
        field: the first side field on the coarse grid, in mm.
    """
    unsure: dict[Structure, int] = {}
    for parts, sizes in doubtful:
        labels, first = canvas.labels[parts.slices], canvas.grid.enlarged(field, parts.slices)
        inside = (parts.ids > 0) & (labels > 0)
        differ = inside & ((labels > LEFT_OFFSET) != (first > 0))
        near = bool(inside.any()) and abs(float(first[inside].mean())) < sizes.near[0]
        unsure[parts.structure] = unsure.get(parts.structure, 0) + int(np.count_nonzero(inside if near else differ))
    found = []
    for structure, count in unsure.items():
        segments = [Segment(structure, side) for side in (Side.RIGHT, Side.LEFT)]
        sizes_of = {segment: int(np.count_nonzero(canvas.labels == segment.label)) for segment in segments} if count else {}
        present = [segment for segment, size in sizes_of.items() if size]
        if present and count > UNSURE_SHARE * min(sizes_of[segment] for segment in present):
            found += [_finding(segment) for segment in present]
    return tuple(found)


def _finding(segment: Segment) -> Finding:
    sentence = f"A part of this segment may belong to the other side: {segment.name}. Check right and left near the midline."
    return warning("side_unsure", sentence, segment.key)
