"""What could not be fitted, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Missing:
    """Stands where a fit would be; `reason` completes the sentence "there is none, because ..." for the user."""

    reason: str
