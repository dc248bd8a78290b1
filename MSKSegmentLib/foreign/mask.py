"""A segmentation of another program before anybody knows what its values stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..anatomy import Code, Side
from ..ct.volume import Geometry
from ..errors import InputError
from ..findings import Finding

# No label map of a body holds so many values; images do.
MOST_VALUES = 400
# How far a value may lie off a whole number: floats of other programs, and whole numbers that are stored scaled.
WHOLE_WITHIN = 1e-3
# What a mask is called that is one image of values.
LABEL_MAP = "a label map"


@dataclass(frozen=True)
class ForeignSegment:
    """One structure as another program stored it: the voxels of `value` in its layer.

    `texts` are its names, the most telling first; empty where the file holds values alone. `code` and `side` are what a DICOM
    segmentation states apart from the name. `numbered` is the value that it had in the label map that it was made of, where only
    its name still says so.
    """

    value: int
    texts: tuple[str, ...] = ()
    code: Code | None = None
    side: Side | None = None
    numbered: int | None = None

    @property
    def program_value(self) -> int:
        """Its value in the label map of the program that drew it."""
        return self.value if self.numbered is None else self.numbered

    @property
    def called(self) -> str:
        """What sentences and lists call it."""
        return self.texts[0] if self.texts else f"value {self.program_value}"


@dataclass(frozen=True)
class Layer:
    """Segments that do not overlap, and what gives their voxels: whole numbers ``[z, y, x]``, 0 for background."""

    segments: tuple[ForeignSegment, ...]
    voxels: Callable[[], np.ndarray]


@dataclass(frozen=True)
class ForeignMask:
    """A segmentation on one grid. `name` is for sentences, `kind` says what it is ("a label map", "a DICOM segmentation").

    Where segments of different layers overlap, those of later layers count. `study_uid` is the DICOM study that it says it
    belongs to, `frame_uid` its frame of reference.
    """

    name: str
    kind: str
    layers: tuple[Layer, ...]
    geometry: Geometry
    findings: tuple[Finding, ...] = ()
    study_uid: str | None = None
    frame_uid: str | None = None

    @property
    def segments(self) -> tuple[ForeignSegment, ...]:
        """All segments in their order."""
        return tuple(segment for layer in self.layers for segment in layer.segments)


def mask_of_array(
    voxels: np.ndarray, geometry: Geometry, names: Mapping[int, str] | None = None, name: str = "segmentation"
) -> ForeignMask:
    """The mask that a label map ``[z, y, x]`` of any type of numbers is; `names` are those of its values, where they are known.

    Raises:
        InputError: it is empty, holds other values than whole numbers, or so many that it is an image.
        ValueError: its shape is not that of the grid.
    """
    if voxels.shape != geometry.shape:
        raise ValueError(f"voxels of shape {voxels.shape} on a grid of shape {geometry.shape}")
    whole = whole_numbers(voxels, None, name)
    values = [value for value in values_of(whole, name) if value]
    if not values:
        raise empty(name)
    called = names or {}
    segments = tuple(ForeignSegment(value, (called[value],) if called.get(value) else ()) for value in values)
    return ForeignMask(name, LABEL_MAP, (Layer(segments, lambda: whole),), geometry)


def whole_numbers(voxels: np.ndarray, scaling: tuple[float, float] | None, name: str) -> np.ndarray:
    """Stored voxels ``[z, y, x]`` as whole numbers; the array itself where it holds them already. `scaling` is (slope, intercept).

    Raises:
        InputError: values are not whole numbers, or too large.
    """
    if voxels.dtype == bool:
        return voxels.view(np.uint8)
    if voxels.dtype.kind in "iu" and scaling is None:
        return voxels
    whole = np.empty(voxels.shape, np.int32)
    slope, intercept = scaling or (1.0, 0.0)
    for k, section in enumerate(voxels):
        values = section.astype(np.float64) * slope + intercept
        if not np.isfinite(values).all() or np.abs(values).max(initial=0.0) > np.iinfo(np.int32).max:
            raise InputError(f"{name} holds values that are not numbers, or too large for labels; give a label map.")
        rounded = np.rint(values)
        off = np.abs(values - rounded) > WHOLE_WITHIN
        if off.any():
            raise InputError(
                f"{name} holds the value {values[off][0]:g}, and labels are whole numbers: it may be a map of probabilities or was "
                "interpolated; give the label map, or resample it by nearest neighbour."
            )
        whole[k] = rounded
    return whole


def values_of(voxels: np.ndarray, name: str) -> list[int]:
    """All values of whole numbers ``[z, y, x]``, 0 among them, in ascending order.

    Raises:
        InputError: there are so many that it is an image.
    """
    found: set[int] = set()
    for section in voxels:
        low, high = int(section.min(initial=0)), int(section.max(initial=0))
        if low == high:
            found.add(low)
        elif high - low < 1 << 20:
            found.update((np.flatnonzero(np.bincount(section.ravel().astype(np.int64) - low)) + low).tolist())
        else:
            found.update(np.unique(section).tolist())
        if low < 0:
            raise InputError(f"{name} holds the negative value {low}: it is an image and no label map; give the labels.")
        if len(found) > MOST_VALUES:
            raise InputError(
                f"{name} holds more than {MOST_VALUES} different values: it is an image and no label map; give the labels."
            )
    return sorted(found)


def empty(name: str) -> InputError:
    """The error for a segmentation without a voxel."""
    return InputError(f"{name} is empty, no voxel belongs to a structure; give the file that holds the labels.")
