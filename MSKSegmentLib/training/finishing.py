"""From a training's checkpoint to a bundle that can segment; its lights stay grey until it is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from .. import RESEARCH_USE_ONLY
from ..bundle import Manifest, ModelBundle
from ..bundle.cascade import put_inside, save_cascade
from ..bundle.manifest import Preprocessing
from ..errors import InputError, shown
from ..network.families import FAMILIES
from ..tasks import load_task
from .checkpoints import CHECKPOINT, averaged_state
from .curves import VALIDATION, read_points
from .folds import Split
from .recipes import Recipe

BUNDLE = "bundle"


def write_bundle(recipe: Recipe, split: Split, folder: Path) -> ModelBundle:
    """Write ``<folder>/bundle`` with the averaged weights in float16; an existing bundle is replaced.

    Raises:
        InputError: the folder holds no checkpoint.
        BundleError: the weights are not finite, or the folder cannot be written.
    """
    checkpoint = folder / CHECKPOINT
    if not checkpoint.is_file():
        raise InputError(f"The folder {shown(folder)!r} holds no training that could be finished; train there first.")
    # The bundle includes the network of its first stage, so that it can be passed on.
    preprocessing, first_network = put_inside(recipe.preprocessing, load_task(recipe.task).modality)
    manifest = Manifest(
        name=recipe.name,
        version=recipe.version,
        description=recipe.description,
        date=date.today().isoformat(),
        license=recipe.license,
        network=recipe.network,
        preprocessing=preprocessing,
        task=recipe.task,
    )
    card, weights = _card(recipe, split, folder, preprocessing), averaged_state(checkpoint)
    return save_cascade(folder / BUNDLE, manifest, weights, card, first_network)


def _card(recipe: Recipe, split: Split, folder: Path, preprocessing: Preprocessing) -> str:
    network = recipe.network
    low, high = preprocessing.hu_window
    points = read_points(folder)
    iterations = points[-1].iteration if points else 0
    losses = {"cross entropy": recipe.cross_entropy_weight, "soft Dice": recipe.dice_weight, "L2": recipe.l2}
    loss = " and ".join(name for name, weight in losses.items() if weight)
    kind = "slices of {} pixels" if network.dimensions == 2 else "patches of {} voxels"
    pieces = kind.format(" x ".join(map(str, recipe.crop)))
    lines = [
        f"# Model card: {recipe.name} {recipe.version}",
        "",
        f"**{RESEARCH_USE_ONLY} Not calibrated: results get no lights. Not tested on cases of its own kind.**",
        "",
        recipe.description.rstrip(".") + ".",
        "",
        "## Model",
        "",
        f"- {FAMILIES[network.family].title}: {network.levels} levels, {network.base_filters} filters at the first, "
        f"dropout {network.dropout:g}, {network.in_channels} neighbouring slice{'s' if network.in_channels > 1 else ''}; "
        "float16 weights.",
        f"- Input: HU from {low:g} to {high:g}, {_millimetres(preprocessing.in_plane_spacing_mm)} in plane, "
        f"slices {_millimetres(preprocessing.slice_interval_mm)} apart.",
        *([] if preprocessing.first_stage is None else [f"- First stage: {preprocessing.first_stage.words}."]),
        "",
        "## Training",
        "",
        *_data_lines(recipe, split),
        f"- {iterations} iterations of {recipe.batch} {pieces}, {loss}, Adam, learning "
        f"rate {recipe.learning_rate:g} ({recipe.schedule}), averaged weights (decay {recipe.average:g}), {recipe.precision}.",
        "",
        *_validation_lines(folder),
    ]
    return "\n".join(lines)


def _data_lines(recipe: Recipe, split: Split) -> list[str]:
    lines = []
    for source in recipe.virtual:
        bodies = "" if split.train_bodies is None else f" made of {', '.join(split.train_bodies)}"
        last = source.first_seed + source.number - 1
        lines.append(f"- {source.number} virtual patients (seeds {source.first_seed} to {last}){bodies}.")
    if split.train_cases:
        lines.append(f"- {len(split.train_cases)} real CT with labels.")
    if split.held_out_cases:
        lines.append(f"- Held out: {len(split.held_out_cases)} real CT.")
    if split.held_out_bodies:
        lines.append(f"- Held out: virtual patients made of {', '.join(split.held_out_bodies)}.")
    if recipe.initial is not None:
        lines.append(f"- Started from the weights of {Path(recipe.initial).name}.")
    return lines


def _validation_lines(folder: Path) -> list[str]:
    path = folder / VALIDATION
    if not path.exists():
        return []
    head, *rows = (row.split(",") for row in path.read_text(encoding="utf-8").splitlines())
    if not rows:
        return []
    return [
        f"## Validation slices of patients held out, after {rows[-1][0]} iterations",
        "",
        "Dice over all slices together, one pass without dropout: a check of the training, no estimate for patients.",
        "",
        *_table(head[1:], rows[-1][1:]),
        "",
    ]


def _table(names: Sequence[str], values: Sequence[str]) -> list[str]:
    rows = [f"| {name} | {float(value):.3f} |" for name, value in zip(names, values, strict=True) if value]
    return ["| Structure | Dice |", "|---|---|", *rows]


def _millimetres(value: float | None) -> str:
    return "the CT's spacing" if value is None else f"{value:g} mm"
