"""Augmentation: each time a slice is drawn, its crop, geometry and intensities vary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..ct.orientation import AIR_HU

# Pixels between the control points of elastic displacements: about the width of a thigh's muscle at 2.5 mm.
_CONTROL_STEP = 16
ImageWindow = tuple[slice, slice]


@dataclass(frozen=True)
class Augmentation:
    """How far slices are varied.

    `rotation_deg` in degrees, `scale` and `stretch` (one axis against the other) as shares, `shear` as a slope and `shift` as a
    share of the crop are standard deviations of normal distributions, or half widths of uniform ones if `uniform` is set. `flip` is
    the probability of a mirror image, `upside_down` that of one from front to back, `intensity` a factor on all changes of HU (0:
    none), `contrast` the share of simulated slices whose tissues get a random contrast (see `virtual.contrast`).
    `elastic` is the standard deviation of a smooth displacement as a share of the crop's width: each muscle of a slice gets
    another size and place. With `open_borders` simulated pixels where atlases disagree (see `evaluation.disputed`) may be either
    of two classes.
    """

    rotation_deg: float = 6.0
    scale: float = 0.1
    stretch: float = 0.05
    shear: float = 0.04
    shift: float = 0.1
    flip: float = 0.5
    intensity: float = 1.0
    uniform: bool = False
    contrast: float = 0.0
    upside_down: float = 0.0
    open_borders: bool = False
    elastic: float = 0.0

    def draw(self, rng: np.random.Generator, width: float) -> float:
        """One random number around 0 of that width."""
        return float(rng.uniform(-width, width) if self.uniform else rng.normal(0, width))

    def factor(self, rng: np.random.Generator, width: float) -> float:
        """One random factor around 1 of that width, never below 0.2."""
        drawn = self.draw(rng, width)
        return max(1 + drawn, 0.2) if self.uniform else float(np.exp(drawn))


USUAL_AUGMENTATION = Augmentation()
NO_AUGMENTATION = Augmentation(rotation_deg=0, scale=0, stretch=0, shear=0, shift=0, flip=0, intensity=0)


def cut_slice(
    planes: Sequence[np.ndarray],
    labels: np.ndarray,
    crop: tuple[int, int],
    rng: np.random.Generator,
    how: Augmentation,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut `crop` ``(height, width)`` pixels near the middle of a slice; beyond its border there is air and background.

    `planes` are the channels, HU int16 ``[y, x]`` each, `labels` the classes int16 ``[y, x]``, or ``[z, y, x]`` for all planes.
    Returns int16 ``[channels, height, width]`` and the classes of the crop, int16.
    """
    window, inner = cut_window(labels.shape[-2:], crop, rng, how)
    image = np.full((len(planes), *crop), AIR_HU, np.int16)
    for channel, plane in enumerate(planes):
        image[channel][inner] = plane[window]
    label = np.zeros((*labels.shape[:-2], *crop), np.int16)
    label[(..., *inner)] = labels[(..., *window)]
    return image, label


def augment(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, how: Augmentation) -> tuple[Tensor, Tensor]:
    """Warp slices and vary their HU.

    `images` is int16 HU ``[N, channels, h, w]``, `labels` int16 ``[N, h, w]``, or ``[N, channels, h, w]`` where every plane has its
    own; returns float32 HU and int64 classes of the same shapes. All planes of a patch get the same in-plane change.
    """
    hu, classes = warp(images, labels, rng, how)
    return vary_intensity(hu, rng, how.intensity), classes


def warp(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator, how: Augmentation) -> tuple[Tensor, Tensor]:
    """Flip, rotate, scale and shear each slice: bilinear for HU, nearest for classes; shapes as in `augment`."""
    count, _, height, width = images.shape
    hu, classes = torch.from_numpy(images).float(), torch.from_numpy(labels)
    if how == NO_AUGMENTATION:
        return hu, classes.long()
    matrices = np.zeros((count, 2, 3), np.float32)
    ratio = height / width
    for k in range(count):
        angle, scale = np.radians(how.draw(rng, how.rotation_deg)), how.factor(rng, how.scale)
        stretch, shear = how.factor(rng, how.stretch), how.draw(rng, how.shear)
        flip = -1.0 if rng.random() < how.flip else 1.0
        # Drawn only if used, so that recipes without it keep their earlier random numbers.
        over = -1.0 if how.upside_down and rng.random() < how.upside_down else 1.0
        cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
        matrices[k] = [
            [flip * cos * stretch, over * (shear - sin) * ratio, 0],
            [flip * sin / ratio * stretch, over * cos, 0],
        ]
    grid = functional.affine_grid(torch.from_numpy(matrices), [count, 1, height, width], align_corners=False)
    if how.elastic:
        grid = grid + _displacements(rng, how, (count, height, width))
    # Beyond the border grid_sample gives 0, which is air and background once air is 0.
    hu = functional.grid_sample(hu - AIR_HU, grid, mode="bilinear", align_corners=False) + AIR_HU
    planes = classes.float() if classes.dim() == 4 else classes.float().unsqueeze(1)
    moved = functional.grid_sample(planes, grid, mode="nearest", align_corners=False)
    return hu, moved.view(classes.shape[:-2] + moved.shape[-2:]).long()


def _displacements(rng: np.random.Generator, how: Augmentation, shape: tuple[int, int, int]) -> Tensor:
    """Smooth random displacements for slices of `shape` ``(slices, height, width)``, float32 ``[slices, height, width, 2]``.

    In the units of a sampling grid; drawn at control points some `_CONTROL_STEP` pixels apart and interpolated.
    """
    count, height, width = shape
    points = [max(2, round(side / _CONTROL_STEP)) for side in (height, width)]
    drawn = rng.uniform(-np.sqrt(3), np.sqrt(3), (count, 2, *points)) if how.uniform else rng.normal(size=(count, 2, *points))
    # A grid's units are half widths along x and half heights along y.
    drawn *= 2 * how.elastic * np.array([1.0, width / height]).reshape(1, 2, 1, 1)
    smooth = functional.interpolate(torch.from_numpy(drawn.astype(np.float32)), (height, width), mode="bicubic", align_corners=True)
    return smooth.movedim(1, -1)


def vary_intensity(hu: Tensor, rng: np.random.Generator, strength: float = 1.0) -> Tensor:
    """Other scanners and doses: offset and scale of HU, more noise or blur, and a smooth shading per slice.

    `hu` is float32 ``[N, channels, h, w]`` and is changed in place; `strength` scales every change; 0 changes nothing.
    """
    count, _, height, width = hu.shape
    for k in range(count if strength > 0 else 0):
        hu[k] = hu[k] * rng.normal(1, 0.03 * strength) + rng.normal(0, 10 * strength)
        if rng.random() < 0.25:
            shade = torch.from_numpy(rng.normal(0, 14 * strength, (1, 1, 4, 5)).astype(np.float32))
            hu[k] += functional.interpolate(shade, (height, width), mode="bicubic", align_corners=False)[0]
        choice = rng.random()
        if choice < 0.2 * strength:
            hu[k] = functional.avg_pool2d(functional.pad(hu[k : k + 1], (1, 1, 1, 1), mode="replicate"), 3, 1)[0]
        elif choice < 0.5 * strength:
            hu[k] += float(rng.uniform(5, 35)) * torch.randn(hu[k].shape, generator=_generator(rng))
    return hu


def cut_window(
    shape: tuple[int, ...], crop: tuple[int, int], rng: np.random.Generator, how: Augmentation
) -> tuple[ImageWindow, ImageWindow]:
    """The window ``(y, x)`` to cut from a slice of `shape`, and its position in the crop."""
    window, inner = [], []
    for have, want in zip(shape, crop, strict=True):
        start = int(round((have - want) / 2 + how.draw(rng, how.shift) * want))
        # A shifted window always overlaps the slice.
        start = int(np.clip(start, 1 - want, have - 1))
        first, last = max(start, 0), min(start + want, have)
        window.append(slice(first, last))
        inner.append(slice(first - start, last - start))
    return (window[0], window[1]), (inner[0], inner[1])


def _generator(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**31)))
