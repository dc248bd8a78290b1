"""The patients that are rehearsed, so that nothing is forgotten: given cases or virtual patients, some of them held out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from ..evaluation.cases import find_true_cases, patient_of
from ..virtual.atlas import atlas_folder
from ..virtual.cases import PatientSeries, write_patients
from .plan import FEWEST_HELD_OUT, LearningPlan, draw_names

# Seeds that no recipe that comes along and no calibration uses, so that old and new bundle meet strangers.
FIRST_SEED = 880_000
REHEARSED, REHEARSED_HELD_OUT = "training", "held_out"


def check_rehearsal(plan: LearningPlan) -> None:
    """Refuse, before any work, a learning that has nothing to rehearse although it shall.

    Raises:
        InputError: there are neither cases nor an atlas, or too few cases.
    """
    if plan.rehearsal is not None:
        patients = {patient_of(case.name) for case in find_true_cases(plan.rehearsal)}
        if len(patients) <= FEWEST_HELD_OUT:
            raise InputError(
                f"The folder {plan.rehearsal.name!r} holds cases of {len(patients)} patients, and {FEWEST_HELD_OUT + 1} are "
                f"needed: one to rehearse and {FEWEST_HELD_OUT} to judge by."
            )
    elif plan.rehearsal_share > 0:
        try:
            atlas_folder(plan.atlas)
        except InputError as error:
            raise InputError(
                "Learning rehearses other patients, so that nothing is forgotten; name an atlas for virtual ones with --atlas, "
                "cases with --rehearse, or choose --rehearsal-share 0."
            ) from error


def prepare_rehearsal(
    folder: Path,
    plan: LearningPlan,
    grid_mm: tuple[float, float, float],
    say: Callable[[str], None],
    checkpoint: Callable[[], None],
) -> None:
    """Fill ``<folder>/training`` and ``<folder>/held_out`` with cases; what is there is kept.

    `grid_mm` ``(z, y, x)`` is that of virtual patients.

    Raises:
        InputError: no virtual patients can be made.
    """
    if plan.rehearsal is not None:
        _link(plan.rehearsal, folder, plan)
    elif plan.rehearsal_share > 0:
        judging = max(1, round(plan.hold_out * plan.rehearsal_patients))
        first = FIRST_SEED + 1000 * plan.seed
        for side, number, seed in (
            (REHEARSED, plan.rehearsal_patients - judging, first),
            (REHEARSED_HELD_OUT, judging, first + plan.rehearsal_patients - judging),
        ):
            for line in write_patients(folder / side, PatientSeries(number, seed, grid_mm), plan.atlas):
                checkpoint()
                say(line)


def _link(cases: Path, folder: Path, plan: LearningPlan) -> None:
    """Links to given cases, or copies where a file system has no links."""
    found = find_true_cases(cases)
    patients = sorted({patient_of(case.name) for case in found})
    number = min(max(FEWEST_HELD_OUT, round(plan.hold_out * len(patients))), len(patients) - 1)
    judging = set(draw_names(patients, number, plan.seed))
    for case in found:
        target = folder / (REHEARSED_HELD_OUT if patient_of(case.name) in judging else REHEARSED) / case.name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        source = case.labels.parent.resolve()
        try:
            os.symlink(source, target, target_is_directory=True)
        except OSError:
            partial = target.parent / f".{target.name}"
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(source, partial)
            partial.rename(target)
