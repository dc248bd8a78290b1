"""Evaluations that a study makes itself, in the folder of the study, where a stopped one goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..bundle import ModelBundle
from ..engine.cancelling import Checkpoint
from ..errors import InputError
from ..evaluation.folder import is_evaluation
from ..evaluation.run import evaluate, folder_tasks, network_segmenter
from ..inference.devices import wait_without_spinning
from ..packages import FOR_TRAINING, require
from .inputs import Evaluated, on_same_cases, read_evaluations, read_named_evaluation

EVALUATIONS = "evaluations"


def given_or_made(
    sources: Sequence[str], folder: Path, make: Callable[[Path, Path], list[Evaluated]], common: bool = False
) -> list[Evaluated]:
    """Evaluations of the same cases: those that are named, or, of one folder of labelled cases, what ``make(cases, folder)`` makes.

    Raises:
        InputError: they cannot be used or compared.
    """
    if len(sources) == 1 and Path(sources[0]).is_dir() and not is_evaluation(Path(sources[0])):
        return on_same_cases(make(Path(sources[0]), folder / EVALUATIONS))
    return on_same_cases(read_evaluations(sources, 2), common)


def evaluate_samples(
    data: Path, folder: Path, bundle: ModelBundle, samples: Sequence[int], device: str, seed: int, checkpoint: Checkpoint
) -> list[Evaluated]:
    """Evaluate labelled cases with each number of samples into ``<folder>/<number>``; what is there already is not done again.

    Raises:
        InputError: the cases cannot be used, or the numbers are not at least two different ones from 1.
        DependencyError: a package is missing.
    """
    if len(set(samples)) < 2 or min(samples) < 1:
        raise InputError("Give at least two different numbers of samples from 1, such as --samples 1,5,10.")
    require(*FOR_TRAINING, purpose="An evaluation")
    wait_without_spinning()
    tasks = folder_tasks(data, bundle.table)
    for number in samples:
        evaluate(tasks, network_segmenter(bundle, device, number, seed, checkpoint), folder / str(number), checkpoint)
    return [read_named_evaluation(str(number), folder / str(number)) for number in sorted(set(samples))]
