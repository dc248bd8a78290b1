"""``mskseg study``: the statistics of the paper on one's own evaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .arguments import bundle_option, device_option
from .base import PLACE, CommandGroup, Invocation, options_together, pass_invocation

if TYPE_CHECKING:
    from ..study.analysis import Analysis
    from ..study.inputs import Evaluated

_output_option = click.option("-o", "--output", type=PLACE, required=True, metavar="OUT", help="folder of tables and figures")
_cases_option = click.option(
    "--cases", type=PLACE, metavar="LIST.csv", help="facts of the cases: case, patient, group, side_affected"
)
_evaluations_argument = click.argument("evaluations", nargs=-1, required=True, metavar="NAME=EVALUATION...")
_test_options = options_together(
    click.option("--common", is_flag=True, help="compare the cases that all hold, where they differ"),
    click.option("--correction", type=click.Choice(("bonferroni", "holm")), default="bonferroni", help="default: bonferroni"),
)


@click.group(cls=CommandGroup)
def command() -> None:
    """Tests, agreement and failure detection as in the paper, on folders of 'mskseg evaluate'."""


@command.command("compare")
@_evaluations_argument
@_output_option
@_cases_option
@_test_options
@pass_invocation
def compare_evaluations(
    invocation: Invocation, evaluations: Sequence[str], output: Path, cases: Path | None, common: bool, correction: str
) -> None:
    """Compare two or more models on the same cases: tests, effect sizes, box plots (figure 4)."""
    from ..study.analysis import check_analysis_folder
    from ..study.case_facts import patients_of_list
    from ..study.inputs import on_same_cases, read_evaluations
    from ..study.model_comparison import compare_models

    check_analysis_folder(output, "compare")
    found = on_same_cases(read_evaluations(evaluations, 2), common)
    _write(invocation, output, compare_models(found, correction, patients_of_list(cases)), found)


@command.command("failure")
@_evaluations_argument
@_output_option
@_cases_option
@click.option("--published", type=click.Choice(("5layers,20", "6layers,50")), default="6layers,50", help="model to stand beside")
@click.option("--seed", type=int, default=0, metavar="N", help="of the bootstrap (default: 0)")
@pass_invocation
def failure(
    invocation: Invocation, evaluations: Sequence[str], output: Path, cases: Path | None, published: str, seed: int
) -> None:
    """Find inaccurate and failed segments by their uncertainty: thresholds, AUROC (tables 3 and 6, figure 5)."""
    from ..study.analysis import check_analysis_folder
    from ..study.case_facts import patients_of_list
    from ..study.failure_report import detect_failures
    from ..study.inputs import read_evaluations

    check_analysis_folder(output, "failure")
    found = read_evaluations(evaluations)
    _write(invocation, output, detect_failures(found, published, seed, patients_of_list(cases)), found)


@command.command("agreement")
@click.argument("evaluation", metavar="[NAME=]EVALUATION")
@_output_option
@_cases_option
@pass_invocation
def agreement(invocation: Invocation, evaluation: str, output: Path, cases: Path | None) -> None:
    """Compare volume and HU with the truth on affected and unaffected sides: MAE, concordance, Bland-Altman (table 7)."""
    from ..study.analysis import check_analysis_folder
    from ..study.case_facts import check_all_listed, read_case_facts
    from ..study.inputs import read_evaluations
    from ..study.side_agreement import side_agreement

    check_analysis_folder(output, "agreement")
    (found,) = read_evaluations([evaluation])
    facts = {} if cases is None else read_case_facts(cases)
    if cases is not None:
        check_all_listed(facts, [case.name for case in found.cases], cases)
    _write(invocation, output, side_agreement(found, facts), [found])


@command.command("disease")
@click.argument("sources", nargs=-1, required=True, metavar="NAME=EVALUATION|COHORT...")
@_output_option
@_cases_option
@click.option("--correction", type=click.Choice(("bonferroni", "holm")), default="bonferroni", help="default: bonferroni")
@pass_invocation
def disease(invocation: Invocation, sources: Sequence[str], output: Path, cases: Path | None, correction: str) -> None:
    """Compare affected with unaffected sides of the same patients (figure 6).

    Of evaluations all measures, with --cases; of studies of 'mskseg cohort' the uncertainty.
    """
    from ..study.analysis import check_analysis_folder
    from ..study.disease_sources import read_side_sources
    from ..study.disease_status import compare_sides

    check_analysis_folder(output, "disease")
    numbers, table, evaluations = read_side_sources(sources, cases)
    _write(invocation, output, compare_sides(numbers, table, correction), evaluations)


@command.command("databases")
@click.argument("evaluations", nargs=-1, required=True, metavar="DATABASE[:MODEL]=EVALUATION...")
@_output_option
@_cases_option
@click.option("--structure", default="GMED", metavar="NAME", help="default: GMED, as in the paper")
@_test_options
@pass_invocation
def databases(
    invocation: Invocation,
    evaluations: Sequence[str],
    output: Path,
    cases: Path | None,
    structure: str,
    common: bool,
    correction: str,
) -> None:
    """Compare a structure over several databases, by one or more models (tables 4 and 5, figure 7)."""
    from ..study.analysis import check_analysis_folder
    from ..study.case_facts import patients_of_list
    from ..study.database_comparison import by_database, compare_databases
    from ..study.inputs import read_evaluations

    check_analysis_folder(output, "databases")
    found = read_evaluations(evaluations)
    analysis = compare_databases(by_database(found, common), structure, correction, patients_of_list(cases))
    _write(invocation, output, analysis, found)


def _numbers(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in text.split(",") if number.strip())
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no list of numbers such as 1,5,10", context, option) from error


_run_options = options_together(
    bundle_option,
    device_option,
    click.option("--seed", type=int, default=0, metavar="N", help="of the dropout passes (default: 0)"),
)
_sources_argument = click.argument("sources", nargs=-1, required=True, metavar="NAME=EVALUATION...|CASES")


@command.command("samples")
@_sources_argument
@_output_option
@_cases_option
@click.option("--samples", callback=_numbers, default="1,5,10", metavar="T,T,...", help="to evaluate CASES with (default: 1,5,10)")
@_run_options
@_test_options
@pass_invocation
def samples(invocation: Invocation, /, sources: Sequence[str], output: Path, cases: Path | None, **options: Any) -> None:
    """Compare numbers of dropout samples (table 9).

    Give evaluations of one bundle, or a folder of labelled cases, which are then evaluated into OUT/evaluations.
    """
    from ..study.case_facts import patients_of_list
    from ..study.sample_numbers import compare_samples

    found = _evaluated(invocation, "samples", sources, output, options["samples"], options)
    _write(invocation, output, compare_samples(found, options["correction"], patients_of_list(cases)), found)


@command.command("entropy")
@_sources_argument
@_output_option
@_cases_option
@click.option("--samples", type=int, default=10, metavar="T", help="to evaluate CASES with, besides 1 (default: 10)")
@_run_options
@click.option("--common", is_flag=True, help="compare the cases that both hold, where they differ")
@pass_invocation
def entropy(invocation: Invocation, /, sources: Sequence[str], output: Path, cases: Path | None, **options: Any) -> None:
    """Compare the entropy of one pass with the variance of several as signs of Dice (table 10).

    Give an evaluation with one pass and one with more, or labelled cases, which are then evaluated into OUT/evaluations.
    """
    from ..study.case_facts import patients_of_list
    from ..study.entropy_comparison import compare_entropy

    found = _evaluated(invocation, "entropy", sources, output, (1, options["samples"]), options)
    _write(invocation, output, compare_entropy(found, patients_of_list(cases)), found)


def _evaluated(
    invocation: Invocation, name: str, sources: Sequence[str], output: Path, samples: Sequence[int], options: Mapping[str, Any]
) -> list[Evaluated]:
    """The evaluations that are given, or made of labelled cases with these numbers of samples."""
    from ..study.analysis import check_analysis_folder
    from ..study.running import EVALUATIONS, evaluate_samples, given_or_made

    def make(data: Path, folder: Path) -> list[Evaluated]:
        from ..bundle import resolve_bundle

        bundle = resolve_bundle(options["bundle"])
        return evaluate_samples(data, folder, bundle, samples, options["device"], options["seed"], invocation.checkpoint)

    real = check_analysis_folder(output, name, (EVALUATIONS,))
    return given_or_made(sources, real, make, options["common"])


@command.command("cross-validate")
@click.argument("data", type=PLACE, metavar="CASES")
@click.argument("recipes", nargs=-1, required=True, metavar="[NAME=]RECIPE...")
@_output_option
@_cases_option
@click.option("--folds", type=int, default=5, metavar="N", help="parts that are left out in turn (default: 5)")
@click.option("--hold-out", type=int, default=0, metavar="N", help="one of N parts is in no fold, and judges a last network")
@click.option("--train-cases", callback=_numbers, default="", metavar="N,N,...", help="training patients (default: all of a fold)")
@click.option("--samples", type=int, metavar="T", help="dropout passes of the evaluation (default: 10)")
@click.option("--minutes", type=float, metavar="M", help="train each network for so long, with a schedule that ends then")
@device_option
@click.option("--seed", type=int, default=0, metavar="N", help="who is among fewer training patients, and the passes (default: 0)")
@click.option("--correction", type=click.Choice(("bonferroni", "holm")), default="bonferroni", help="default: bonferroni")
@pass_invocation
def cross_validate(
    invocation: Invocation, /, data: Path, recipes: Sequence[str], output: Path, cases: Path | None, **options: Any
) -> None:
    """Train on parts of the labelled CASES, evaluate the patients left out, and pool (table 8). A stopped run goes on.

    RECIPE is a file or a preset as for 'mskseg train', such as paper (6 levels) and paper-5; the networks learn from CASES alone.
    """
    from ..evaluation.cases import find_labelled_cases
    from ..packages import FOR_TRAINING, require
    from ..study.analysis import check_analysis_folder
    from ..study.case_facts import patients_of_list, read_case_facts
    from ..study.cross_plan import named_recipes, plan_folds
    from ..study.cross_report import report_cross_validation
    from ..study.cross_validation import CROSS_FILE, Reporting, held_out_models, run_cross_validation
    from ..study.group_report import group_notes, group_table

    real = check_analysis_folder(output, "cross-validate", (CROSS_FILE,))
    require(*FOR_TRAINING, "filelock", purpose="A cross-validation", extra="study")
    minutes = options["minutes"]
    if minutes is not None and not 0 < minutes < 100_000:
        raise InputError(f"{minutes:g} minutes are no time to train; give a number above 0.")
    plan = plan_folds(
        [case.name for case in find_labelled_cases(data)],
        named_recipes(recipes),
        options["train_cases"],
        options["folds"],
        options["hold_out"],
        seed=options["seed"],
        samples=options["samples"],
        device=options["device"],
        minutes=minutes,
    )
    patients = patients_of_list(cases)
    reporting = Reporting(invocation.say, lambda status: invocation.say(str(status)), invocation.checkpoint)
    models = run_cross_validation(plan, data, real, reporting)
    analysis = report_cross_validation(plan, models, options["correction"], patients)
    last = held_out_models(plan, real)
    if last or cases is not None:
        groups = group_table([*models, *last], {} if cases is None else read_case_facts(cases))
        analysis = replace(analysis, tables=[*analysis.tables, groups], notes=[*analysis.notes, *group_notes(models)])
    _write(invocation, output, analysis, [*models, *last])


@command.command("groups")
@_evaluations_argument
@_output_option
@click.option("--cases", type=PLACE, required=True, metavar="LIST.csv", help="the group of each case: case, patient, group")
@pass_invocation
def groups(invocation: Invocation, evaluations: Sequence[str], output: Path, cases: Path) -> None:
    """Dice, sensitivity, specificity and R2 of volumes by group of cases, such as women and men."""
    from ..study.analysis import check_analysis_folder
    from ..study.case_facts import read_case_facts
    from ..study.group_report import compare_groups
    from ..study.inputs import read_evaluations

    check_analysis_folder(output, "groups")
    found = read_evaluations(evaluations)
    _write(invocation, output, compare_groups(found, read_case_facts(cases)), found)


def _write(invocation: Invocation, output: Path, analysis: Analysis, evaluations: Sequence[Evaluated] = ()) -> None:
    from ..study.analysis import write_analysis

    invocation.checkpoint()
    write_analysis(output, analysis, evaluations)
    invocation.say(f"Tables and figures are in {output}; begin with {analysis.name}.md")
