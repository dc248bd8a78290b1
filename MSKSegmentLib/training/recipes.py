"""Recipe files: everything a training run depends on, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..bundle.manifest import NetworkSpec, Preprocessing
from ..errors import InputError
from ..virtual.atlas import load_atlases
from .loop import Recipe, train
from .slices import fill_bank


def train_recipe(path: Path, folder: Path, atlas: Path | None, checkpoint: Callable[[], None]) -> None:
    """Simulate the patients that the recipe names into ``folder/patients``, then train; both resume where they stopped.

    Beside the fields of `Recipe` the file holds ``patients``: ``{"number": N, "first_seed": S}``.

    Raises:
        InputError: the recipe cannot be read, or there is no atlas.
    """
    recipe, patients = read_recipe(path)
    spacing = recipe.preprocessing.slice_interval_mm, *[recipe.preprocessing.in_plane_spacing_mm] * 2
    if None in spacing:
        raise InputError("The recipe must give in_plane_spacing_mm and slice_interval_mm, the grid of the virtual patients.")
    bank, atlases = folder / "patients", load_atlases(atlas)
    for seed in range(patients["first_seed"], patients["first_seed"] + patients["number"]):
        checkpoint()
        fill_bank(bank, atlases, [seed], spacing)  # type: ignore[arg-type]
    train(recipe, bank, folder, checkpoint=checkpoint)


def read_recipe(path: Path) -> tuple[Recipe, dict[str, int]]:
    """The recipe and its patients.

    Raises:
        InputError: the file is missing, is no JSON, or has unknown or impossible entries.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        patients = data.pop("patients")
        unknown = set(data) - {field.name for field in fields(Recipe)}
        if unknown:
            raise ValueError(f"unknown entry {', '.join(sorted(unknown))}")
        data["network"] = NetworkSpec(**data["network"])
        data["preprocessing"] = Preprocessing(**{k: _tuple(v) for k, v in data["preprocessing"].items()})
        recipe = Recipe(**{key: _tuple(value) for key, value in data.items()})
        return recipe, {"number": int(patients["number"]), "first_seed": int(patients["first_seed"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"The recipe {path.name!r} cannot be used ({error}); see Docs/developer for its entries.") from error


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
