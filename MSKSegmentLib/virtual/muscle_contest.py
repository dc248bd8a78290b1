"""Muscles compete for voxels: each expands until it has its target volume, and the one to which a voxel lies deepest gets it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .muscle_fields import MUSCLES, Anatomy

_ROUNDS = 6
# A component of less than this share of a muscle is an island, not a second belly.
_ISLAND_SHARE = 0.1
_FAR_MM = 1000.0
_LARGEST_STEP = 0.12
_PRESSURES = (-0.75, 1.1)


@dataclass(frozen=True)
class Claim:
    """What a muscle asks for.

    `points` ``[n]`` are flat indices of the voxels that it may take, `inside` tells its own ones; `distance` ``[n]`` is the
    signed distance in mm to the surface that it would have, `half` ``[n]`` the half thickness by which a pressure of 1 moves
    that surface outwards. `target` is the volume in voxels, `taken` the share of the room it leaves that goes to its neighbours.
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
    """`gaps` float32 ``[m, m]``: how much fat lies between two of the muscles, in mm, in the order of the claims."""

    gaps: np.ndarray


def settle(anatomy: Anatomy, claims: list[Claim], rules: Rules) -> np.ndarray:
    """Labels uint8 of the grid's shape in which each muscle has about its target, as far as bones and neighbours leave room."""
    # In units of half thickness: below the pressure a voxel lies inside.
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
    # Scraps of muscles too small to take part stay where they are.
    free = (muscles & np.isin(labels, claimed_labels)) | (labels == 0)
    labels[free] = values[winner[free]]
    return without_islands(labels.reshape(anatomy.labels.shape))


def without_islands(labels: np.ndarray) -> np.ndarray:
    """The labels uint8 ``[z, y, x]`` without small components of muscles, which become 0; second bellies stay."""
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
    """The pressure at which a muscle alone would have its volume."""
    count = int(np.clip(target, 1, len(relative) - 1))
    return float(np.clip(np.partition(relative, count)[count], *_PRESSURES))


def _slope(relative: np.ndarray, pressure: float) -> float:
    """Voxels that a muscle gains per unit of pressure."""
    near = 0.1
    return float(np.count_nonzero(np.abs(relative - pressure) < near)) / (2 * near)


def _contest(claims: list[Claim], pressures: np.ndarray, owners: np.ndarray, rules: Rules) -> np.ndarray:
    """Number of the claim that gets each voxel, int16 flat, -1 where nobody does."""
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
    """Give the room that muscles left to their neighbours by the drawn share, nearest first; `result` is changed in place."""
    shares = np.array([claim.taken for claim in claims], np.float32)
    room = np.flatnonzero((owners >= 0) & (result < 0) & (left > 0) & (left < np.inf))
    owner = owners[room]
    own_first = best[1][room] == owner
    nearest = np.where(own_first, second[1][room], best[1][room])
    distance = np.clip(np.where(own_first, second[0][room], best[0][room]), 0, _FAR_MM)
    # At a share of 1 all of it goes, at a half the neighbour's half.
    share = shares[owner]
    goes = (nearest >= 0) & (distance * (1 - share) < share * left[room])
    result[room[goes]] = nearest[goes]
