"""The commands of ``mskseg`` that compare with the truth or with reality: evaluate, realism."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..engine.cancelling import Checkpoint
from ..errors import InputError


def add_evaluate(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add ``evaluate`` to the parser of the command line."""
    evaluate = commands.add_parser("evaluate", help="compare segmentations with true labels: tables and plots")
    evaluate.add_argument("data", type=Path, metavar="DATA", help="folder of cases (<case>/ct.*, <case>/labels.*), or one CT")
    evaluate.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder; a stopped run goes on there")
    evaluate.add_argument("--truth", type=Path, metavar="LABELS", help="with one CT: its label map, on any grid")
    source = evaluate.add_mutually_exclusive_group()
    source.add_argument("--bundle", metavar="NAME|DIR", help="model bundle to run (default: the one that comes along)")
    source.add_argument("--segmentations", type=Path, metavar="DIR", help="compare these instead of running a network")
    evaluate.add_argument("--samples", type=int, metavar="T", help="dropout passes (default: the bundle's, usually 10)")
    evaluate.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    evaluate.add_argument("--seed", type=int, default=0, help="of the dropout passes (default: 0)")
    evaluate.add_argument("--labelled-slices-only", action="store_true", help="count only slices in which the truth holds a label")
    evaluate.add_argument(
        "--quality",
        action="store_true",
        help="also judge the failure detection of the bundle's calibration; DATA may be an earlier evaluation of its network",
    )
    evaluate.set_defaults(run=_evaluate)


def add_realism(commands: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add ``realism`` to the parser of the command line."""
    realism = commands.add_parser("realism", help="compare real scans with virtual patients: tables and pictures")
    realism.add_argument("scans", type=Path, nargs="+", metavar="CT", help="real CT: DICOM folder, NIfTI, NRRD or MHA file")
    realism.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="new folder")
    realism.add_argument("--virtual", type=Path, metavar="DIR", help="virtual patients that exist (default: make some)")
    realism.add_argument("-n", "--number", type=int, default=8, help="virtual patients to make (default: 8)")
    realism.add_argument("--seed", type=int, default=0, help="number of the first patient (default: 0)")
    realism.add_argument("--atlas", type=Path, help="folder with *_labels.nrrd (default: MSKSEG_ATLAS)")
    realism.add_argument(
        "--spacing", type=float, nargs=3, metavar=("Z", "Y", "X"), help="mm (default: the scan's; at least 3 x 1 x 1)"
    )
    realism.set_defaults(run=_realism)


def _evaluate(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    if options.truth is None and not options.data.is_dir():
        raise InputError(f"There is no folder {options.data.name!r}; name a folder of cases, or give one CT with --truth LABELS.")
    from ..bundle import resolve_bundle
    from ..calibration.report_run import check_calibrated, judge_evaluation
    from ..evaluation.folder import is_evaluation
    from ..evaluation.run import evaluate, folder_tasks, network_segmenter, pair_task, stored_segmenter
    from ..inference.devices import wait_without_spinning

    wait_without_spinning()
    if options.quality:
        if options.segmentations is not None:
            raise InputError("--quality judges what a network says of itself; leave out --segmentations, or --quality.")
        calibrated = check_calibrated(resolve_bundle(options.bundle))
        if is_evaluation(options.data):
            print(judge_evaluation(calibrated, options.data, options.output))
            return
    if options.truth is None:
        tasks = folder_tasks(options.data, options.labelled_slices_only)
    else:
        tasks = [pair_task(options.data, options.truth, options.labelled_slices_only)]
    if options.segmentations is not None:
        segmenter = stored_segmenter(options.segmentations)
    else:
        bundle = resolve_bundle(options.bundle)
        segmenter = network_segmenter(bundle, options.device, options.samples, options.seed, checkpoint)
    summaries = evaluate(tasks, segmenter, options.output, checkpoint)
    for summary in summaries:
        dice, distance = summary.spreads["dice"].mean, summary.spreads["asd_mm"].mean
        shown = "" if dice is None else f"  Dice {dice:.3f}"
        shown += "" if distance is None else f"  ASD {distance:.2f} mm"
        print(f"{summary.name:8}{summary.n:5} segments{shown}")
    print(f"Tables and plots are in {options.output}")
    if options.quality:
        print(judge_evaluation(calibrated, options.output, options.output))


def _realism(options: argparse.Namespace, checkpoint: Checkpoint) -> None:
    from ..virtual.realism.compare import made_patients, stored_patients
    from ..virtual.realism.report import check_output, compare_scans

    check_output(options.output)
    if options.spacing and not all(0.4 <= value <= 10 for value in options.spacing):
        raise InputError("The voxels of --spacing must be 0.4 to 10 mm; correct it.")
    if options.virtual is not None:
        patients = stored_patients(options.virtual)
    else:
        patients = made_patients(options.atlas, options.number, options.seed)
    spacing = tuple(options.spacing) if options.spacing else None
    for one in compare_scans(options.scans, options.output, patients, spacing, checkpoint):
        off = [f"{row.quantity.name} ({row.verdict})" for row in one.rows if row.verdict in ("below", "above")]
        print(f"{one.name}: {len(off)} of {len(one.rows)} quantities lie off the virtual patients: {', '.join(off) or 'none'}")
    print(f"Tables and pictures are in {options.output}")
