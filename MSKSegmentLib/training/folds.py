"""The split into training and held-out patients: whole patients or bodies, never single slices of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError, shown
from ..evaluation.cases import patient_of

SPLIT_FILE = "split.json"


@dataclass(frozen=True)
class Split:
    """Names of the real cases and of the bodies of virtual patients on either side; None for bodies means all of them."""

    train_cases: tuple[str, ...] = ()
    held_out_cases: tuple[str, ...] = ()
    train_bodies: tuple[str, ...] | None = None
    held_out_bodies: tuple[str, ...] = ()


def parse_fold(text: str) -> tuple[int, int]:
    """``"2/5"`` as ``(2, 5)``: the second of five folds.

    Raises:
        InputError: it is not such a fraction.
    """
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text)
    fold = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= fold[0] <= fold[1] or fold[1] < 2:
        raise InputError(f"{text!r} is no fold; give its number and the number of folds, such as 1/5.")
    return fold


def split_fold(cases: Sequence[str], bodies: Sequence[str], fold: tuple[int, int]) -> Split:
    """Hold out the fold ``(k, n)``: of the patients where there are real cases, else of the bodies.

    The order of patients depends on their names alone, so that n runs with k = 1..n hold out each patient once.

    Raises:
        InputError: there are fewer patients, or bodies, than folds.
    """
    names = sorted({patient_of(case) for case in cases} if cases else set(bodies))
    number, count = fold
    if len(names) < count:
        what = "patients" if cases else "bodies"
        raise InputError(f"{len(names)} {what} cannot be split into {count} folds; choose at most {len(names)} folds.")
    dealt = np.random.default_rng(0).permutation(len(names))
    return _split(cases, bodies, {names[index] for index in dealt[number - 1 :: count]})


def split_off(cases: Sequence[str], bodies: Sequence[str], name: str) -> Split:
    """Hold out one patient (all of its cases) or one body.

    Raises:
        InputError: nobody has that name, or nobody else would be left.
    """
    held_out = patient_of(name) if name in cases else name
    everyone = {patient_of(case) for case in cases} | set(bodies)
    if held_out not in everyone:
        raise InputError(f"There is no patient or body {name!r} to leave out; choose one of {', '.join(sorted(everyone))}.")
    return _split(cases, bodies, {held_out})


def write_split(folder: Path, split: Split) -> None:
    """Write ``split.json``, which is fixed for the run in that folder.

    Raises:
        InputError: the folder's run has another split.
    """
    path = folder / SPLIT_FILE
    content = json.dumps(asdict(split), indent=1) + "\n"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != json.loads(content):
        raise InputError(
            f"The folder {shown(folder)!r} holds a run that is trained on other patients; name a new folder, or delete that one."
        )
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(content, encoding="utf-8")
    partial.replace(path)


def read_split(folder: Path) -> Split:
    """Read what `write_split` wrote; without such a file all patients are for training."""
    path = folder / SPLIT_FILE
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return Split(**{key: tuple(names) if isinstance(names, list) else names for key, names in content.items()})


def _split(cases: Sequence[str], bodies: Sequence[str], held_out: set[str]) -> Split:
    kept = [case for case in cases if patient_of(case) not in held_out]
    away = [case for case in cases if patient_of(case) in held_out]
    if not held_out & set(bodies):
        if not kept:
            raise InputError("No patient is left for training; give at least two patients.")
        return Split(tuple(kept), tuple(away))
    rest = tuple(sorted(set(bodies) - held_out))
    if not rest:
        raise InputError("No body is left for virtual patients; give an atlas of at least two bodies.")
    return Split(tuple(kept), tuple(away), rest, tuple(sorted(held_out & set(bodies))))
