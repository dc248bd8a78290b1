"""A body of which only a part is labelled, completed for scanning with muscles of another body.

Published labels often cover a few structures of one side. A scan of these alone would show a thigh full of fat. Here the labelled
side is mirrored, and unlabelled muscles are transferred from a donor, bone by bone, as `OTHER_MUSCLE`: muscle of no known
structure.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from ..errors import InputError
from .atlas import OTHER_MUSCLE, Atlas, mirrored_table
from .tissue import FEMUR_LABELS, HIP_BONE_LABELS, SACRUM_LABEL

_POINTS = 2500
_ROUNDS = 40
_SLICES_AT_ONCE = 40
# The right side's labels.
_HIP, _FEMUR = HIP_BONE_LABELS[0], FEMUR_LABELS[0]


def labelled_structures(atlas: Atlas) -> tuple[str, ...]:
    """Abbreviations of the structures that a partial atlas labels on its right side, in table order."""
    present = set(np.unique(atlas.labels).tolist())
    return tuple(structure.abbreviation for structure in HIP_AND_THIGH.structures if structure.index in present)


def complete_atlas(partial: Atlas, donor: Atlas) -> Atlas:
    """The partial body with its right side mirrored to the left, and with the donor's muscles where it labels none.

    Raises:
        InputError: hip bones, sacrum or right femur are missing in either body, or the right hip in one of them.
    """
    for body in (partial, donor):
        missing = {*HIP_BONE_LABELS, _FEMUR, SACRUM_LABEL} - set(np.unique(body.labels).tolist())
        if missing:
            raise InputError(
                f"The atlas {body.name!r} lacks the labels {', '.join(map(str, sorted(missing)))}; "
                "both hip bones, the sacrum and the right femur are needed."
            )
    return _mirrored(replace(partial, labels=_filled(partial, donor)))


def _filled(partial: Atlas, donor: Atlas) -> np.ndarray:
    """The partial body's labels with `OTHER_MUSCLE` where the donor has a muscle that the partial body does not label."""
    from scipy import ndimage

    labelled = {structure.index for structure in HIP_AND_THIGH.structures if structure.abbreviation in labelled_structures(partial)}
    unknown = [
        structure.index for structure in HIP_AND_THIGH.structures if not structure.is_bone and structure.index not in labelled
    ]
    wanted = np.isin(np.arange(256), [*unknown, OTHER_MUSCLE])
    maps = [_bone_map(partial, donor, bone) for bone in (_HIP, _FEMUR)]
    spacing = np.asarray(partial.spacing)
    coarse = tuple(slice(None, None, 4) for _ in range(3))
    far = [ndimage.distance_transform_edt(partial.labels[coarse] != bone, sampling=4 * spacing) + 1 for bone in (_HIP, _FEMUR)]
    follows = (far[0] ** 3 / (far[0] ** 3 + far[1] ** 3)).astype(np.float32)
    labels = partial.labels.copy()
    for first in range(0, len(labels), _SLICES_AT_ONCE):
        part = labels[first : first + _SLICES_AT_ONCE]
        at = np.array(np.nonzero(part == 0))
        if not at.size:
            continue
        at[0] += first
        share = ndimage.map_coordinates(follows, at / 4, order=1, mode="nearest", prefilter=False)
        here = (at + 0.5) * spacing[:, None]
        there = [matrix @ here + offset[:, None] for matrix, offset in maps]
        source = ((1 - share) * there[0] + share * there[1]) / np.asarray(donor.spacing)[:, None] - 0.5
        found = ndimage.map_coordinates(donor.labels, source, order=0, mode="constant", cval=0, prefilter=False)
        part[part == 0] = np.where(wanted[found], OTHER_MUSCLE, 0)
    return labels


def _bone_map(partial: Atlas, donor: Atlas, bone: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset (mm) from a bone of the partial body to the donor's: affine iterative closest points in both directions."""
    from scipy.spatial import cKDTree

    own, other = _surface(partial, bone), _surface(donor, bone)
    scale = np.ptp(other, axis=0) / np.ptp(own, axis=0)
    matrix, offset = np.diag(scale), other.mean(axis=0) - scale * own.mean(axis=0)
    tree = cKDTree(other)
    for _ in range(_ROUNDS):
        moved = own @ matrix.T + offset
        to = tree.query(moved)[1]
        back = cKDTree(moved).query(other)[1]
        # Pairs of both directions: with one direction alone a bone shrinks into the other.
        start = np.concatenate([own, own[back]])
        goal = np.concatenate([other[to], other])
        solved, *_ = np.linalg.lstsq(np.column_stack([start, np.ones(len(start))]), goal, rcond=None)
        matrix, offset = solved[:3].T, solved[3]
    return matrix, offset


def _surface(atlas: Atlas, bone: int) -> np.ndarray:
    """Points ``[n, 3]`` on a bone's surface in mm, the same ones every time."""
    from scipy import ndimage

    mask = atlas.labels == bone
    (box,) = ndimage.find_objects(mask.view(np.uint8))
    inside = mask[box]
    at = np.argwhere(inside & ~ndimage.binary_erosion(inside)) + [part.start for part in box]
    chosen = np.random.default_rng(0).permutation(len(at))[:_POINTS]
    return (at[chosen] + 0.5) * np.asarray(atlas.spacing)


def _mirrored(atlas: Atlas) -> Atlas:
    """The atlas with its right half on both sides of the plane midway between the hip bones; the sacrum stays."""
    from scipy import ndimage

    spacing = np.asarray(atlas.spacing)
    right, left = (np.argwhere(atlas.labels == bone).mean(axis=0) * spacing for bone in HIP_BONE_LABELS)
    normal = (left - right) / np.linalg.norm(left - right)
    middle = (left + right) / 2
    # Widen the array so that the mirrored right side fits on the left.
    reach = (middle[2] - np.nonzero((atlas.labels > 0).any(axis=(0, 1)))[0].min() * spacing[2]) * 2.2
    width = max(atlas.labels.shape[2], int(reach / spacing[2]))
    labels = np.zeros((*atlas.labels.shape[:2], width), np.uint8)
    labels[:, :, : atlas.labels.shape[2]] = atlas.labels
    table = mirrored_table()
    for first in range(0, len(labels), _SLICES_AT_ONCE):
        part = labels[first : first + _SLICES_AT_ONCE]
        at = np.indices(part.shape, dtype=np.float32).reshape(3, -1)
        at[0] += first
        beyond = normal @ (at * spacing[:, None] - middle[:, None])
        side = beyond > 0
        source = (at[:, side] * spacing[:, None] - 2 * beyond[side] * normal[:, None]) / spacing[:, None]
        found = ndimage.map_coordinates(atlas.labels, source, order=0, mode="constant", cval=0, prefilter=False)
        flat = part.reshape(-1)
        own = flat[side]
        kept = (own == SACRUM_LABEL) | (found == SACRUM_LABEL)
        flat[side] = np.where(kept, np.where(own == SACRUM_LABEL, own, 0), table[found])
    return replace(atlas, labels=labels)
