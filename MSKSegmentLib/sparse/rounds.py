"""Training in rounds: on the annotated slices alone, then also on what the network itself labels and its neighbours confirm.

Where that is not good enough to be learned, a round goes on with the annotated slices alone: a longer training gains as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..anatomy import LEFT_OFFSET, StructureTable
from ..bundle import ModelBundle, load_bundle
from ..errors import InputError
from ..evaluation.cases import PSEUDO_FILE, CaseFiles, find_true_cases, patient_of, read_labelled_case
from ..evaluation.folder import read_evaluation
from ..evaluation.run import evaluate, folder_tasks, network_segmenter
from ..evaluation.tables import CaseScores
from ..output.files import whole_file
from ..output.stages import StagedWork, StageFolder
from ..training.checkpoints import CHECKPOINT
from ..training.finishing import BUNDLE
from ..training.recipes import PairsData, Recipe
from ..training.run import Choices, run_recipe
from .confirmation import ConfirmationGate, Confirmed, joined
from .pseudo_cases import PseudoRun, write_pseudo_case
from .report import RoundScores, Survey, best_round, rounds_csv, rounds_markdown

if TYPE_CHECKING:
    from ..training.loop import Status

_WORK = StagedWork("sparse.json", "mskseg-sparse-training", "training from sparse labels", "cases", "folder")
_TABLE, _CARD = "rounds.csv", "rounds.md"
_ROUND, _PSEUDO, _TEST = "round", "pseudo", "test"


@dataclass(frozen=True)
class SparsePlan:
    """What is learned from, and how.

    `cases` is a folder of cases with a ``labelled.json`` each, `test` one of other patients who are labelled in full (None: no
    evaluation). Later rounds go on from the weights of the round before, with the recipe's iterations once more; `share` of their
    slices show pseudo-labels, which `pseudo` says how to make. A round whose pseudo-labels the `gate` holds back learns from the
    annotated slices alone.
    """

    cases: Path
    output: Path
    test: Path | None = None
    rounds: int = 2
    share: float = 0.5
    pseudo: PseudoRun = PseudoRun(10, 0, "auto")
    gate: ConfirmationGate = ConfirmationGate()

    def __post_init__(self) -> None:
        """Refuse a plan that means nothing."""
        if not 1 <= self.rounds <= 9 or not 0 < self.share < 1 or self.pseudo.passes < 2:
            raise InputError("Give 1 to 9 rounds, a share of pseudo-labels between 0 and 1, and 2 dropout passes or more.")


@dataclass(frozen=True)
class SparseCalls:
    """What rounds tell and ask: `say` gets sentences, `report` the progress of a training, `checkpoint` may raise `Cancelled`."""

    say: Callable[[str], None] = print
    report: Callable[[Status], None] = print
    checkpoint: Callable[[], None] = lambda: None


def train_rounds(recipe: Recipe, plan: SparsePlan, calls: SparseCalls) -> ModelBundle:
    """Train in rounds and write ``<output>/round-<n>/bundle`` for each, ``rounds.csv``, ``rounds.md``.

    Returns the bundle that is best on the test's volumes, without a test the last one. A run that was stopped or killed goes on
    when it is asked the same again.

    Raises:
        InputError: cases are missing, of patients of the test, without labels, or fully labelled; the folder holds other work.
    """
    cases = _sparse_cases(plan)
    folder = StageFolder(plan.output, _WORK, _digest(recipe, plan, cases), calls.say)
    noted = folder.run("cases", "Reading the cases", lambda: asdict(survey_cases(cases, recipe.table, calls.checkpoint)))
    survey = Survey(noted["cases"], noted["annotated"], noted["slices"], tuple(noted["never_drawn"]))
    calls.say(f"{survey.annotated} of {survey.slices} slices are annotated ({100 * survey.share:.1f} %).")
    for name in survey.never_drawn:
        calls.say(f"Nobody drew {name} in any slice: the network cannot find it.")
    scores: list[RoundScores] = []
    bundles: list[ModelBundle] = []
    for number in range(1, plan.rounds + 1):
        noted = _pseudo_stage(folder, number, cases, plan, calls) if number > 1 else {}
        held_back = _held_back(noted, plan.gate) if noted else ""
        if held_back:
            calls.say(held_back)
        place = folder.place(f"{_ROUND}-{number}")
        this = _recipe_of(recipe, folder, plan, number, bool(noted) and not held_back)
        folder.run(place.name, f"Round {number}: training", partial(_train, this, place, calls))
        bundle = load_bundle(place / BUNDLE)
        bundles.append(bundle)
        found = () if plan.test is None else _test(folder, number, bundle, plan, calls)
        scores.append(RoundScores(number, noted.get("slices"), noted.get("share"), found, held_back))
    for name, text in ((_TABLE, rounds_csv(scores)), (_CARD, rounds_markdown(survey, scores, plan.pseudo.rule))):
        with whole_file(folder.place(name), Path(name).suffix) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="")
    return bundles[best_round(scores).number - 1]


def _held_back(noted: dict[str, Any], gate: ConfirmationGate) -> str:
    """Why pseudo-labels are not learned, in a sentence; nothing where they are."""
    if not noted["slices"]:
        return "Pseudo-labels are not learned: passes and neighbouring slices confirm none."
    found = Confirmed(**noted["on_drawn"])
    if gate.lets_through(found):
        return ""
    return (
        f"Pseudo-labels are not learned: in the drawn slices {found.right_share:.0%} of what was confirmed is right "
        f"(of {gate.least_right:.0%} asked for), and {found.missed_share:.0%} of what was drawn is confirmed as background (of "
        f"{gate.most_missed:.0%} allowed)."
    )


def _sparse_cases(plan: SparsePlan) -> list[CaseFiles]:
    cases = find_true_cases(plan.cases)
    if plan.test is not None:
        shared = {patient_of(case.name) for case in cases} & {patient_of(case.name) for case in find_true_cases(plan.test)}
        if shared:
            raise InputError(
                f"The patient {min(shared)!r} is among those to learn from and those to test on; keep the test's patients apart."
            )
    for case in cases:
        if case.labelled is None:
            raise InputError(
                f"The case {case.name!r} has no labelled.json, so that all of its slices count as annotated; train on full labels "
                "with 'mskseg train --pairs', or say in the file which slices were drawn."
            )
    return cases


def survey_cases(cases: Sequence[CaseFiles], table: StructureTable, checkpoint: Callable[[], None] = lambda: None) -> Survey:
    """Count annotated slices, and find the structures that nobody drew.

    Raises:
        InputError: a case has no annotated slice, or cannot be used.
    """
    annotated = slices = 0
    drawn = np.zeros(256, bool)
    for files in cases:
        checkpoint()
        case = read_labelled_case(files, table)
        number = int(np.count_nonzero(case.slices))
        if not number:
            raise InputError(
                f"No slice of the case {files.name!r} is annotated; run 'mskseg sparse take' when it is, or take it out."
            )
        annotated, slices = annotated + number, slices + len(case.slices)
        drawn[np.unique(case.truth[case.slices])] = True
    missing = [one.abbreviation for one in table.structures if not (drawn[one.index] or drawn[one.index + LEFT_OFFSET])]
    if len(missing) == len(table.structures):
        raise InputError("The annotated slices hold no label of the task; check what was drawn.")
    return Survey(len(cases), annotated, slices, tuple(missing))


def _recipe_of(recipe: Recipe, folder: StageFolder, plan: SparsePlan, number: int, with_pseudo: bool) -> Recipe:
    drawn = PairsData(plan.cases.absolute())
    if number == 1:
        return replace(recipe, sources=(drawn,))
    pseudo = PairsData(folder.place(f"{_PSEUDO}-{number}"), plan.share)
    sources = (replace(drawn, weight=1 - plan.share), pseudo) if with_pseudo else (drawn,)
    before = folder.place(f"{_ROUND}-{number - 1}", CHECKPOINT)
    return replace(recipe, sources=sources, initial=str(before), seed=recipe.seed + number - 1)


def _train(recipe: Recipe, place: Path, calls: SparseCalls) -> dict[str, Any]:
    bundle = run_recipe(recipe, place, Choices(), calls.report, calls.say, calls.checkpoint)
    return {"bundle": bundle.digest}


def _pseudo_stage(folder: StageFolder, number: int, cases: list[CaseFiles], plan: SparsePlan, calls: SparseCalls) -> dict[str, Any]:
    """Pseudo-labels of all cases by the bundle of the round before; cases that are there are kept."""
    place = folder.place(f"{_PSEUDO}-{number}")

    def make() -> dict[str, Any]:
        from ..inference.devices import choose_device

        bundle = load_bundle(folder.place(f"{_ROUND}-{number - 1}", BUNDLE))
        run = replace(plan.pseudo, device=choose_device(plan.pseudo.device).name)
        for case in cases:
            target = place / case.name
            if (target / PSEUDO_FILE).is_file():
                continue
            calls.checkpoint()
            found = write_pseudo_case(target, case, bundle, run, calls.checkpoint)
            calls.say(f"{case.name}: pseudo-labels in {found.slices} slices, {found.share:.0%} of what the network finds is kept")
        facts = [json.loads((place / case.name / PSEUDO_FILE).read_text(encoding="utf-8")) for case in cases]
        kept = sum(int(one["slices"]) for one in facts)
        _leave_out_empty(place, cases, facts)
        on_drawn = joined(Confirmed(**one["on_drawn"]) for one in facts)
        return {"slices": kept, "share": float(np.mean([one["share"] for one in facts])), "on_drawn": asdict(on_drawn)}

    return folder.run(place.name, f"Round {number}: pseudo-labels", make)


def _leave_out_empty(place: Path, cases: list[CaseFiles], facts: list[dict[str, Any]]) -> None:
    """Hide cases in which nothing was kept: training refuses a case without a labelled slice."""
    for case, one in zip(cases, facts, strict=True):
        if not one["slices"] and (place / case.name).is_dir():
            (place / case.name).rename(place / f".{case.name}")


def _test(folder: StageFolder, number: int, bundle: ModelBundle, plan: SparsePlan, calls: SparseCalls) -> tuple[CaseScores, ...]:
    assert plan.test is not None
    place = folder.place(f"{_TEST}-{number}")
    tasks = folder_tasks(plan.test, bundle.table)

    def run() -> None:
        segmenter = network_segmenter(bundle, plan.pseudo.device, plan.pseudo.passes, plan.pseudo.seed, calls.checkpoint)
        evaluate(tasks, segmenter, place, calls.checkpoint, calls.say)

    folder.run(place.name, f"Round {number}: evaluation on {len(tasks)} held-out volumes", run)
    return tuple(scores for _, scores in read_evaluation(place))


def _digest(recipe: Recipe, plan: SparsePlan, cases: list[CaseFiles]) -> str:
    """Changes with everything that the outcome rests on."""
    stats = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for case in cases for path in case.truth_files]
    choices = [plan.rounds, plan.share, asdict(plan.pseudo), asdict(plan.gate)]
    content = [recipe.to_json(), str(plan.test and plan.test.resolve()), *choices, stats]
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()
