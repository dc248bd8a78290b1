"""Rescaling of single slices that their pixels contradict, found by comparison with neighbouring slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from ....errors import InputError
from ....findings import Finding, warning
from .pixels import PixelNotes
from .slice_header import SliceHeader

# Air and soft tissue of neighbouring slices differ by less than this.
JUMP_HU = 50.0
# The rescaling causes a jump if the same rescaling for both slices reduces the jump to this share or less.
LEFT_SHARE = 0.3
# A smaller share of slices with one rescaling does not prove the others wrong.
CLEAR_MAJORITY = 0.75
_GROUPS_HU = ((-3000.0, -800.0), (-200.0, 200.0))
_SMALLEST_GROUP = 0.01

Pair = tuple[float, float]


def mend_rescaling(
    headers: tuple[SliceHeader, ...],
    pairs: list[Pair],
    hu: np.ndarray,
    notes: list[PixelNotes],
    read: Callable[[int, Pair], tuple[np.ndarray, PixelNotes]],
) -> tuple[Finding, ...]:
    """Give slices whose rescaling their pixels contradict that of the others; a warning names them.

    Their `hu` (int16 ``[z, y, x]``) and `notes` are replaced. `pairs` are (slope, intercept) of the slices in order, `read`
    gives HU int16 ``[y, x]`` and notes of a slice with another pair. Rescaling may differ between slices as long as their
    HU continue from one to the next.

    Raises:
        InputError: HU jump where the rescaling changes, and it is unclear which slices are right.
    """
    changes = [k for k in range(1, len(pairs)) if pairs[k] != pairs[k - 1]]
    jumps = {k: jump for k in changes if (jump := _jump(hu[k - 1], hu[k])) > JUMP_HU}
    breaks = [k for k, jump in jumps.items() if _jump(hu[k - 1], read(k, pairs[k - 1])[0]) <= LEFT_SHARE * jump]
    if not breaks:
        return ()
    usual, number = Counter(pairs).most_common(1)[0]
    at = breaks[int(np.argmax([jumps[k] for k in breaks]))]
    refusal = InputError(
        f"The densities of the series jump by {jumps[at]:.0f} HU at the image {_number(headers[at])}, where the header's rescale "
        "slope or intercept changes but the stored values go on; export the original series again."
    )
    if number < CLEAR_MAJORITY * len(pairs):
        raise refusal
    ends = [0, *breaks, len(pairs)]
    parts = [range(a, b) for a, b in zip(ends, ends[1:], strict=False)]
    wrong = [k for part in parts if all(pairs[j] != usual for j in part) for k in part]
    for k in wrong:
        hu[k], notes[k] = read(k, usual)
    if any(_jump(hu[k - 1], hu[k]) > max(JUMP_HU, LEFT_SHARE * jumps[k]) for k in breaks):
        raise refusal
    is_single = len(wrong) == 1
    named = ", ".join(_number(headers[k]) for k in wrong[:6]) + (" and more" if len(wrong) > 6 else "")
    sentence = (
        f"{len(wrong)} slice{' states' if is_single else 's state'} a rescale slope or intercept that "
        f"{'its' if is_single else 'their'} pixels contradict ({named}): densities would jump by {jumps[at]:.0f} HU. "
        "Those of the other slices were taken, so check the densities there."
    )
    return (warning("contradicting_rescaling", sentence),)


def _number(header: SliceHeader) -> str:
    return "without number" if header.instance_number is None else f"number {header.instance_number}"


def _jump(a: np.ndarray, b: np.ndarray) -> float:
    """The difference of two slices in air or in soft tissue, in HU, whichever is larger; each slice defines its own pixels."""
    stride = max(1, min(a.shape) // 128)
    first, second = (s[::stride, ::stride].astype(np.float32) for s in (a, b))
    differences = [
        abs(float(np.median((second - first)[chosen])))
        for like in (first, second)
        for low, high in _GROUPS_HU
        if np.count_nonzero(chosen := (like > low) & (like < high)) >= _SMALLEST_GROUP * like.size
    ]
    return max(differences, default=0.0)
