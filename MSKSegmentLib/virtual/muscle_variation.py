"""Bodies of varied proportions: each muscle of an atlas gets its own size, length, position and border, beyond the labelled bodies.

People differ muscle by muscle, so that no interpolation between two bodies yields a third person. Sizes and ends are drawn evenly
(in Latin hypercubes over seeds), so that few bodies cover the range; bones, joints and cartilage stay unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..anatomy import LEFT_OFFSET
from ..anatomy.built_in import HIP_AND_THIGH
from .atlas import MIRRORED_EXTRA_OFFSET, OTHER_MUSCLE, Atlas
from .deformation import smooth_field
from .muscle_contest import Claim, Rules, settle
from .muscle_fields import MUSCLES, Anatomy, Part, anatomy_of

# Largest volume relative to the atlas (the smallest is its inverse) of small, large and other muscles.
_SMALL, _LARGE, _OTHER = 2.1, 1.45, 1.2
# Right and left share a drawn size and differ by up to this factor.
_SIDE = 1.25
_LARGE_MUSCLES = ("GMAX", "GMED", "AD", "BF", "SM", "VLVI", "VM")
# An end moves inwards by up to this share of the length and this many mm, outwards by up to half of both.
_SHORTER, _MOST_SHORTER_MM = 0.12, 40.0
# Number of consecutive seeds that share a Latin hypercube: each takes another part of every range.
BLOCK = 32
# What is drawn for each structure: size, difference of the sides, lower end, upper end.
_DRAWS = 4
_STREAM = 6


@dataclass(frozen=True)
class MuscleChange:
    """How one muscle differs from the atlas.

    `size` is the drawn position in the range of volumes, -1..1; `lower` and `upper` are how far the ends move outwards, as a share
    of the length; `shift` is the standard deviation in mm of its smooth displacement along each axis; `uneven` that of its
    thickness, as a share; `taken` the share of the room it gives up that its neighbours take; the rest becomes fat.
    """

    size: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    shift: float = 0.0
    uneven: float = 0.0
    taken: float = 0.0


@dataclass(frozen=True)
class MuscleVariation:
    """A change for each muscle by label; `gap` is the largest thickness in mm of fat between neighbours (drawn for each pair)."""

    changes: dict[int, MuscleChange]
    gap: float = 0.0


def draw_variation(seed: int) -> MuscleVariation:
    """The variation of that seed. Each block of `BLOCK` seeds (0 to 31, 32 to 63, ...) is a Latin hypercube of sizes and ends."""
    muscles = [structure.index for structure in HIP_AND_THIGH.structures if not structure.is_bone]
    kinds = [*muscles, OTHER_MUSCLE]
    block, place = divmod(seed, BLOCK)
    strata = np.tile(np.arange(BLOCK), (_DRAWS * len(kinds), 1))
    order = np.random.default_rng((block, _STREAM, 0)).permuted(strata, axis=1)[:, place]
    rng = np.random.default_rng((seed, _STREAM))
    drawn = ((order + rng.random(len(order))) / BLOCK).reshape(len(kinds), _DRAWS)
    loose = rng.uniform(0.3, 1.0)
    changes = {}
    for kind, (size, sides, lower, upper) in zip(kinds, drawn, strict=True):
        offset = MIRRORED_EXTRA_OFFSET if kind == OTHER_MUSCLE else LEFT_OFFSET
        for side, label in ((-1, kind), (1, kind + offset)):
            jitter = rng.normal(0, 0.1, 2)
            changes[label] = MuscleChange(
                size=float(2 * size - 1 + side * (sides - 0.5) * 2 * np.log(_SIDE) / np.log(_SMALL) / 2),
                lower=_end(lower + jitter[0]),
                upper=_end(upper + jitter[1]),
                shift=float(loose * rng.uniform(0.5, 4.5)),
                uneven=float(rng.uniform(0.03, 0.22)),
                taken=float(rng.choice([0.0, rng.uniform(0, 1)])),
            )
    return MuscleVariation(changes, gap=float(rng.choice([0.0, rng.uniform(0, 5)], p=[0.3, 0.7])))


def vary_muscles(atlas: Atlas, variation: MuscleVariation, seed: int, grid_mm: float = 2.0) -> tuple[Atlas, dict[int, float]]:
    """An atlas of the same bones with other muscles, on a grid of about `grid_mm`, and the volume factor of each muscle by label.

    A muscle may take unlabelled voxels and, where its pressure is higher, its neighbours'; it never takes bone, cartilage,
    ligaments, joint spaces or voxels of the other side. Voxels that it gives up become unlabelled (0) or its neighbours'.
    """
    anatomy = anatomy_of(atlas, grid_mm)
    rng = np.random.default_rng((seed, _STREAM + 1))
    streams = rng.spawn(len(MUSCLES))
    claims = []
    for part in anatomy.parts:
        own = streams[MUSCLES.index(part.label)]
        claims.append(_claim(part, variation.changes.get(part.label, MuscleChange()), anatomy, own))
    count = len(claims)
    gaps = np.triu(variation.gap * np.clip(rng.uniform(-0.5, 1, (count, count)), 0, 1), 1)
    labels = settle(anatomy, claims, Rules((gaps + gaps.T).astype(np.float32)))
    sizes = np.bincount(labels.ravel(), minlength=256)
    got = {part.label: float(sizes[part.label] / part.voxels) for part in anatomy.parts}
    return replace(atlas, labels=labels, spacing=anatomy.spacing), got


def varied_atlas(atlas: Atlas, seed: int) -> tuple[Atlas, dict[str, float]]:
    """The atlas with the muscles of that seed, and their sizes relative to the atlas by label, for the facts of a patient."""
    varied, sizes = vary_muscles(atlas, draw_variation(seed), seed)
    return varied, {str(label): round(size, 3) for label, size in sizes.items()}


def size_factor(label: int, change: MuscleChange) -> float:
    """The volume, relative to the atlas, that a change aims at for the muscle of that label."""
    segment = HIP_AND_THIGH.segment_of_label(label)
    if segment is None:
        return float(_OTHER**change.size)
    return float((_LARGE if segment.structure.abbreviation in _LARGE_MUSCLES else _SMALL) ** change.size)


def _claim(part: Part, change: MuscleChange, anatomy: Anatomy, rng: np.random.Generator) -> Claim:
    """The surface and volume that a muscle should get, before its neighbours are considered."""
    from scipy import ndimage

    spacing = np.asarray(anatomy.spacing)
    local = tuple(part.local)
    source = part.local.astype(np.float32)
    shape = part.distance.shape
    if change.shift:
        # Muscle near bone hardly moves, so that it stays on the bone.
        loose = np.clip(anatomy.to_bone[part.box][local] / 12.0, 0.1, 1.0)
        for axis in range(3):
            field = smooth_field(rng, shape, anatomy.spacing, ((70.0, 1.0), (30.0, 0.3)))
            source[axis] -= change.shift * loose * field[local] / spacing[axis]
    stretch = _stretch(part, change)
    source -= part.axis[:, None] * stretch / spacing[:, None]
    distance = ndimage.map_coordinates(part.distance, source, order=1, mode="nearest", prefilter=False)
    uneven = np.zeros(len(part.points), np.float32)
    if change.uneven:
        uneven = change.uneven * smooth_field(rng, shape, anatomy.spacing, ((35.0, 1.0),))[local]
    target = size_factor(part.label, change) * part.voxels
    wanted = distance.astype(np.float32) - uneven * part.half
    return Claim(part.label, part.points, part.inside, wanted, part.half, target, change.taken)


def _stretch(part: Part, change: MuscleChange) -> np.ndarray:
    """How far each point moves along the muscle's axis in mm, ``[n]``: the ends as drawn, the middle not at all."""
    low, high = part.ends
    length = high - low
    middle = 0.5 * (low + high)
    total = np.zeros(len(part.along), np.float32)
    for share, free, sign, end in ((change.lower, part.free[0], -1, low), (change.upper, part.free[1], 1, high)):
        if share and free:
            most = float(np.clip(share * length, -_MOST_SHORTER_MM, 0.5 * _MOST_SHORTER_MM))
            # Quadratic, so that little of the belly moves; it folds nowhere, because the shares are small.
            total += sign * most * np.clip((part.along - middle) / (end - middle), 0, 1.2) ** 2
    return total


def _end(place: float) -> float:
    """Map a draw in 0..1 to the share of the length by which an end moves outwards."""
    place = float(np.clip(place, 0, 1))
    return -_SHORTER + 1.5 * _SHORTER * place
