"""Hounsfield units of a virtual patient's tissues, before the simulated scanner blurs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from .atlas import CARTILAGE, LIGAMENT, MIRRORED_EXTRA_OFFSET, OTHER_MUSCLE
from .implants import METAL
from .noise import Noise
from .specimen import BONES, DEPTH_STEPS_PER_MM, Specimen
from .tissue import FEMUR_LABELS, PHANTOM_RODS, BodyTissue

MEAN_FAT_HU = -105.0
IMPLANT_HU = 6000.0
MUSCLE_LABELS = tuple(segment.label for segment in HIP_AND_THIGH.segments if not segment.structure.is_bone)
_UNNAMED_MUSCLES = (OTHER_MUSCLE, OTHER_MUSCLE + MIRRORED_EXTRA_OFFSET, BodyTissue.WALL_MUSCLE)
# All muscle, with or without a label of its own.
ALL_MUSCLES = (*MUSCLE_LABELS, *_UNNAMED_MUSCLES)


_NATIVE_KIDNEY_HU = (2.0, 45.0)


@dataclass(frozen=True)
class Composition:
    """Composition of the tissues; HU, and mm for the cortex.

    `infiltration` maps a muscle's label to its share of intramuscular fat (0..0.6, more in stressed patients). `patchy` is how
    unevenly it is distributed, 0..1. `bowel_hu` and `bladder_hu`: contrast in bowel and bladder; None leaves it to chance.
    """

    lean_hu: float
    spread_hu: float
    infiltration: dict[int, float]
    patchy: float
    septa: float
    fascia: float
    fat_hu: float
    strands: float
    cortical_hu: float
    cortical_mm: float
    trabecular_hu: float
    marrow_hu: float
    artery_hu: float
    vein_hu: float
    organ_hu: float
    bowel_hu: float | None = None
    bladder_hu: float | None = None


def random_composition(rng: np.random.Generator, atrophy: dict[int, float]) -> Composition:
    """Draw a composition. Wasted muscles are fatty muscles, as in patients; a few are fatty without being thin.

    `atrophy` is the share of thickness lost per muscle label.
    """
    general = float(np.clip(rng.beta(1.3, 7), 0, 0.5))
    replaced = rng.uniform(0.3, 1.2)
    infiltration = {}
    for label in MUSCLE_LABELS:
        share = general * rng.uniform(0.5, 1.6) + replaced * atrophy.get(label, 0.0) * rng.uniform(0.4, 1.2)
        if rng.random() < 0.04:
            share += rng.uniform(0.1, 0.4)
        infiltration[label] = float(np.clip(share, 0, 0.6))
    contrast = rng.random()
    enhanced = rng.uniform(110, 420) if contrast < 0.35 else rng.uniform(30, 55)
    return Composition(
        lean_hu=float(rng.normal(50, 9)),
        spread_hu=float(rng.uniform(2, 8)),
        infiltration=infiltration,
        patchy=float(rng.uniform(0.2, 0.9)),
        septa=float(rng.uniform(0, 0.5)),
        fascia=float(rng.uniform(0.05, 0.9)),
        fat_hu=float(rng.normal(MEAN_FAT_HU, 6)),
        strands=float(rng.uniform(5, 60)),
        cortical_hu=float(rng.uniform(600, 1600)),
        cortical_mm=float(rng.uniform(0.4, 1.8)),
        trabecular_hu=float(rng.uniform(10, 320)),
        marrow_hu=float(rng.uniform(-90, 60)),
        artery_hu=float(enhanced),
        vein_hu=float(rng.uniform(90, 200) if contrast < 0.25 else rng.uniform(30, 55)),
        organ_hu=float(rng.uniform(25, 110)),
    )


def radiodensity(specimen: Specimen, what: Composition, noise: Noise, rng: np.random.Generator) -> np.ndarray:
    """HU float32 ``[z, y, x]`` of a specimen (or a slab of one), including metal."""
    tissue = specimen.tissue
    hu = _table(what, specimen.spacing, rng)[tissue]
    texture = TissueNoise(noise, rng, tissue.shape, specimen.spacing)
    _add_intramuscular_fat(hu, tissue, what, texture)
    _add_other_texture(hu, tissue, what, texture)
    _add_bone(hu, specimen, what, texture, rng)
    hu[specimen.depth == METAL] = IMPLANT_HU
    return hu


@dataclass(frozen=True)
class TissueNoise:
    """Noise of given correlation lengths in mm for one array."""

    noise: Noise
    rng: np.random.Generator
    shape: tuple[int, ...]
    spacing: tuple[float, float, float]

    def __call__(self, z: float, y: float, x: float) -> np.ndarray:
        """Noise of unit standard deviation, float32 of `shape`, smoothed over that many mm along each axis."""
        sigma = tuple(length / step for length, step in zip((z, y, x), self.spacing, strict=True))
        return self.noise(self.rng, self.shape, sigma)


def _table(what: Composition, spacing: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
    """Mean HU by tissue value."""
    table = np.full(256, -1000.0, np.float32)
    for muscle in ALL_MUSCLES:
        table[muscle] = what.lean_hu + rng.normal(0, what.spread_hu)
    for loose, value in ((CARTILAGE, 90.0), (LIGAMENT, 70.0)):
        table[loose] = table[loose + MIRRORED_EXTRA_OFFSET] = value + rng.normal(0, 15)
    table[BodyTissue.FAT] = what.fat_hu
    # Skin is thinner than most voxels: it fills only a share of the outermost one.
    share = min(1.0, rng.uniform(1.0, 2.2) / max(spacing[1:]))
    table[BodyTissue.SKIN] = what.fat_hu + share * (rng.uniform(0, 60) - what.fat_hu)
    table[BodyTissue.DISC] = rng.uniform(60, 110)
    table[BodyTissue.BOWEL_WALL] = rng.uniform(15, 60)
    table[BodyTissue.GAS] = rng.uniform(-990, -800)
    # Oral contrast medium fills the bowel, and later the bladder.
    table[BodyTissue.STOOL] = rng.uniform(150, 400) if rng.random() < 0.12 else rng.uniform(-40, 90)
    table[BodyTissue.FLUID] = rng.uniform(60, 400) if rng.random() < 0.15 else rng.uniform(-2, 15)
    if what.bowel_hu is not None:
        table[BodyTissue.STOOL] = what.bowel_hu
    if what.bladder_hu is not None:
        table[BodyTissue.FLUID] = what.bladder_hu
    table[BodyTissue.VESSEL], table[BodyTissue.VEIN] = what.artery_hu, what.vein_hu
    table[BodyTissue.ORGAN] = what.organ_hu
    # Without contrast medium, of which the kidneys take up the most, some are as dark as water (the real pelvis: 4 to 22 HU). Drawn
    # from a stream of its own, so that all other draws are what they were.
    own = rng.spawn(1)[0]
    native = own.uniform(*_NATIVE_KIDNEY_HU)
    table[BodyTissue.KIDNEY] = native if what.artery_hu < 100 else 60.0 + 0.45 * what.artery_hu
    table[BodyTissue.TABLE] = rng.uniform(-300, 250)
    table[BodyTissue.FOAM] = rng.uniform(-980, -900)
    table[BodyTissue.TENDON] = rng.uniform(60, 120)
    table[BodyTissue.CLOTH] = rng.uniform(-900, -300)
    table[BodyTissue.CALCIFICATION] = rng.uniform(300, 1300)
    # Plastics and gels are about as dense as water or muscle; rods hold minerals, and some phantoms one of fat.
    table[BodyTissue.PAD], table[BodyTissue.PHANTOM] = own.uniform(-40, 110), own.uniform(-60, 110)
    table[list(PHANTOM_RODS)] = own.uniform(-110, 30) + own.uniform(25, 90) * np.arange(len(PHANTOM_RODS))
    return table


def _add_intramuscular_fat(hu: np.ndarray, tissue: np.ndarray, what: Composition, texture: TissueNoise) -> None:
    """Blend fat into the muscles, see `intramuscular_fat`."""
    mix = intramuscular_fat(tissue, what, texture)
    hu += mix * (what.fat_hu - hu)


def intramuscular_fat(tissue: np.ndarray, what: Composition, texture: TissueNoise) -> np.ndarray:
    """Share of fat in each voxel of muscle, float32 ``[z, y, x]``, 0 elsewhere.

    Streaks of fat along the muscles, septa inside them, and thin fat planes where two muscles meet.
    """
    share = np.zeros(256, np.float32)
    for label, value in what.infiltration.items():
        share[label] = value
    share[list(_UNNAMED_MUSCLES)] = float(np.mean(list(what.infiltration.values())))
    is_muscle = np.zeros(256, bool)
    is_muscle[list(ALL_MUSCLES)] = True
    muscle = is_muscle[tissue]
    # Streaks run roughly along the limb; the rest of the fat is diffuse, as in real CT.
    field = 0.6 * texture(14, 1.6, 1.6) + 0.8 * texture(9, 8, 8)
    local = 1 / (1 + np.exp(-3.5 * (field - _normal_quantile(1 - share)[tissue])))
    wanted = share[tissue]
    mix = np.where(wanted > 0.005, (1 - what.patchy) * wanted + what.patchy * local, 0)
    # Between the fascicles lie thin sheets, where a smooth field changes its sign.
    fine = texture(12, 3.2, 3.2)
    mix += what.septa * np.clip(1 - np.abs(fine) / 0.35, 0, 1)
    border = _borders(tissue, muscle, fine)
    fascia = border * np.clip(what.fascia * (0.6 + 0.5 * texture(12, 12, 12)), 0, 0.85)
    return (np.clip(np.maximum(mix, fascia), 0, 0.95) * muscle).astype(np.float32)


def _borders(tissue: np.ndarray, muscle: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Voxels of muscle that touch another muscle in plane: the first of each pair, and a third of the second."""
    border = np.zeros(tissue.shape, bool)
    for axis in (1, 2):
        lower, upper = [slice(None)] * 3, [slice(None)] * 3
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        first, second = tuple(lower), tuple(upper)
        differs = (tissue[first] != tissue[second]) & muscle[first] & muscle[second]
        border[first] |= differs
        border[second] |= differs & (fine[second] > 0.5)
    return border


def _normal_quantile(share: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri

    return ndtri(np.clip(share, 1e-4, 1 - 1e-4)).astype(np.float32)


def _add_other_texture(hu: np.ndarray, tissue: np.ndarray, what: Composition, texture: TissueNoise) -> None:
    """Strands and lobules in fat, mottled stool, uneven organs and muscles."""
    fine, patches = texture(4, 1.8, 1.8), texture(9, 9, 9)
    fat = tissue == BodyTissue.FAT
    sheets = np.clip(1 - np.abs(texture(6, 4, 4)) / 0.18, 0, 1)
    hu[fat] += (what.strands * sheets * np.clip(patches + 0.7, 0, 2) + 4 * patches)[fat]
    stool = tissue == BodyTissue.STOOL
    hu[stool] += np.where(fine[stool] < -0.6, -350, 30 * fine[stool])
    soft = (tissue == BodyTissue.ORGAN) | (tissue == BodyTissue.BOWEL_WALL) | (tissue == BodyTissue.KIDNEY)
    hu[soft] += 14 * patches[soft]
    named = (tissue > 0) & (tissue < 120)
    hu[named] += 4 * patches[named]


def _add_bone(hu: np.ndarray, specimen: Specimen, what: Composition, texture: TissueNoise, rng: np.random.Generator) -> None:
    """A cortex around trabecular bone of uneven density; fatty marrow in the femoral shaft, whose cortex is thick."""
    is_bone = np.zeros(256, bool)
    is_bone[list(BONES)] = True
    where = np.nonzero(is_bone[specimen.tissue])
    if not where[0].size:
        return
    label = specimen.tissue[where]
    depth = specimen.depth[where].astype(np.float32) / DEPTH_STEPS_PER_MM
    shaft = np.zeros(len(label), np.float32)
    for femur in FEMUR_LABELS:
        low, high = specimen.femora.get(femur, (0, 1))
        position = (where[0] - low) / max(1, high - low)
        along = np.clip(np.minimum(position - 0.12, 0.82 - position) / 0.12, 0, 1)
        shaft = np.where(label == femur, along, shaft)
    per_bone = rng.uniform(0.8, 1.15, 256).astype(np.float32)
    cortex_mm = what.cortical_mm * per_bone[label] * np.clip(1 + 0.5 * texture(14, 14, 14)[where], 0.4, 2.5) + 4.0 * shaft
    # Density follows the load: some regions are compact, others consist mostly of fat.
    coarse = texture(10, 10, 10)[where]
    spongy = what.trabecular_hu * per_bone[label] * (1 + 0.55 * coarse) - 40 * np.clip(-coarse, 0, 2)
    core = (1 - shaft) * spongy + shaft * what.marrow_hu
    core += (0.2 * np.abs(core) + 20) * texture(2.2, 2.2, 2.2)[where]
    # The share of the voxel that lies within the cortex.
    thickness = max(1.2, min(specimen.spacing))
    weight = np.clip((cortex_mm - depth) / thickness + 0.5, 0, 1)
    # A thin cortex is pierced and scarcely denser than what it encloses.
    weight *= np.clip(0.75 + 0.3 * texture(5, 5, 5)[where] + 0.5 * shaft, 0.15, 1)
    cortical = what.cortical_hu * (0.85 + 0.25 * shaft)
    hu[where] = weight * cortical + (1 - weight) * core
