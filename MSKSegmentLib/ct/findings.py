"""What a check says: a severity, a code for programs, a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One finding on a scan: a "refusal" ends the run, a "warning" goes into the result."""

    severity: Literal["refusal", "warning"]
    code: str
    sentence: str


def refusal(code: str, sentence: str) -> Finding:
    """A finding that ends the run."""
    return Finding("refusal", code, sentence)


def warning(code: str, sentence: str) -> Finding:
    """A finding that is told with the result."""
    return Finding("warning", code, sentence)
