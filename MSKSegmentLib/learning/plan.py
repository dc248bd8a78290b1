"""What a learning is asked for, and the patients on either side of its split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..anatomy.built_in import HIP_AND_THIGH
from ..bundle import ModelBundle
from ..bundle.cascade import located
from ..bundle.manifest import Preprocessing
from ..errors import InputError
from ..training.recipes import PairsData, Recipe
from .gathering import Gathered

# One to learn from, and two to judge by: a single one tells of itself.
FEWEST_CORRECTED = 3
FEWEST_HELD_OUT = 2
# What the bundles that come along were trained on: enough of the body to tell where a slice lies.
_CROP_MM = (280.0, 400.0)
_LEARNING_RATE = 3e-4
_GRID_MM = (3.0, 2.5, 2.5)


@dataclass(frozen=True)
class LearningPlan:
    """The options of a learning.

    `rehearsal` is a folder of cases with true labels that the bundle should not get worse on; None makes `rehearsal_patients`
    virtual ones from `atlas`. `rehearsal_share` of all training slices come from them (0: nothing is rehearsed). `hold_out` is the
    share of corrected patients, and of those rehearsed, that judge and are not learned from. The training ends after `iterations`,
    or so that all is done within `hours`. `passes` are those of the comparison, None the bundle's; lights need the bundle's.
    """

    output: Path
    version: str | None = None
    patients: Path | None = None
    rehearsal: Path | None = None
    atlas: Path | None = None
    rehearsal_patients: int = 12
    rehearsal_share: float = 0.5
    hold_out: float = 0.3
    iterations: int = 1000
    hours: float | None = None
    passes: int | None = None
    device: str = "auto"
    seed: int = 0

    def check(self) -> None:
        """Refuse options that make no learning.

        Raises:
            InputError: one is out of its range.
        """
        if not 0 <= self.rehearsal_share < 1:
            raise InputError(f"A share of {self.rehearsal_share:g} cannot be rehearsed; give --rehearsal-share from 0 to below 1.")
        if not 0 < self.hold_out < 1:
            raise InputError(f"A share of {self.hold_out:g} cannot be held out; give --hold-out between 0 and 1.")
        if self.iterations < 1 or self.rehearsal_patients < 2 or self.seed < 0:
            raise InputError("Give 1 iteration or more, 2 rehearsed patients or more, and a seed from 0.")
        if self.hours is not None and not 0 < self.hours < 10_000:
            raise InputError(f"{self.hours:g} hours are no time to learn; give a number above 0.")
        if self.passes is not None and self.passes < 1:
            raise InputError(f"{self.passes} dropout passes cannot be run; give --samples from 1.")


def check_enough(gathered: Gathered) -> None:
    """Refuse too few corrected patients.

    Raises:
        InputError: there is not one to learn from and enough to judge by.
    """
    corrected = gathered.corrected
    if len(corrected) < FEWEST_CORRECTED:
        some = f"only {len(corrected)} of {len(gathered.names)} patients" if corrected else "none of the patients"
        raise InputError(
            f"In {some} anything was corrected, and {FEWEST_CORRECTED} are needed: one to learn from and "
            f"{FEWEST_HELD_OUT} to judge by; correct more. What is accepted as drawn teaches nothing new."
        )


def held_out_patients(gathered: Gathered, plan: LearningPlan) -> tuple[str, ...]:
    """The patients that judge: drawn from those in whom something was corrected, by the plan's seed.

    Raises:
        InputError: there are too few of them.
    """
    check_enough(gathered)
    corrected = gathered.corrected
    number = min(max(FEWEST_HELD_OUT, round(plan.hold_out * len(corrected))), len(corrected) - 1)
    return tuple(sorted(draw_names(corrected, number, plan.seed)))


def draw_names(names: Sequence[str], number: int, seed: int) -> list[str]:
    """`number` of the names at random."""
    order = np.random.default_rng(seed).permutation(len(names))
    return [names[index] for index in order[:number]]


def fine_tuning(
    bundle: ModelBundle, plan: LearningPlan, sources: Sequence[PairsData], patients: int, precision: str, version: str
) -> Recipe:
    """The recipe that goes on from a bundle's weights.

    Raises:
        InputError: the bundle's network cannot be trained here.
    """
    manifest = bundle.manifest
    if bundle.table != HIP_AND_THIGH:
        raise InputError(f"The bundle {manifest.name!r} is of other structures than hip and thigh, which cannot be trained yet.")
    return Recipe(
        network=manifest.network,
        preprocessing=located(bundle),
        name=manifest.name,
        version=version,
        description=f"{manifest.name} {manifest.version}, fine-tuned on corrections of {patients} patients",
        license=manifest.license,
        iterations=plan.iterations,
        crop=_crop(manifest.preprocessing, 2 ** (manifest.network.levels - 1)),
        learning_rate=_LEARNING_RATE,
        average=0.99,
        # What a killed run loses at most; a checkpoint of a small network takes a fraction of a second.
        checkpoint_every=25,
        precision=precision,
        device=plan.device,
        seed=plan.seed,
        initial=str(bundle.folder.absolute()),
        sources=tuple(sources),
    )


def grid_of(preprocessing: Preprocessing) -> tuple[float, float, float]:
    """The grid ``(z, y, x)`` in mm of virtual patients for a network; a usual one where the network takes any."""
    z, in_plane = preprocessing.slice_interval_mm or _GRID_MM[0], preprocessing.in_plane_spacing_mm or _GRID_MM[1]
    return z, in_plane, in_plane


def request_digest(gathered: Gathered, bundle: ModelBundle, plan: LearningPlan) -> str:
    """Changes with everything that the outcome rests on but the time that it gets."""
    results = [
        [one.digest, sorted((key, fix.kind.value, fix.slices) for key, fix in one.corrections.items()), _state(one.folder)]
        for one in gathered.results
    ]
    options = [
        plan.version,
        str(plan.rehearsal and plan.rehearsal.resolve()),
        plan.rehearsal_patients,
        plan.rehearsal_share,
        plan.hold_out,
        plan.iterations,
        plan.passes,
        plan.seed,
    ]
    content = [bundle.digest, options, sorted(gathered.patients.values()), results]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _state(folder: Path) -> str:
    """Changes with the voxels of a review."""
    review = folder / "review.npz"
    return hashlib.sha256(review.read_bytes()).hexdigest() if review.is_file() else ""


def _crop(preprocessing: Preprocessing, stride: int) -> tuple[int, int]:
    spacing = grid_of(preprocessing)[1]
    height, width = (max(2, round(length / spacing / stride)) * stride for length in _CROP_MM)
    return height, width
