"""What is said of a translated mask: merged, incomplete and overlapping structures, other conventions, unknown labels, sides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..anatomy import Segment, Structure, StructureTable
from ..ct.reading.label_maps import short_name
from ..ct.volume import Geometry
from ..findings import Finding, warning
from ..results.result_folder import OTHER_LABELS
from .assigning import Assignment
from .kept import KeptLabels
from .label_tables import LabelTable
from .merged import merged_structures
from .sides import SidesFound

_MOST_NAMED = 8


def said_of_translation(
    used: LabelTable,
    table: StructureTable,
    assignments: Sequence[Assignment],
    kept: KeptLabels,
    overlaps: Mapping[tuple[int, int], int],
    sides: SidesFound,
    geometry: Geometry,
) -> tuple[Finding, ...]:
    """The findings on a translated mask, see `translation.Translation`."""
    present = [structure for structure in table.structures if any(a.structure == structure for a in assignments)]
    return (
        *_conventions(used, present),
        *_merged(present, table),
        *_incomplete(used, assignments, table),
        *_overlapping(overlaps, table, sides, geometry.voxel_volume_mm3),
        *_from_anatomy(sides, table, geometry.voxel_volume_mm3),
        *_unknown(kept, geometry.voxel_volume_mm3),
    )


def _conventions(used: LabelTable, present: Sequence[Structure]) -> tuple[Finding, ...]:
    keys = {structure.abbreviation for structure in present}
    return tuple(
        warning("other_convention", convention.sentence)
        for convention in used.conventions
        if convention.structure is None or convention.structure in keys
    )


def _merged(present: Sequence[Structure], table: StructureTable) -> tuple[Finding, ...]:
    found = []
    for merged in merged_structures():
        if merged.structure.abbreviation in {structure.abbreviation for structure in present}:
            parts = " and ".join(table.structure(key).name for key in merged.parts)
            sentence = (
                f"{merged.structure.name} is one structure in this segmentation: it was measured as one, and {parts} have "
                "no numbers of "
                "their own."
            )
            found.append(warning("merged_structure", sentence))
    return tuple(found)


def _incomplete(used: LabelTable, assignments: Sequence[Assignment], table: StructureTable) -> tuple[Finding, ...]:
    """Structures of which the mask has some parts only."""
    found = []
    for segment in table.segments:
        key = segment.structure.abbreviation
        own = [a for a in assignments if a.structure == segment.structure and a.side in (None, segment.side)]
        parts = {assignment.part for assignment in own}
        wanted = dict.fromkeys(entry.part for entry in used.entries if entry.structure == key and entry.part)
        missing = [part for part in wanted if part not in parts]
        if parts and "" not in parts and missing:
            sentence = (
                f"{segment.name} holds {_and(sorted(parts))} only: the segmentation has no {_and(missing)}, so that its "
                "volume is not "
                "that of the whole structure."
            )
            found.append(warning("incomplete_structure", sentence, segment.key))
    return tuple(found)


def _overlapping(
    overlaps: Mapping[tuple[int, int], int], table: StructureTable, sides: SidesFound, voxel_mm3: float
) -> tuple[Finding, ...]:
    if not overlaps:
        return ()

    def name(label: int) -> str:
        segment = table.segment_of_label(label)
        if segment is None:
            return str(label)
        # Its side was not known yet when it was drawn.
        return segment.structure.name if label in sides.decided else segment.name

    most = sorted(overlaps.items(), key=lambda entry: -entry[1])
    told = [f"{name(before)} and {name(after)} by {count * voxel_mm3 / 1000:.2g} cc" for (before, after), count in most]
    sentence = (
        f"Structures of the segmentation overlap ({_some(told)}); the second one of each pair has these voxels, and the "
        "first one lost "
        "them."
    )
    return (warning("labels_overlap", sentence),)


def _from_anatomy(sides: SidesFound, table: StructureTable, voxel_mm3: float) -> tuple[Finding, ...]:
    if not sides.decided:
        return ()
    names = [structure.name for structure in table.structures if structure.index in sides.decided]
    lost = f" {sides.lost * voxel_mm3 / 1000:.2g} cc belong to neither side and were left out." if sides.lost else ""
    sentence = (
        f"Right and left were taken from the anatomy for structures without a side ({_some(names)}); look whether they are right."
    )
    return (warning("sides_from_anatomy", sentence + lost), *sides.findings)


def _unknown(kept: KeptLabels, voxel_mm3: float) -> tuple[Finding, ...]:
    present = [label for label in kept.labels if label.voxels]
    if not present:
        return ()
    names = [f"{short_name(label.name)} ({label.voxels * voxel_mm3 / 1000:.3g} cc)" for label in present]
    what = "1 label" if len(present) == 1 else f"{len(present)} labels"
    sentence = (
        f"{what} of the segmentation {'is' if len(present) == 1 else 'are'} no structure that is measured here: "
        f"{_some(names)}; kept in "
        f"{OTHER_LABELS}."
    )
    return (warning("unknown_labels", sentence),)


def exchanged_finding(segments: Iterable[Segment]) -> tuple[Finding, ...]:
    """That the sides which a mask states are not those of the body; nothing is exchanged back."""
    names = [segment.name for segment in segments]
    if not names:
        return ()
    sentence = (
        f"Right and left of the segmentation are exchanged on this CT ({_some(names)}). Either the segmentation or the CT's "
        "orientation is "
        "wrong, so nothing was exchanged back: find out which, and import again with the right file, or with --sides "
        "anatomy if the CT is "
        "right."
    )
    return (warning("sides_exchanged", sentence),)


def _and(texts: Sequence[str]) -> str:
    return " and ".join(texts)


def _some(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more
