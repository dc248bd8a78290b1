"""One virtual patient: an atlas body, deformed, completed, given a composition and scanned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..anatomy import STRUCTURES, segments
from ..ct.volume import CTVolume, Geometry
from .acquisition import random_acquisition, scan
from .atlas import Atlas
from .body import complete_body
from .build import random_build
from .deformation import deform, random_shape
from .radiodensity import radiodensity, random_composition

MARGIN_MM = 75.0


@dataclass(frozen=True)
class VirtualPatient:
    """A simulated CT and its true labels with sides, uint8 ``[z, y, x]`` on the CT's grid; `facts` says what was drawn."""

    volume: CTVolume
    labels: np.ndarray
    facts: dict[str, object]


def make_patient(
    atlases: tuple[Atlas, ...],
    seed: int,
    spacing_mm: tuple[float, float, float] = (3.0, 2.5, 2.5),
    metal: bool | None = None,
) -> VirtualPatient:
    """Make the virtual patient of that seed on a grid of `spacing_mm` ``(z, y, x)``.

    `metal` forces an implant in or out; None leaves it to chance.
    """
    rng = np.random.default_rng(seed)
    atlas = atlases[int(rng.integers(len(atlases)))]
    shape, build, what = random_shape(rng), random_build(rng), random_composition(rng)
    acquisition = random_acquisition(rng)
    if metal is not None:
        acquisition = replace(acquisition, metal=metal)
    # Hands, table and obese bodies need room; the field of view then cuts whatever reaches beyond it.
    anatomy = deform(atlas, shape, rng, spacing_mm, margin=MARGIN_MM + 0.5 * build.fat)
    tissue = complete_body(anatomy, spacing_mm, build, rng)
    hu = scan(radiodensity(tissue, spacing_mm, what, rng), anatomy, spacing_mm, acquisition, rng)
    known = np.zeros(256, np.uint8)
    for segment in segments():
        known[segment.label] = segment.label
    z, y, x = spacing_mm
    geometry = Geometry(size=(hu.shape[2], hu.shape[1], hu.shape[0]), spacing=(x, y, z))
    facts: dict[str, object] = {"seed": seed, "body": atlas.name, "metal": acquisition.metal, "fat_mm": build.fat}
    return VirtualPatient(CTVolume(hu, geometry), known[anatomy], facts)


def class_table() -> np.ndarray:
    """``[256]`` table from label values with sides to the network's classes 0..22."""
    table = np.zeros(256, np.uint8)
    for segment in segments():
        table[segment.label] = segment.structure.index
    assert table.max() == len(STRUCTURES)
    return table
