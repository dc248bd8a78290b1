"""``mskseg cohort``: many scans into one study."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..packages import FOR_MEASURING, FOR_SEGMENTING, require
from ..settings import Settings
from .arguments import settings_options
from .base import PLACE, Command, Invocation, pass_invocation

if TYPE_CHECKING:
    from ..cohort.found_cases import FoundCase
    from ..cohort.progress import StudyProgress
    from ..cohort.running import RunOptions

_NEEDED = ("distributed", "dask", "pyarrow", "filelock", "jinja2")


@click.command(cls=Command)
@click.argument("source", type=PLACE, required=False, metavar="SOURCE")
@click.option("-o", "--output", type=PLACE, required=True, metavar="STUDY", help="folder; a stopped run goes on there")
@click.option("--dry-run", is_flag=True, help="list what was found, what will be refused and why, and how long it will take")
@click.option("--status", is_flag=True, help="say how far STUDY is, also while another process runs it")
@click.option("--workers", type=int, metavar="N", help="cases at once (default: one per GPU, or one per 4 cores)")
@click.option("--scheduler", metavar="ADDRESS", help="run on the workers of this Dask scheduler, such as tcp://host:8786")
@click.option("--time-limit", type=float, default=240.0, metavar="MIN", help="most minutes of a case (default: 240)")
@click.option("--memory-limit", type=float, metavar="GB", help="most memory of a case (default: this computer's, shared out)")
@click.option("--keep-ct", is_flag=True, help="also put a copy of each CT into its result folder")
@click.option("--bids", type=PLACE, metavar="FOLDER", help="also write all results as a BIDS derivative dataset to a new folder")
@click.option("--retry-failed", is_flag=True, help="run cases again that failed or were refused")
@settings_options
@pass_invocation
def command(invocation: Invocation, /, source: Path | None, output: Path, settings: Settings, **options: Any) -> None:
    """Segment all scans of SOURCE into STUDY: results, tables over all of them, a report, and what to review first.

    SOURCE is a folder of DICOM folders or image files, or a CSV file with the column path and, as known, case, height_cm, series,
    patient, group, side_affected, date and others. Lines with a mask (and labels, as for mskseg import) are not segmented: that
    segmentation is imported and judged. A run that was stopped goes on when it is called again, and new cases are added.
    """
    require(*_NEEDED, purpose="A cohort", extra="cohort")
    from ..cohort.study import existing_study

    if options["status"]:
        print(_status(output))
        return
    if source is None and options["bids"] is not None:
        _write_bids(invocation, output, options["bids"])
        return
    if source is None:
        raise InputError("Nothing says which scans the study is of; name SOURCE, or ask for --status or --bids.")
    if settings.series is not None:
        raise InputError("One series number cannot hold for all scans; give a list with the column series instead of --series.")
    if options["time_limit"] <= 0 or (options["memory_limit"] is not None and options["memory_limit"] <= 0):
        raise InputError("A limit must be more than 0; correct --time-limit or --memory-limit.")
    if options["dry_run"]:
        _dry_run(invocation, source, output, settings)
        return
    require(*(FOR_SEGMENTING if settings.model is None else FOR_MEASURING))
    _run(invocation, source, output, settings, options)
    if options["bids"] is not None:
        _write_bids(invocation, output, options["bids"])
    invocation.say(f"The report is {existing_study(output).report}")


def _found(invocation: Invocation, source: Path, output: Path, settings: Settings) -> list[FoundCase]:
    from ..cohort.source import find_cases

    cases = find_cases(source, settings.assume_orientation, output.absolute(), lambda number: invocation.checkpoint())
    if settings != _of_judging(settings) and any(case.mask for case in cases):
        raise InputError(
            "The list names segmentations to judge, for which passes, region, preview, rule of the lights and another model mean "
            "nothing; leave --samples, --roi, --preview, --lights and --model out, or empty the column mask."
        )
    return cases


def _of_judging(settings: Settings) -> Settings:
    """What of the settings means something where a segmentation is imported and judged."""
    return Settings(
        settings.device,
        seed=settings.seed,
        height_m=settings.height_m,
        bundle=settings.bundle,
        assume_orientation=settings.assume_orientation,
        task=settings.task,
    )


def _dry_run(invocation: Invocation, source: Path, output: Path, settings: Settings) -> None:
    from ..cohort.planning import estimate_cases, listing, time_in_words

    cases = _found(invocation, source, output, settings)
    for line in listing(cases):
        print(line)
    usable = [case for case in cases if not case.problem and not case.same_as]
    refused = sum(bool(case.problem) for case in cases)
    print(f"{len(cases)} found, {refused} refused, {len(cases) - refused - len(usable)} repeated.")
    if usable and settings.model is None:
        print(time_in_words(estimate_cases(usable, settings), usable))


def _run(invocation: Invocation, source: Path, output: Path, settings: Settings, options: dict[str, Any]) -> None:
    from ..cohort.planning import estimate_cases, time_in_words
    from ..cohort.records import CaseState, current_record
    from ..cohort.running import run_cases
    from ..cohort.study import open_study
    from ..cohort.study_report import write_study_report
    from ..cohort.tables import write_tables

    study = open_study(output, settings)
    with study.locked():
        cases = _found(invocation, source, output, settings)
        waiting = [case for case in cases if current_record(study, case, options["retry_failed"]).state is CaseState.WAITING]
        gpus = 0
        # How long another program takes is not known.
        if waiting and settings.model is None:
            estimate = estimate_cases(waiting, settings)
            gpus = estimate.gpus
            invocation.say(time_in_words(estimate, waiting))
        invocation.checkpoint()
        progress = run_cases(study, cases, _options(settings, options, gpus), _teller(invocation), invocation.checkpoint)
        write_study_report(study, progress.records, write_tables(study, cases, progress.records))
    print(progress.line)


def _options(settings: Settings, options: dict[str, Any], gpus: int) -> RunOptions:
    from ..cohort.limits import RunLimits
    from ..cohort.running import RunOptions
    from ..cohort.workers import plan_workers
    from ..engine.fork_servers import can_fork

    plan = plan_workers(options["workers"], gpus)
    gigabytes = options["memory_limit"]
    memory = plan.memory_bytes if gigabytes is None else int(gigabytes * 2**30)
    # On a cluster nothing is known of the workers' memory here.
    unknown = gigabytes is None and options["scheduler"] is not None
    limits = RunLimits(60 * options["time_limit"], None if unknown else memory)
    return RunOptions(
        replace(settings, series=None),
        limits,
        plan,
        options["scheduler"],
        options["keep_ct"],
        options["retry_failed"],
        forked=can_fork(),
    )


def _teller(invocation: Invocation) -> Any:
    def tell(progress: StudyProgress) -> None:
        invocation.say(progress.line)

    return tell


def _status(output: Path) -> str:
    from ..cohort.progress import status_line
    from ..cohort.study import existing_study

    return status_line(existing_study(output))


def _write_bids(invocation: Invocation, output: Path, folder: Path) -> None:
    from ..cohort.bids import write_bids
    from ..cohort.study import existing_study

    study = existing_study(output)
    with study.locked():
        number = write_bids(study, folder, lambda done, total: invocation.checkpoint())
    invocation.say(f"{number} results are in the BIDS dataset {folder}")
