"""Muscles compete for voxels: each expands to its target volume; a voxel goes to the muscle in which it lies deepest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .muscle_fields import MUSCLES, Anatomy

_ROUNDS = 6
# A component that holds less than this share of a muscle is an island, not a second belly.
_ISLAND_SHARE = 0.1
_FAR_MM = 1000.0
_LARGEST_STEP = 0.12
_PRESSURES = (-0.75, 1.1)


@dataclass(frozen=True)
class Claim:
    """The voxels and the volume that a muscle should get.

    `points` ``[n]`` are flat indices of the voxels that it may take, `inside` bool ``[n]`` marks those of the atlas' muscle;
    `distance` ``[n]`` is the signed distance in mm to its wanted surface, negative inside; `half` ``[n]`` the half thickness in mm
    by which a pressure of 1 moves that surface outwards. `target` is the volume in voxels; `taken` is the share of the room given
    up by this muscle that goes to its neighbours.
    """

    label: int
    points: np.ndarray
    inside: np.ndarray
    distance: np.ndarray
    half: np.ndarray
    target: float
    taken: float


@dataclass(frozen=True)
class Rules:
    """`gaps` float32 ``[m, m]``: thickness in mm of the fat between each pair of muscles, in the order of the claims."""

    gaps: np.ndarray


def settle(anatomy: Anatomy, claims: list[Claim], rules: Rules) -> np.ndarray:
    """Labels uint8 ``[z, y, x]`` in which each muscle has about its target volume, as far as bones and neighbours leave room."""
    # In units of half thickness: a voxel lies inside where this is below the pressure.
    relative = [claim.distance / claim.half for claim in claims]
    pressures = np.array([_first_pressure(part, claim.target) for part, claim in zip(relative, claims, strict=True)])
    slopes = np.array([_slope(part, at) for part, at in zip(relative, pressures, strict=True)])
    targets = np.array([claim.target for claim in claims])
    owners = np.full(anatomy.labels.size, -1, np.int16)
    for number, claim in enumerate(claims):
        owners[claim.points[claim.inside]] = number
    winner = np.empty(0)
    for _ in range(_ROUNDS):
        winner = _contest(claims, pressures, owners, rules)
        volumes = np.bincount(winner[winner >= 0], minlength=len(claims))
        step = (targets - volumes) / np.maximum(slopes, 1)
        pressures = np.clip(pressures + np.clip(step, -_LARGEST_STEP, _LARGEST_STEP), *_PRESSURES)
    winner = _contest(claims, pressures, owners, rules)
    values = np.array([claim.label for claim in claims] + [0], np.uint8)
    muscles = np.isin(anatomy.labels, MUSCLES).ravel()
    claimed_labels = np.array([claim.label for claim in claims])
    labels = anatomy.labels.ravel().copy()
    # Remnants of muscles that are too small to take part stay where they are.
    free = (muscles & np.isin(labels, claimed_labels)) | (labels == 0)
    labels[free] = values[winner[free]]
    return without_islands(labels.reshape(anatomy.labels.shape))


def without_islands(labels: np.ndarray) -> np.ndarray:
    """The labels uint8 ``[z, y, x]`` without small components of muscles, which become 0; second bellies are kept."""
    import cc3d

    components = cc3d.connected_components(labels, connectivity=6)
    sizes = np.bincount(components.ravel())
    _, first = np.unique(components, return_index=True)
    values = labels.ravel()[first]
    whole = np.bincount(labels.ravel(), minlength=256)
    drop = np.isin(values, MUSCLES) & (sizes < _ISLAND_SHARE * whole[values])
    cleaned = labels.copy()
    cleaned[drop[components]] = 0
    return cleaned


def _first_pressure(relative: np.ndarray, target: float) -> float:
    """The pressure at which a muscle without neighbours would have its target volume."""
    count = int(np.clip(target, 1, len(relative) - 1))
    return float(np.clip(np.partition(relative, count)[count], *_PRESSURES))


def _slope(relative: np.ndarray, pressure: float) -> float:
    """Voxels that a muscle gains per unit of pressure."""
    near = 0.1
    return float(np.count_nonzero(np.abs(relative - pressure) < near)) / (2 * near)


def _contest(claims: list[Claim], pressures: np.ndarray, owners: np.ndarray, rules: Rules) -> np.ndarray:
    """Index of the claim that gets each voxel, int16 flat, -1 where none does."""
    size = owners.size
    best, second = np.full(size, np.inf, np.float32), np.full(size, np.inf, np.float32)
    winner, runner_up = np.full(size, -1, np.int16), np.full(size, -1, np.int16)
    left = np.full(size, np.inf, np.float32)
    for number, (claim, pressure) in enumerate(zip(claims, pressures, strict=True)):
        at = claim.points
        depth = claim.distance - np.float32(pressure) * claim.half
        left[at[claim.inside]] = depth[claim.inside]
        ahead = depth < best[at]
        where, found = at[ahead], depth[ahead]
        second[where], runner_up[where] = best[where], winner[where]
        best[where], winner[where] = found, number
        behind = ~ahead & (depth < second[at])
        second[at[behind]], runner_up[at[behind]] = depth[behind], number
    result = np.where(best < 0, winner, -1).astype(np.int16)
    met = np.flatnonzero((best < 0) & (runner_up >= 0))
    # Moving a border by a distance changes the difference of two signed distances by twice that.
    apart = second[met] - best[met] > rules.gaps[winner[met], runner_up[met]]
    result[met[~apart]] = -1
    _share_out(result, claims, owners, left, (best, winner), (second, runner_up))
    return result


def _share_out(
    result: np.ndarray,
    claims: list[Claim],
    owners: np.ndarray,
    left: np.ndarray,
    best: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
) -> None:
    """Give the drawn share of the room that muscles gave up to their neighbours, nearest first; changes `result` in place."""
    shares = np.array([claim.taken for claim in claims], np.float32)
    room = np.flatnonzero((owners >= 0) & (result < 0) & (left > 0) & (left < np.inf))
    owner = owners[room]
    own_first = best[1][room] == owner
    nearest = np.where(own_first, second[1][room], best[1][room])
    distance = np.clip(np.where(own_first, second[0][room], best[0][room]), 0, _FAR_MM)
    # With a share of 1 the neighbours get all of it, with a half the half that lies nearer to them.
    share = shares[owner]
    goes = (nearest >= 0) & (distance * (1 - share) < share * left[room])
    result[room[goes]] = nearest[goes]
