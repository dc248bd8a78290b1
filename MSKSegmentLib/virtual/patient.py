"""One virtual patient: a specimen with a tissue composition, scanned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from ..ct.volume import CTVolume, Geometry
from .acquisition import LOWEST_SCANNED_HU, Acquisition, blur_slices, outside_view, random_acquisition, scan_slices, stored
from .atlas import Atlas
from .coverage import Coverage, cut_to, mix_intervals, random_coverage
from .implants import METAL
from .ingredients import PLAIN, Ingredients
from .radiodensity import Composition, radiodensity, random_composition
from .resampling import resampled
from .specimen import Specimen, make_specimen
from .tissue import smooth_noise

# Bodies are never built on a finer grid, even for finer scans: deforming and texturing half a billion voxels takes an hour.
FINEST_BODY_MM = (1.5, 1.2, 1.2)
_SLICES_AT_ONCE = 24


@dataclass(frozen=True)
class VirtualPatient:
    """A simulated CT and its true labels with sides, uint8 ``[z, y, x]`` on the CT's grid; `facts` holds the drawn parameters."""

    volume: CTVolume
    labels: np.ndarray
    facts: dict[str, object]


def make_patient(
    atlases: tuple[Atlas, ...],
    seed: int,
    spacing_mm: tuple[float, float, float] = (3.0, 2.5, 2.5),
    metal: bool | None = None,
    whole: bool = True,
    ingredients: Ingredients = PLAIN,
) -> VirtualPatient:
    """Simulate the virtual patient of that seed, scanned on a grid of `spacing_mm` ``(z, y, x)``.

    `metal` forces or forbids an implant; None leaves it to chance. Unless `whole`, the scan may cover only the pelvis, the thighs
    or one leg, its field of view may cut the body, and a part of it may have thicker slices.
    """
    z, y, x = (max(wanted, finest) for wanted, finest in zip(spacing_mm, FINEST_BODY_MM, strict=True))
    specimen = make_specimen(atlases, seed, (z, y, x), metal, ingredients=ingredients)
    # Separate random streams: the same body can be scanned in other ways, and a change in one step leaves the others unchanged.
    rng = np.random.default_rng((seed, 1))
    what, settings = random_composition(rng, specimen.atrophy), random_acquisition(rng)
    coverage = Coverage()
    if whole:
        settings = replace(settings, view_mm=1000.0)
    else:
        coverage = random_coverage(np.random.default_rng((seed, 2)))
    return scan_specimen(specimen, what, settings, coverage, rng, spacing_mm)


def scan_specimen(
    specimen: Specimen,
    what: Composition,
    settings: Acquisition,
    coverage: Coverage,
    rng: np.random.Generator,
    spacing_mm: tuple[float, float, float],
) -> VirtualPatient:
    """Scan a specimen: the CT on a grid of `spacing_mm` ``(z, y, x)`` and the labels of what the scan covers."""
    specimen = cut_to(specimen, coverage)
    body = radiodensity(specimen, what, smooth_noise, rng)
    blur_slices(body, settings.slice_mm, specimen.spacing[0])
    places, (depth, height, width) = body_grid(body.shape, specimen.spacing, spacing_mm)
    hu, labels = np.empty((depth, height, width), np.int16), np.empty((depth, height, width), np.uint8)
    known_values = known_labels()
    in_plane = spacing_mm[1], spacing_mm[2]
    outside = outside_view((height, width), in_plane, settings)
    for first in range(0, depth, _SLICES_AT_ONCE):
        levels = np.arange(first, min(first + _SLICES_AT_ONCE, depth))
        grid = [places[0][levels], *places[1:]]
        planes = resampled(body, grid, order=1)
        metal = resampled((specimen.depth == METAL).view(np.uint8), grid, order=0) > 0
        scan_slices(planes, metal, in_plane, settings, smooth_noise, rng)
        labels[levels] = known_values[resampled(specimen.tissue, grid, order=0)]
        if outside is not None:
            planes[:, outside] = LOWEST_SCANNED_HU
            labels[levels[0] : levels[-1] + 1, outside] = 0
        hu[levels] = stored(planes)
    mix_intervals(hu, coverage)
    z, y, x = spacing_mm
    geometry = Geometry(size=(width, height, depth), spacing=(x, y, z))
    return VirtualPatient(CTVolume(hu, geometry), labels, {**specimen.facts, "coverage": coverage.name})


def body_grid(
    body: tuple[int, ...], spacing: tuple[float, float, float], wanted: tuple[float, float, float]
) -> tuple[list[np.ndarray], tuple[int, int, int]]:
    """Positions of a scan's voxel centres (`wanted` mm apart) in a body's array of `spacing` mm, per axis, and the scan's shape.

    Positions are indices of the body's array. The edges of the first voxels coincide, not their centres; all is ``(z, y, x)``.
    """
    factors = [have / want for have, want in zip(spacing, wanted, strict=True)]
    depth, height, width = (max(1, round(n * factor)) for n, factor in zip(body, factors, strict=True))
    counts = (depth, height, width)
    return [(np.arange(n) + 0.5) / factor - 0.5 for n, factor in zip(counts, factors, strict=True)], counts


def known_labels() -> np.ndarray:
    """``[256]`` table that keeps the labels of segments and turns all other tissue to 0."""
    table = np.zeros(256, np.uint8)
    for segment in HIP_AND_THIGH.segments:
        table[segment.label] = segment.label
    return table


def class_table() -> np.ndarray:
    """``[256]`` table from label values with sides to the network's classes 0..22."""
    table = np.zeros(256, np.uint8)
    for segment in HIP_AND_THIGH.segments:
        table[segment.label] = segment.structure.index
    assert table.max() == len(HIP_AND_THIGH.structures)
    return table
