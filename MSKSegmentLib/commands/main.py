"""The command line ``mskseg``: exit code 0 done, 2 bad input, 3 cancelled, 1 a fault."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from .. import RESEARCH_USE_ONLY, __version__
from ..engine.cancelling import Checkpoint, cancellable
from ..engine.progress import JsonLines, make_reporter
from ..errors import InputError, MSKSegmentError
from ..findings import sentences
from ..packages import FOR_MEASURING, FOR_SCENE, FOR_SEGMENTING, load, require, unusable
from .arguments import add_reading, add_settings, in_metres, settings_of
from .devices import add_devices, memory_warnings
from .evaluation import add_evaluate, add_realism
from .review import add_review
from .training import add_training

# In place of a number of samples.


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are raised like all other bad input."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[:1].upper()}{message[1:]}; see '{self.prog} --help'.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; errors are one sentence on stderr (and a JSON line where asked for)."""
    lines = JsonLines() if _a_program_reads(arguments) else None
    for stream in (sys.stdout, sys.stderr):
        # Names of patients' folders are not always in the terminal's encoding.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        with cancellable() as checkpoint:
            options = _parser().parse_args(arguments)
            return options.run(options, checkpoint) or 0
    except MSKSegmentError as error:
        code, message = error.exit_code, str(error)
    except MemoryError:
        code, message = 1, "The computer's memory is exhausted; close other programs or crop the CT and try again."
    except BrokenPipeError:
        return 1
    except Exception as error:
        code, message = _fault(error)
    if lines:
        lines.write({"stage": "error", "done": 0, "total": 0, "eta_s": None, "message": message, "exit_code": code})
    print(message, file=sys.stderr)
    return code


def _fault(error: Exception) -> tuple[int, str]:
    """Exit code and sentence for an error that no command foresaw."""
    dependency = unusable(error) if isinstance(error, ImportError) else None
    if dependency:
        return dependency.exit_code, str(dependency)
    traceback.print_exc()
    return 1, f"The program failed unexpectedly ({type(error).__name__}); please report it with the lines above."


def _a_program_reads(arguments: Sequence[str] | None) -> bool:
    """Whether JSON is asked for; needed before parsing so that a parse error also reaches the program that reads it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if {"--json", "--progress=json"} & set(words):
        return True
    return any(word == "--progress" and value == "json" for word, value in zip(words, words[1:], strict=False))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="mskseg", description=f"Hip and thigh muscle segmentation from CT. {RESEARCH_USE_ONLY}")
    parser.add_argument("--version", action="version", version=f"mskseg {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)
    _add_segment(commands)
    _add_check_and_measure(commands)
    add_devices(commands)
    add_review(commands)
    _add_bundle(commands)
    add_training(commands)
    add_evaluate(commands)
    add_realism(commands)
    return parser


def _add_segment(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    segment = commands.add_parser("segment", help="segment a CT, measure it and say what can be trusted")
    segment.add_argument("ct", type=Path, metavar="CT", help="DICOM folder, NIfTI, NRRD or MHA file")
    segment.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="result folder")
    add_settings(segment)
    segment.add_argument("--progress", default="bar", choices=("bar", "json", "none"))
    segment.add_argument("--scene", action="store_true", help="also write scene.mrb for 3D Slicer (needs slicer-core)")
    segment.add_argument("--keep-ct", action="store_true", help="also put a copy of the CT into the folder, as ct.nrrd")
    segment.add_argument("--record-path", action="store_true", help="note the CT's path in result.json")
    segment.set_defaults(run=_segment)


def _add_check_and_measure(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    check = commands.add_parser("check", help="say whether a CT can be used, without segmenting it")
    check.add_argument("ct", type=Path, metavar="CT")
    add_reading(check)
    check.set_defaults(run=_check)
    measure = commands.add_parser("measure", help="measure an existing segmentation")
    measure.add_argument("segmentation", type=Path, help=".seg.nrrd or a label map with this software's labels")
    measure.add_argument("--ct", type=Path, required=True, help="the CT that was segmented")
    measure.add_argument("-o", "--output", type=Path, required=True, metavar="OUT")
    add_reading(measure)
    measure.add_argument("--height-cm", type=float, metavar="CM")
    measure.set_defaults(run=_measure)


def _add_bundle(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    actions = commands.add_parser("bundle", help="model bundles").add_subparsers(
        required=True, metavar="ACTION", parser_class=_Parser
    )
    actions.add_parser("list", help="bundles that are found").set_defaults(run=_bundle_list)
    for name, run, text in (
        ("info", _bundle_info, "network, preprocessing, calibration and card of a bundle"),
        ("verify", _bundle_verify, "compare every file with its checksum"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("bundle", nargs="?", metavar="NAME|DIR")
        action.set_defaults(run=run)
    keras = actions.add_parser("import-keras", help="make a bundle of Keras weights of the published architecture")
    keras.add_argument("weights", type=Path, metavar="WEIGHTS.h5")
    keras.add_argument("--levels", type=int, required=True, help="5 or 6 in the published models")
    keras.add_argument("--base-filters", type=int, default=32)
    keras.add_argument("--channels", type=int, default=1, help="neighbouring slices that the network reads")
    keras.add_argument("--hu-window", type=float, nargs=2, default=(-150.0, 350.0), metavar=("LOW", "HIGH"))
    keras.add_argument("--value-range", type=float, nargs=2, default=(0.0, 255.0), metavar=("LOW", "HIGH"))
    keras.add_argument("--name", help="default: the file's name")
    keras.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    keras.set_defaults(run=_bundle_import_keras)


def _segment(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..bundle import resolve_bundle
    from ..ct import read_ct
    from ..inference.devices import load_ahead, wait_without_spinning
    from ..output.places import check_space
    from ..pipeline import segment_case
    from ..results.result_folder import CT, SCENE, bytes_of_result, check_output, write_result
    from ..results.segmentation_file import write_ct
    from .console import print_result

    wait_without_spinning()
    options.output = check_output(options.output)
    require(*FOR_SEGMENTING, *(() if options.progress == "json" else ("rich",)))
    if options.scene:
        load(*FOR_SCENE, purpose="--scene")
    reporter = make_reporter(options.progress)
    try:
        reporter.step("reading", 0, 1)
        settings = settings_of(options)
        bundle = resolve_bundle(settings.bundle)
        loading = load_ahead()
        volume = read_ct(options.ct, settings.series, settings.assume_orientation)
        loading.join()
        from ..inference.estimate import memory_of_run

        reporter.step("reading", 1, 1)
        check_space(options.output, bytes_of_result(volume.hu.size, options.keep_ct, options.scene))
        for warning in memory_warnings(memory_of_run(volume.hu.size)):
            print(f"Warning: {warning}", file=sys.stderr)
        checkpoint()
        result = segment_case(volume, bundle, settings, reporter.step, checkpoint)
        reporter.step("writing", 0, 1)
        source = str(options.ct.absolute()) if options.record_path else None

        def extra(folder: Path) -> None:
            if options.keep_ct:
                write_ct(folder / CT, volume)
            if options.scene:
                from ..scene.scene_file import save_scene

                save_scene(result, volume, folder / SCENE)

        write_result(options.output, result, source, extra)
        reporter.step("writing", 1, 1)
    finally:
        reporter.close()
    if isinstance(reporter, JsonLines):
        message = f"{sum(report.measurements is not None for report in result.reports)} of 43 segments found."
        reporter.write({"stage": "done", "done": 1, "total": 1, "eta_s": 0, "message": message})
    else:
        print_result(result, options.output)


def _check(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..ct import check_volume, read_ct, refuse, to_working_grid

    volume = read_ct(options.ct, options.series, options.assume_orientation)
    checkpoint()
    working = to_working_grid(volume)
    warnings = sentences((*working.volume.findings, *refuse(check_volume(working.volume))))
    size, spacing = volume.geometry.size, volume.geometry.spacing
    print(f"{size[0]} x {size[1]} x {size[2]} voxels of {spacing[0]:.3f} x {spacing[1]:.3f} x {spacing[2]:.3f} mm")
    for warning in warnings:
        print(f"Warning: {warning}")
    print("The CT can be segmented." if not warnings else "The CT can be segmented, with the warnings above.")


def _measure(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..ct import read_ct, read_label_map
    from ..pipeline import measure_case, usual_reference
    from ..results.result_folder import check_output, write_result
    from .console import print_result

    options.output = check_output(options.output)
    require(*FOR_MEASURING, "rich")
    volume = read_ct(options.ct, options.series, options.assume_orientation)
    found = read_label_map(options.segmentation, options.assume_orientation)
    volume = replace(volume, findings=(*volume.findings, *found.findings))
    checkpoint()
    result = measure_case(found.labels, found.geometry, volume, in_metres(options.height_cm), usual_reference())
    write_result(options.output, result)
    print_result(result, options.output)


def _bundle_list(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..bundle.describe import describe_bundles

    print(describe_bundles())


def _bundle_info(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..bundle.describe import describe_bundle

    print(describe_bundle(options.bundle))


def _bundle_verify(options: argparse.Namespace, checkpoint: Checkpoint) -> int:
    from ..bundle.describe import describe_verification

    whole, text = describe_verification(options.bundle)
    print(text)
    return 0 if whole else 2


def _bundle_import_keras(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..bundle import KerasModel, Preprocessing, describe, import_keras

    model = KerasModel(
        options.levels,
        options.base_filters,
        options.channels,
        preprocessing=Preprocessing(tuple(options.hu_window), tuple(options.value_range)),
        name=options.name,
    )
    bundle = import_keras(options.weights, options.output, model)
    print(describe.describe_bundle(bundle.folder))
