"""Kidneys in their fat on psoas and quadratus lumborum: lobed beans about a sinus that is small or parts them into two lips.

Beside the spine, the lip between psoas and sinus looks like the psoas; so does a dilated renal pelvis before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .build import Build
from .spine import Spine
from .tissue import PSOAS_LABELS, BodyLandmarks, BodyTissue
from .upper_retroperitoneum import TO_RIGHT

SURROUNDINGS = (BodyTissue.FAT, BodyTissue.BOWEL_WALL, BodyTissue.GAS, BodyTissue.STOOL, BodyTissue.FLUID)
# Kidneys in their fat leave a dent in liver and spleen.
YIELDING = (*SURROUNDINGS, BodyTissue.ORGAN)
# The wall of the trunk, which a kidney leaves whole, and the fat between a kidney and the muscles behind it.
_TRUNK_WALL_MM, _BED_MM = 10.0, 3.0
_STONE_MM = 4.0


@dataclass(frozen=True)
class Sinus:
    """The hollow of a kidney, of fat and urine.

    Lengths are shares of the kidney's half axes: along, across (from hilum to rim) and through its thickness.
    """

    length: float
    # Half the height over which it is open to the spine; above and below kidney closes a ring round it.
    hilum: float
    # How far it reaches from the hilum beyond the middle.
    reach: float
    thick: float
    # Share of its axes within which it is urine, in pelvis and calices.
    urine: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Sinus:
        """Slits and caves, shut in or open, a third of them with urine held back."""
        length = rng.uniform(0.5, 0.9)
        hilum, reach, thick = rng.uniform(0.3, 0.8) * length, rng.uniform(-0.1, 0.7), rng.uniform(0.2, 0.6)
        return cls(length, hilum, reach, thick, rng.uniform(0.6, 1.0) if rng.random() < 0.33 else rng.uniform(0.1, 0.5))

    def cut(self, plane: np.ndarray, along: float, across: np.ndarray, through: np.ndarray) -> None:
        """Hollow the kidney in a slice `plane` uint8 ``[y, x]`` in place, at the level and the positions given as shares."""
        hollow = np.sqrt(1 - (along / self.length) ** 2)
        # Beyond the kidney, so that the opening is as wide as the hollow; or a wall of kidney that closes it.
        outer = -1.7 if abs(along) < self.hilum else -0.62
        half = 0.5 * max(self.reach - outer, 0.3)
        inside = ((across - outer - half) / (half * hollow)) ** 2 + (through / (self.thick * hollow)) ** 2
        plane[(inside <= 1) & (plane == BodyTissue.KIDNEY)] = BodyTissue.FAT
        plane[(inside <= self.urine**2) & (plane == BodyTissue.FAT)] = BodyTissue.FLUID


@dataclass(frozen=True)
class Lobes:
    """The uneven outline of a kidney: waves round it and along it."""

    height: float
    phases: tuple[float, float, float]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Lobes:
        """Waves of up to a tenth of the radius."""
        first, second, third = rng.uniform(0, 2 * np.pi, 3)
        return cls(rng.uniform(0, 0.1), (first, second, third))

    def radius(self, along: float, angle: np.ndarray) -> np.ndarray:
        """The radius at this level in the direction of `angle` (radians), as a share of the even one."""
        first, second, third = self.phases
        round_it = np.cos(3 * angle + first + 2 * along) + 0.7 * np.cos(5 * angle + second - 3 * along)
        return np.asarray(1 + self.height * (round_it + 0.5 * np.cos(4 * along + third)))


def add_kidney(
    tissue: np.ndarray,
    core: np.ndarray,
    frame: BodyLandmarks,
    spine: Spine,
    build: Build,
    side: int,
    rng: np.random.Generator,
    shape: np.random.Generator,
) -> tuple[float, float, float] | None:
    """A kidney in its own fat, in place, its lower pole further forwards and outwards; some with a cyst, stones or urine held back.

    `tissue` uint8 and `core` bool (inside the fascia) are ``[z, y, x]``. Muscles of the back behind it make room, so that it is
    round: one that they cut to a half-moon is no likeness of a kidney. Its sinus and outline are drawn from `shape`, all else from
    `rng`. Returns its hilum ``(z, y, x)`` in voxels, None where the scan ends below it.
    """
    from scipy import ndimage

    dz, dy, dx = frame.spacing
    size = rng.uniform(0.85, 1.2)
    half, wide, deep = size * rng.uniform(48, 60), size * rng.uniform(23, 29), size * rng.uniform(20, 26)
    # The right kidney hangs lower under the liver; some reach the iliac fossa.
    middle = rng.uniform(28, 85) + half * 0.6 - (10 if side == TO_RIGHT else 0)
    if build.to_thorax:
        # Where the scan shows it whole, the upper half often lies above the psoas' end.
        middle += rng.uniform(0, 45)
    fat = rng.uniform(1, 10) + 0.2 * build.fat
    # Where the hilum looks forwards, the lip of kidney beside it lies before the psoas like another muscle.
    turn = np.radians(rng.uniform(20, 95))
    cyst = rng.normal(0, 0.5, 3) if rng.random() < 0.2 else None
    cyst_radius = rng.uniform(8, 25)
    sinus, lobes = Sinus.draw(shape), Lobes.draw(shape)
    stones = shape.uniform(-1, 1, (int(shape.integers(1, 4)), 3)) if shape.random() < 0.12 else np.empty((0, 3))
    beside, lean, gap = shape.uniform(58, 70), shape.uniform(4, 15), shape.uniform(0, 4)
    hilum = None
    for k in range(max(0, int(np.ceil(frame.crest + (middle - half - fat) / dz))), frame.shape[0]):
        along = ((k - frame.crest) * dz - middle) / half
        y, x = spine.path[k]
        y, x = y + (16 * along - 8) / dy, x + side * (beside - lean * along) / dx
        ys, xs = (np.arange(frame.shape[1])[:, None] - y) * dy, (np.arange(frame.shape[2])[None, :] - x) * dx * side
        # The hilum looks towards the middle or forwards.
        across, through = xs * np.cos(turn) + ys * np.sin(turn), ys * np.cos(turn) - xs * np.sin(turn)
        plane = tissue[k]
        reach = (along * half / (half + fat)) ** 2
        if reach < 1:
            shell = np.sqrt(1 - reach)
            padded = (across / (shell * (wide + fat))) ** 2 + (through / (shell * (deep + fat))) ** 2 <= 1
            paint(plane, padded, BodyTissue.FAT, YIELDING)
        if abs(along) < 1:
            grown = np.sqrt(1 - along**2) * lobes.radius(along, np.arctan2(through, across))
            room = ndimage.distance_transform_edt(core[k], sampling=(dy, dx)) > _TRUNK_WALL_MM
            apart = (across / (grown * wide + _BED_MM)) ** 2 + (through / (grown * deep + _BED_MM)) ** 2 <= 1
            paint(plane, apart & room, BodyTissue.FAT, (BodyTissue.WALL_MUSCLE,))
            bean = (across / (grown * wide)) ** 2 + (through / (grown * deep)) ** 2 <= 1
            psoas = np.isin(plane, PSOAS_LABELS)
            if psoas.any():
                bean &= ndimage.distance_transform_edt(~psoas, sampling=(dy, dx)) > gap
            paint(plane, bean, BodyTissue.KIDNEY, YIELDING)
        if hilum is None and along >= 0:
            hilum = (float(k), y - wide * np.sin(turn) / dy, x - side * wide * np.cos(turn) / dx)
        if abs(along) < sinus.length:
            sinus.cut(plane, along, across / wide, through / deep)
        for place in stones * (0.6 * sinus.length * half, 0.3 * wide, 0.15 * deep):
            near = (along * half - place[0]) ** 2 + (across - place[1]) ** 2 + (through - place[2]) ** 2 < _STONE_MM**2
            plane[near & np.isin(plane, (*SURROUNDINGS, BodyTissue.KIDNEY))] = BodyTissue.CALCIFICATION
        if cyst is not None:
            away = ((along - cyst[0]) * half) ** 2 + (across - cyst[1] * wide - 0.5 * wide) ** 2 + (through - cyst[2] * deep) ** 2
            plane[(away < cyst_radius**2) & np.isin(plane, (*YIELDING, BodyTissue.KIDNEY))] = BodyTissue.FLUID
    return hilum


def paint(plane: np.ndarray, where: np.ndarray, value: int, over: tuple[int, ...]) -> None:
    """Paint `value` over these tissues of a slice `plane` uint8 ``[y, x]`` only, in place."""
    plane[where & np.isin(plane, over)] = value
