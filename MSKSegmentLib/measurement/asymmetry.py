"""How much the two sides of a structure differ."""

from __future__ import annotations


def asymmetry_percent(right_cc: float | None, left_cc: float | None) -> float | None:
    """200 * (right - left) / (right + left) of two volumes: the difference in percent of the mean of both sides.

    Positive when the right side is larger; from -200 to 200. None when a side is not known (None) or both are empty.
    A truncated side says nothing about asymmetry: pass None for it.

    >>> asymmetry_percent(right_cc=110.0, left_cc=90.0)
    20.0
    >>> asymmetry_percent(right_cc=None, left_cc=90.0) is None
    True
    """
    if right_cc is None or left_cc is None or right_cc + left_cc <= 0:
        return None
    return 200.0 * (right_cc - left_cc) / (right_cc + left_cc)
