"""A whole learning: cases, rehearsal, the old bundle's score, training, the new one's score, lights, report, and the bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..bundle import ModelBundle, check_new_bundle, load_bundle
from ..bundle.updating import update_card
from ..calibration.calibrate_bundle import CalibrationJob, calibrate_bundle
from ..errors import InputError
from ..evaluation.folder import read_evaluation
from ..evaluation.run import evaluate, folder_tasks, network_segmenter
from ..evaluation.tables import CaseScores
from ..language.catalogue import noted as N_
from ..language.catalogue import stated
from ..output.stages import StagedWork, StageFolder
from ..quality.conformal import FEWEST_FOR_INTERVALS
from ..training.checkpoints import CHECKPOINT, stored_progress
from ..training.finishing import BUNDLE
from ..training.recipes import PairsData, Recipe
from ..training.run import Choices, quick_precision, run_recipe
from .case_files import case_names, write_cases
from .comparison import DicePair, LearningOutcome, dice_pairs, judge_learning
from .corrections import KnownKind
from .gathering import Gathered, known_lines
from .places import learning_place
from .plan import LearningPlan, fine_tuning, grid_of, held_out_patients, request_digest
from .rehearsal import REHEARSED, REHEARSED_HELD_OUT, check_rehearsal, prepare_rehearsal
from .report import LearningStory, comparison_lines, learning_card, write_learning_report

if TYPE_CHECKING:
    from ..training.loop import Status

_CORRECTED, _REHEARSAL, _TRAINING = "corrected", "rehearsal", "training"
_BEFORE, _AFTER = "before", "after"
_WORK = StagedWork("learning.json", "mskseg-learning", "learning", "corrections", "bundle")
# Beside the comparison of the new bundle, which takes as long as that of the old one, there are lights, figures and tables.
_SPARE = 1.15
_FEWEST_MINUTES = 0.01
_SEED = 0


@dataclass(frozen=True)
class LearningCalls:
    """What a learning tells and asks: `say` gets sentences, `report` the progress of the training, `checkpoint` may raise
    `Cancelled`."""

    say: Callable[[str], None] = print
    report: Callable[[Status], None] = print
    checkpoint: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class LearningEnd:
    """How a learning ended: the comparison, the folder with its report, and the new bundle, None where it was not published."""

    outcome: LearningOutcome
    folder: Path
    bundle: ModelBundle | None

    @property
    def sentence(self) -> str:
        """What became of it."""
        if self.bundle is None:
            reasons = "; ".join(self.outcome.reasons)
            return stated(
                f"The new bundle is not published: {reasons}; the comparison is in {self.folder.name}, and more corrections or "
                "iterations may help."
            )
        manifest = self.bundle.manifest
        return stated(f"The bundle {manifest.name} {manifest.version} is in {self.bundle.folder}.")


def learn(bundle: ModelBundle, gathered: Gathered, plan: LearningPlan, calls: LearningCalls) -> LearningEnd:
    """Learn from reviewed results, and publish ``plan.output`` if nothing speaks against the new bundle.

    A run that was stopped or killed at any moment goes on when it is asked the same again.

    Raises:
        InputError: too little was corrected, there is nothing to rehearse, options or folders cannot be used.
        Cancelled: `calls.checkpoint` or a signal raised it; what is done is kept.
    """
    plan.check()
    held_out = held_out_patients(gathered, plan)
    check_rehearsal(plan)
    check_new_bundle(plan.output)
    learning = StageFolder(learning_place(plan.output), _WORK, request_digest(gathered, bundle, plan), calls.say)
    return _Learning(bundle, gathered, plan, calls, learning, held_out).run()


@dataclass(frozen=True)
class _Learning:
    bundle: ModelBundle
    gathered: Gathered
    plan: LearningPlan
    calls: LearningCalls
    folder: StageFolder
    held_out: tuple[str, ...]

    def run(self) -> LearningEnd:
        folder, calls = self.folder, self.calls
        for line in known_lines(self.gathered):
            calls.say(line)
        calls.say(f"Held out: {', '.join(self.held_out)}. State and report are in {folder.root}.")
        folder.run("cases", N_("Writing the cases"), self._write_cases)
        folder.run("rehearsal", N_("Preparing the rehearsal"), self._prepare_rehearsal)
        folder.run("before", N_("Judging the bundle as it is"), lambda: self._evaluate(self.bundle, _BEFORE))
        recipe = self._recipe()
        folder.run("training", N_("Training"), lambda: self._train(recipe))
        candidate = load_bundle(folder.place(_TRAINING, BUNDLE))
        folder.run("after", N_("Judging the new bundle"), lambda: self._evaluate(candidate, _AFTER))
        lights = str(folder.run("lights", N_("Calibrating"), lambda: {"lights": self._calibrate(candidate)})["lights"])
        outcome = judge_learning(self._pairs())
        story = self._story(candidate, recipe, lights)
        write_learning_report(folder.root, self.gathered, self.held_out, outcome, story)
        for line in comparison_lines(outcome):
            calls.say(line)
        if outcome.reasons:
            return LearningEnd(outcome, folder.root, None)
        calibrated = folder.place("calibrated")
        final = load_bundle(calibrated) if calibrated.is_dir() else candidate
        card = "\n".join((final.card.rstrip(), "", learning_card(self.gathered, self.held_out, outcome, story)))
        return LearningEnd(outcome, folder.root, update_card(final, card, self.plan.output))

    def _write_cases(self) -> None:
        names = case_names(self.gathered)
        for side, chosen in (("training", False), ("held_out", True)):
            results = [one for one in self.gathered.results if (self.gathered.patients[one.folder] in self.held_out) is chosen]
            write_cases(self.folder.place(_CORRECTED, side), results, names, self.calls.checkpoint)

    def _prepare_rehearsal(self) -> None:
        grid = grid_of(self.bundle.manifest.preprocessing)
        prepare_rehearsal(self.folder.place(_REHEARSAL), self.plan, grid, self.calls.say, self.calls.checkpoint)

    @property
    def _judged(self) -> dict[str, Path]:
        """What is judged, by name: the cases held out of the corrections and, where there are any, of the rehearsal."""
        places = {
            _CORRECTED: self.folder.place(_CORRECTED, "held_out"),
            _REHEARSAL: self.folder.place(_REHEARSAL, REHEARSED_HELD_OUT),
        }
        return {name: place for name, place in places.items() if place.is_dir()}

    def _evaluate(self, bundle: ModelBundle, when: str) -> None:
        checkpoint = self.calls.checkpoint
        segmenter = network_segmenter(bundle, self.plan.device, self.plan.passes, _SEED, checkpoint)
        for name, place in self._judged.items():
            evaluate(folder_tasks(place, bundle.table), segmenter, self.folder.place(when, name), checkpoint, self.calls.say)

    def _recipe(self) -> Recipe:
        share, manifest = self.plan.rehearsal_share, self.bundle.manifest
        sources = [PairsData(self.folder.place(_CORRECTED, "training"), 1 - share)]
        if share > 0:
            sources.append(PairsData(self.folder.place(_REHEARSAL, REHEARSED), share))
        learned = len(self.gathered.names) - len(self.held_out)
        version = f"{self.plan.version or f'{manifest.version}+learned'}-uncalibrated"
        return fine_tuning(self.bundle, self.plan, sources, learned, quick_precision(self.plan.device), version)

    def _train(self, recipe: Recipe) -> None:
        place, minutes = self.folder.place(_TRAINING), None
        if self.plan.hours is not None:
            progress = stored_progress(place / CHECKPOINT)
            minutes = self._minutes() * (1 - progress) if progress < 1 else None
        calls = self.calls
        run_recipe(recipe, place, Choices(minutes=minutes), calls.report, calls.say, calls.checkpoint)

    def _minutes(self) -> float:
        """What the training gets of the hours: the rest, when both comparisons are taken off."""
        assert self.plan.hours is not None
        used = self.folder.seconds("cases", "rehearsal") + (1 + _SPARE) * self.folder.seconds("before")
        minutes = 60 * self.plan.hours - used / 60
        if minutes < _FEWEST_MINUTES:
            raise InputError(
                f"Preparing and comparing take {used / 3600:.1f} hours by themselves on this computer; give more than that with "
                "--hours, what is done is kept."
            )
        return minutes

    def _calibrate(self, candidate: ModelBundle) -> str:
        """Calibrates on the patients held out, who are the only ones that are new to the network; returns what became of it."""
        cases = read_evaluation(self.folder.place(_AFTER, _CORRECTED))
        if self.plan.passes not in (None, candidate.manifest.passes):
            return f"all grey, since the comparison had {self.plan.passes} passes instead of {candidate.manifest.passes}"
        if len(self.held_out) < FEWEST_FOR_INTERVALS:
            return (
                f"all grey, since {len(self.held_out)} patients were held out and a calibration needs {FEWEST_FOR_INTERVALS}; "
                "calibrate on more cases with 'mskseg calibrate'"
            )
        target = self.folder.place("calibrated")
        if not target.is_dir():
            version = candidate.manifest.version.removesuffix("-uncalibrated")
            source = f"corrected results of {len(self.held_out)} patients"
            job = CalibrationJob(self.folder.place(_AFTER, _CORRECTED), source, version, target, self.plan.device)
            calibrate_bundle(candidate, job, self.calls.checkpoint, self.calls.say)
        return f"calibrated on {len(cases)} corrected results of {len(self.held_out)} patients held out"

    def _pairs(self) -> list[DicePair]:
        names = case_names(self.gathered)
        kinds: dict[str, Mapping[str, KnownKind]] = {
            names[one.folder]: {key: fix.kind for key, fix in one.corrections.items()} for one in self.gathered.results
        }
        pairs: list[DicePair] = []
        for name in self._judged:
            before, after = (self._scores(when, name) for when in (_BEFORE, _AFTER))
            pairs += dice_pairs(before, after, kinds if name == _CORRECTED else None)
        return pairs

    def _scores(self, when: str, name: str) -> list[CaseScores]:
        return [scores for _, scores in read_evaluation(self.folder.place(when, name))]

    def _story(self, candidate: ModelBundle, recipe: Recipe, lights: str) -> LearningStory:
        rows = (self.folder.place(_TRAINING) / "losses.csv").read_text(encoding="utf-8").splitlines()
        iterations = rows[-1].split(",")[0]
        height, width = recipe.crop
        share = self.plan.rehearsal_share
        count = len(list(self.folder.place(_REHEARSAL, REHEARSED).glob("*"))) if share else 0
        kind = "given cases" if self.plan.rehearsal else "virtual patients"
        manifest = self.bundle.manifest
        return LearningStory(
            old=f"{manifest.name} {manifest.version} (SHA-256 {self.bundle.digest[:12]})",
            new=f"{candidate.manifest.name} {candidate.manifest.version.removesuffix('-uncalibrated')}",
            training=f"{iterations} iterations of {recipe.batch} slices of {height} x {width} pixels, {recipe.precision}",
            rehearsal=f"{share:.0%} of all slices from {count} {kind}" if share else "none, so that forgetting was not measured",
            lights=lights,
            passes=self.plan.passes or manifest.passes,
        )
