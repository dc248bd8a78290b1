"""The MR signal of a virtual patient's tissues: protons, their share in fat, and relaxation.

Relaxation times are those usual at 1.5 T (de Bazelaire et al., Radiology 230, 2004; Gold et al., American Journal of Roentgenology
183, 2004), drawn anew for each patient within about a tenth. Air, the table, clothes and calcium give no signal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .atlas import CARTILAGE, LIGAMENT, MIRRORED_EXTRA_OFFSET
from .noise import Noise
from .radiodensity import ALL_MUSCLES, Composition, TissueNoise, intramuscular_fat
from .specimen import BONES, DEPTH_STEPS_PER_MM, Specimen
from .tissue import FEMUR_LABELS, BodyTissue

FAT_T1_MS, FAT_T2_MS = 310.0, 75.0
# Adipose tissue holds a little water, and fatty marrow about as much again.
ADIPOSE_FAT, YELLOW_MARROW_FAT, RED_MARROW_FAT = 0.93, 0.88, 0.5
CORTICAL_PROTONS = 0.05
_SPREAD = 0.08


@dataclass(frozen=True)
class _Water:
    """The watery part of a tissue: protons as a share of those of muscle, T1 and T2 in ms."""

    protons: float
    t1_ms: float
    t2_ms: float


_MUSCLE = _Water(1.0, 1000.0, 40.0)
_MARROW = _Water(0.9, 700.0, 50.0)
_TISSUES = {
    BodyTissue.FAT: _Water(1.0, 800.0, 45.0),
    BodyTissue.SKIN: _Water(0.7, 800.0, 30.0),
    BodyTissue.DISC: _Water(0.9, 1000.0, 90.0),
    BodyTissue.BOWEL_WALL: _Water(0.9, 900.0, 50.0),
    BodyTissue.STOOL: _Water(0.7, 600.0, 60.0),
    BodyTissue.FLUID: _Water(1.1, 3500.0, 500.0),
    BodyTissue.ORGAN: _Water(0.9, 600.0, 50.0),
    BodyTissue.KIDNEY: _Water(1.0, 950.0, 70.0),
    BodyTissue.TENDON: _Water(0.4, 800.0, 8.0),
    LIGAMENT: _Water(0.4, 800.0, 8.0),
    LIGAMENT + MIRRORED_EXTRA_OFFSET: _Water(0.4, 800.0, 8.0),
    CARTILAGE: _Water(0.9, 1000.0, 35.0),
    CARTILAGE + MIRRORED_EXTRA_OFFSET: _Water(0.9, 1000.0, 35.0),
    # Blood leaves the slice between pulse and echo: most vessels are dark on spin echo images, some are not.
    BodyTissue.VESSEL: _Water(0.15, 1200.0, 150.0),
    BodyTissue.VEIN: _Water(0.4, 1200.0, 150.0),
}


@dataclass(frozen=True)
class Sequence:
    """A T1-weighted spin echo: repetition and echo time in ms."""

    tr_ms: float = 600.0
    te_ms: float = 11.0

    def weight(self, t1_ms: float, t2_ms: float) -> float:
        """Signal per proton: (1 - exp(-TR / T1)) exp(-TE / T2)."""
        return float((1 - np.exp(-self.tr_ms / t1_ms)) * np.exp(-self.te_ms / t2_ms))


@dataclass(frozen=True)
class Protons:
    """Float32 ``[z, y, x]`` each: `fat` and `water` protons (1: as many as muscle has), and the `t1_weighted` signal of both."""

    fat: np.ndarray
    water: np.ndarray
    t1_weighted: np.ndarray


def protons(specimen: Specimen, what: Composition, sequence: Sequence, noise: Noise, rng: np.random.Generator) -> Protons:
    """Protons and T1-weighted signal of a specimen without metal; `what` gives the fat of muscles and the thickness of cortices."""
    tissue = specimen.tissue
    texture = TissueNoise(noise, rng, tissue.shape, specimen.spacing)
    density, weight = np.zeros(256, np.float32), np.zeros(256, np.float32)
    waters = {**dict.fromkeys(ALL_MUSCLES, _MUSCLE), **dict.fromkeys(BONES, _MARROW), **_TISSUES}
    for value, water in waters.items():
        t1, t2, amount = (base * rng.normal(1, _SPREAD) for base in (water.t1_ms, water.t2_ms, water.protons))
        density[value], weight[value] = amount, sequence.weight(t1, t2)
    # Muscles of one body share their relaxation times.
    density[list(ALL_MUSCLES)], weight[list(ALL_MUSCLES)] = 1.0, float(np.mean(weight[list(ALL_MUSCLES)]))
    fat_weight = sequence.weight(FAT_T1_MS * rng.normal(1, _SPREAD), FAT_T2_MS * rng.normal(1, _SPREAD))
    amount, share = density[tissue], intramuscular_fat(tissue, what, texture)
    adipose = tissue == BodyTissue.FAT
    sheets = np.clip(1 - np.abs(texture(6, 4, 4)) / 0.18, 0, 1)
    share[adipose] = (ADIPOSE_FAT - 0.4 * sheets * np.clip(texture(9, 9, 9) + 0.2, 0, 1))[adipose]
    share[tissue == BodyTissue.SKIN] = 0.3
    _add_marrow(amount, share, specimen, what, texture)
    amount *= 1 + 0.03 * texture(2.5, 2.5, 2.5)
    fat, water_part = amount * share, amount * (1 - share)
    return Protons(fat, water_part, fat * fat_weight + water_part * weight[tissue])


def _add_marrow(amount: np.ndarray, share: np.ndarray, specimen: Specimen, what: Composition, texture: TissueNoise) -> None:
    """A dark cortex around bright marrow: yellow in the shafts of the limbs, red and yellow in the trunk and at the hip."""
    bones = np.zeros(256, bool)
    bones[list(BONES)] = True
    where = np.nonzero(bones[specimen.tissue])
    if not where[0].size:
        return
    label = specimen.tissue[where]
    depth = specimen.depth[where].astype(np.float32) / DEPTH_STEPS_PER_MM
    shaft = np.isin(label, [bone for bone in BONES if bone >= 200 and bone < BodyTissue.FAT]).astype(np.float32)
    for femur in FEMUR_LABELS:
        low, high = specimen.femora.get(femur, (0, 1))
        along = np.clip((0.85 - (where[0] - low) / max(1, high - low)) / 0.1, 0, 1)
        shaft = np.where(label == femur, along, shaft)
    cortex_mm = what.cortical_mm + np.where(label >= BodyTissue.FAT, 0.0, 3.0 * shaft)
    cortex = np.clip((cortex_mm - depth) / max(1.2, min(specimen.spacing)) + 0.5, 0, 1)
    red = np.clip(RED_MARROW_FAT + 0.12 * texture(10, 10, 10)[where], 0.2, 0.8)
    share[where] = shaft * YELLOW_MARROW_FAT + (1 - shaft) * red
    amount[where] = cortex * CORTICAL_PROTONS + (1 - cortex) * amount[where]
