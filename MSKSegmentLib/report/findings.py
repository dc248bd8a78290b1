"""Findings about a scan in the reader's language."""

from __future__ import annotations

from ..findings import Finding
from .language import Words


def told_finding(words: Words, finding: Finding) -> str:
    """The finding's sentence."""
    return finding.sentence
