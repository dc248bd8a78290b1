"""The facts in the header of an image file, and the resulting positions of its voxels in the patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning

T = TypeVar("T")

# Signs that bring x, y, z of a patient frame to LPS. Each letter names the direction in which an axis grows.
TO_LPS = {"LPS": (1.0, 1.0, 1.0), "RAS": (-1.0, -1.0, 1.0), "LAS": (1.0, -1.0, 1.0)}
ASSUMABLE = ("LPS", "RAS")
ASSUMED = "assumed_orientation"
# No scan has voxels outside this range; a unit that leads there is an error of the program that wrote it.
_POSSIBLE_MM = (0.01, 50.0)


@dataclass(frozen=True)
class Stated(Generic[T]):
    """A fact, and the field of the header that states it."""

    value: T
    source: str


@dataclass(frozen=True)
class ImageFacts:
    """The facts that an image file states about its grid and values, with contradictions resolved by the rules of its format.

    `steps` is float ``[3, 3]``: its columns are the steps of the index axes i, j, k in mm, with lengths (the spacing) and
    directions, which need not be at right angles. They and `origin`, the position of the first voxel in mm, are given in
    `frame` ("LPS", "RAS" or "LAS"). Without a frame the file does not say how its axes lie in the patient, and
    `frame_problem` says why. `scaling` is (slope, intercept) of the stored values, `unit` the file's unit of length
    in mm. `findings` are the doubts of its reader.
    """

    size: tuple[int, int, int]
    steps: Stated[np.ndarray]
    origin: Stated[np.ndarray] | None
    frame: Stated[str] | None
    frame_problem: str = ""
    scaling: Stated[tuple[float, float]] | None = None
    unit: Stated[float] | None = None
    findings: tuple[Finding, ...] = field(default=())

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distances of neighbouring voxels along i, j and k in mm."""
        x, y, z = np.linalg.norm(self.steps.value, axis=0)
        return float(x), float(y), float(z)


@dataclass(frozen=True)
class VoxelPlacement:
    """Positions of voxels in LPS: index ``(i, j, k)`` at `steps` @ index + `origin`, in mm; `steps` may be sheared."""

    steps: np.ndarray
    origin: np.ndarray
    findings: tuple[Finding, ...]


def place_voxels(facts: ImageFacts, name: str, assume_orientation: str | None = None) -> VoxelPlacement:
    """The positions of an image's voxels in the patient.

    Args:
        facts: the facts in its header.
        name: the file's name, for messages.
        assume_orientation: "LPS" or "RAS", the frame of its axes if the file states none.

    Raises:
        InputError: the file does not state how its axes lie in the patient, and `assume_orientation` is None.
    """
    findings = list(facts.findings)
    frame = facts.frame.value if facts.frame else assume_orientation
    if frame is None:
        raise InputError(
            f"The image {name} does not state how its axes lie in the patient ({facts.frame_problem}), so that right and left "
            "cannot be told apart; export it with its orientation or, if you know it, say --assume-orientation LPS or RAS."
        )
    if facts.frame is None:
        findings.append(assumed(frame))
    elif facts.origin is None:
        findings.append(
            warning(
                "position_not_stated",
                "The file does not state its position; its first voxel was taken for the point 0, 0, 0.",
            )
        )
    signs = np.array(TO_LPS[frame])
    origin = np.zeros(3) if facts.origin is None else signs * facts.origin.value
    # Adding 0 turns negative zeros, which the signs may cause, into positive ones.
    return VoxelPlacement(signs[:, None] * facts.steps.value + 0.0, origin + 0.0, tuple(findings))


def assumed(frame: str) -> Finding:
    """The permanent warning on a scan whose orientation was stated by the user and not by the file."""
    return warning(
        ASSUMED,
        f"The file does not state how its axes lie in the patient; as asked, {frame} was assumed, and if that is wrong, right "
        "and left are exchanged.",
    )


def checked_assumption(frame: str | None) -> str | None:
    """One of the frames that may be assumed, or None.

    Raises:
        InputError: it is anything else.
    """
    if frame is not None and frame not in ASSUMABLE:
        raise InputError(f"The orientation {frame!r} cannot be assumed; say LPS or RAS.")
    return frame


def left_over(count: int) -> tuple[Finding, ...]:
    """A warning if a file holds `count` bytes beyond the voxels that its header announces."""
    if count <= 0:
        return ()
    what = "1 byte" if count == 1 else f"{count} bytes"
    sentence = f"The file holds {what} more than its header announces; look whether the picture is shifted."
    return (warning("bytes_left_over", sentence),)


def in_millimetres(lengths: np.ndarray, unit: Stated[float] | None, name: str) -> tuple[Finding, ...]:
    """Check the plausibility of a unit other than mm: `lengths` are the voxel's edges in the file's own unit.

    Raises:
        InputError: with this unit the voxels have an impossible size, while the same numbers in mm would be possible.
    """
    if unit is None or unit.value == 1.0:
        return ()
    word = {1000.0: "metres", 10.0: "centimetres", 0.001: "micrometres"}.get(unit.value, f"units of {unit.value:g} mm")
    low, high = _POSSIBLE_MM
    converted = lengths * unit.value
    if (converted.min() < low or converted.max() > high) and lengths.min() >= low and lengths.max() <= high:
        raise InputError(
            f"The image {name} gives its lengths in {word} ({unit.source}), which makes voxels of {by(converted)} mm; correct "
            "the unit or the spacing in its header."
        )
    return (
        warning(
            "unit_converted",
            f"The file gives its lengths in {word}; its voxels of {by(converted)} mm come from that.",
        ),
    )


def by(lengths: np.ndarray) -> str:
    """Lengths for a message, such as "3 x 3 x 5"."""
    return " x ".join(f"{value:.4g}" for value in lengths)
