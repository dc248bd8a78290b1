"""Random fields for tissue texture: drawn anew for whole patients, cut from a pool where speed counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .tissue import smooth_noise

# (rng, shape in voxels, standard deviation of the smoothing in voxels) -> float32 field of unit standard deviation
Noise = Callable[[np.random.Generator, tuple[int, ...], tuple[float, ...]], np.ndarray]


class NoisePool:
    """Smooth noise cut from large fields that are made once per smoothness, at random places and mirrored at random.

    A window at a random place is as random as the field and only costs a copy.
    """

    def __init__(self, size: tuple[int, int, int], seed: int = 0) -> None:
        self._size = size
        self._rng = np.random.default_rng(seed)
        self._fields: dict[tuple[float, ...], np.ndarray] = {}

    def __call__(self, rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> np.ndarray:
        """A float32 field of `shape` with unit standard deviation; `sigma` in voxels.

        Raises:
            ValueError: `shape` is larger than the pool's fields.
        """
        # Smoothness is rounded to tenths of a voxel: it makes no difference, and keeps the number of fields small.
        key = tuple(round(value, 1) for value in sigma)
        if key not in self._fields:
            self._fields[key] = smooth_noise(self._rng, self._size, key).astype(np.float16)
        field = self._fields[key]
        if any(want > have for want, have in zip(shape, self._size, strict=True)):
            raise ValueError(f"noise of shape {shape} does not fit into the pool of {self._size}")
        window = []
        for want, have in zip(shape, self._size, strict=True):
            start = int(rng.integers(have - want + 1))
            window.append(slice(start, start + want))
        turned = tuple(slice(None, None, int(rng.choice((-1, 1)))) for _ in shape)
        return field[tuple(window)][turned].astype(np.float32)
