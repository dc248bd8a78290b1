"""A review that goes on from what was stored of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..ct.volume import CTVolume
from .session import ReviewSession
from .stored import case_from_json


def session_from_json(
    data: Mapping[str, Any],
    labels: np.ndarray,
    uncertainty: np.ndarray | None,
    volume: CTVolume,
    automatic_labels: np.ndarray | None = None,
    author: str = "",
    **options: Any,
) -> ReviewSession:
    """Go on with a review from what `ReviewSession.to_json` made and the arrays, all ``[z, y, x]`` on the volume's grid.

    Without `automatic_labels` corrected segments cannot be reverted. See `ReviewSession.of_stored`, also for errors.
    """
    case = case_from_json(data, labels, uncertainty, volume.geometry, automatic_labels)
    return ReviewSession.of_stored(case, volume, author, **options)
