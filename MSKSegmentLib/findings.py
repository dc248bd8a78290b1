"""What a check, a reader or a step of the run says of a scan: a severity, a code for programs, a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

Severity = Literal["refusal", "warning"]

# Up to version 0.4.0 results stored sentences only: how those began that keep lights from being green.
_SENTENCES_BEFORE = {
    "The pixel spacing": "in_plane_spacing",
    "The slices lie far apart": "slices_far_apart",
    "Most slices were interpolated": "interpolated",
    "Fat and muscle lie about": "shift",
    "The image holds no air": "no_air",
}
UNKNOWN_CODE = "unknown"


@dataclass(frozen=True)
class Finding:
    """One finding: a "refusal" ends the run, a "warning" goes into the result.

    Programs recognise a finding by its `code`, never by its sentence. `where` is the key of the segment that it concerns, None
    for the scan as a whole.
    """

    severity: Severity
    code: str
    sentence: str
    where: str | None = None


def refusal(code: str, sentence: str) -> Finding:
    """A finding that ends the run."""
    return Finding("refusal", code, sentence)


def warning(code: str, sentence: str, where: str | None = None) -> Finding:
    """A finding that is told with the result."""
    return Finding("warning", code, sentence, where)


def sentences(findings: Iterable[Finding]) -> tuple[str, ...]:
    """The findings in words."""
    return tuple(finding.sentence for finding in findings)


def findings_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings, JSON-ready; `findings_from_json` reads them."""
    return [asdict(finding) for finding in findings]


def findings_from_json(data: Iterable[Mapping[str, Any]]) -> tuple[Finding, ...]:
    """What `findings_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: entries are missing or of the wrong kind.
    """
    found = []
    for entry in data:
        if entry["severity"] not in ("refusal", "warning"):
            raise ValueError(f"there is no severity {entry['severity']!r}")
        where = entry.get("where")
        severity = cast(Severity, entry["severity"])
        found.append(Finding(severity, str(entry["code"]), str(entry["sentence"]), where and str(where)))
    return tuple(found)


def findings_of_sentences(stored: Iterable[str]) -> tuple[Finding, ...]:
    """The findings of a result that kept their sentences alone, as results up to version 0.4.0 do."""
    found = []
    for sentence in map(str, stored):
        codes = (code for start, code in _SENTENCES_BEFORE.items() if sentence.startswith(start))
        found.append(warning(next(codes, UNKNOWN_CODE), sentence))
    return tuple(found)
