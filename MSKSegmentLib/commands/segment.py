"""``mskseg segment``: the main job, from a CT to a result folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..engine.progress import JsonLines, make_reporter
from ..errors import OtherModelError
from ..packages import FOR_MEASURING, FOR_SCENE, FOR_SEGMENTING, load, require
from ..settings import Settings
from .arguments import settings_options
from .base import PLACE, Command, Invocation, pass_invocation
from .bone_density import density_of_task, density_options, with_density
from .fat_water import check_fat_water, fat_water_options, with_fat_water

if TYPE_CHECKING:
    from ..bundle import ModelBundle
    from ..case_result import CaseResult
    from ..ct.volume import CTVolume
    from ..engine.progress import Reporter
    from ..foreign.kept import KeptLabels
    from ..proximal_femur.calibration import DensityCalibration
    from ..proximal_femur.femur_input import DensityChoice
    from ..settings import OtherModel


@click.command(cls=Command)
@click.argument("ct", type=PLACE, metavar="CT")
@click.option("-o", "--output", type=PLACE, required=True, metavar="OUT", help="result folder")
@settings_options
@click.option("--progress", type=click.Choice(("bar", "json", "none")), default="bar", help="default: bar")
@click.option("--scene", is_flag=True, help="also write scene.mrb for 3D Slicer (needs slicer-core)")
@click.option("--keep-ct", is_flag=True, help="also put a copy of the CT into the folder, as ct.nrrd")
@click.option("--record-path", is_flag=True, help="note the CT's path in result.json")
@fat_water_options
@density_options
@pass_invocation
def command(invocation: Invocation, /, ct: Path, output: Path, settings: Settings, progress: str, **extras: Any) -> None:
    """Segment CT (or, with a task for it, an MR scan), measure it and say what can be trusted.

    With --model the model of another program segments it, and nothing is said of trust before 'mskseg rate'.

    CT is a DICOM folder or a zip of it, NIfTI, NRRD or MHA file. The result folder appears whole or not at all.
    """
    from ..inference.devices import wait_without_spinning
    from ..results.result_folder import check_output
    from .console import print_result

    wait_without_spinning()
    output = check_output(output)
    shows = "none" if invocation.quiet and progress == "bar" else progress
    needed = FOR_SEGMENTING if settings.model is None else FOR_MEASURING
    require(*needed, *(() if progress == "json" else ("rich",)))
    if extras["scene"]:
        load(*FOR_SCENE, purpose="--scene")
    reporter = make_reporter(shows)
    try:
        result = _segment(invocation, ct, output, settings, reporter, extras)
    except OtherModelError as error:
        if isinstance(reporter, JsonLines):
            # A front end shows it as details; the log may lie where its user never looks.
            click.echo(error.said, err=True)
        raise
    finally:
        reporter.close()
    if isinstance(reporter, JsonLines):
        found = sum(report.measurements is not None for report in result.reports)
        reporter.end(f"{found} of {len(result.reports)} segments found.")
    elif not invocation.quiet:
        print_result(result, output)


def _segment(
    invocation: Invocation,
    ct: Path,
    output: Path,
    settings: Settings,
    reporter: Reporter,
    extras: Mapping[str, Any],
) -> CaseResult:
    from ..bundle import resolve_bundle
    from ..ct.modality import CT_MODALITY
    from ..ct.reading.files import check_scan_file
    from ..foreign.import_case import write_other_labels
    from ..results.result_folder import CT, SCENE, write_result
    from ..results.segmentation_file import write_ct
    from ..tasks import load_task

    scene, keep_ct, fat, water = (extras[name] for name in ("scene", "keep_ct", "fat", "water"))

    density: DensityChoice | None = None
    line: DensityCalibration | None = None

    def read(modality: str = CT_MODALITY) -> CTVolume:
        nonlocal line
        volume = _read(ct, output, settings, reporter, keep_ct, scene, modality)
        # Before the network runs: a phantom that is not found would have it run in vain.
        line = None if density is None else density.calibration(volume)
        return volume

    if settings.model is None:
        bundle = resolve_bundle(settings.bundle, None if settings.task is None else load_task(settings.task).name)
        check_fat_water(fat, water, bundle.task.measures("fat_fraction"), bundle.task.name)
        density = density_of_task(extras, bundle.task)
        # Before torch is imported, which takes seconds.
        check_scan_file(ct, settings.series, bundle.task.modality)
        volume, result = _by_network(invocation, read, bundle, settings, reporter)
        result, kept = with_density(with_fat_water(result, fat, water), line), None
    else:
        check_fat_water(fat, water, False, f"of the model {settings.model.name}")
        density_of_task(extras, load_task())
        volume, result, kept = _by_other_model(invocation, read, settings, settings.model, reporter, output)
    reporter.step("writing", 0, 1)
    source = str(ct.absolute()) if extras["record_path"] else None

    def extra(folder: Path) -> None:
        if keep_ct:
            write_ct(folder / CT, volume)
        if scene:
            from ..scene.scene_file import save_scene

            save_scene(result, volume, folder / SCENE)
        if kept is not None:
            write_other_labels(folder, kept)

    write_result(output, result, source, extra)
    reporter.step("writing", 1, 1)
    return result


def _read(ct: Path, output: Path, settings: Settings, reporter: Reporter, keep_ct: bool, scene: bool, modality: str) -> CTVolume:
    """Read the scan, and refuse a drive without space for its result."""
    from ..ct import read_ct
    from ..output.places import check_space
    from ..results.result_folder import bytes_of_result

    reporter.step("reading", 0, 1)
    volume = read_ct(ct, settings.series, settings.assume_orientation, modality)
    reporter.step("reading", 1, 1)
    check_space(output, bytes_of_result(volume.hu.size, keep_ct, scene))
    return volume


def _by_network(
    invocation: Invocation, read: Callable[[str], CTVolume], bundle: ModelBundle, settings: Settings, reporter: Reporter
) -> tuple[CTVolume, CaseResult]:
    from ..inference.devices import load_ahead
    from ..pipeline import segment_case
    from .devices import memory_warnings

    loading = load_ahead()
    volume = read(bundle.task.modality)
    loading.join()
    from ..inference.estimate import memory_of_run

    for warning in memory_warnings(memory_of_run(volume.hu.size)):
        invocation.warn(warning)
    invocation.checkpoint()
    return volume, segment_case(volume, bundle, settings, reporter.step, invocation.checkpoint)


def _by_other_model(
    invocation: Invocation,
    read: Callable[[], CTVolume],
    settings: Settings,
    chosen: OtherModel,
    reporter: Reporter,
    output: Path,
) -> tuple[CTVolume, CaseResult, KeptLabels]:
    from ..other_models.finding import find_other_model
    from ..other_models.segmenting import ProgramRun, segment_with

    # Before the CT is read, which takes longer than to see that nothing is installed.
    adapter = find_other_model(chosen)
    volume = read()
    invocation.checkpoint()
    run = ProgramRun(settings.device, settings.height_m, chosen.labels, output)
    imported = segment_with(adapter, volume, run, reporter.step, invocation.checkpoint)
    return volume, imported.result, imported.kept
