"""Hounsfield units of a virtual patient's tissues, before the scanner blurs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import segments
from .atlas import CARTILAGE, COCCYX, FIBULA, LIGAMENT, OTHER_MUSCLE, PATELLA, TIBIA
from .tissue import FEMORA, Tissue, smooth_noise

FAT_HU = -105.0


@dataclass(frozen=True)
class Composition:
    """What the tissues are made of. `infiltration` maps a segment's label to its share of intramuscular fat (0..0.6)."""

    lean_hu: float
    spread_hu: float
    infiltration: dict[int, float]
    fascia: float
    cortical_hu: float
    cortical_mm: float
    trabecular_hu: float
    marrow_hu: float
    vessel_hu: float
    organ_hu: float


def random_composition(rng: np.random.Generator) -> Composition:
    """Draw a composition; a third of the patients has one side, a third single muscles, much fattier than the rest."""
    general = float(np.clip(rng.beta(1.1, 11), 0, 0.5))
    infiltration = {}
    weak_side = rng.choice(["right", "left", "none"])
    for segment in segments():
        if segment.structure.group == "bone":
            continue
        share = general * rng.uniform(0.5, 1.6)
        if segment.side.value == weak_side:
            share += rng.uniform(0.02, 0.15)
        if rng.random() < 0.06:
            share += rng.uniform(0.1, 0.4)
        infiltration[segment.label] = float(np.clip(share, 0, 0.6))
    return Composition(
        lean_hu=float(rng.normal(56, 8)),
        spread_hu=float(rng.uniform(2, 8)),
        infiltration=infiltration,
        fascia=float(rng.uniform(0.1, 0.9)),
        cortical_hu=float(rng.uniform(650, 1500)),
        cortical_mm=float(rng.uniform(1.3, 2.6)),
        trabecular_hu=float(rng.uniform(30, 320)),
        marrow_hu=float(rng.uniform(-90, 60)),
        vessel_hu=float(rng.choice([rng.uniform(30, 55), rng.uniform(100, 280)])),
        organ_hu=float(rng.uniform(25, 110)),
    )


def radiodensity(
    tissue: np.ndarray, spacing: tuple[float, float, float], what: Composition, rng: np.random.Generator
) -> np.ndarray:
    """HU float32 ``[z, y, x]`` of a tissue map; `spacing` ``(z, y, x)`` in mm."""
    table = np.full(256, -1000.0, np.float32)
    muscles = [segment.label for segment in segments() if segment.structure.group != "bone"]
    for label in muscles:
        table[label] = what.lean_hu + rng.normal(0, what.spread_hu)
    for other in (OTHER_MUSCLE, OTHER_MUSCLE + 10, Tissue.WALL_MUSCLE):
        table[other] = what.lean_hu + rng.normal(0, what.spread_hu)
    for loose, value in ((CARTILAGE, 90.0), (LIGAMENT, 70.0)):
        table[loose] = table[loose + 10] = value + rng.normal(0, 15)
    table[Tissue.FAT] = FAT_HU + rng.normal(0, 5)
    table[Tissue.SKIN] = rng.uniform(-20, 50)
    table[Tissue.DISC] = rng.uniform(60, 110)
    table[Tissue.BOWEL_WALL] = rng.uniform(15, 60)
    table[Tissue.GAS] = rng.uniform(-990, -800)
    table[Tissue.STOOL] = rng.uniform(-40, 90)
    table[Tissue.FLUID] = rng.choice([rng.uniform(-2, 15), rng.uniform(60, 250)], p=[0.85, 0.15])
    table[Tissue.VESSEL] = what.vessel_hu
    table[Tissue.ORGAN] = what.organ_hu
    table[Tissue.TABLE] = rng.uniform(-300, 250)
    table[Tissue.FOAM] = rng.uniform(-980, -900)
    hu = table[tissue]
    _add_intramuscular_fat(hu, tissue, spacing, what, rng)
    _add_texture(hu, tissue, spacing, rng)
    _add_bone(hu, tissue, spacing, what, rng)
    return hu


def _add_intramuscular_fat(
    hu: np.ndarray, tissue: np.ndarray, spacing: tuple[float, float, float], what: Composition, rng: np.random.Generator
) -> None:
    """Streaks of fat along the muscles, and thin fat planes where two muscles meet."""
    share = np.zeros(256, np.float32)
    for label, value in what.infiltration.items():
        share[label] = value
    for other in (OTHER_MUSCLE, OTHER_MUSCLE + 10, Tissue.WALL_MUSCLE):
        share[other] = float(np.mean(list(what.infiltration.values())))
    wanted = share[tissue]
    # Streaks run roughly along the limb; half of the fat is diffuse, as CT shows it.
    streaks = smooth_noise(rng, tissue.shape, (14.0 / spacing[0], 1.6 / spacing[1], 1.6 / spacing[2]))
    patches = smooth_noise(rng, tissue.shape, tuple(8.0 / s for s in spacing))
    field = 0.6 * streaks + 0.8 * patches
    local = 1 / (1 + np.exp(-3.5 * (field - _normal_quantile(1 - wanted))))
    mix = np.where(wanted > 0, np.clip(0.35 * wanted + 0.65 * local * (wanted > 0.005), 0, 0.95), 0)
    muscle = share[tissue] > 0
    boundary = np.zeros(tissue.shape, bool)
    for axis in (1, 2):
        one, two = _shifted(axis)
        differs = (tissue[one] != tissue[two]) & muscle[one] & muscle[two]
        boundary[one] |= differs
        boundary[two] |= differs & (rng.random(differs.shape, dtype=np.float32) < 0.3)
    plane = smooth_noise(rng, tissue.shape, tuple(12.0 / s for s in spacing))
    fascia = boundary * np.clip(what.fascia * (0.6 + 0.5 * plane), 0, 0.8)
    mix = np.maximum(mix, fascia)
    hu += mix * (FAT_HU - hu)


def _shifted(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    one, two = [slice(None)] * 3, [slice(None)] * 3
    one[axis], two[axis] = slice(None, -1), slice(1, None)
    return tuple(one), tuple(two)


def _normal_quantile(share: np.ndarray) -> np.ndarray:
    from scipy.special import ndtri

    return ndtri(np.clip(share, 1e-4, 1 - 1e-4)).astype(np.float32)


def _add_texture(
    hu: np.ndarray, tissue: np.ndarray, spacing: tuple[float, float, float], rng: np.random.Generator
) -> None:
    """Strands in fat, mottled stool, uneven organs."""
    fine = smooth_noise(rng, tissue.shape, tuple(1.8 / s for s in spacing))
    fat = tissue == Tissue.FAT
    strands = np.clip(fine - 1.5, 0, 1) * rng.uniform(20, 90)
    hu[fat] += strands[fat]
    stool = tissue == Tissue.STOOL
    hu[stool] += np.where(fine[stool] < -0.6, -350, 30 * fine[stool])
    soft = np.isin(tissue, (Tissue.ORGAN, Tissue.BOWEL_WALL))
    patches = smooth_noise(rng, tissue.shape, tuple(9.0 / s for s in spacing))
    hu[soft] += 14 * patches[soft]


def _add_bone(
    hu: np.ndarray, tissue: np.ndarray, spacing: tuple[float, float, float], what: Composition, rng: np.random.Generator
) -> None:
    """A cortex around trabecular bone; fatty marrow in the middle of the femoral shaft, whose cortex is thick."""
    from scipy import ndimage

    texture = smooth_noise(rng, tissue.shape, tuple(2.2 / s for s in spacing))
    bones = [segment.label for segment in segments() if segment.structure.group == "bone"]
    bones += [COCCYX, PATELLA, PATELLA + 10, TIBIA, TIBIA + 10, FIBULA, FIBULA + 10, Tissue.VERTEBRA]
    for label in bones:
        mask = tissue == label
        if not mask.any():
            continue
        box = tuple(slice(int(i.min()), int(i.max()) + 1) for i in np.nonzero(mask))
        inside = mask[box]
        depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
        # The transform counts to the next voxel's centre; the surface lies half a voxel before it.
        depth -= 0.5 * min(spacing)
        cortex_mm = np.full((inside.shape[0], 1, 1), what.cortical_mm, np.float32)
        core_hu = np.full((inside.shape[0], 1, 1), what.trabecular_hu, np.float32)
        if label in FEMORA:
            position = np.linspace(0, 1, inside.shape[0])[:, None, None]
            shaft = np.clip(np.minimum(position - 0.12, 0.82 - position) / 0.12, 0, 1)
            cortex_mm = cortex_mm + 3.0 * shaft
            core_hu = (1 - shaft) * what.trabecular_hu + shaft * what.marrow_hu
        core = core_hu + (0.12 * np.abs(core_hu) + 12) * texture[box]
        weight = np.clip((cortex_mm + 0.8 - depth) / 1.6, 0, 1)
        values = weight * what.cortical_hu * rng.uniform(0.85, 1.1) + (1 - weight) * core
        hu[box][inside] = values[inside]
