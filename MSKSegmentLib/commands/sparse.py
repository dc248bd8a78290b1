"""``mskseg sparse``: networks from single annotated slices: which slices, what was drawn, and training in rounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import InputError
from ..packages import FOR_SEGMENTING, FOR_TRAINING, require
from ..settings import DEVICES
from .arguments import reading_options
from .base import PLACE, CommandGroup, Invocation, options_together, pass_invocation
from .training_status import status_calls

_level_options = options_together(
    click.option("--at", multiple=True, metavar="NAME=MM", help="a level at that superior position, Slicer's S (again for more)"),
    click.option("--levels", "count", type=int, metavar="N", help="so many levels, spread evenly over the body"),
    click.option("--between", type=float, nargs=2, metavar="S0 S1", help="spread them between these positions in mm"),
    click.option("--vertebrae", type=PLACE, metavar="MASK", help="the middles of the vertebrae in this segmentation"),
    click.option("--from", "first", default="T4", metavar="NAME", help="first vertebra (default: T4)"),
    click.option("--to", "last", default="L4", metavar="NAME", help="last vertebra (default: L4)"),
    click.option("--labels", metavar="TABLE", help="whose numbers it has, if it holds no names: totalsegmentator, a .csv"),
)


@click.group(cls=CommandGroup)
def command() -> None:
    """Train a network on single annotated slices, and have it label whole volumes."""


@command.command("propose")
@click.argument("ct", type=PLACE, metavar="CT")
@click.option("-o", "--output", type=PLACE, required=True, metavar="CASE", help="the new folder of the case")
@_level_options
@click.option("--task", default="trunk-ct", metavar="NAME", help="whose structures will be drawn (default: trunk-ct)")
@click.option("--structures", metavar="A,B,...", help="those that will be drawn in each slice (default: all of the task's)")
@reading_options
@pass_invocation
def propose_slices(
    invocation: Invocation,
    /,
    ct: Path,
    output: Path,
    task: str,
    structures: str | None,
    series: str | None,
    assume_orientation: str | None,
    **levels: Any,
) -> None:
    """Choose slices of a CT by level, and make the folder in which somebody annotates them."""
    from ..ct import read_ct
    from ..sparse.annotation import Proposal, write_annotation_case
    from ..sparse.proposing import LevelChoice, propose_levels
    from ..tasks import load_task

    chosen = load_task(task)
    table = chosen.table
    names = [name.strip() for name in structures.split(",")] if structures else [one.abbreviation for one in table.structures]
    unknown = [name for name in names if all(one.abbreviation != name for one in table.structures)]
    known = ", ".join(one.abbreviation for one in table.structures)
    if unknown:
        raise InputError(f"The task has no structure {unknown[0]!r}; choose among {known}.")
    volume = read_ct(ct, series, assume_orientation, chosen.modality)
    found = propose_levels(volume, LevelChoice(**levels), table)
    write_annotation_case(output, volume, Proposal(found.levels, tuple(names), chosen))
    for note in found.notes:
        invocation.warn(note)
    for level in found.levels:
        print(f"{level.name}: slice {level.number}, S {level.position_mm:.1f} mm")
    invocation.say(f"Draw {len(names)} structures in these slices of {output.name}/labels.seg.nrrd, then run 'mskseg sparse take'.")


@command.command("take")
@click.argument("cases", type=PLACE, metavar="CASES")
@click.option("--all-drawn", is_flag=True, help="take every slice that holds labels, proposed or not")
@click.option(
    "--reviews", type=PLACE, metavar="RESULTS", help="first fill cases from accepted results of the same names in this folder"
)
@pass_invocation
def take_drawn(invocation: Invocation, cases: Path, all_drawn: bool, reviews: Path | None) -> int:
    """Look what was drawn in the cases of a folder, and note it; exit code 2 if a case holds what was not asked for."""
    from ..evaluation.cases import find_labelled_cases
    from ..sparse.annotation import PROPOSED_FILE, take_annotations
    from ..sparse.reviewed import fill_from_review

    proposed = [files for files in find_labelled_cases(cases) if (files.labels.parent / PROPOSED_FILE).is_file()]
    if not proposed:
        raise InputError(f"The folder {cases.name!r} holds no case with {PROPOSED_FILE}; let 'mskseg sparse propose' make one.")
    refused = 0
    for files in proposed:
        invocation.checkpoint()
        try:
            if reviews is not None and (reviews / files.name).is_dir():
                fill_from_review(files, reviews / files.name)
            found = take_annotations(files, all_drawn)
        except InputError as error:
            refused += 1
            click.echo(str(error), err=True)
            continue
        line = f"{found.name}: {len(found.drawn)} slices drawn"
        if found.half:
            line += f", one side only in {', '.join(level.name for level in found.half)}"
        if found.pending:
            line += f", not yet drawn: {', '.join(level.name for level in found.pending)}"
        print(line)
    return 2 if refused else 0


@command.command("train")
@click.argument("cases", type=PLACE, metavar="CASES")
@click.option(
    "-o", "--output", type=PLACE, required=True, metavar="DIR", help="rounds and tables; a stopped training goes on there"
)
@click.option("--recipe", default="sparse", metavar="RECIPE", help="a recipe file or a preset (default: sparse)")
@click.option("--test", type=PLACE, metavar="CASES", help="other patients, labelled in full: each round is evaluated on them")
@click.option("--rounds", type=int, default=2, metavar="N", help="1: annotated slices alone; more: with pseudo-labels (default: 2)")
@click.option("--share", type=float, default=0.5, metavar="S", help="share of slices with pseudo-labels (default: 0.5)")
@click.option("--passes-agree", type=float, default=0.9, metavar="S", help="share of passes that confirm a voxel (default: 0.9)")
@click.option("--reach-mm", type=float, default=3.0, metavar="MM", help="how near neighbouring slices confirm it (default: 3)")
@click.option("--least-kept", type=float, default=0.5, metavar="S", help="least confirmed share of a slice (default: 0.5)")
@click.option(
    "--least-right", type=float, default=0.95, metavar="S",
    help="pseudo-labels are learned if at least this share of them is right in drawn slices (default: 0.95; 0: in any case)",
)  # fmt: skip
@click.option(
    "--most-missed", type=float, default=0.05, metavar="S",
    help="and if they call at most this share of what was drawn background (default: 0.05; 1: in any case)",
)  # fmt: skip
@click.option("--samples", "passes", type=int, default=10, metavar="T", help="dropout passes (default: 10)")
@click.option("--seed", type=int, default=0, metavar="N", help="of pseudo-labels and evaluation (default: 0)")
@click.option("--device", type=click.Choice(DEVICES), help="default: the recipe's")
@click.option("--progress", type=click.Choice(("text", "json", "none")), default="text", help="default: text")
@pass_invocation
def train_sparsely(invocation: Invocation, /, cases: Path, output: Path, recipe: str, progress: str, **options: Any) -> None:
    """Train on annotated slices, then also on pseudo-labels; evaluate each round on whole volumes."""
    require(*FOR_SEGMENTING, *FOR_TRAINING, purpose="Training", extra="train")
    from dataclasses import replace

    from ..inference.devices import wait_without_spinning
    from ..sparse.confirmation import ConfirmationGate
    from ..sparse.pseudo_cases import PseudoRun
    from ..sparse.pseudo_labels import PseudoRule
    from ..sparse.rounds import SparseCalls, SparsePlan, train_rounds
    from ..training.recipes import find_recipe, read_recipe

    wait_without_spinning()
    chosen = read_recipe(find_recipe(recipe))
    chosen = replace(chosen, device=options["device"] or chosen.device)
    rule = PseudoRule(options["passes_agree"], options["reach_mm"], options["least_kept"])
    gate = ConfirmationGate(options["least_right"], options["most_missed"])
    run = PseudoRun(options["passes"], options["seed"], chosen.device, rule)
    plan = SparsePlan(cases, output, options["test"], options["rounds"], options["share"], run, gate)
    say, report = status_calls(invocation, progress)
    bundle = train_rounds(chosen, plan, SparseCalls(say, report, invocation.checkpoint))
    invocation.say(f"The bundle to take is {bundle.folder}; rounds.md compares the rounds. Calibrate it to get lights.")
