"""Recipes: everything a training run depends on, as a JSON file or one of the included presets."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..anatomy import StructureTable
from ..anatomy.built_in import HIP_AND_THIGH
from ..bundle.first_stage import FirstStage
from ..bundle.manifest import NetworkSpec, Preprocessing, with_first_stage
from ..ct.intensity import INTENSITY_SCALES
from ..errors import InputError
from ..inference.devices import CHOICES
from ..network.families import network_problem
from ..tasks import DEFAULT_TASK, load_task
from ..virtual.ingredients import Ingredients
from .augmentation import Augmentation

PRESETS = Path(__file__).with_name("presets")
PRECISIONS = ("fp32", "bf16")
SCHEDULES = ("one-cycle", "constant")


@dataclass(frozen=True)
class VirtualData:
    """Simulated patients: `number` seeds from `first_seed` on; `weight` is their share among all sources.

    `muscle_variation`, `abdomen`, `retroperitoneal_fat`, `to_thorax` and `objects` switch on these `virtual.ingredients`.
    """

    number: int
    first_seed: int = 0
    muscle_variation: bool = False
    abdomen: bool = False
    retroperitoneal_fat: bool = False
    to_thorax: bool = False
    objects: bool = False
    weight: float = 1.0

    @property
    def ingredients(self) -> Ingredients:
        """The optional parts of these patients."""
        return Ingredients(self.muscle_variation, self.abdomen, self.retroperitoneal_fat, self.to_thorax, self.objects)


@dataclass(frozen=True)
class PairsData:
    """A folder of cases with labels (see `labelled_cases`); `weight` is its share among all sources."""

    folder: Path
    weight: float = 1.0


@dataclass(frozen=True)
class Validation:
    """Every `every` iterations (0: never) the averaged network is evaluated on `slices` slices of held-out patients.

    `patients` is the number of virtual patients that are simulated for this if no real cases are held out.
    """

    every: int = 0
    slices: int = 64
    patients: int = 4


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, and on which data.

    The structures of `task` are the network's classes, and its defaults apply where the recipe states nothing.
    `crop` is ``(height, width)`` in pixels of the bundle's in-plane spacing, for a 3D network its patch; `l2` is the
    factor of the squared weights in the loss (half of it, as Adam's weight decay); `average` the decay of the averaged weights
    (0: none); `precision` is "fp32" or "bf16" (layers in bfloat16, loss and weights in float32); `device` one of
    `inference.devices.CHOICES`; `workers` the processes that make batches (0: the loop does); `initial` a checkpoint or bundle to
    start from. `name`, `version`, `description` and `license` are those of the bundle.
    """

    network: NetworkSpec
    preprocessing: Preprocessing
    name: str = "model"
    version: str = "1"
    description: str = "Bayesian U-Net trained with mskseg train"
    license: str = "not stated"
    iterations: int = 3000
    batch: int = 8
    crop: tuple[int, ...] = (112, 160)
    learning_rate: float = 1.5e-3
    schedule: str = "one-cycle"
    average: float = 0.998
    dice_weight: float = 0.5
    cross_entropy_weight: float = 1.0
    l2: float = 0.0
    checkpoint_every: int = 100
    precision: str = "fp32"
    device: str = "auto"
    compiled: bool = False
    workers: int = 0
    seed: int = 0
    initial: str | None = None
    task: str = DEFAULT_TASK
    augmentation: Augmentation = Augmentation()
    validation: Validation = Validation()
    sources: tuple[VirtualData | PairsData, ...] = ()

    @property
    def table(self) -> StructureTable:
        """The structures that the network learns.

        Raises:
            InputError: there is no such task.
        """
        return load_task(self.task).table

    @property
    def pairs(self) -> tuple[PairsData, ...]:
        """The sources that are folders of cases."""
        return tuple(source for source in self.sources if isinstance(source, PairsData))

    @property
    def virtual(self) -> tuple[VirtualData, ...]:
        """The sources that are simulated."""
        return tuple(source for source in self.sources if isinstance(source, VirtualData))

    def to_json(self) -> dict[str, Any]:
        """The content of a recipe file, as `read_recipe` reads it."""
        entries = [
            {"pairs": str(source.folder), "weight": source.weight}
            if isinstance(source, PairsData)
            else {"virtual": {k: v for k, v in asdict(source).items() if k != "weight"}, "weight": source.weight}
            for source in self.sources
        ]
        return {**asdict(self), "sources": entries}


def find_recipe(name_or_path: str) -> Path:
    """The recipe file of that path, or the preset of that name.

    Raises:
        InputError: neither exists.
    """
    path, preset = Path(name_or_path), PRESETS / f"{name_or_path}.json"
    if path.is_file():
        return path
    if path.name == name_or_path and preset.is_file():
        return preset
    raise InputError(f"There is no recipe {path.name!r}; give a recipe file or one of the presets: {', '.join(presets())}.")


def presets() -> list[str]:
    """The names of the included recipes."""
    return sorted(path.stem for path in PRESETS.glob("*.json"))


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file. Relative paths in it are relative to its folder.

    Raises:
        InputError: the file is missing, is not JSON, or has unknown or impossible entries.
    """
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        # Older recipes may name a single simulated source in a short form.
        patients = data.pop("patients", None)
        entries = data.pop("sources", []) + ([{"virtual": patients}] if patients is not None else [])
        task = load_task(data.get("task", DEFAULT_TASK))
        network = _build(NetworkSpec, {"classes": task.table.classes, **task.network, **data.pop("network")})
        if network.dimensions == 3:
            data.setdefault("crop", list(network.patch))
        nested = {
            "network": network,
            "preprocessing": _preprocessing({**task.preprocessing, **data.pop("preprocessing")}, path.parent),
            "augmentation": _build(Augmentation, data.pop("augmentation", {})),
            "validation": _build(Validation, data.pop("validation", {})),
            "sources": tuple(_source(entry, path.parent) for entry in entries),
        }
        initial = data.pop("initial", None)
        if initial is not None and (path.parent / initial).exists():
            initial = str((path.parent / initial).absolute())
        recipe = _build(Recipe, {**data, **nested, "initial": initial})
        problem = _problem(recipe)
        if problem:
            raise ValueError(problem)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"no entry {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"The recipe {path.name!r} cannot be used ({what}); see Docs/developer/training.md.") from error
    return recipe


def with_pairs(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with a folder of cases in place of its sources."""
    return replace(recipe, sources=(PairsData(folder.absolute()),))


def _preprocessing(data: dict[str, Any], base: Path) -> Preprocessing:
    """The entries as an object; the path of a first network, if there is one, is relative to the recipe's folder."""
    built: Preprocessing = _build(Preprocessing, with_first_stage(data))
    stage = built.first_stage
    if stage is None or not stage.bundle or not (base / stage.bundle).exists():
        return built
    return replace(built, first_stage=replace(stage, bundle=str((base / stage.bundle).absolute())))


def _source(entry: dict[str, Any], base: Path) -> VirtualData | PairsData:
    kinds = set(entry) - {"weight"}
    if kinds == {"pairs"}:
        return PairsData((base / entry["pairs"]).absolute(), float(entry.get("weight", 1)))
    if kinds == {"virtual"}:
        return _build(VirtualData, {**entry["virtual"], "weight": float(entry.get("weight", 1))})
    raise ValueError(f"a source must be 'virtual' or 'pairs' with a 'weight', not {sorted(entry)}")


def _build(kind: Any, data: dict[str, Any]) -> Any:
    """An object of a dataclass, each value checked against the type of the field's default or its annotation."""
    field_types = {field.name: str(field.type) for field in fields(kind)}
    unknown = set(data) - set(field_types)
    if unknown:
        raise ValueError(f"unknown entry {', '.join(sorted(unknown))}")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    for key, value in values.items():
        wanted = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}.get(field_types[key])
        if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
            raise ValueError(f"{key} is {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{key} is not a finite number")
    return kind(**values)


def _problem(recipe: Recipe) -> str | None:
    stride = recipe.network.stride
    checks = {
        f"classes must be {recipe.table.classes}": recipe.network.classes != recipe.table.classes,
        "iterations, batch, checkpoint_every must be 1 or more": min(recipe.iterations, recipe.batch, recipe.checkpoint_every) < 1,
        "hu_window and value_range must be two rising numbers": any(
            not isinstance(pair, tuple) or len(pair) != 2 or pair[0] >= pair[1]
            for pair in (recipe.preprocessing.hu_window, recipe.preprocessing.value_range)
        ),
        f"crop must be two multiples of {stride}, {2 * stride} or more": recipe.network.dimensions == 2
        and (
            not isinstance(recipe.crop, tuple)
            or len(recipe.crop) != 2
            or any(type(side) is not int or side % stride or side < 2 * stride for side in recipe.crop)
        ),
        "crop must be the network's patch": recipe.network.dimensions == 3 and recipe.crop != recipe.network.patch,
        "learning_rate must lie above 0": recipe.learning_rate <= 0,
        f"schedule must be one of {', '.join(SCHEDULES)}": recipe.schedule not in SCHEDULES,
        f"precision must be one of {', '.join(PRECISIONS)}": recipe.precision not in PRECISIONS,
        f"device must be one of {', '.join(CHOICES)}": recipe.device not in CHOICES,
        "contrast and upside_down must lie from 0 to 1": not all(
            0 <= value <= 1 for value in (recipe.augmentation.contrast, recipe.augmentation.upside_down)
        ),
        "elastic must lie from 0 to below 0.1": not 0 <= recipe.augmentation.elastic < 0.1,
        "average must lie from 0 to below 1": not 0 <= recipe.average < 1,
        "dice_weight, cross_entropy_weight, l2, seed, workers must not be negative": min(
            recipe.dice_weight, recipe.cross_entropy_weight, recipe.l2, recipe.seed, recipe.workers
        )
        < 0,
        "dice_weight and cross_entropy_weight must not both be 0": not recipe.dice_weight + recipe.cross_entropy_weight,
        f"intensity must be one of {', '.join(INTENSITY_SCALES)}": recipe.preprocessing.intensity not in INTENSITY_SCALES,
        "there are virtual patients of hip and thigh in CT alone": bool(recipe.virtual) and recipe.task != DEFAULT_TASK,
        "virtual patients need a first stage of structures that they have": bool(recipe.virtual)
        and not _known_structures(recipe.preprocessing.first_stage),
        "open_borders needs virtual patients alone, and no first stage": recipe.augmentation.open_borders
        and (bool(recipe.pairs) or recipe.preprocessing.first_stage is not None),
        "validation needs slices and patients": recipe.validation.every < 0
        or (recipe.validation.every > 0 and min(recipe.validation.slices, recipe.validation.patients) < 1),
        "there is no source": not recipe.sources,
        "every weight must lie above 0": any(source.weight <= 0 for source in recipe.sources),
        "virtual patients need a number of 1 or more and seeds from 0": any(
            source.number < 1 or source.first_seed < 0 for source in recipe.virtual
        ),
        "virtual patients need in_plane_spacing_mm and slice_interval_mm": bool(recipe.virtual)
        and None in (recipe.preprocessing.in_plane_spacing_mm, recipe.preprocessing.slice_interval_mm),
    }
    return network_problem(recipe.network) or next((problem for problem, holds in checks.items() if holds), None)


def _known_structures(stage: FirstStage | None) -> bool:
    """Whether virtual patients have labels of the structures that the first network finds."""
    return stage is None or set(stage.structures) <= {structure.abbreviation for structure in HIP_AND_THIGH.structures}
