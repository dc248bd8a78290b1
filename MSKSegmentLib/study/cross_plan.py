"""What a cross-validation consists of: a stage per recipe, number of training patients and fold, and who is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..output.names import safe_name
from ..training.folds import Split, patient_of, split_fold
from ..training.recipes import Recipe, find_recipe, read_recipe

HELD_OUT = "held-out"


@dataclass(frozen=True)
class CrossStage:
    """One network: trained on `number` patients by the recipe that goes by `recipe`, judged on fold ``(k, n)``.

    Fold ``(0, n)`` is the last network, trained on all patients of the folds and judged on those who were held out of them all.
    """

    recipe: str
    number: int
    fold: tuple[int, int]

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.recipe}-{self.number}-{self.part}"

    @property
    def part(self) -> str:
        """The fold, or what no fold holds."""
        return f"fold{self.fold[0]}" if self.fold[0] else HELD_OUT

    @property
    def model(self) -> str:
        """Whom the pooled cases of all folds are of."""
        return f"{self.recipe},{self.number}"


@dataclass(frozen=True)
class CrossPlan:
    """The choices of a cross-validation. `cases` are the names of all labelled ones, `numbers` those of training patients.

    `seed` draws who is among fewer training patients, and the dropout passes of the evaluation. `held_out` are cases of no fold, on
    which a last network of each recipe is judged.
    """

    cases: tuple[str, ...]
    recipes: dict[str, Recipe]
    numbers: tuple[int, ...]
    folds: int
    seed: int = 0
    samples: int | None = None
    device: str = "auto"
    minutes: float | None = None
    held_out: tuple[str, ...] = ()

    @property
    def stages(self) -> list[CrossStage]:
        """All stages; those of one fold stand together, so that every model has a first result early."""
        stages = [
            CrossStage(recipe, number, (fold, self.folds))
            for fold in range(1, self.folds + 1)
            for number in self.numbers
            for recipe in self.recipes
        ]
        everybody = len(_patients(self.cases))
        return stages + [CrossStage(recipe, everybody, (0, self.folds)) for recipe in self.recipes if self.held_out]

    def to_json(self) -> dict[str, Any]:
        """What must be the same when a stopped cross-validation goes on; recipes and numbers may be added."""
        return {
            "cases": list(self.cases),
            "folds": self.folds,
            "seed": self.seed,
            "samples": self.samples,
            "minutes": self.minutes,
            **({"held_out": list(self.held_out)} if self.held_out else {}),
            "recipes": {name: {**recipe.to_json(), "sources": None} for name, recipe in self.recipes.items()},
        }


def named_recipes(texts: Sequence[str]) -> dict[str, Recipe]:
    """Recipes of arguments such as ``NAME=RECIPE``; a recipe alone goes by its file's or preset's name.

    Raises:
        InputError: there is no such recipe, it cannot be used, or two go by one name, or by one that is none for a folder.
    """
    found: dict[str, Recipe] = {}
    for text in texts:
        name, sign, source = text.partition("=")
        name, source = (name, source) if sign and not Path(text).exists() else (Path(text).stem, text)
        if safe_name(name) != name or "," in name:
            raise InputError(f"The recipe {name!r} has no name for a folder; name it by NAME=RECIPE with letters, digits, - and _.")
        if name in found:
            raise InputError(f"Two recipes go by the name {name!r}; tell them apart by NAME=RECIPE.")
        found[name] = read_recipe(find_recipe(source))
    return found


def plan_folds(
    cases: Sequence[str], recipes: dict[str, Recipe], numbers: Sequence[int], folds: int, hold_out: int = 0, **choices: Any
) -> CrossPlan:
    """A plan; without `numbers` each network learns from all patients of its fold.

    One of `hold_out` parts of the patients (0: none) is in no fold: choose by the folds, and report what the held-out part says.

    Raises:
        InputError: the patients cannot be split like that, or a fold has fewer training patients than asked for.
    """
    if hold_out < 0 or hold_out == 1:
        raise InputError(f"One of {hold_out} parts cannot be held out; give 2 or more, such as 10 for a tenth.")
    if hold_out:
        apart = split_fold(cases, (), (1, hold_out))
        return replace(
            plan_folds(apart.train_cases, recipes, numbers, folds, **choices), held_out=tuple(sorted(apart.held_out_cases))
        )
    if folds < 2:
        raise InputError(f"{folds} folds leave nobody out; give at least 2.")
    least = min(len(_patients(split_fold(cases, (), (fold, folds)).train_cases)) for fold in range(1, folds + 1))
    wanted = tuple(sorted(set(numbers))) or (least,)
    if wanted[0] < 1 or wanted[-1] > least:
        wrong = wanted[0] if wanted[0] < 1 else wanted[-1]
        raise InputError(
            f"{wrong} training patients cannot be had: with {folds} folds of {len(_patients(cases))} patients there are {least}; "
            "give fewer, more folds or more cases."
        )
    return CrossPlan(tuple(sorted(cases)), recipes, wanted, folds, **choices)


def stage_split(plan: CrossPlan, stage: CrossStage) -> Split:
    """Who trains and who judges; the training patients are drawn by the seed, and fewer of them are always among more."""
    if not stage.fold[0]:
        return Split(plan.cases, plan.held_out)
    whole = split_fold(plan.cases, (), stage.fold)
    people = _patients(whole.train_cases)
    order = np.random.default_rng([plan.seed, stage.fold[0]]).permutation(len(people))
    chosen = {people[place] for place in order[: stage.number]}
    return Split(tuple(case for case in whole.train_cases if patient_of(case) in chosen), whole.held_out_cases)


def _patients(cases: Sequence[str]) -> list[str]:
    return sorted({patient_of(case) for case in cases})
