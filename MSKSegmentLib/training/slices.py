"""Where training slices come from: a folder of simulated patients, cut and varied on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..bundle.manifest import Preprocessing
from ..errors import InputError
from ..inference.slices import normalise
from ..virtual.atlas import Atlas
from ..virtual.patient import class_table, make_patient

AIR_HU = -1024
# Classes of the hip: small and hard, so that their slices are drawn more often than their share of the body's length.
HIP_CLASSES = (1, 3, 5, 6, 7, 8, 9, 10, 11)


def fill_bank(
    folder: Path, atlases: tuple[Atlas, ...], seeds: Sequence[int], spacing_mm: tuple[float, float, float]
) -> None:
    """Simulate a patient per seed and store ``<seed>.npy`` (int16 ``[2, z, y, x]``: HU and class); existing ones are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = class_table()
    for seed in seeds:
        path = folder / f"{seed}.npy"
        if path.exists():
            continue
        patient = make_patient(atlases, seed, spacing_mm)
        partial = folder / f"{seed}.partial.npy"
        np.save(partial, np.stack([patient.volume.hu, classes[patient.labels].astype(np.int16)]))
        partial.rename(path)


class SliceBank:
    """Random training slices from a folder that `fill_bank` writes; patients that arrive later are picked up by `refresh`."""

    def __init__(self, folder: Path, preprocessing: Preprocessing, channels: int, crop: tuple[int, int], seed: int) -> None:
        self._folder = folder
        self._preprocessing = preprocessing
        self._half = channels // 2
        self._crop = crop
        self._rng = np.random.default_rng(seed)
        self._patients: dict[Path, tuple[np.ndarray, np.ndarray]] = {}
        self.refresh()

    def refresh(self) -> int:
        """Open new patients; returns how many are known.

        Raises:
            InputError: the folder holds none.
        """
        for path in sorted(self._folder.glob("*.npy")):
            if path.stem.isdigit() and path not in self._patients:
                data = np.load(path, mmap_mode="r")
                hip = np.isin(data[1, :, ::2, ::2], HIP_CLASSES).any(axis=(1, 2))
                self._patients[path] = (data, np.flatnonzero(hip))
        if not self._patients:
            raise InputError(f"The folder {self._folder.name!r} holds no simulated patients; run 'mskseg virtual' first.")
        return len(self._patients)

    def batch(self, size: int) -> tuple[Tensor, Tensor]:
        """``[size, channels, h, w]`` float32 slices, normalised and augmented, and their classes int64 ``[size, h, w]``."""
        keys = list(self._patients)
        images, labels = [], []
        for _ in range(size):
            data, hip = self._patients[keys[self._rng.integers(len(keys))]]
            image, label = self._slice(data, hip)
            images.append(image)
            labels.append(label)
        hu, classes = _warp(np.stack(images), np.stack(labels), self._rng)
        hu = _vary_intensity(hu, self._rng)
        return normalise(hu, self._preprocessing), classes

    def _slice(self, data: np.ndarray, hip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        depth = data.shape[1]
        z = int(self._rng.choice(hip)) if hip.size and self._rng.random() < 0.45 else int(self._rng.integers(depth))
        # A last slice has no neighbour; the engine repeats it, and so does training.
        ends = self._rng.random() < 0.08
        around = [z if ends else int(np.clip(z + k, 0, depth - 1)) for k in range(-self._half, self._half + 1)]
        window, inner = self._window(data.shape[2:])
        image = np.full((len(around), *self._crop), AIR_HU, np.int16)
        label = np.zeros(self._crop, np.int16)
        for channel, level in enumerate(around):
            image[channel][inner] = data[0, level][window]
        label[inner] = data[1, z][window]
        return image, label

    def _window(self, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        window, inner = [], []
        for have, want in zip(shape, self._crop, strict=True):
            start = int(round((have - want) / 2 + self._rng.normal(0, 0.1 * want)))
            first, last = max(start, 0), min(start + want, have)
            window.append(slice(first, last))
            inner.append(slice(first - start, last - start))
        return (window[0], window[1]), (inner[0], inner[1])


def _warp(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Flip, rotate, scale and shear each slice: bilinear for HU, nearest for classes."""
    count, _, height, width = images.shape
    matrices = np.zeros((count, 2, 3), np.float32)
    for k in range(count):
        angle, scale = np.radians(rng.normal(0, 6)), np.exp(rng.normal(0, 0.1))
        stretch, shear = np.exp(rng.normal(0, 0.05)), rng.normal(0, 0.04)
        flip = -1.0 if rng.random() < 0.5 else 1.0
        ratio = height / width
        cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
        matrices[k] = [[flip * cos * stretch, (shear - sin) * ratio, 0], [flip * sin / ratio * stretch, cos, 0]]
    grid = functional.affine_grid(torch.from_numpy(matrices), [count, 1, height, width], align_corners=False)
    hu = functional.grid_sample(
        torch.from_numpy(images).float() - AIR_HU, grid, mode="bilinear", align_corners=False
    ) + AIR_HU
    classes = functional.grid_sample(
        torch.from_numpy(labels).float().unsqueeze(1), grid, mode="nearest", align_corners=False
    )
    return hu, classes.squeeze(1).long()


def _vary_intensity(hu: Tensor, rng: np.random.Generator) -> Tensor:
    """Other scanners and doses: offset and scale of HU, more noise or blur, and a smooth shading per slice."""
    count, _, height, width = hu.shape
    for k in range(count):
        hu[k] = hu[k] * rng.normal(1, 0.03) + rng.normal(0, 10)
        if rng.random() < 0.25:
            shade = torch.from_numpy(rng.normal(0, 14, (1, 1, 4, 5)).astype(np.float32))
            hu[k] += functional.interpolate(shade, (height, width), mode="bicubic", align_corners=False)[0]
        choice = rng.random()
        if choice < 0.2:
            hu[k] = functional.avg_pool2d(functional.pad(hu[k : k + 1], (1, 1, 1, 1), mode="replicate"), 3, 1)[0]
        elif choice < 0.5:
            hu[k] += float(rng.uniform(5, 35)) * torch.randn(hu[k].shape, generator=_generator(rng))
    return hu


def _generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**31)))
