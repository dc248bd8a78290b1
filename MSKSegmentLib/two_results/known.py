"""What a result could hold: the structures that whoever labelled it knows, and who that was."""

from __future__ import annotations

from ..case_result import CaseResult
from ..language.catalogue import noted as N_
from ..run_facts import RunFacts

_UNKNOWN = N_("another segmentation")


def drawable_structures(result: CaseResult) -> frozenset[str]:
    """Abbreviations of the structures that a result could hold: those of its task, or of an import those that its labels can say.

    What another program never draws is not missing in its result, and no disagreement about it. What somebody added by hand counts
    as known.
    """
    present = {report.segment.structure.abbreviation for report in result.reports if report.measurements is not None}
    imported = result.facts.record.get("imported") or {}
    if "segments" not in imported:
        return frozenset(structure.abbreviation for structure in result.table.structures)
    # Results of earlier versions only say which labels there were.
    asked = imported.get("structures") or [entry.get("structure") for entry in imported["segments"]]
    own = {structure.abbreviation for structure in result.table.structures}
    return frozenset(present | (own & set(asked)))


def source_of(facts: RunFacts) -> str:
    """What labelled a result, by its record: another program, an import or a bundle; in English, as records keep it."""
    record = facts.record
    program, bundle = record.get("other_model") or {}, record.get("bundle") or {}
    table = (record.get("imported") or {}).get("table") or {}
    named = program.get("title") or bundle.get("name") or table.get("title") or _UNKNOWN
    version = program.get("version") or bundle.get("version")
    return f"{named} {version}" if version else str(named)
