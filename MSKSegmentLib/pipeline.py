"""The main job in order: a CT goes in, a measured and rated segmentation comes out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import preview
from .bundle import ModelBundle
from .case_result import CaseResult
from .ct.checks import check_volume, refuse
from .ct.cropping import Box, body_box
from .ct.label_grid import place_labels
from .ct.orientation import to_working_grid
from .ct.region import Region, covering_box, region_box
from .ct.volume import CTVolume, Geometry
from .errors import BundleError, InputError
from .findings import Finding, warning
from .measurement.volume import checked_height
from .provenance import Stopwatch, provenance
from .quality.calibration import Calibration
from .quality.traffic_light import CALIBRATED

Progress = Callable[[str, int, int], None]

MOST_PASSES = 1000


@dataclass(frozen=True)
class Settings:
    """What a user may choose. None means: the bundle's passes, a random seed, the height in the CT's header, the whole scan.

    A `preview` looks at every n-th slice with few passes (None: 2) and rates nothing.
    `lights` is the rule that gives the lights: "calibrated", from all evidence, or "paper", the single score of Soufi et al. 2025.
    With `auto_passes` a slice gets fewer dropout passes where its labels and uncertainty have settled.
    """

    device: str = "auto"
    passes: int | None = None
    seed: int | None = None
    height_m: float | None = None
    region: Region | None = None
    preview: bool = False
    lights: str = CALIBRATED
    auto_passes: bool = False


def _silent(stage: str, done: int, total: int) -> None:
    """No progress."""


def segment_case(
    volume: CTVolume,
    bundle: ModelBundle,
    settings: Settings | None = None,
    progress: Progress = _silent,
    checkpoint: Callable[[], None] = lambda: None,
) -> CaseResult:
    """Segment, measure and rate one CT; the result lies on the CT's own grid.

    With a region of interest everything outside it stays unlabelled, and a structure that reaches its border counts as cut by
    the field of view.

    `progress` is called with (stage, done, total); `checkpoint` often, so that it can raise `Cancelled`.

    Raises:
        InputError: the CT or a setting cannot be used.
        DeviceError: the device is missing or too small.
        BundleError: the bundle's weights or calibration cannot be read.
    """
    from .inference.devices import choose_device
    from .inference.predict import predict
    from .measurement import measure
    from .quality.guards import metal_distances, scan_cautions
    from .quality.plausibility import deviations, placements
    from .quality.reports import make_reports
    from .quality.scores import make_scores, structure_uncertainty
    from .segmentation import clean_components, split_sides

    settings = settings or Settings()
    usual = preview.PASSES if settings.preview else bundle.manifest.passes
    passes = checked_passes(usual if settings.passes is None else settings.passes)
    seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
    height_m = checked_height(volume.height_m if settings.height_m is None else settings.height_m)
    inside = _whole(volume.geometry) if settings.region is None else region_box(settings.region, volume.geometry)
    device = choose_device(settings.device)
    watch = Stopwatch()

    with watch.stage("checks"):
        progress("checks", 0, 1)
        working = to_working_grid(volume)
        findings = (*working.volume.findings, *refuse(check_volume(working.volume)))
        box = body_box(working.volume)
        assert box is not None, "a CT without a body has been refused by the checks"
        if settings.region is not None:
            around = covering_box(volume.geometry.cropped(inside.start_xyz, inside.size_xyz), working.volume.geometry)
            part = box.shared_with(around)
            if part is None:
                raise InputError("The region of interest holds no part of the body; move it, or run without a region.")
            box = part
            findings += (_region_finding(around, working.volume.geometry),)
        body = _cropped(working.volume, box)
        step = preview.slice_step(body.geometry) if settings.preview else 1
        calibration = Calibration.from_json(bundle.calibration) if bundle.calibration else None
        progress("checks", 1, 1)
    checkpoint()
    with watch.stage("inference"):
        prediction = predict(
            body,
            bundle.load_network(),
            bundle.manifest.network,
            bundle.manifest.preprocessing,
            passes,
            seed,
            device.name,
            lambda done, total: progress("inference", done, total),
            checkpoint,
            every=step,
            auto=settings.auto_passes,
        )
    findings += prediction.findings
    mean_passes = round(float(np.mean(prediction.drawn)), 2) if prediction.drawn else None
    if settings.auto_passes and mean_passes is not None and calibration is not None:
        findings += (_fewer_passes(mean_passes, calibration.passes),)
    if settings.preview:
        findings = (preview.finding(len(prediction.classes), body.geometry.size[2], passes), *findings)
    with watch.stage("segmentation"):
        progress("segmentation", 0, 2)
        seen_grid = preview.coarse_geometry(body.geometry, step)
        classes, strays = clean_components(prediction.classes, seen_grid)
        checkpoint()
        sides = split_sides(classes, seen_grid)
        progress("segmentation", 1, 2)
        labels, uncertainty = (
            _pasted(array, box, working.volume.geometry, step)
            for array in (sides.labels, prediction.uncertainty)
        )
        labels, uncertainty = working.labels_to_input(labels), working.scalars_to_input(uncertainty)
        if settings.region is not None and working.order is None:
            # The box on the working grid is a little larger than the tilted one on the input's.
            labels, uncertainty = (_pasted(array[inside.slices], inside, volume.geometry) for array in (labels, uncertainty))
        progress("segmentation", 2, 2)
    checkpoint()
    with watch.stage("measurement"):
        progress("measurement", 0, 1)
        # Inside the region alone, whose faces then cut structures as those of the scan do.
        seen = volume.geometry.cropped(inside.start_xyz, inside.size_xyz)
        measurements = measure(labels[inside.slices], volume.hu[inside.slices], seen, height_m)
        if not measurements:
            sentence = "No bone or muscle was found; check that the scan shows the hip or the thigh."
            findings += (warning("nothing_found", sentence),)
        uncertainties = structure_uncertainty(labels, uncertainty)
        metal_mm = metal_distances(labels, volume.hu, volume.geometry)
        cut = [label for label, found in measurements.items() if found.truncated_by]
        off = deviations(placements(sides.labels, seen_grid, cut), calibration.reference if calibration else {})
        scores = make_scores(prediction.evidence, sides.labels, (*strays, *sides.strays), uncertainties, metal_mm, off)
        reports = make_reports(measurements, scores, calibration, passes, scan_cautions(findings), settings.lights)
        if settings.preview:
            reports = preview.unrated(reports)
        progress("measurement", 1, 1)
    facts = provenance(volume, bundle, passes, seed, height_m, device, watch, settings.region)
    facts["backends"] = list(prediction.backends)
    facts["preview"] = settings.preview
    facts["settings"]["lights"] = settings.lights
    facts["settings"]["auto_passes"] = settings.auto_passes
    facts["mean_passes"] = mean_passes
    return CaseResult(labels, volume.geometry, reports, uncertainty, (*findings, *sides.findings), facts)


def measure_case(
    labels: np.ndarray,
    geometry: Geometry,
    volume: CTVolume,
    height_m: float | None = None,
    reference: Mapping[str, Any] | None = None,
) -> CaseResult:
    """Measure a given label map with sides, uint8 ``[z, y, x]`` on `geometry`.

    It must lie on the CT's voxels, but may have another order of axes, cover a part of the CT only (3D Slicer saves
    segmentations cropped to their segments) or reach beyond it; then what does counts as cut. No light is green: grey, or yellow
    and red where volume, density, place or side of a structure are implausible (`quality.given_labels`). `reference` is what a
    calibration knows of volumes and places among the bones.

    Raises:
        InputError: the label map does not lie on the CT's voxels, holds no structure there, or the height is impossible.
    """
    from .measurement import measure
    from .quality.given_labels import given_findings, judge, judged_reports, outside_shares, with_lost_parts
    from .quality.reports import make_reports

    placed = place_labels(labels, geometry, volume.geometry)
    labels = placed.labels
    if not labels.any():
        raise InputError(_nothing_to_measure(placed.outside, geometry.voxel_volume_mm3))
    height = checked_height(volume.height_m if height_m is None else height_m)
    watch = Stopwatch()
    with watch.stage("measurement"):
        measured = measure(labels, volume.hu, volume.geometry, height)
        measurements, shares = with_lost_parts(measured, placed.outside), outside_shares(measured, placed.outside)
        verdict = judge(labels, volume.geometry, measurements, reference)
    reports = judged_reports(make_reports(measurements, None, None, 0), verdict, shares)
    facts = provenance(volume, None, None, None, height, None, watch)
    findings = (*volume.findings, *given_findings(measurements, verdict, shares))
    return CaseResult(labels, volume.geometry, reports, None, findings, facts)


def usual_reference() -> Mapping[str, Any]:
    """What the default bundle's calibration knows of volumes and places among the bones; empty where there is none."""
    from .bundle import resolve_bundle

    try:
        calibration = resolve_bundle(None).calibration
        return Calibration.from_json(calibration).reference if calibration else {}
    except BundleError:
        return {}


def checked_passes(passes: int) -> int:
    """The number of dropout passes if it can be run.

    Raises:
        InputError: it cannot.
    """
    if not 1 <= passes <= MOST_PASSES:
        raise InputError(f"{passes} dropout passes cannot be run; choose 1 to {MOST_PASSES}.")
    return passes


def _nothing_to_measure(outside: np.ndarray, voxel_mm3: float) -> str:
    voxels = int(outside.sum())
    if voxels:
        return (
            f"All of the segmentation ({voxels * voxel_mm3 / 1000:,.0f} cc) lies outside the CT: there is nothing to measure; give "
            "the CT that was segmented."
        )
    return "The segmentation is empty, no voxel belongs to a structure; give the file that holds the labels."


def _whole(geometry: Geometry) -> Box:
    return Box((0, 0, 0), geometry.size)


def _region_finding(box: Box, geometry: Geometry) -> Finding:
    x, y, z = (round(n * spacing) for n, spacing in zip(box.size_xyz, geometry.spacing, strict=True))
    sentence = f"Only a region of interest of {x} x {y} x {z} mm was segmented; structures that its border cuts are marked as cut."
    return warning("region", sentence)


def _fewer_passes(mean_passes: float, calibrated: int) -> Finding:
    sentence = (
        f"Slices that had settled got fewer dropout passes, {mean_passes:.1f} on average; the lights were calibrated with "
        f"{calibrated} for every slice and may be a little less reliable."
    )
    return warning("fewer_passes", sentence)


def _cropped(volume: CTVolume, box: Box) -> CTVolume:
    return CTVolume(np.ascontiguousarray(volume.hu[box.slices]), volume.geometry.cropped(box.start_xyz, box.size_xyz))


def _pasted(array: np.ndarray, box: Box, geometry: Geometry, step: int = 1) -> np.ndarray:
    """The array inside the box of a whole grid of zeros; of a preview, which has every `step`-th slice, the nearest one."""
    whole = np.zeros(geometry.shape, array.dtype)
    inside = whole[box.slices]
    for k, source in enumerate(preview.stand_ins(len(inside), step)):
        inside[k] = array[source]
    return whole
