"""How a structure's uncertainty compares with that of the calibration cases: low, usual or high.

Structures differ tenfold in their usual uncertainty, so that the bare number tells little. What is usual follows from the same
line and the same robust standard deviation as the paper's rule (see `paper_rule`), with k = 1 and k = -1: the uncertainties at
which the line gives the median Dice coefficient plus and minus one standard deviation. The paper calls a segment inaccurate
beyond k = -2; "high" therefore begins before a yellow light does.
"""

from __future__ import annotations

import math

from .calibration import Calibration
from .paper_rule import MAD_TO_SD

LOW, USUAL, HIGH = "low", "usual", "high"


def usual_uncertainty(abbreviation: str, calibration: Calibration | None, passes: int) -> tuple[float, float] | None:
    """The range of a structure's usual mean voxel uncertainty, lowest and highest, sides pooled.

    None where the calibration does not tell: it lacks the structure, its line does not fall, or it rests on more than the
    `passes` that were run.
    """
    if calibration is None or passes < calibration.passes:
        return None
    fitted = calibration.structures.get(abbreviation)
    if fitted is None or not fitted.slope < 0:
        return None
    spread = MAD_TO_SD * fitted.dice_mad
    lowest, highest = ((fitted.dice_median + step - fitted.intercept) / fitted.slope for step in (spread, -spread))
    if not (math.isfinite(highest) and highest > 0):
        return None
    return max(lowest, 0.0), highest


def uncertainty_level(uncertainty: float, usual: tuple[float, float]) -> str:
    """ "low", "usual" or "high" for a mean voxel uncertainty and the usual range of its structure; not-a-number is high.

    >>> [uncertainty_level(value, (2e-4, 5e-4)) for value in (1e-4, 2e-4, 5e-4, 6e-4)]
    ['low', 'usual', 'usual', 'high']
    """
    lowest, highest = usual
    return LOW if uncertainty < lowest else USUAL if uncertainty <= highest else HIGH
