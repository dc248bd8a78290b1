"""Training slices of virtual patients: bodies are built once; composition and scan are drawn anew for every slice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..anatomy.built_in import HIP_AND_THIGH
from ..bundle.manifest import Preprocessing
from ..ct.orientation import AIR_HU
from ..errors import InputError
from ..evaluation.disputed import disputed
from ..inference.slices import normalise
from ..virtual.acquisition import METAL_FROM_HU, Acquisition, blur_slices, outside_view, random_acquisition, scan_slices
from ..virtual.atlas import Atlas
from ..virtual.contrast import change_contrast
from ..virtual.implants import METAL
from ..virtual.ingredients import PLAIN, Ingredients
from ..virtual.noise import NoisePool
from ..virtual.patient import class_table
from ..virtual.radiodensity import radiodensity, random_composition
from ..virtual.specimen import Specimen, load_specimen, make_specimen, save_specimen
from ..virtual.tissue import OUTSIDE
from .augmentation import USUAL_AUGMENTATION, Augmentation, cut_window, vary_intensity, warp
from .sources import HIP_CLASSES, HIP_SHARE, Batch, batch_of
from .virtual_first_stage import hide_outside

# Number of slices beyond the channels that the slice profile mixes in.
_REACH = 1
# The simulated scanner varies HU already; this adds variation that it does not model.
_INTENSITY = 0.5


def fill_bank(
    folder: Path,
    atlases: tuple[Atlas, ...],
    seeds: Sequence[int],
    spacing_mm: tuple[float, float, float],
    ingredients: Ingredients = PLAIN,
) -> None:
    """Build the specimen of each seed on a grid of `spacing_mm` ``(z, y, x)`` and store it in `folder`; existing ones are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        path = folder / f"{seed}.npy"
        if not path.exists():
            save_specimen(make_specimen(atlases, seed, spacing_mm, ingredients=ingredients), path)


@dataclass(frozen=True)
class _Known:
    """A specimen, its slices through the hip, the middle ``(y, x)`` of the body in each slice, and its open borders, if wanted."""

    specimen: Specimen
    hip: np.ndarray
    middles: np.ndarray
    disputed: np.ndarray | None = None


class VirtualSlices:
    """Random slices of the specimens in a folder that `fill_bank` writes; `refresh` finds those that are added later.

    `bodies` names the atlas bodies to draw from, `seeds` the specimens (None: all). `crop` is ``(height, width)`` in pixels, or
    ``(depth, height, width)`` of patches for a 3D network, whose planes take the place of the channels.
    """

    def __init__(
        self,
        folder: Path,
        preprocessing: Preprocessing,
        channels: int,
        crop: tuple[int, ...],
        seed: int,
        augmentation: Augmentation = USUAL_AUGMENTATION,
        bodies: Sequence[str] | None = None,
        seeds: Sequence[int] | None = None,
    ) -> None:
        self._folder = folder
        self._preprocessing = preprocessing
        self._half = channels // 2
        self._depth = crop[0] if len(crop) == 3 else None
        self._crop = crop[-2], crop[-1]
        self._rng = np.random.default_rng(seed)
        self._augmentation = augmentation
        self._bodies = bodies
        self._seeds = None if seeds is None else set(seeds)
        self._classes = class_table()
        self._noise = NoisePool((max(24, (self._depth or channels) + 2 * _REACH), crop[-2] + 96, crop[-1] + 96), seed)
        self._patients: dict[Path, _Known | None] = {}
        self._drawn: list[_Known] = []
        self.refresh()

    def refresh(self) -> int:
        """Open new specimens; returns the number of specimens in use.

        Raises:
            InputError: the folder holds none.
        """
        for path in sorted(self._folder.glob("*.npy")):
            if path.stem.isdigit() and path not in self._patients:
                self._patients[path] = self._open(path)
        self._drawn = [patient for patient in self._patients.values() if patient is not None]
        if not self._drawn:
            raise InputError(f"The folder {self._folder.name!r} holds no virtual patients; let 'mskseg train' make them first.")
        return len(self._drawn)

    def _open(self, path: Path) -> _Known | None:
        if self._seeds is not None and int(path.stem) not in self._seeds:
            return None
        specimen = load_specimen(path)
        if self._bodies is not None and specimen.facts["body"] not in self._bodies:
            return None
        classes = self._classes[specimen.tissue[:, ::2, ::2]]
        hip = np.flatnonzero(np.isin(classes, HIP_CLASSES).any(axis=(1, 2)))
        open_between = disputed(specimen.tissue, specimen.spacing) if self._augmentation.open_borders else None
        return _Known(specimen, hip, _middles(specimen.tissue), open_between)

    def batch(self, size: int) -> Batch:
        """`size` slices of random patients, scanned at random."""
        drawn = [self._slice() for _ in range(size)]
        tissue_hu, classes = warp(
            np.stack([one[0] for one in drawn]), np.stack([one[1] for one in drawn]), self._rng, self._augmentation
        )
        for hu, label, (_, _, settings, metal, _) in zip(tissue_hu, classes, drawn, strict=True):
            self._scan(hu.numpy(), label.numpy(), settings, metal)
        hu = vary_intensity(tissue_hu, self._rng, _INTENSITY * self._augmentation.intensity)
        if self._preprocessing.first_stage is not None:
            hide_outside(hu, classes, self._preprocessing)
        known = torch.ones((size, int(self._classes.max()) + 1), dtype=torch.bool)
        return batch_of(normalise(hu, self._preprocessing), classes, known, [one[4] for one in drawn])

    def _slice(self) -> tuple[np.ndarray, np.ndarray, Acquisition, bool, float]:
        """HU float32 ``[channels, h, w]``, classes int16 ``[h, w]``, the scanner, whether there is metal, the position (0..1)."""
        patient = self._drawn[self._rng.integers(len(self._drawn))]
        specimen, rng = patient.specimen, self._rng
        depth, *plane = specimen.tissue.shape
        z = int(rng.choice(patient.hip)) if patient.hip.size and rng.random() < HIP_SHARE else int(rng.integers(depth))
        window, inner = self._window(patient.middles[z], plane)
        levels = self._levels(z, depth)
        first, last = max(0, levels[0] - _REACH), min(depth, levels[-1] + _REACH + 1)
        slab = specimen.slab(first, last, window)
        hu = radiodensity(slab, random_composition(rng, specimen.atrophy), self._noise, rng)
        if self._augmentation.contrast and rng.random() < self._augmentation.contrast:
            change_contrast(hu, slab.tissue, rng)
        settings = random_acquisition(rng)
        blur_slices(hu, settings.slice_mm, specimen.spacing[0])
        image = np.full((len(levels), *self._crop), AIR_HU, np.float32)
        # The outermost slices lack a neighbour; inference repeats them, and so does training at times.
        if self._depth is None and rng.random() < 0.08:
            levels = [z] * len(levels)
        for channel, level in enumerate(levels):
            image[channel][inner] = hu[level - first]
        labelled = [z] if self._depth is None else levels
        label = np.zeros((len(labelled), *self._crop), np.int16)
        for row, level in zip(label, labelled, strict=True):
            row[inner] = self._classes[slab.tissue[level - first]]
            if patient.disputed is not None:
                between = patient.disputed[level][window]
                row[inner][between > 0] = HIP_AND_THIGH.classes + between[between > 0] - 1
        label = label[0] if self._depth is None else label
        return image, label, settings, bool((slab.depth == METAL).any()), z / max(1, depth - 1)

    def _levels(self, z: int, depth: int) -> list[int]:
        """The slices around slice z that a network sees: those of its channels, or of a patch that lies inside the specimen."""
        if self._depth is not None:
            first = int(np.clip(z - self._depth // 2, 0, max(0, depth - self._depth)))
            return [min(level, depth - 1) for level in range(first, first + self._depth)]
        return [int(np.clip(z + k, 0, depth - 1)) for k in range(-self._half, self._half + 1)]

    def _window(self, middle: np.ndarray, plane: Sequence[int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """A window about the body's middle, and where it lies in the crop."""
        # Crop from the largest part of the plane whose centre is the body's middle.
        half = [int(min(at, size - at)) for at, size in zip(middle, plane, strict=True)]
        window, inner = cut_window((2 * half[0], 2 * half[1]), self._crop, self._rng, self._augmentation)
        starts = [int(at) - n for at, n in zip(middle, half, strict=True)]
        y, x = (slice(part.start + start, part.stop + start) for part, start in zip(window, starts, strict=True))
        return (y, x), inner

    def _scan(self, hu: np.ndarray, label: np.ndarray, settings: Acquisition, has_metal: bool) -> None:
        """Scan one slice with its neighbours, in place."""
        spacing = self._preprocessing.in_plane_spacing_mm or 1.0
        metal = hu > METAL_FROM_HU if has_metal else None
        scan_slices(hu, metal, (spacing, spacing), settings, self._noise, self._rng)
        outside = outside_view(hu.shape[1:], (spacing, spacing), settings)  # type: ignore[arg-type]
        if outside is not None:
            hu[:, outside] = AIR_HU
            label[..., outside] = 0


def _middles(tissue: np.ndarray) -> np.ndarray:
    """Middle of the body in each slice, ``[z, 2]`` in voxels; the array's middle where there is no body."""
    middles = np.tile(np.asarray(tissue.shape[1:]) / 2, (len(tissue), 1))
    for k, plane in enumerate(tissue):
        ys, xs = np.nonzero(~np.isin(plane[::4, ::4], OUTSIDE))
        if ys.size:
            middles[k] = 2 * (ys.min() + ys.max()) + 2, 2 * (xs.min() + xs.max()) + 2
    return middles
