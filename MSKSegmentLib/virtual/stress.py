"""Virtual patients with conditions that make a network fail, at graded strength: to calibrate and test failure detection.

Each is the ordinary patient of its seed, with parameters of body, composition, scanner or coverage beyond the range that training
draws from. Labels stay true: tissue that was removed, amputated or lies outside the scan has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..errors import InputError
from .acquisition import Acquisition, random_acquisition
from .alterations import amputate, cut_beside, fill_with_metal, turn_body
from .atlas import Atlas
from .build import Build
from .coverage import Coverage
from .deformation import Shape
from .disease import Disease
from .ingredients import PLAIN, Ingredients
from .muscle_variation import varied_atlas
from .patient import FINEST_BODY_MM, VirtualPatient, scan_specimen
from .pose import LegPose
from .radiodensity import Composition, random_composition
from .specimen import Specimen, build_specimen, random_body


@dataclass(frozen=True)
class _Patient:
    """All parameters that an ordinary patient draws, and a change of the finished body; `spacing` ``(z, y, x)`` mm."""

    shape: Shape
    build: Build
    disease: Disease
    what: Composition
    settings: Acquisition
    coverage: Coverage
    spacing: tuple[float, float, float]
    alter: Callable[[Specimen], Specimen] | None = None


def make_stressed_patient(
    atlases: tuple[Atlas, ...],
    seed: int,
    kind: str,
    strength: float,
    spacing_mm: tuple[float, float, float] = (3.0, 2.5, 2.5),
    ingredients: Ingredients = PLAIN,
) -> VirtualPatient:
    """The virtual patient of that seed with a stress of `kind` (one of `KINDS`), on a grid of `spacing_mm` ``(z, y, x)``.

    `strength` 0 is the ordinary patient of the seed, 1 the strongest stress; ``none`` is always ordinary. The facts name both.

    Raises:
        InputError: an unknown kind, or a strength outside 0..1.
    """
    check_stress((kind,), (strength, strength))
    z, y, x = (max(wanted, finest) for wanted, finest in zip(spacing_mm, FINEST_BODY_MM, strict=True))
    strength = 0.0 if kind == "none" else float(strength)
    # The random streams of `make_patient`, and a separate one for the stress.
    rng, scan = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    atlas, shape, build, disease, has_metal = random_body(atlases, rng)
    what, settings = random_composition(scan, disease.atrophy), replace(random_acquisition(scan), view_mm=1000.0)
    patient = _Patient(shape, build, disease, what, settings, Coverage(), spacing_mm)
    if strength > 0:
        patient = _PUSHES[kind](patient, strength, np.random.default_rng((seed, 4)))
    facts: dict[str, Any] = {"seed": seed, "stress": {"kind": kind, "strength": strength}}
    shape, build = ingredients.applied(patient.shape, patient.build, seed)
    patient = replace(patient, shape=shape, build=build)
    if ingredients.muscle_variation:
        atlas, facts["muscle_sizes"] = varied_atlas(atlas, seed)
    specimen = build_specimen(atlas, patient.shape, patient.build, patient.disease, (z, y, x), rng, has_metal, facts)
    if patient.alter is not None:
        specimen = patient.alter(specimen)
    return scan_specimen(specimen, patient.what, patient.settings, patient.coverage, scan, spacing_mm)


def check_stress(kinds: Sequence[str], strengths: tuple[float, float]) -> None:
    """Raises:
    InputError: there is no kind or an unknown one, or the strengths are not a range within 0..1.
    """
    unknown = ", ".join(repr(kind) for kind in kinds if kind not in KINDS)
    if unknown or not kinds:
        raise InputError(f"Stress {unknown or 'of no kind'} is not known; choose from {', '.join(KINDS)}, all.")
    low, high = strengths
    if not 0 <= low <= high <= 1:
        raise InputError("Give strengths of stress between 0 (an ordinary patient) and 1 (the strongest), the lower one first.")


def draw_stress(seed: int, kinds: Sequence[str], strengths: tuple[float, float]) -> tuple[str, float]:
    """Kind and strength for a seed: consecutive seeds share the kinds evenly; strengths are uniform in their range."""
    turn, place = divmod(seed, len(kinds))
    order = np.random.default_rng((turn, 5)).permutation(len(kinds))
    strength = np.random.default_rng((seed, 5)).uniform(*strengths)
    return kinds[int(order[place])], round(float(strength), 3)


def _to(ordinary: float, extreme: float, part: float) -> float:
    return float(ordinary + part * (extreme - ordinary))


def _times(ordinary: float, extreme: float, part: float) -> float:
    """Geometric interpolation between two positive values; an ordinary value beyond the extreme one is kept."""
    return float(ordinary ** (1 - part) * max(extreme, ordinary) ** part)


def _metal(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    settings = replace(
        patient.settings,
        metal_streaks_hu=_times(patient.settings.metal_streaks_hu, 6000, s),
        metal_reach_mm=_to(55, 160, s**2),
        starvation=_to(patient.settings.starvation, 5, s**2),
        repaired=patient.settings.repaired and s < 0.3,
    )
    return replace(patient, settings=settings, alter=partial(fill_with_metal, strength=s, rng=rng))


def _noise(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    settings = replace(
        patient.settings,
        noise_hu=_times(patient.settings.noise_hu, 700, s),
        grain_mm=_to(patient.settings.grain_mm, rng.uniform(0.5, 3.0), s),
        starvation=_to(patient.settings.starvation, 3, s),
    )
    return replace(patient, settings=settings)


def _kernel(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """A kernel that is too soft, or too sharp, which also raises the noise."""
    settings = patient.settings
    if rng.random() < 0.5:
        return replace(patient, settings=replace(settings, blur_mm=_times(settings.blur_mm, 16, s)))
    sharp = replace(
        settings,
        blur_mm=_to(settings.blur_mm, 0.3, s),
        sharpening=settings.sharpening + 14 * s**2,
        noise_hu=_times(settings.noise_hu, 160, s),
        grain_mm=_to(settings.grain_mm, 0.3, s),
    )
    return replace(patient, settings=sharp)


def _standing(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """Weight-bearing cone-beam CT: a tilted pelvis, hanging fat, weight on one leg; scatter, noise, values that are not HU."""
    settings, shape = patient.settings, patient.shape
    lean = rng.choice([-1, 1]) * rng.uniform(12, 24)
    legs = []
    for leg, bearing in zip(shape.legs, rng.permutation([0, 1]), strict=True):
        moved = replace(
            leg,
            flexion=leg.flexion + s * (rng.uniform(-16, -6) if bearing else rng.uniform(8, 26)),
            abduction=leg.abduction + s * (rng.uniform(-14, -6) if bearing else rng.uniform(2, 14)),
            rotation=leg.rotation + s * rng.uniform(-25, 30),
            knee=leg.knee + (0 if bearing else s * rng.uniform(5, 25)),
        )
        legs.append(moved)
    z, y, x = shape.tilt
    shape = replace(
        shape,
        tilt=(z + s * rng.normal(0, 8), y + s * rng.normal(0, 8), x + s * lean),
        legs=(legs[0], legs[1]),
        buttocks=_to(shape.buttocks, 0.6, s),
    )
    build = replace(patient.build, standing=True, table=False, arms=False, belly=patient.build.belly + 40 * s)
    settings = replace(
        settings,
        cupping_hu=_to(settings.cupping_hu, rng.uniform(250, 450), s**2),
        beam_hardening_hu=_to(settings.beam_hardening_hu, 200, s**2),
        noise_hu=_times(settings.noise_hu, 180, s),
        scale=_to(settings.scale, rng.uniform(0.45, 0.75), s**1.5),
        offset_hu=_to(settings.offset_hu, rng.uniform(-120, 60), s**1.5),
    )
    return replace(patient, shape=shape, build=build, settings=settings)


def _one_sided(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """A scan of one leg, or of a part of it; or an amputation between the knee and above the hip, with a wasted leg."""
    side = int(rng.integers(2))
    if rng.random() < 0.5:
        return replace(patient, alter=partial(cut_beside, side=side, share=s))
    atrophy = {
        label: float(np.clip(share + (0.45 * s if (label > 100) == (side == 1) else 0), 0, 0.85))
        for label, share in patient.disease.atrophy.items()
    }
    fatter = {
        label: float(np.clip(patient.what.infiltration[label] + 0.6 * (share - patient.disease.atrophy[label]), 0, 0.9))
        for label, share in atrophy.items()
    }
    return replace(
        patient,
        disease=replace(patient.disease, atrophy=atrophy),
        what=replace(patient.what, infiltration={**patient.what.infiltration, **fatter}),
        alter=partial(amputate, side=side, level=s),
    )


def _view(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """A field of view that shrinks around a leg or the body's middle, few slices between knee and spine, or both."""
    which = rng.random()
    plane, along = which < 0.65, which > 0.45
    settings, coverage = patient.settings, patient.coverage
    shift = (float(s * rng.normal(0, 30)), float(s * rng.choice([-90, 0, 90])))
    if plane:
        settings = replace(settings, view_mm=320 * (55 / 320) ** s, view_centre=shift)
    if along:
        coverage = Coverage("slab", float(rng.random()), height=0.05**s)
    return replace(patient, settings=settings, coverage=coverage)


def _pose(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """Legs flexed, spread and rotated as no one lies in a scanner, the body turned onto a side or the belly, or both."""
    which = rng.random()
    shape, build, alter = patient.shape, patient.build, patient.alter
    if which < 0.75:
        shape = replace(shape, legs=(_odd_leg(shape.legs[0], s, rng), _odd_leg(shape.legs[1], s, rng)))
    if which > 0.45:
        degrees = float(s**2 * rng.choice([-1, 1]) * rng.uniform(80, 180))
        build = replace(build, table=build.table and abs(degrees) < 20, arms=build.arms and abs(degrees) < 60)
        alter = partial(turn_body, degrees=degrees)
    return replace(patient, shape=shape, build=build, alter=alter)


def _odd_leg(leg: LegPose, s: float, rng: np.random.Generator) -> LegPose:
    return replace(
        leg,
        flexion=leg.flexion + s * rng.uniform(10, 65),
        abduction=leg.abduction + s * rng.uniform(0, 40),
        rotation=leg.rotation + s * rng.choice([-1, 1]) * rng.uniform(20, 75),
        knee=leg.knee + s * rng.uniform(0, 70),
    )


def _atrophy(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """Muscles that waste to strands and turn to fat; from a strength of one half on, some are missing."""
    atrophy, fatter = {}, {}
    for label, share in patient.disease.atrophy.items():
        lost, fat = rng.uniform(0.3, 0.95), rng.uniform(0.5, 1.1)
        missing = rng.random() < 0.5 * max(0.0, s - 0.5)
        atrophy[label] = 1.0 if missing else max(share, _to(share, lost, s))
        fatter[label] = float(np.clip(_to(patient.what.infiltration[label], fat, s), 0, 0.97))
    what = patient.what
    what = replace(what, infiltration=fatter, septa=_to(what.septa, 0.9, s), spread_hu=_to(what.spread_hu, 20, s))
    return replace(patient, disease=replace(patient.disease, atrophy=atrophy, outline_kept=True), what=what)


def _contrast(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """Vessels, bowel and bladder full of contrast medium; muscles that take it up, each by a different amount."""
    what = patient.what
    what = replace(
        what,
        artery_hu=_to(what.artery_hu, rng.uniform(700, 1500), s),
        vein_hu=_to(what.vein_hu, rng.uniform(300, 900), s),
        bowel_hu=_to(40, rng.uniform(800, 2000), s),
        bladder_hu=_to(10, rng.uniform(800, 2500), s),
        organ_hu=_to(what.organ_hu, rng.uniform(200, 400), s),
        lean_hu=_to(what.lean_hu, rng.uniform(180, 420), s**1.5),
        spread_hu=_to(what.spread_hu, 110, s**1.5),
    )
    build = patient.build
    build = replace(build, vessel_radius=_to(build.vessel_radius, 11, s), bowel_share=_to(build.bowel_share, 0.8, s))
    return replace(patient, what=what, build=build)


def _hu_scale(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """A wrong offset, a wrong slope, or both."""
    which = rng.random()
    settings = patient.settings
    offset = rng.choice([-1, 1]) * rng.uniform(400, 1024) * s**2 if which < 0.65 else 0.0
    slope = float(np.exp(rng.choice([-1, 1]) * rng.uniform(0.8, 1.6) * s**1.5)) if which > 0.4 else 1.0
    settings = replace(settings, offset_hu=settings.offset_hu + float(offset), scale=settings.scale * slope)
    return replace(patient, settings=settings)


def _thick(patient: _Patient, s: float, rng: np.random.Generator) -> _Patient:
    """Slices that average over up to 60 mm, scanned at intervals of up to 80 mm and interpolated to the grid."""
    interval = _times(5.0, rng.uniform(45, 80), s)
    steps = max(1, round(interval / patient.spacing[0]))
    settings = replace(patient.settings, slice_mm=_times(patient.settings.slice_mm, 0.3 * interval, min(1.0, 2 * s)))
    return replace(patient, settings=settings, coverage=Coverage(thick_below=1.0, thick_step=steps))


_PUSHES: dict[str, Callable[[_Patient, float, np.random.Generator], _Patient]] = {
    "metal": _metal,
    "noise": _noise,
    "kernel": _kernel,
    "standing": _standing,
    "one-sided": _one_sided,
    "view": _view,
    "pose": _pose,
    "atrophy": _atrophy,
    "contrast": _contrast,
    "hu-scale": _hu_scale,
    "thick": _thick,
}
KINDS = (*_PUSHES, "none")
