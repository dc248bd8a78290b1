"""The votes of all dropout passes for each segment: sums over the slices, assigned to right and left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..anatomy import LEFT_OFFSET, StructureTable
from ..ct.boxes import labelled
from ..inference.evidence import STRIPS, SliceEvidence, strips_of

# The segment's area that the worst slices make up together.
LOW_SLICE_SHARE = 0.1


@dataclass
class PassSums:
    """Sums over the slices for one segment, all on the network's grid; from them the scores follow.

    `size` is the mean number of voxels per pass and `shared` that of two passes together, over all pairs. `mass`, `label`, `hit`,
    `entropy`: see `SliceEvidence`. `slices` holds for each slice of at least two passes (pairwise Dice coefficient, mean voxels),
    `passes` the voxels, HU sums and fat voxels of each pass, ``[3, passes]`` per slice, or per `group` of slices whose passes were
    drawn together: their errors go together, so that only whole groups are independent draws. Of several `members`
    (networks that draw in turn) each errs in its own way in all slices.
    """

    size: float = 0.0
    shared: float = 0.0
    mass: float = 0.0
    label: float = 0.0
    hit: float = 0.0
    entropy: float = 0.0
    slices: list[tuple[float, float]] = field(default_factory=list)
    passes: list[np.ndarray] = field(default_factory=list)
    group: int | None = None
    members: int = 1

    def add(self, by_pass: np.ndarray, over_passes: np.ndarray, group: int | None = None, members: int = 1) -> None:
        """Add a slice: voxels, HU and fat by pass ``[3, passes]``; squared votes, mass, label, hit and entropy ``[5]``.

        `group` and `members` are those of the slice's `SliceEvidence`; the slices of a group are added one after the other.
        """
        self.members = members
        voxels = by_pass[0]
        count = voxels.size
        squared, mass, label, hit, entropy = map(float, over_passes)
        self.mass += mass
        self.label += label
        self.hit += hit
        self.entropy += entropy
        if group is not None and group == self.group:
            self.passes[-1] = self.passes[-1] + by_pass
        else:
            self.passes.append(by_pass)
        self.group = group
        total = float(voxels.sum())
        if count < 2 or total <= 0:
            return
        size, shared = total / count, max(0.0, squared - total) / (count * (count - 1))
        self.size += size
        self.shared += shared
        self.slices.append((min(1.0, shared / size), size))

    def pairwise_dice(self) -> float | None:
        """Mean Dice coefficient between two passes, as a ratio of sums; None with fewer than two passes."""
        return min(1.0, self.shared / self.size) if self.size else None

    def pairwise_iou(self) -> float | None:
        """Mean intersection over union between two passes, as a ratio of sums."""
        return min(1.0, self.shared / (2 * self.size - self.shared)) if self.size else None

    def low_slice_dice(self) -> float | None:
        """The pairwise Dice coefficient of single slices that a tenth of the segment's area stays below."""
        if not self.slices:
            return None
        scores, weights = np.array(sorted(self.slices)).T
        return float(scores[np.searchsorted(np.cumsum(weights), LOW_SLICE_SHARE * weights.sum())])

    def volume_cv(self) -> float | None:
        """Coefficient of variation of the volume over the passes."""
        variance = self._variance([passes[0] for passes in self.passes if passes.shape[1] > 1])
        return float(np.sqrt(variance)) / self.size if self.size else None

    def soft_dice(self) -> float | None:
        """2 sum(p y) / (sum p + sum y); None where nothing was predicted."""
        return 2 * self.hit / (self.mass + self.label) if self.label else None

    def mean_entropy(self) -> float | None:
        """Mean entropy in nats inside the label."""
        return self.entropy / self.label if self.label else None

    def sd_of_mean(self, quantity: int) -> float | None:
        """Standard deviation over the passes of the mean HU (quantity 1) or the fat fraction (2) inside the segment.

        As for every ratio of sums h / v: the variance of the sum of h - r v, with r the mean ratio, over the mean v squared.
        """
        usable = [passes for passes in self.passes if passes.shape[1] > 1]
        size = sum(_of_each([passes[0] for passes in usable], lambda rows: rows.mean(axis=1)))
        if not size:
            return None
        ratio = sum(_of_each([passes[quantity] for passes in usable], lambda rows: rows.mean(axis=1))) / size
        variance = self._variance([passes[quantity] - ratio * passes[0] for passes in usable])
        return float(np.sqrt(variance)) / size

    def _variance(self, draws: Sequence[np.ndarray]) -> float:
        """Variance over the passes of the sum of independent draws, ``[passes]`` each, two passes or more.

        Dropout draws anew in every slice, so that its variances add up; members differ in the same way in all slices, so that the
        variance of their sums is added: analysis of variance with the member as a random effect.
        """
        members = min(self.members, *(draw.size for draw in draws)) if draws else 1
        if members == 1:
            return sum(_of_each(draws, lambda rows: rows.var(axis=1, ddof=1)))
        sums, within, noise = np.zeros(members), 0.0, 0.0
        for draw in draws:
            turns = [draw[member::members] for member in range(members)]
            sums += [turn.mean() for turn in turns]
            freedom = draw.size - members
            if freedom > 0:
                own = sum(float(((turn - turn.mean()) ** 2).sum()) for turn in turns) / freedom
                within += own
                # What dropout alone makes the means of members differ by.
                noise += own * members / draw.size
        return within + max(0.0, float(sums.var(ddof=1)) - noise)


def _of_each(draws: Sequence[np.ndarray], statistic: Callable[[np.ndarray], np.ndarray]) -> list[float]:
    """A statistic of each draw ``[passes]``, in order; `statistic` takes ``[draws, passes]``, all of one length, at once."""
    found = np.zeros(len(draws))
    for size in {draw.size for draw in draws}:
        of_size = [number for number, draw in enumerate(draws) if draw.size == size]
        found[of_size] = statistic(np.stack([draws[number] for number in of_size]))
    return found.tolist()


def sums_by_segment(evidence: Iterable[SliceEvidence], sides: Sides) -> dict[int, PassSums]:
    """Label with side -> sums, for every segment that any pass predicted.

    Args:
        evidence: of the slices of one CT.
        sides: of the result on the grid that the network was run on. A strip's sums go to the side that the labels of the
            structure have there; where they have none (a pass saw what the result lacks), to that of other labels.
    """
    sums: dict[int, PassSums] = {}
    for slice_evidence in evidence:
        left_share = sides.at(slice_evidence.level)
        for row, index in enumerate(map(int, slice_evidence.structures)):
            by_pass = np.stack([slice_evidence.voxels[row], slice_evidence.hu[row], slice_evidence.fat[row]]).astype(float)
            over = np.stack(
                [
                    plane[row]
                    for plane in (
                        slice_evidence.squared_votes,
                        slice_evidence.mass,
                        slice_evidence.label,
                        slice_evidence.hit,
                        slice_evidence.entropy,
                    )
                ]
            )
            left = left_share(index)
            for label, share in ((index, 1 - left), (index + LEFT_OFFSET, left)):
                seen, total = by_pass @ share, over.astype(float) @ share
                if seen[0].any() or total[2]:
                    own = sums.setdefault(label, PassSums())
                    own.add(seen, total, slice_evidence.group, slice_evidence.members)
    return sums


class Sides:
    """Which side each strip of a slice belongs to, from a label map with sides ``[z, y, x]``."""

    def __init__(self, labels: np.ndarray, table: StructureTable) -> None:
        self._labels = labels
        self._unpaired = frozenset(table.unpaired)
        self._paired = [structure.index for structure in table.structures if structure.paired]
        self._strip = np.broadcast_to(strips_of(labels.shape[2]), labels.shape[1:]).ravel()
        self._all = sum((self._counts(plane) for plane in labels), np.zeros((256, STRIPS)))
        self._somewhere = _filled(_share(*self._both(self._all)), np.full(STRIPS, 0.5))
        self._known: dict[int, Callable[[int], np.ndarray]] = {}

    @property
    def voxels(self) -> np.ndarray:
        """Voxels of each label, ``[256]``."""
        return self._all.sum(axis=1)

    def at(self, level: float) -> Callable[[int], np.ndarray]:
        """Of the slice nearest to a level: a function from a structure's index to the share of the left side, ``[STRIPS]``."""
        k = round(level)
        if k not in self._known:
            self._known[k] = self._of_slice(k)
        return self._known[k]

    def _of_slice(self, k: int) -> Callable[[int], np.ndarray]:
        here = self._counts(self._labels[k])
        general = _filled(_share(*self._both(here)), self._somewhere)

        def left_share(index: int) -> np.ndarray:
            if index in self._unpaired:
                return np.zeros(STRIPS)
            own = _share(here[index], here[index + LEFT_OFFSET])
            return np.where(np.isnan(own), general, own)

        return left_share

    def is_left(self, index: int, level: float, strip: int) -> bool:
        """Whether something of a structure in a strip of a slice lies on the left."""
        return bool(self.at(level)(index)[strip] > 0.5)

    def _counts(self, plane: np.ndarray) -> np.ndarray:
        where = labelled(plane)
        cells = plane.ravel()[where].astype(np.intp) * STRIPS + self._strip[where]
        return np.bincount(cells, minlength=256 * STRIPS).reshape(256, STRIPS).astype(float)

    def _both(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        paired = np.array(self._paired, dtype=np.intp)
        return counts[paired].sum(axis=0), counts[paired + LEFT_OFFSET].sum(axis=0)


def _share(right: np.ndarray, left: np.ndarray) -> np.ndarray:
    total = right + left
    return np.where(total > 0, left / np.maximum(total, 1), np.nan)


def _filled(share: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Gaps filled from the strips beside them; all of `otherwise` where nothing is known."""
    given_strips = np.flatnonzero(~np.isnan(share))
    return np.interp(np.arange(STRIPS), given_strips, share[given_strips]) if given_strips.size else otherwise
