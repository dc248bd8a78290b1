"""A mask of another program and the CT that it is of, as a result like those of our own network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..anatomy import StructureTable
from ..case_result import CaseResult, HistoryEvent, SegmentReport
from ..ct.label_grid import grid_words
from ..ct.label_resampling import place_or_resample
from ..ct.volume import CTVolume
from ..errors import InputError
from ..findings import Finding, warning
from ..pipeline import measure_placed
from ..prepared_scan import prepare_scan
from ..quality.given_sides import EXCHANGED
from ..results.result_folder import CT, OTHER_LABELS, write_result
from ..results.segmentation_file import write_ct
from ..tasks import HIP_THIGH_CT, Task, with_table
from .dicom_masks import frame_of_reference
from .kept import KeptLabels, write_kept
from .label_tables import LabelTable
from .mask import ForeignMask
from .merged import is_part_of
from .said import exchanged_finding
from .translation import GIVEN, Translation, translate

# In the record of a result: that its segmentation was imported, and how.
RECORD = "imported"


@dataclass(frozen=True)
class Imported:
    """An imported segmentation: the case, measured, the labels that are no structure of its table, and what was done since."""

    result: CaseResult
    kept: KeptLabels
    history: tuple[HistoryEvent, ...] = ()


def import_case(
    volume: CTVolume,
    mask: ForeignMask,
    structures: StructureTable,
    label_table: LabelTable | None = None,
    *,
    height_m: float | None = None,
    reference: Mapping[str, Any] | None = None,
    sides: str = GIVEN,
    task: Task = HIP_THIGH_CT,
) -> Imported:
    """Translate a mask, bring it onto the CT's voxels and measure it, by the same rules as `pipeline.measure_case`.

    Args:
        volume: the CT that was segmented.
        mask: as `reading.read_mask` or `mask.mask_of_array` gave it.
        structures: the table that its labels are translated into.
        label_table: what they stand for; None: recognised.
        height_m: the patient's height in metres; None: that of the CT's header.
        reference: what a calibration knows of places among the bones (`pipeline.bundle_knowledge`).
        sides: "given" or "anatomy", see `translation.translate`.
        task: what the scan is of, and what is checked and measured.

    Returns:
        The case: no light is green. Grey says that nothing is known, yellow and red that volume, density, place or side of a
        structure are implausible. ``facts.record["imported"]`` says what was translated how.

    Raises:
        InputError: the CT or the mask cannot be used, or they are not of one scan.
    """
    _check_study(volume, mask)
    translation = translate(mask, structures, label_table, sides)
    scan = prepare_scan(volume, task=task)
    placed, resampled = place_or_resample(translation.labels, translation.geometry, volume.geometry)
    findings = (
        _imported(translation),
        warning(
            "not_judged",
            "The import compares nothing with the network, so that no light is green; 'mskseg rate' judges the segmentation.",
        ),
        *scan.findings,
        *translation.findings,
        *((_resampled(translation, volume),) if resampled else ()),
    )
    result = measure_placed(placed, replace(volume, findings=findings), height_m, reference, with_table(task, translation.table))
    exchanged = [report.segment for report in result.reports if EXCHANGED in report.reasons]
    reports = tuple(_explained(report, translation) for report in result.reports)
    facts = replace(result.facts, record={**result.facts.record, RECORD: _record(translation, sides, resampled)})
    said = (*result.findings, *exchanged_finding(exchanged))
    return Imported(replace(result, reports=reports, facts=facts, findings=said), translation.kept)


def write_imported(
    folder: Path,
    imported: Imported,
    source: str | None = None,
    volume: CTVolume | None = None,
    extra: Callable[[Path], None] = lambda partial: None,
) -> None:
    """Write a result folder (see `results.result_folder.write_result`), with the labels that were kept, if there are any.

    `source` is the CT's path where the user asked to record it; `volume` the CT where a copy is wanted; `extra` may add files to
    the folder it is given.

    Raises:
        InputError: the folder holds other files, or cannot be written.
    """

    def others(partial: Path) -> None:
        write_other_labels(partial, imported.kept)
        if volume is not None:
            write_ct(partial / CT, volume)
        extra(partial)

    write_result(folder, imported.result, source, others, history=imported.history)


def write_other_labels(folder: Path, kept: KeptLabels) -> None:
    """Write the labels that are no structure of the table into the folder of a result, if there are any."""
    if any(label.voxels for label in kept.labels):
        write_kept(folder / OTHER_LABELS, kept)


def _check_study(volume: CTVolume, mask: ForeignMask) -> None:
    """Hold what a DICOM segmentation says that it belongs to against a CT that was read from DICOM.

    Raises:
        InputError: it is of another study, or its positions are those of another frame of reference.
    """
    if volume.source is None or mask.study_uid is None:
        return
    if mask.study_uid != volume.source.study_uid:
        raise InputError(f"{mask.name} belongs to another study than the CT; give the CT that was segmented.")
    frame = frame_of_reference(volume.source.slices[0].path)
    if None not in (frame, mask.frame_uid) and frame != mask.frame_uid:
        raise InputError(f"{mask.name} lies in another frame of reference than the CT; give the CT that was segmented.")


def _imported(translation: Translation) -> Finding:
    used = translation.label_table
    by = f", recognised by {translation.recognised_by}" if translation.recognised_by else ", as asked"
    return warning(
        "imported",
        f"The segmentation was imported (labels: {used.title}{by}).",
    )


def _resampled(translation: Translation, volume: CTVolume) -> Finding:
    return warning(
        "labels_resampled",
        f"The segmentation ({grid_words(translation.geometry)}) was brought onto the voxels of the CT "
        f"({grid_words(volume.geometry)}) by "
        "nearest neighbour; thin structures are no finer than its own voxels.",
    )


def _explained(report: SegmentReport, translation: Translation) -> SegmentReport:
    """A structure that is not there: whether the mask was asked for it at all."""
    key = report.segment.structure.abbreviation
    if report.measurements is not None or key in translation.structures:
        return report
    if is_part_of(key, translation.structures):
        return replace(report, reasons=("measured as a part of a larger structure, which is one in this segmentation",))
    return replace(report, reasons=("the imported segmentation does not have this structure",))


def _record(translation: Translation, sides: str, resampled: bool) -> dict[str, Any]:
    """What was translated how, JSON-ready; no name of a file."""
    used = translation.label_table
    return {
        "labels": used.name,
        "table": {"title": used.title, "version": used.version, "source": used.source},
        "recognised_by": translation.recognised_by,
        "sides": sides,
        "resampled": resampled,
        "structures": sorted(translation.structures),
        "segments": [
            {
                "name": assignment.segment.called,
                "value": assignment.segment.program_value,
                "structure": assignment.structure and assignment.structure.abbreviation,
                "side": assignment.side and assignment.side.value,
                "part": assignment.part or None,
            }
            for assignment in translation.assignments
        ],
        "other_labels": [
            {
                "name": label.name,
                "value": label.stored_value,
                "kept_as": label.value,
                "volume_cc": round(label.voxels * translation.geometry.voxel_volume_mm3 / 1000, 3),
            }
            for label in translation.kept.labels
            if label.voxels
        ],
    }
