"""``mskseg study cross-validate``: trains, evaluates the patients left out, pools; goes on where it was stopped, over days.

``stages/<name>.json`` appears when a stage is done. A stage that was stopped goes on by what training and evaluation keep.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .. import __version__
from ..bundle import ModelBundle, resolve_bundle
from ..engine.cancelling import Checkpoint
from ..errors import InputError, shown
from ..evaluation.run import evaluate, folder_tasks, network_segmenter
from ..output.files import whole_file
from ..training.loop import Status
from ..training.recipes import with_pairs
from ..training.run import Choices, run_recipe
from .cross_plan import HELD_OUT, CrossPlan, CrossStage, stage_split
from .inputs import Evaluated, read_named_evaluation

CROSS_FILE, STAGES = "cross_validation.json", "stages"
_LOCK = ".cross_validation.lock"
_EVALUATION, _TRAINING, _PREPARED = "evaluation", "training", "prepared"


@dataclass(frozen=True)
class Reporting:
    """`say` gets sentences, `report` the progress of a training; `checkpoint` is called often and ends cancelled work."""

    say: Callable[[str], None]
    report: Callable[[Status], None]
    checkpoint: Checkpoint


def run_cross_validation(plan: CrossPlan, data: Path, folder: Path, reporting: Reporting) -> list[Evaluated]:
    """Do all stages that are not done; returns the pooled cases of each model, in the order of recipes and numbers.

    Raises:
        InputError: the folder holds a cross-validation of other choices, another process runs it, or data cannot be used.
        Cancelled: `checkpoint` raised it; what is done is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _check_same(plan, folder)
        stages = plan.stages
        for number, stage in enumerate(stages, 1):
            if _is_done(folder, stage):
                reporting.say(f"{stage.name}: there already ({number} of {len(stages)})")
                continue
            reporting.checkpoint()
            began = time.monotonic()
            reporting.say(f"{stage.name}: stage {number} of {len(stages)}")
            _run_stage(plan, stage, data, folder, reporting)
            seconds = time.monotonic() - began
            _write(_mark(folder, stage), {"stage": stage.name, "seconds_of_last_run": round(seconds, 1), "version": __version__})
    return pooled_models(plan, folder)


def pooled_models(plan: CrossPlan, folder: Path) -> list[Evaluated]:
    """The cases of all folds of each model, which are those that its networks had not seen.

    Raises:
        InputError: an evaluation cannot be read.
    """
    folds = [stage for stage in plan.stages if stage.fold[0]]
    models = list(dict.fromkeys((stage.recipe, stage.number) for stage in folds))
    found = []
    for recipe, number in sorted(models, key=lambda pair: (list(plan.recipes).index(pair[0]), pair[1])):
        own = [stage for stage in folds if (stage.recipe, stage.number) == (recipe, number)]
        parts = [read_named_evaluation(stage.model, _place(folder, stage) / _EVALUATION) for stage in own]
        cases = sorted((case for part in parts for case in part.cases), key=lambda case: case.name)
        found.append(replace(parts[0], cases=tuple(cases), bundle=f"one of {plan.folds} folds"))
    return found


def held_out_models(plan: CrossPlan, folder: Path) -> list[Evaluated]:
    """The cases of no fold, as the last network of each recipe judges them; nothing where none are held out.

    Raises:
        InputError: an evaluation cannot be read.
    """
    last = [stage for stage in plan.stages if not stage.fold[0]]
    return [read_named_evaluation(f"{stage.recipe}, {HELD_OUT}", _place(folder, stage) / _EVALUATION) for stage in last]


def _run_stage(plan: CrossPlan, stage: CrossStage, data: Path, folder: Path, reporting: Reporting) -> None:
    place = _place(folder, stage)
    split = stage_split(plan, stage)
    recipe = replace(with_pairs(plan.recipes[stage.recipe], data), device=plan.device)
    # Networks of one recipe learn from the same arrays, so that each case is brought to its grid once.
    choices = Choices(minutes=plan.minutes, split=split, prepared=folder / _PREPARED / stage.recipe)
    trained = place / _TRAINING / "trained.json"
    if trained.is_file():
        bundle: ModelBundle = resolve_bundle(str(place / _TRAINING / "bundle"))
    else:
        bundle = run_recipe(recipe, place / _TRAINING, choices, reporting.report, reporting.say, reporting.checkpoint)
        _write(trained, {"bundle": bundle.digest})
    segmenter = network_segmenter(bundle, plan.device, plan.samples, plan.seed, reporting.checkpoint)
    tasks = [task for task in folder_tasks(data, bundle.table) if task.name in split.held_out_cases]
    evaluate(tasks, segmenter, place / _EVALUATION, reporting.checkpoint, reporting.say)


def _check_same(plan: CrossPlan, folder: Path) -> None:
    """Begin the cross-validation, or go on with one of the same choices."""
    stated = json.loads(json.dumps(plan.to_json()))
    path = folder / CROSS_FILE
    try:
        earlier = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        earlier = stated
    except (OSError, ValueError) as error:
        raise InputError(f"The file {CROSS_FILE} in {shown(folder)!r} cannot be read; name another folder with -o.") from error
    recipes = {**earlier["recipes"], **stated["recipes"]}
    changed = [f"the recipe {name}" for name, recipe in earlier["recipes"].items() if recipes[name] != recipe]
    changed += [f"the {name}" for name in stated if name != "recipes" and earlier.get(name) != stated[name]]
    if changed:
        raise InputError(
            f"The folder {shown(folder)!r} holds a cross-validation in which {' and '.join(changed)} differ; say the same, or name "
            "another folder with -o."
        )
    _write(path, {**stated, "recipes": recipes})


def _place(folder: Path, stage: CrossStage) -> Path:
    return folder / stage.recipe / str(stage.number) / stage.part


def _mark(folder: Path, stage: CrossStage) -> Path:
    return folder / STAGES / f"{stage.name}.json"


def _is_done(folder: Path, stage: CrossStage) -> bool:
    return _mark(folder, stage).is_file()


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, ".json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder for this process: two that train one stage would spoil it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / _LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"Another process runs the cross-validation in {shown(folder)!r}; wait for it, or name another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()
