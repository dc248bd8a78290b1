"""A virtual patient before the scan: tissues and bone depth on a grid, from which any number of CTs can be rendered."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from .atlas import COCCYX, FIBULA, MIRRORED_EXTRA_OFFSET, PATELLA, TIBIA, Atlas
from .body import complete_body
from .build import Build, random_build
from .deformation import Shape, deform_maps, random_shape
from .disease import Disease, random_disease, waste_muscles, wear_joints
from .implants import METAL, add_implant
from .ingredients import PLAIN, Ingredients
from .muscle_variation import varied_atlas
from .tissue import FEMUR_LABELS, BodyTissue

MARGIN_MM = 75.0
# Depth below a bone's surface is kept in tenths of a millimetre; the highest value stands for metal.
DEPTH_STEPS_PER_MM = 10
BONES = (
    *(segment.label for segment in HIP_AND_THIGH.segments if segment.structure.is_bone),
    *(COCCYX, PATELLA, TIBIA, FIBULA, BodyTissue.VERTEBRA),
    *(extra + MIRRORED_EXTRA_OFFSET for extra in (PATELLA, TIBIA, FIBULA)),
)


@dataclass(frozen=True)
class Specimen:
    """Tissues of one patient.

    `tissue` uint8 ``[z, y, x]`` holds the atlas' labels and `BodyTissue`; `depth` uint8 of the same shape the depth below a bone's
    surface in tenths of a mm (0 elsewhere, `METAL` in an implant); `spacing` ``(z, y, x)`` mm. `femora` gives the levels
    ``(lowest, highest)`` of each femur by label, `atrophy` the share of thickness that each muscle lost; `facts` the drawn
    parameters. `details` are the atlas' details, uint8 of the same shape, or None: the muscle of another table that a voxel
    belonged to before muscles wasted. They are valid where `tissue` is still muscle.
    """

    tissue: np.ndarray
    depth: np.ndarray
    spacing: tuple[float, float, float]
    femora: dict[int, tuple[int, int]]
    atrophy: dict[int, float]
    facts: dict[str, Any]
    details: np.ndarray | None = None

    def slab(self, first: int, last: int, window: tuple[slice, slice]) -> Specimen:
        """The slices `first` to `last` (exclusive), cut to an in-plane window ``(y, x)``."""
        cut = (slice(first, last), *window)
        femora = {label: (low - first, high - first) for label, (low, high) in self.femora.items()}
        details = None if self.details is None else self.details[cut]
        return replace(self, tissue=self.tissue[cut], depth=self.depth[cut], femora=femora, details=details)


def make_specimen(
    atlases: tuple[Atlas, ...],
    seed: int,
    spacing: tuple[float, float, float],
    metal: bool | None = None,
    severity: float = 1.0,
    ingredients: Ingredients = PLAIN,
) -> Specimen:
    """The specimen of that seed on a grid of `spacing` ``(z, y, x)`` mm.

    `metal` forces or forbids an implant; None leaves it to chance. `severity` scales the wasting of muscles.
    Whatever the `ingredients`, pose, build and disease are those of the seed.
    """
    rng = np.random.default_rng(seed)
    atlas, shape, build, disease, has_metal = random_body(atlases, rng, severity)
    if metal is not None:
        has_metal = metal
    facts: dict[str, Any] = {"seed": seed}
    shape, build = ingredients.applied(shape, build, seed)
    if ingredients.muscle_variation:
        atlas, facts["muscle_sizes"] = varied_atlas(atlas, seed)
    return build_specimen(atlas, shape, build, disease, spacing, rng, has_metal, facts)


def random_body(
    atlases: tuple[Atlas, ...], rng: np.random.Generator, severity: float = 1.0
) -> tuple[Atlas, Shape, Build, Disease, bool]:
    """Draw the arguments of `build_specimen`; the last value says whether the body gets an implant."""
    atlas = atlases[int(rng.integers(len(atlases)))]
    standing = bool(rng.random() < 0.12)
    shape, build = random_shape(rng, standing), random_build(rng, standing)
    return atlas, shape, build, random_disease(rng, severity), bool(rng.random() < 0.13)


def build_specimen(
    atlas: Atlas,
    shape: Shape,
    build: Build,
    disease: Disease,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    has_metal: bool,
    facts: dict[str, Any],
) -> Specimen:
    """The specimen of a given shape, build and disease on a grid of `spacing` ``(z, y, x)`` mm; `facts` are recorded with it."""
    # Arms, table and obese bodies need room; the field of view then cuts whatever reaches beyond it.
    labels, details = deform_maps(atlas, shape, rng, spacing, margin=MARGIN_MM + 0.5 * build.fat)
    waste_muscles(labels, disease, spacing, rng)
    wear_joints(labels, disease, spacing, rng)
    tissue = complete_body(labels, spacing, build, rng)
    depth = bone_depth(tissue, spacing)
    implant = add_implant(tissue, depth, spacing, rng) if has_metal else None
    drawn = {
        "body": atlas.name,
        "mirrored": shape.mirrored,
        "standing": build.standing,
        "fat_mm": round(build.fat, 1),
        "implant": implant,
        "arthritis_right_left": disease.arthritis,
        "atrophy": {str(label): round(share, 3) for label, share in disease.atrophy.items()},
    }
    return Specimen(tissue, depth, spacing, femur_levels(tissue), disease.atrophy, {**facts, **drawn}, details)


def bone_depth(tissue: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Depth below the surface of each voxel's own bone, uint8 in tenths of a mm, 0 outside bone; `spacing` in mm."""
    from scipy import ndimage

    depth = np.zeros(tissue.shape, np.uint8)
    boxes = ndimage.find_objects(tissue)
    for label in BONES:
        box = boxes[label - 1] if label <= len(boxes) else None
        if box is None:
            continue
        inside = tissue[box] == label
        far = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
        # The transform measures to the next voxel's centre; the surface lies half a voxel before it.
        tenths = np.clip((far - 0.5 * min(spacing)) * DEPTH_STEPS_PER_MM, 1, METAL - 1)
        depth[box][inside] = tenths[inside].astype(np.uint8)
    return depth


def femur_levels(tissue: np.ndarray) -> dict[int, tuple[int, int]]:
    """Lowest and highest slice of each femur in `tissue` ``[z, y, x]``, by label."""
    found = {}
    for label in FEMUR_LABELS:
        levels = np.flatnonzero((tissue == label).any(axis=(1, 2)))
        if levels.size:
            found[label] = (int(levels.min()), int(levels.max()))
    return found


def save_specimen(specimen: Specimen, path: Path) -> None:
    """Write ``<path>`` (``.npy``, uint8 ``[2, z, y, x]``) and ``<path>.json``, without `details`; the arrays last, as a whole."""
    about = {
        "spacing": specimen.spacing,
        "femora": {str(label): levels for label, levels in specimen.femora.items()},
        "atrophy": {str(label): share for label, share in specimen.atrophy.items()},
        "facts": specimen.facts,
    }
    path.with_suffix(".json").write_text(json.dumps(about), encoding="utf-8")
    partial = path.with_suffix(".partial.npy")
    np.save(partial, np.stack([specimen.tissue, specimen.depth]))
    partial.rename(path)


def load_specimen(path: Path) -> Specimen:
    """Open a specimen that `save_specimen` wrote; the arrays are memory-mapped."""
    about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    data = np.load(path, mmap_mode="r")
    return Specimen(
        data[0],
        data[1],
        tuple(about["spacing"]),
        {int(label): tuple(levels) for label, levels in about["femora"].items()},
        {int(label): share for label, share in about["atrophy"].items()},
        about["facts"],
    )
