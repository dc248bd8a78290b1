"""The data of a recipe: patients on disk for training and validation, and the sources of their slices."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from ..anatomy import StructureTable
from ..anatomy.built_in import HIP_AND_THIGH
from ..bundle.manifest import Preprocessing
from ..engine.cancelling import Checkpoint
from ..errors import InputError
from ..evaluation.cases import CaseFiles, find_labelled_cases, patient_of
from ..virtual.atlas import load_atlases
from ..virtual.ingredients import PLAIN, Ingredients
from .augmentation import NO_AUGMENTATION, Augmentation
from .folds import Split, split_fold, split_off
from .interruption import ignore_signals
from .mixing import MixedSource
from .pairs import PairSlices, prepare_case
from .recipes import Recipe
from .sources import SliceSource
from .virtual_slices import VirtualSlices, fill_bank

# Outside a cross-validation a run holds out one patient in so many for validation.
WITHOUT_FOLDS = 5


@dataclass(frozen=True)
class Bank:
    """Virtual patients in a folder: those of `seeds` that were made from one of `bodies` (None: any) with these `ingredients`."""

    folder: Path
    seeds: range
    bodies: tuple[str, ...] | None = None
    weight: float = 1.0
    ingredients: Ingredients = PLAIN


@dataclass(frozen=True)
class Cases:
    """Cases that `prepare_case` brought to the network's grid."""

    files: tuple[Path, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class DataPlan:
    """The data that slices are drawn from. It is plain data, so that it can be sent to other processes, which open it there."""

    banks: tuple[Bank, ...]
    cases: tuple[Cases, ...]
    preprocessing: Preprocessing
    channels: int
    crop: tuple[int, ...]
    augmentation: Augmentation
    table: StructureTable = HIP_AND_THIGH

    def open(self, seed: int) -> SliceSource:
        """A source of slices; the `seed` decides which ones it draws.

        Raises:
            InputError: a bank holds none of its patients.
        """
        entries: list[Bank | Cases] = [*self.banks, *self.cases]
        seeds = np.random.SeedSequence(seed).generate_state(1 + len(entries), np.uint32).tolist()
        sources = [self._open(entry, own) for entry, own in zip(entries, seeds, strict=False)]
        return sources[0] if len(sources) == 1 else MixedSource(sources, [entry.weight for entry in entries], seeds[-1])

    def _open(self, entry: Bank | Cases, seed: int) -> SliceSource:
        if isinstance(entry, Cases):
            return PairSlices(entry.files, self.preprocessing, self.crop, seed, self.augmentation, self.table)
        return VirtualSlices(
            entry.folder, self.preprocessing, self.channels, self.crop, seed, self.augmentation, entry.bodies, entry.seeds
        )


def choose_split(recipe: Recipe, atlas: Path | None, fold: tuple[int, int] | None, leave_out: str | None) -> Split:
    """Choose who is held out; without `fold` and `leave_out` a fifth of the real patients if the recipe validates, else nobody.

    Raises:
        InputError: the data cannot be found, or cannot be split as stated.
    """
    if fold and leave_out:
        raise InputError("Give either --fold or --leave-out, not both.")
    cases = sorted({case.name for source in recipe.pairs for case in find_labelled_cases(source.folder)})
    people = {patient_of(case) for case in cases}
    if fold is None and leave_out is None:
        if not cases or not recipe.validation.every:
            return Split(train_cases=tuple(cases))
        if len(people) < 2:
            raise InputError("A validation needs at least two patients; give more cases, or set the validation's 'every' to 0.")
        return split_fold(cases, (), (1, min(WITHOUT_FOLDS, len(people))))
    by_body = bool(recipe.virtual) and (not cases if fold else leave_out not in {*cases, *people})
    bodies = [body.name for body in load_atlases(atlas)] if by_body else []
    return split_fold(cases, bodies, fold) if fold else split_off(cases, bodies, str(leave_out))


def prepare_data(
    recipe: Recipe,
    folder: Path,
    split: Split,
    atlas: Path | None,
    patients: Path | None,
    checkpoint: Checkpoint,
    prepared: Path | None = None,
) -> tuple[DataPlan, DataPlan | None]:
    """Simulate and resample the patients that are missing; returns the training data and, if any, the validation data.

    Virtual patients are kept in `patients`, or ``<folder>/patients``; real ones on the network's grid in `prepared`, or
    ``<folder>/cases``.

    Raises:
        InputError: there is no atlas, or a case cannot be used.
    """
    bank, cache = patients or folder / "patients", prepared or folder / "cases"
    plan = DataPlan((), (), recipe.preprocessing, recipe.network.in_channels, recipe.crop, recipe.augmentation, recipe.table)
    banks = [
        Bank(
            bank / source.ingredients.folder,
            range(source.first_seed, source.first_seed + source.number),
            split.train_bodies,
            source.weight,
            source.ingredients,
        )
        for source in recipe.virtual
    ]
    found = []
    for number, pairs in enumerate(recipe.pairs):
        found.append((_prepared(find_labelled_cases(pairs.folder), cache / str(number), recipe, checkpoint), pairs.weight))
    training = replace(plan, banks=tuple(banks), cases=_side(found, split.train_cases))
    validation = replace(plan, cases=_side(found, split.held_out_cases), augmentation=NO_AUGMENTATION)
    if recipe.validation.every and recipe.virtual and not validation.cases:
        # Without held-out real patients validate on held-out bodies, or else on patients with further seeds.
        beyond = max(bank.seeds.stop for bank in banks)
        others = replace(banks[0], seeds=range(beyond, beyond + recipe.validation.patients), bodies=None, weight=1.0)
        held_out = [replace(bank, bodies=split.held_out_bodies) for bank in banks] if split.held_out_bodies else [others]
        validation = replace(validation, banks=tuple(held_out))
    wanted = [*training.banks, *validation.banks]
    for ingredients in dict.fromkeys(bank.ingredients for bank in wanted):
        mine = [bank for bank in wanted if bank.ingredients == ingredients]
        own = sorted({seed for bank in mine for seed in bank.seeds})
        make_patients(mine[0].folder, own, recipe, atlas, checkpoint, ingredients)
    return training, validation if recipe.validation.every and (validation.banks or validation.cases) else None


def make_patients(
    bank: Path,
    seeds: Sequence[int],
    recipe: Recipe,
    atlas: Path | None,
    checkpoint: Checkpoint,
    ingredients: Ingredients = PLAIN,
) -> None:
    """Simulate the virtual patients of `seeds` that a bank lacks, in ``recipe.workers`` processes.

    Raises:
        InputError: some are missing and there is no atlas.
    """
    missing = [seed for seed in seeds if not (bank / f"{seed}.npy").exists()]
    if not missing:
        return
    in_plane, interval = recipe.preprocessing.in_plane_spacing_mm, recipe.preprocessing.slice_interval_mm
    assert in_plane is not None and interval is not None, "read_recipe refuses virtual patients without a grid"
    atlases, spacing = load_atlases(atlas), (interval, in_plane, in_plane)
    if recipe.workers < 2:
        for seed in missing:
            checkpoint()
            fill_bank(bank, atlases, [seed], spacing, ingredients)
        return
    # Forked processes inherit the locks of the imaging library's threads but not the threads, and would wait for ever.
    with ProcessPoolExecutor(recipe.workers, get_context("spawn"), ignore_signals) as pool:
        try:
            jobs = [pool.submit(fill_bank, bank, atlases, [seed], spacing, ingredients) for seed in missing]
            for job in as_completed(jobs):
                checkpoint()
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _prepared(cases: list[CaseFiles], cache: Path, recipe: Recipe, checkpoint: Checkpoint) -> dict[str, Path]:
    prepared = {}
    for case in cases:
        checkpoint()
        prepared[case.name] = prepare_case(case, cache, recipe.network, recipe.preprocessing, recipe.table)
    return prepared


def _side(found: list[tuple[dict[str, Path], float]], names: tuple[str, ...]) -> tuple[Cases, ...]:
    """The prepared cases of one side of the split; folders without any are left out."""
    sides = ((tuple(path for name, path in cases.items() if name in names), weight) for cases, weight in found)
    return tuple(Cases(files, weight) for files, weight in sides if files)
