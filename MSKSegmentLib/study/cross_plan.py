"""What a cross-validation consists of: a stage per recipe, number of training patients and fold, and who is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..output.names import safe_name
from ..training.folds import Split, patient_of, split_fold
from ..training.recipes import Recipe, find_recipe, read_recipe


@dataclass(frozen=True)
class CrossStage:
    """One network: trained on `number` patients by the recipe that goes by `recipe`, judged on fold ``(k, n)``."""

    recipe: str
    number: int
    fold: tuple[int, int]

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.recipe}-{self.number}-fold{self.fold[0]}"

    @property
    def model(self) -> str:
        """Whom the pooled cases of all folds are of."""
        return f"{self.recipe},{self.number}"


@dataclass(frozen=True)
class CrossPlan:
    """The choices of a cross-validation. `cases` are the names of all labelled ones, `numbers` those of training patients.

    `seed` draws who is among fewer training patients, and the dropout passes of the evaluation.
    """

    cases: tuple[str, ...]
    recipes: dict[str, Recipe]
    numbers: tuple[int, ...]
    folds: int
    seed: int = 0
    samples: int | None = None
    device: str = "auto"
    minutes: float | None = None

    @property
    def stages(self) -> list[CrossStage]:
        """All stages; those of one fold stand together, so that every model has a first result early."""
        return [
            CrossStage(recipe, number, (fold, self.folds))
            for fold in range(1, self.folds + 1)
            for number in self.numbers
            for recipe in self.recipes
        ]

    def to_json(self) -> dict[str, Any]:
        """What must be the same when a stopped cross-validation goes on; recipes and numbers may be added."""
        return {
            "cases": list(self.cases),
            "folds": self.folds,
            "seed": self.seed,
            "samples": self.samples,
            "minutes": self.minutes,
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


def plan_folds(cases: Sequence[str], recipes: dict[str, Recipe], numbers: Sequence[int], folds: int, **choices: Any) -> CrossPlan:
    """A plan; without `numbers` each network learns from all patients of its fold.

    Raises:
        InputError: the patients cannot be split like that, or a fold has fewer training patients than asked for.
    """
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
    whole = split_fold(plan.cases, (), stage.fold)
    people = _patients(whole.train_cases)
    order = np.random.default_rng([plan.seed, stage.fold[0]]).permutation(len(people))
    chosen = {people[place] for place in order[: stage.number]}
    return Split(tuple(case for case in whole.train_cases if patient_of(case) in chosen), whole.held_out_cases)


def _patients(cases: Sequence[str]) -> list[str]:
    return sorted({patient_of(case) for case in cases})
