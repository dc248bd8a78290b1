"""The main job in order: a scan goes in, a measured and rated segmentation comes out."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from . import preview
from .bundle import ModelBundle
from .case_result import CaseResult
from .ct.label_grid import PlacedLabels, place_labels
from .ct.volume import CTVolume, Geometry
from .errors import BundleError, InputError
from .findings import Finding, warning
from .measurement.volume import checked_height
from .prepared_scan import behind_first_stage, cut_finding, prepare_scan
from .provenance import Stopwatch, input_digest, run_facts
from .quality.calibration import Calibration
from .settings import CALIBRATED, Settings
from .tasks import DEFAULT_TASK, HIP_THIGH_CT, Task, load_task

StageProgress = Callable[[str, int, int], None]

MOST_PASSES = 1000
_LOG = logging.getLogger(__name__)


def _names(bundle: ModelBundle) -> tuple[str, str]:
    return bundle.manifest.name, bundle.manifest.version


def _silent(stage: str, done: int, total: int) -> None:
    """No progress."""


def segment_case(
    volume: CTVolume,
    bundle: ModelBundle,
    settings: Settings | None = None,
    progress: StageProgress = _silent,
    checkpoint: Callable[[], None] = lambda: None,
) -> CaseResult:
    """Segment, measure and rate one scan as the bundle's task says; the result lies on the scan's own grid.

    With a region of interest everything outside it stays unlabelled, and a structure that reaches its border counts as cut by
    the field of view.

    `progress` is called with (stage, done, total); `checkpoint` often, so that it can raise `Cancelled`.

    Raises:
        InputError: the scan or a setting cannot be used, or the scan is of another modality than the task.
        DeviceError: the device is missing or too small.
        BundleError: the bundle's weights or calibration cannot be read, or the first network of its cascade is not at hand.
    """
    from .inference.devices import choose_device
    from .inference.first_stage import FirstStageRun
    from .inference.predict import predict
    from .inference.sampler import Sampling
    from .measurement import measure
    from .measurement.noise import noise_findings, noise_sd
    from .measurement.of_task import in_words_of_task, of_task
    from .quality.drawn import Drawn, placed_of, scores_of
    from .quality.guards import scan_cautions, segment_cautions
    from .quality.missed import expected_volumes, with_missed
    from .quality.plausibility import deviations
    from .quality.reports import make_reports
    from .quality.scores import with_placement
    from .segmentation import (
        KneeCut,
        Undoubled,
        clean_components,
        cut_below_knee,
        split_sides,
        without_pieces_beside,
    )

    settings, task = settings or Settings(), bundle.task
    usual = preview.PASSES if settings.preview else bundle.manifest.passes
    passes = checked_passes(usual if settings.passes is None else settings.passes)
    # A number that is asked for is one for every slice.
    auto = settings.auto_passes or (bundle.manifest.auto_passes and settings.passes is None and not settings.preview)
    seed = secrets.randbelow(2**31) if settings.seed is None else settings.seed
    height_m = checked_height(volume.height_m if settings.height_m is None else settings.height_m)
    device = choose_device(settings.device)
    watch = Stopwatch()
    _LOG.info("Bundle %s %s, %d passes at most, seed %d, on %s", *_names(bundle), passes, seed, device.description)
    _LOG.info("Height %s, lights by the rule %s", "unknown" if height_m is None else f"{height_m:.2f} m", settings.lights)

    with watch.stage("checks"):
        progress("checks", 0, 1)
        scan = prepare_scan(volume, settings.region, settings.preview, task, bundle.manifest.preprocessing.intensity)
        calibration = Calibration.from_json(bundle.calibration) if bundle.calibration else None
        progress("checks", 1, 1)
    checkpoint()
    if bundle.manifest.preprocessing.first_stage is not None:
        with watch.stage("first_stage"):
            run = FirstStageRun(device.name, seed, lambda done, total: progress("first_stage", done, total), checkpoint)
            scan = behind_first_stage(scan, bundle, run)
    with watch.stage("inference"):
        prediction = predict(
            scan.body,
            bundle.load_network(),
            bundle.manifest.network,
            bundle.manifest.preprocessing,
            Sampling(passes, seed, device.name, auto=auto, every=scan.step, limb=scan.limb, int8=settings.int8),
            lambda done, total: progress("inference", done, total),
            checkpoint,
            scan.coarse_body,
        )
    mean_passes = round(float(np.mean(prediction.drawn)), 2) if prediction.drawn else None
    findings = (*scan.findings, *prediction.findings)
    if auto and not bundle.manifest.auto_passes and mean_passes is not None and calibration is not None:
        findings += (_fewer_passes(mean_passes, calibration.passes),)
    if settings.preview:
        findings = (preview.finding(len(prediction.classes), scan.body.geometry.size[2], passes), *findings)
    # What leaves Python free is done in a thread beside what does not.
    with watch.stage("segmentation"), ThreadPoolExecutor(1) as beside:
        progress("segmentation", 0, 2)
        on_input = beside.submit(scan.scalars_to_input, prediction.uncertainty)
        digest = beside.submit(input_digest, volume)
        classes, strays = clean_components(prediction.classes, scan.seen_geometry, task.table)
        checkpoint()
        sides = split_sides(classes, scan.seen_geometry, task.table, task.runs("axes_turned"))
        thighs = KneeCut(sides.labels)
        if task.runs("below_knee"):
            thighs = cut_below_knee(sides.labels, scan.seen_geometry, task.table)
        whole = Undoubled(thighs.labels)
        if task.runs("pieces_beside"):
            whole = without_pieces_beside(thighs.labels, scan.seen_geometry, task.table)
        cut = scan.cut_by_mask(whole.labels)
        findings += (*sides.findings, *thighs.findings, *whole.findings)
        findings += cut_finding([s.name for s in task.table.segments if s.label in cut])
        progress("segmentation", 1, 2)
        labels, uncertainty = scan.labels_to_input(whole.labels), on_input.result()
        progress("segmentation", 2, 2)
    checkpoint()
    with watch.stage("measurement"), ThreadPoolExecutor(1) as beside:
        progress("measurement", 0, 1)
        strays = (*strays, *sides.strays, *whole.strays)
        drawn = Drawn(labels, uncertainty, whole.labels, scan.seen_geometry, strays, prediction.evidence)
        unplaced = beside.submit(scores_of, drawn, volume, task)
        inside = scan.inside
        seen = volume.geometry.cropped(inside.start_xyz, inside.size_xyz)
        # Inside the region alone, whose faces then cut structures as those of the scan do.
        measured = measure(labels[inside.slices], volume.hu[inside.slices], seen, task.table, height_m)
        measurements = {label: of_task(found, task) for label, found in measured.items()}
        if not measurements:
            findings += (_nothing_found(task),)
        if task.runs("noise"):
            findings += noise_findings(noise_sd(volume.hu[inside.slices], labels[inside.slices], seen, task.table.segments))
        placed = placed_of(drawn, measurements)
        scores = with_placement(unplaced.result(), deviations(placed, calibration.reference if calibration else {}, task.table))
        cautions, own = scan_cautions(findings), segment_cautions(findings)
        reports = make_reports(task.table, measurements, scores, calibration, passes, cautions, settings.lights, own)
        if calibration is not None and settings.lights == CALIBRATED:
            reports = with_missed(reports, expected_volumes(placed, calibration.reference, task.table, scan.seen_geometry))
        if settings.preview:
            reports = preview.unrated(reports)
        progress("measurement", 1, 1)
    for finding in findings:
        _LOG.info("Found %s", finding.code)
    _LOG.info("Lights: %s", ", ".join(f"{n} {light.word}" for light, n in Counter(r.light for r in reports).items()))
    facts = run_facts(
        volume,
        watch,
        bundle,
        device,
        passes=passes,
        mean_passes=mean_passes,
        seed=seed,
        height_m=height_m,
        region_lps_mm=settings.region and settings.region.bounds_lps,
        lights=settings.lights,
        auto_passes=auto,
        preview=settings.preview,
        input_digest=digest.result(),
        backends=prediction.backends,
    )
    return in_words_of_task(CaseResult(labels, volume.geometry, reports, uncertainty, findings, facts, task.table, task))


def measure_case(
    labels: np.ndarray,
    geometry: Geometry,
    volume: CTVolume,
    height_m: float | None = None,
    reference: Mapping[str, Any] | None = None,
    task: Task = HIP_THIGH_CT,
) -> CaseResult:
    """Measure a given label map with sides, uint8 ``[z, y, x]`` on `geometry`.

    It must lie on the CT's voxels, but may have another order of axes, cover a part of the CT only (3D Slicer saves
    segmentations cropped to their segments) or reach beyond it; then what does counts as cut, and so does what its own edge cuts
    inside the CT. No light is green: grey, or yellow and red where volume, density, place or side of a structure are implausible
    (`quality.given_labels`). `reference` is what a calibration knows of volumes and places among the bones; `task` says what
    the labels stand for, and what is checked and measured.

    Raises:
        InputError: the label map does not lie on the CT's voxels, holds no structure there, or the height is impossible.
    """
    return measure_placed(place_labels(labels, geometry, volume.geometry), volume, height_m, reference, task)


def measure_placed(
    placed: PlacedLabels,
    volume: CTVolume,
    height_m: float | None = None,
    reference: Mapping[str, Any] | None = None,
    task: Task = HIP_THIGH_CT,
) -> CaseResult:
    """`measure_case` of a label map that lies on the CT's voxels already.

    Raises:
        InputError: it holds no structure inside the CT, or the height is impossible.
    """
    from .measurement import measure
    from .measurement.noise import noise_findings, noise_sd
    from .measurement.of_task import in_words_of_task, of_task
    from .quality.given_labels import given_findings, judge_given_labels, judged_reports, outside_shares, with_lost_parts
    from .quality.reports import make_reports

    labels, table = placed.labels, task.table
    if not labels.any():
        raise InputError(_nothing_to_measure(placed.outside, volume.geometry.voxel_volume_mm3))
    height = checked_height(volume.height_m if height_m is None else height_m)
    watch = Stopwatch()
    with watch.stage("measurement"):
        measured = measure(labels, volume.hu, volume.geometry, table, height)
        measured = {label: of_task(found, task) for label, found in measured.items()}
        measurements, shares = with_lost_parts(measured, placed), outside_shares(measured, placed.outside)
        verdict = judge_given_labels(labels, volume.geometry, task, measurements, reference)
    reports = judged_reports(make_reports(table, measurements, None, None, 0), verdict, shares)
    facts = run_facts(volume, watch, height_m=height, input_digest=input_digest(volume))
    findings = (*volume.findings, *given_findings(table, measurements, verdict, shares))
    if task.runs("noise"):
        findings += noise_findings(noise_sd(volume.hu, labels, volume.geometry, table.segments))
    return in_words_of_task(CaseResult(labels, volume.geometry, reports, None, findings, facts, table, task))


def bundle_knowledge(name: str | None = None, task: str | None = None) -> tuple[Task, Mapping[str, Any]]:
    """The task of a bundle with its structures, and what its calibration knows of their volumes and places among the bones (empty
    without one).

    None is the default bundle, or the first of the `task`. Where none is installed, the task decides alone, or else the default
    one.

    Raises:
        BundleError: there is no bundle of that name, it is one of another task, or it cannot be read.
        InputError: there is no such task.
    """
    from .bundle import resolve_bundle

    wanted = load_task(task or DEFAULT_TASK)
    try:
        bundle = resolve_bundle(name, task)
        return bundle.task, Calibration.from_json(bundle.calibration).reference if bundle.calibration else {}
    except BundleError:
        if name is not None:
            raise
        return wanted, {}


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


def _nothing_found(task: Task) -> Finding:
    return warning("nothing_found", f"No bone or muscle was found; check that the scan shows {task.words.region}.")


def _fewer_passes(mean_passes: float, calibrated: int) -> Finding:
    sentence = (
        f"Slices that had settled got fewer dropout passes, {mean_passes:.1f} on average; the lights were calibrated with "
        f"{calibrated} for every slice and may be a little less reliable."
    )
    return warning("fewer_passes", sentence)
