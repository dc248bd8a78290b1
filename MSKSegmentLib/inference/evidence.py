"""The votes of the dropout passes of a slice for each structure, as sums: no array of passes x volume is kept.

Right and left are known only after the last slice. So that every sum can be given to a side afterwards, it is kept for `STRIPS`
strips along the slice's columns; a strip that holds both sides of a structure is shared between them (`quality.pass_sums`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ct.boxes import labelled
from ..measurement.density import FAT_BELOW_HU

# About 15 mm across a body: both sides of one structure hardly ever share a strip.
STRIPS = 32
# A mean probability below this does not change an entropy at the reported precision.
_NO_PROBABILITY = 1e-6


@dataclass(frozen=True)
class SliceEvidence:
    """Sums over the voxels of one sampled slice, by structure and strip; float32, on the network's grid.

    `level` is the slice's position in slices of the result, `passes` how many were drawn; `structures` ``[n]`` are the
    indices (from 1 on) that any pass or the mean predicts. ``[n, passes, STRIPS]``: `voxels` that a pass gives to the
    structure, `hu` the sum of their HU (clipped to the network's window) and `fat` how many are fat. ``[n, STRIPS]``:
    `squared_votes`, the sum of the squared number of passes that agree on a voxel; of the mean over the passes `mass`,
    the sum of its probability, `label`, the voxels of its likeliest class, `hit`, the sum of the probability inside
    these, and `entropy` likewise in nats.
    `maps` are the class maps of the passes, uint8 ``[passes, H, W]`` without padding, where they were asked for. Slices whose
    passes were drawn together have a `group` in common, a number; None: they are independent of those of all other slices. With
    several `members` pass n is one of network n modulo their number (`turns`).
    """

    level: float
    passes: int
    structures: np.ndarray
    voxels: np.ndarray
    hu: np.ndarray
    fat: np.ndarray
    squared_votes: np.ndarray
    mass: np.ndarray
    label: np.ndarray
    hit: np.ndarray
    entropy: np.ndarray
    maps: np.ndarray | None = None
    group: int | None = None
    members: int = 1


class PassVotes:
    """Gathers the evidence of one slice, pass after pass."""

    def __init__(
        self, hu: np.ndarray, classes: int, level: float = 0.0, strips: np.ndarray | None = None, keep: bool = False
    ) -> None:
        """For a slice `hu` float32 ``[H, W]`` and a network of so many classes, background included.

        `strips` ``[W]`` gives the strip (0..STRIPS - 1) of each column where the slice is a part of a wider one. With `keep` the
        class map of every pass is kept for `maps`.
        """
        #: The `SliceEvidence.group` of what comes out, and its `members`.
        self.group: int | None = None
        self.members = 1
        self._level = level
        self._kept: list[np.ndarray] | None = [] if keep else None
        self._shape = hu.shape
        self._classes = classes
        self._strip = np.broadcast_to(strips_of(hu.shape[1]) if strips is None else strips, hu.shape).ravel()
        self._hu = np.ascontiguousarray(hu, np.float32).ravel()
        self._fat = (self._hu < FAT_BELOW_HU).astype(np.float32)
        self._votes = np.zeros((classes, self._hu.size), np.uint16)
        self._passes: list[np.ndarray] = []

    def add(self, winners: np.ndarray) -> None:
        """Count one pass: the likeliest class of each voxel, uint8 ``[H, W]``; further rows and columns (padding) do not count."""
        height, width = self._shape
        flat = np.ascontiguousarray(winners[:height, :width]).ravel()
        if self._kept is not None:
            self._kept.append(flat.reshape(height, width).astype(np.uint8))
        where = labelled(flat)
        found = flat[where].astype(np.intp)
        self._votes[found, where] += 1
        cell = found * STRIPS + self._strip[where]
        sums = [np.bincount(cell, weights, self._classes * STRIPS) for weights in (None, self._hu[where], self._fat[where])]
        self._passes.append(np.stack(sums).astype(np.float32).reshape(3, self._classes, STRIPS))

    @property
    def maps(self) -> np.ndarray | None:
        """The class maps of the passes so far, uint8 ``[passes, H, W]``, where they are kept."""
        return np.stack(self._kept) if self._kept else None

    def result(self, probability: np.ndarray) -> SliceEvidence:
        """The evidence, given the mean over the passes: float32 ``[classes, H, W]``, padding allowed.

        Raises:
            ValueError: no pass was counted.
        """
        if not self._passes:
            raise ValueError("no pass was counted")
        height, width = self._shape
        mean = probability[:, :height, :width].reshape(self._classes, -1)
        winner = likeliest(mean)
        by_pass = np.stack(self._passes, axis=2)
        structures = np.flatnonzero(by_pass[0].any(axis=(1, 2)) | (np.bincount(winner, minlength=self._classes) > 0))
        structures = structures[structures > 0]
        uncertain = _entropy(mean)
        planes = np.empty((5, structures.size, STRIPS), np.float32)
        for row, index in enumerate(structures):
            inside, agreed = np.flatnonzero(winner == index), np.flatnonzero(self._votes[index])
            votes = self._votes[index][agreed].astype(float)
            planes[0, row] = np.bincount(self._strip[agreed], votes * votes, STRIPS)
            planes[1, row] = np.bincount(self._strip, mean[index], STRIPS)
            planes[2, row] = np.bincount(self._strip[inside], None, STRIPS)
            planes[3, row] = np.bincount(self._strip[inside], mean[index][inside], STRIPS)
            planes[4, row] = np.bincount(self._strip[inside], uncertain[inside], STRIPS)
        voxels, hu, fat = by_pass[:, structures]
        squared, mass, label, hit, entropy = planes
        level, passes = self._level, len(self._passes)
        sums = voxels, hu, fat, squared, mass, label, hit, entropy
        return SliceEvidence(level, passes, structures, *sums, self.maps, self.group, self.members)


def strips_of(width: int) -> np.ndarray:
    """The strip of each of `width` columns: ``[width]``, 0..STRIPS - 1."""
    return (np.arange(width) * STRIPS // width).astype(np.intp)


def likeliest(probability: np.ndarray, total: float = 1.0) -> np.ndarray:
    """`argmax` over the first axis of float32 ``[classes, ...]``, which sums up to `total`, several times as fast; uint8."""
    # The likeliest of n classes has at least 1/n: most classes need not be looked at. (.99: they may not sum up to quite 1.)
    peaks = probability.reshape(len(probability), -1).max(axis=1)
    candidates = np.flatnonzero(peaks > 0.99 * total / len(probability))
    if not candidates.size:
        return probability.argmax(axis=0).astype(np.uint8)
    best = probability[candidates[0]].copy()
    winner = np.full(best.shape, candidates[0], np.uint8)
    for index in candidates[1:]:
        plane = probability[index]
        winner[plane > best] = index
        np.maximum(best, plane, out=best)
    return winner


def _entropy(mean: np.ndarray) -> np.ndarray:
    """Entropy in nats of probabilities ``[classes, n]``."""
    total = np.zeros(mean.shape[1], np.float32)
    for plane in mean:
        some = np.flatnonzero(plane > _NO_PROBABILITY)
        total[some] -= plane[some] * np.log(plane[some])
    return total
