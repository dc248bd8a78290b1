"""One virtual patient in an MR scanner: T1-weighted image, fat and water images, true labels of the task's muscles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..anatomy import LEFT_OFFSET, StructureTable
from ..anatomy.built_in import HIP_AND_THIGH
from ..ct.modality import MR_MODALITY
from ..ct.volume import CTVolume, Geometry
from .acquisition import blur_slices
from .atlas import Atlas
from .mr_acquisition import MRAcquisition, coil_sensitivity, magnitude, random_mr_acquisition, stored_signal
from .mr_signal import protons
from .patient import FINEST_BODY_MM, body_grid
from .radiodensity import ALL_MUSCLES, random_composition
from .resampling import resampled
from .specimen import Specimen, make_specimen
from .tissue import smooth_noise

# A muscle of fewer voxels gets no true share of fat.
_FEWEST_VOXELS = 20
# Signal of a fat-water sequence depends on protons alone; this is the stored value of muscle.
_DIXON_STORED = 400.0


@dataclass(frozen=True)
class MRPatient:
    """A simulated T1-weighted scan and its true labels with sides, uint8 ``[z, y, x]`` on the scan's grid.

    `fat` and `water` are int16 images of a fat-water (Dixon) sequence on the same grid, or None. `known` are
    the abbreviations of the structures that the labels can show; `facts` hold the drawn parameters and each label's share of fat.
    """

    volume: CTVolume
    labels: np.ndarray
    known: tuple[str, ...]
    facts: dict[str, object]
    fat: np.ndarray | None = None
    water: np.ndarray | None = None


def make_mr_patient(
    atlases: tuple[Atlas, ...],
    seed: int,
    spacing_mm: tuple[float, float, float],
    table: StructureTable,
    dixon: bool = False,
) -> MRPatient:
    """The virtual patient of that seed, scanned by MR on a grid of `spacing_mm` ``(z, y, x)``; labels are those of `table`.

    Pose, build and disease are those of the seed's CT; there is no metal. Where the atlas has `details`, they are the muscles of
    `table`; elsewhere the labels show the structures that the table shares with that of hip and thigh.
    """
    z, y, x = (max(wanted, finest) for wanted, finest in zip(spacing_mm, FINEST_BODY_MM, strict=True))
    specimen = make_specimen(atlases, seed, (z, y, x), metal=False)
    rng = np.random.default_rng((seed, 4))
    what, settings = random_composition(rng, specimen.atrophy), random_mr_acquisition(rng, spacing_mm[0])
    signal = protons(specimen, what, settings.sequence, smooth_noise, rng)
    truth, known = true_labels(specimen, table)
    grid, shape = body_grid(specimen.tissue.shape, specimen.spacing, spacing_mm)
    labels = resampled(truth, grid, order=0)
    images = [_scanned(one, specimen.spacing, settings, grid) for one in (signal.t1_weighted, signal.fat, signal.water)]
    t1, fat, water = images
    muscle = float(np.median(t1[labels > 0])) if labels.any() else 0.4
    stored = _stored(t1 / muscle * settings.muscle_stored, settings, settings.muscle_stored, spacing_mm, rng)
    geometry = Geometry(size=(shape[2], shape[1], shape[0]), spacing=(spacing_mm[2], spacing_mm[1], spacing_mm[0]))
    volume = CTVolume(stored, geometry, modality=MR_MODALITY)
    facts = {**specimen.facts, "modality": MR_MODALITY, "coverage": "whole", "scanner": settings.facts()}
    if not dixon:
        return MRPatient(volume, labels, known, facts)
    facts["fat_share"] = fat_shares(labels, fat, water)
    pair = np.stack([fat, water]) * _DIXON_STORED
    # Both images come from the same echoes: they share the coil, but each has its own noise.
    sensitivity = coil_sensitivity(shape, spacing_mm, settings.bias, rng)
    fat_image, water_image = (stored_signal(magnitude(one * sensitivity, _DIXON_STORED / settings.snr, rng)) for one in pair)
    return MRPatient(volume, labels, known, facts, fat_image, water_image)


def true_labels(specimen: Specimen, table: StructureTable) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels of `table` in a specimen, uint8 ``[z, y, x]`` with sides, and the abbreviations of what they can show."""
    if specimen.details is not None:
        muscle = np.zeros(256, bool)
        muscle[list(ALL_MUSCLES)] = True
        labels = np.where(muscle[specimen.tissue], specimen.details, 0).astype(np.uint8)
        return labels, tuple(one.abbreviation for one in table.structures if _occurs(one.index, specimen.details))
    values = np.zeros(256, np.uint8)
    shared = {one.abbreviation: one for one in HIP_AND_THIGH.structures}
    known = [one for one in table.structures if one.abbreviation in shared]
    for structure in known:
        own = shared[structure.abbreviation]
        for offset in (0, LEFT_OFFSET) if own.paired else (0,):
            values[own.index + offset] = structure.index + offset
    return values[specimen.tissue], tuple(structure.abbreviation for structure in known)


def fat_shares(labels: np.ndarray, fat: np.ndarray, water: np.ndarray) -> dict[str, float]:
    """Mean of fat / (fat + water) in each label, keyed by its value as text; all ``[z, y, x]``, fat and water without noise."""
    share = fat / np.maximum(fat + water, 1e-6)
    counts, sums = np.bincount(labels.ravel(), minlength=256), np.bincount(labels.ravel(), share.ravel(), minlength=256)
    return {str(k): round(float(sums[k] / counts[k]), 4) for k in range(1, 256) if counts[k] >= _FEWEST_VOXELS}


def _occurs(index: int, details: np.ndarray) -> bool:
    return bool((details == index).any() or (details == index + LEFT_OFFSET).any())


def _scanned(
    signal: np.ndarray, spacing: tuple[float, float, float], settings: MRAcquisition, grid: list[np.ndarray]
) -> np.ndarray:
    """Signal blurred by slice profile and point spread, on the scan's grid: voxels on a border average both tissues."""
    from scipy import ndimage

    blur_slices(signal, settings.slice_mm, spacing[0])
    sigma = (0.0, *(settings.blur_mm / step for step in spacing[1:]))
    ndimage.gaussian_filter(signal, sigma, output=signal, truncate=3.0)
    return resampled(signal, grid, order=1)


def _stored(
    signal: np.ndarray, settings: MRAcquisition, muscle: float, spacing: tuple[float, float, float], rng: np.random.Generator
) -> np.ndarray:
    """The signal as the scanner stores it, with coil sensitivity and noise; int16. `muscle` is the signal of muscle."""
    uneven = signal * coil_sensitivity(signal.shape, spacing, settings.bias, rng)
    return stored_signal(magnitude(uneven.astype(np.float32), muscle / settings.snr, rng))
