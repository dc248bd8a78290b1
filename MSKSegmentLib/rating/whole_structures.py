"""Structures that a mask has as one and the network in parts: the network's parts put together, so that both can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..anatomy import Segment, StructureTable
from ..case_result import Scores
from ..foreign.merged import MergedStructure, merged_structures, with_merged
from ..quality.pass_sums import PassSums
from .network_view import NetworkView


def wholes_in(mask: np.ndarray, given: StructureTable, table: StructureTable) -> tuple[MergedStructure, ...]:
    """The structures that a mask uint8 ``[z, y, x]`` of the structures `given` has as one and a network of `table` in parts."""
    known, asked = ({structure.abbreviation for structure in one.structures} for one in (table, given))
    found = []
    for whole in merged_structures():
        name, parts = whole.structure.abbreviation, set(whole.parts)
        labels = [segment.label for segment in given.segments if segment.structure.abbreviation in parts]
        if name in asked and name not in known and parts <= known and not np.isin(mask, labels).any():
            found.append(whole)
    return tuple(found)


def with_wholes(
    view: NetworkView, table: StructureTable, wholes: Sequence[MergedStructure]
) -> tuple[NetworkView, StructureTable, frozenset[int]]:
    """The view with the parts of these structures as one.

    Returns:
        The view, the table of what it shows (`table` with the structures at its end), and the labels of their
        segments, whose scores tell how far the passes agree on the whole.
    """
    if not wholes:
        return view, table, frozenset()
    extended = with_merged(table, {whole.structure.abbreviation for whole in wholes})
    numbers = np.arange(256, dtype=np.uint8)
    labels = set()
    for whole in wholes:
        structure = extended.structure(whole.structure.abbreviation)
        parts = [extended.structure(part) for part in whole.parts]
        for side in structure.sides:
            label = Segment(structure, side).label
            numbers[[Segment(part, side).label for part in parts]] = label
            labels.add(label)
    passes = numbers[view.passes]
    scores = {label: found for label, found in view.scores.items() if numbers[label] == label}
    scores.update((label, _scores(passes == label)) for label in labels)
    return replace(view, passes=passes, own=numbers[view.own], scores=scores), extended, frozenset(labels)


def _scores(drawn: np.ndarray) -> Scores:
    """How far passes agree on a segment, bool ``[passes, z, y, x]``."""
    sums = PassSums()
    for k in range(drawn.shape[1]):
        votes = drawn[:, k].sum(axis=0, dtype=np.int64)
        voxels = drawn[:, k].sum(axis=(1, 2))
        sums.add(np.stack([voxels, 0 * voxels, 0 * voxels]).astype(float), np.array([(votes**2).sum(), 0, 0, 0, 0]))
    return Scores(pairwise_dice=sums.pairwise_dice(), low_slice_dice=sums.low_slice_dice())
