"""The header of a MetaImage file (``.mha``, ``.mhd``) and what it states about the grid.

Source: MetaIO, https://itk.org/Wiki/MetaIO/Documentation. Voxels are read by the toolkit; it takes a missing spacing for
1 mm, missing axes for LPS, the last of several synonyms, every unit for mm, and does not scale values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning
from .facts import ImageFacts, Stated, by, in_millimetres

_LONGEST_HEADER = 1 << 16
_AXES = ("TransformMatrix", "Rotation", "Orientation")
_ORIGIN = ("Offset", "Position", "Origin")
_UNITS_MM = {"mm": 1.0, "cm": 10.0, "um": 0.001, "m": 1000.0}
_SAME_SPACING = 1e-3
# Letters of AnatomicalOrientation as directions in LPS.
_LETTERS = {
    "R": (-1, 0, 0), "L": (1, 0, 0), "A": (0, -1, 0), "P": (0, 1, 0), "I": (0, 0, -1), "S": (0, 0, 1),
}  # fmt: skip
# cos 60 degrees: an axis at a larger angle to its letter's direction contradicts the letter.
_LEAST_COSINE = 0.5


def parse_metaimage(path: Path) -> Mapping[str, str]:
    """The fields of the header, in the order and spelling of the file.

    Raises:
        InputError: it is not a MetaImage, or states a field twice.
    """
    with path.open("rb") as file:
        data = file.read(_LONGEST_HEADER)
    fields: dict[str, str] = {}
    for line in data.split(b"\n"):
        # The format's own library accepts either sign.
        parts = re.split("[=:]", line.decode("utf-8", "replace"), maxsplit=1)
        if len(parts) < 2:
            break
        key, value = (part.strip() for part in parts)
        if key in fields and fields[key] != value:
            raise InputError(f"The header of {path.name} states its {key} twice; delete the wrong line.")
        fields[key] = value
        if key == "ElementDataFile":
            break
    if "NDims" not in fields or "DimSize" not in fields:
        raise InputError(f"The file {path.name} is not a MetaImage or is cut short; copy or export it again.")
    return fields


def metaimage_facts(fields: Mapping[str, str], name: str) -> ImageFacts:
    """The facts of a MetaImage header; `name` is the file's, for messages.

    Raises:
        InputError: it does not state its voxel spacing, states a fact twice, or in invalid numbers or units.
    """
    dimensions = int(_numbers(fields, "NDims", 1, name)[0])
    sizes = _numbers(fields, "DimSize", dimensions, name)
    if dimensions < 3 or any(n != 1 for n in sizes[3:]):
        raise InputError(f"The image {name} has {dimensions} dimensions; choose a single 3D volume.")
    unit = _unit(fields, name)
    factor = unit.value if unit else 1.0
    lengths, findings = _spacing(fields, dimensions, name)
    findings += in_millimetres(lengths, unit, name)
    axes_field, origin_field = (_one_of(fields, names, name) for names in (_AXES, _ORIGIN))
    origin = None
    if origin_field:
        origin = Stated(_numbers(fields, origin_field, dimensions, name)[:3] * factor, origin_field)
    size, scaling = (int(sizes[0]), int(sizes[1]), int(sizes[2])), _scaling(fields, name)
    if axes_field is None:
        steps = Stated(np.diag(lengths * factor), "ElementSpacing")
        return ImageFacts(size, steps, origin, None, "it has no TransformMatrix", scaling, unit, findings)
    # The file lists one axis after the other: rows of the list are columns of the matrix.
    axes = _numbers(fields, axes_field, dimensions**2, name).reshape(dimensions, dimensions)[:3, :3].T
    if np.isfinite(axes).all() and np.abs(np.linalg.norm(axes, axis=0) - 1).max() > 1e-2:
        raise InputError(
            f"The {axes_field} of {name} has axes of another length than 1, which states its voxel size twice; export it again."
        )
    findings += _letters_findings(fields, axes) + _centre_findings(fields, axes, dimensions, name)
    steps = Stated(axes / np.linalg.norm(axes, axis=0) * lengths * factor, axes_field)
    return ImageFacts(size, steps, origin, Stated("LPS", axes_field), "", scaling, unit, findings)


def _spacing(fields: Mapping[str, str], dimensions: int, name: str) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """Distances between voxel centres in the file's unit; without them the voxel size is used, as in the format's own library."""
    given = {field: _numbers(fields, field, dimensions, name)[:3] for field in ("ElementSpacing", "ElementSize") if field in fields}
    if not given:
        raise InputError(f"The image {name} does not state its voxel spacing; export it again with its spacing.")
    spacing = next(iter(given.values()))
    if not np.isfinite(spacing).all() or spacing.min() <= 0:
        raise InputError(f"The image {name} has a voxel spacing of zero or less; export it again with its spacing.")
    if "ElementSpacing" not in given:
        return spacing, (
            warning(
                "spacing_of_voxel_size",
                "The file states the size of its voxels and not their spacing; the voxels were taken to touch.",
            ),
        )
    # Slices may be thicker or thinner than their interval; pixels may not.
    if "ElementSize" in given and np.abs(given["ElementSize"][:2] / spacing[:2] - 1).max() > _SAME_SPACING:
        return spacing, (
            warning(
                "contradicting_spacing",
                f"The file states two voxel sizes, {by(spacing)} as ElementSpacing and {by(given['ElementSize'])} as "
                "ElementSize; the spacing was used.",
            ),
        )
    return spacing, ()


def _one_of(fields: Mapping[str, str], names: tuple[str, ...], name: str) -> str | None:
    """The one of several synonyms that the header uses."""
    given = [field for field in names if field in fields]
    if len({_as_numbers(fields[field]) for field in given}) > 1:
        raise InputError(f"The header of {name} states the same twice and differently ({', '.join(given)}); delete the wrong line.")
    return given[0] if given else None


def _as_numbers(text: str) -> tuple[float | str, ...]:
    """Words, as numbers where possible: 0 and 0.0 state the same."""
    try:
        return tuple(float(word) for word in text.split())
    except ValueError:
        return tuple(text.split())


def _letters_findings(fields: Mapping[str, str], axes: np.ndarray) -> tuple[Finding, ...]:
    """Warnings if letters contradict the axes. Letters may name where an axis comes from or, as documented, where it goes to."""
    letters = fields.get("AnatomicalOrientation", "").upper()[:3]
    if len(letters) != 3 or any(letter not in _LETTERS for letter in letters):
        return ()
    cosines = np.sum(np.array([_LETTERS[letter] for letter in letters]).T * axes, axis=0)
    if (cosines >= _LEAST_COSINE).all() or (cosines <= -_LEAST_COSINE).all():
        return ()
    return (
        warning(
            "contradicting_sides",
            f"The AnatomicalOrientation of the file ({letters}) is not that of its axes; the axes were used, so check the sides.",
        ),
    )


def _centre_findings(fields: Mapping[str, str], axes: np.ndarray, dimensions: int, name: str) -> tuple[Finding, ...]:
    if "CenterOfRotation" not in fields or np.allclose(axes, np.eye(3)):
        return ()
    if not np.any(_numbers(fields, "CenterOfRotation", dimensions, name)[:3]):
        return ()
    return (
        warning(
            "contradicting_position",
            "The file names a centre of rotation, which programs treat differently; its offset alone was used, so do not rely on "
            "the scan's position.",
        ),
    )


def _unit(fields: Mapping[str, str], name: str) -> Stated[float] | None:
    word = fields.get("DistanceUnits", "?").lower()
    if word in ("?", ""):
        return None
    if word not in _UNITS_MM:
        raise InputError(f"The image {name} gives its lengths in {word!r}, which is no known unit; save it in mm.")
    return Stated(_UNITS_MM[word], "DistanceUnits")


def _scaling(fields: Mapping[str, str], name: str) -> Stated[tuple[float, float]] | None:
    slope, offset = (
        _numbers(fields, field, 1, name)[0] if field in fields else default
        for field, default in (("ElementToIntensityFunctionSlope", 1.0), ("ElementToIntensityFunctionOffset", 0.0))
    )
    if not np.isfinite([slope, offset]).all() or slope == 0 or (slope, offset) == (1, 0):
        return None
    return Stated((float(slope), float(offset)), "ElementToIntensityFunction")


def _numbers(fields: Mapping[str, str], field: str, count: int, name: str) -> np.ndarray:
    try:
        numbers = np.array([float(word) for word in fields[field].split()])
    except ValueError as error:
        raise InputError(f"The {field} of {name} is not made of numbers; export it again.") from error
    if len(numbers) != count:
        raise InputError(f"The {field} of {name} has {len(numbers)} numbers in place of {count}; export it again.")
    return numbers
