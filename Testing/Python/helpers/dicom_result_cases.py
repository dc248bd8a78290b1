"""The reviewed phantom case as a result of a DICOM series, with the series beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from ct_scans import write_dicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from review_cases import ABSENT, HEIGHT_M, LABEL, PASSES, UNCERTAIN, calibration, with_evidence
from segmentation_phantom import phantom

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import CaseResult, Scores
from MSKSegmentLib.ct.reading.files import read_ct
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.findings import warning
from MSKSegmentLib.measurement import measure
from MSKSegmentLib.provenance import input_digest
from MSKSegmentLib.quality.reports import make_reports
from MSKSegmentLib.quality.scores import structure_uncertainty
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.run_facts import RunFacts

# Structures that lie within the few slices.
WHOLE = {"OI_left": 9.0, "OI_right": 5.0}
DOCUMENT = b"%PDF-1.4\n% a report of odd length\n%%EOF"
BUNDLE = {"name": "tiny", "version": "3", "digest": "d1"}
TAGS: dict[str, Any] = {
    "FrameOfReferenceUID": generate_uid(entropy_srcs=["frame"]),
    "SpecificCharacterSet": "ISO_IR 192",
    "PatientName": "Yamada^Tarou=山田^太郎",
    "PatientID": "P-17",
    "PatientBirthDate": "19500102",
    "PatientSex": "M",
    "PatientAge": "075Y",
    "StudyDate": "20260301",
    "StudyTime": "101500",
    "StudyID": "S1",
    "AccessionNumber": "A-9",
    "ReferringPhysicianName": "Sato^Hanako",
    "SliceThickness": 4.0,
    "PositionReferenceIndicator": "",
    "Manufacturer": "Phantom",
}


@dataclass(frozen=True)
class DicomCase:
    """A result folder, the folder of its series, and both as objects."""

    folder: Path
    series: Path
    result: CaseResult
    volume: CTVolume


def positions(volume: CTVolume) -> np.ndarray:
    """Where the first pixel of each slice lies, float ``[z, 3]`` in mm."""
    return np.array([volume.geometry.to_physical((0, 0, k)) for k in range(volume.geometry.size[2])])


def write_series(folder: Path, volume: CTVolume, edit: Callable[[int, Dataset], None] | None = None, **options: Any) -> Path:
    """The volume as a complete series of single slices."""
    tags = {**TAGS, **options.pop("tags", {})}
    places = options.pop("places", positions(volume))
    return write_dicom(folder, volume.hu, spacing=volume.geometry.spacing[:2], positions=places, tags=tags, edit=edit, **options)


def hip_case() -> tuple[CaseResult, CTVolume]:
    """A result with every light on the 20 slices about the hip joint of the phantom, with its CT."""
    labels, grid = phantom()
    random = np.random.default_rng(4)
    labels, grid = labels[100:120], grid.cropped((0, 0, 100), (*grid.size[:2], 20))
    for key in ABSENT:
        labels[labels == LABEL[key]] = 0
    hu = np.rint(np.where(labels > 0, 55, -90) + random.normal(0, 25, labels.shape)).astype(np.int16)
    level = np.full(256, 1e-4)
    for key, value in (UNCERTAIN | WHOLE).items():
        level[LABEL[key]] = value * 1e-4
    uncertainty = (level[labels] * random.uniform(0.9, 1.1, labels.shape) * (labels > 0)).astype(np.float32)
    evidence = structure_uncertainty(labels, uncertainty)
    scores = {label: Scores(mean_variance=mean) for label, mean in evidence.items()}
    reports = make_reports(HIP_AND_THIGH, measure(labels, hu, grid, HIP_AND_THIGH, HEIGHT_M), scores, calibration(), PASSES)
    findings = (warning("part", "Only a part of the thigh was scanned."),)
    facts = RunFacts(height_m=HEIGHT_M, passes=PASSES, seed=7, lights="calibrated", date="2026-03-02T08:30:00+00:00")
    return CaseResult(labels, grid, tuple(map(with_evidence, reports)), uncertainty, findings, facts), CTVolume(hu, grid)


def result_of(series: Path, result: CaseResult) -> tuple[CaseResult, CTVolume]:
    """The result as a run on that series would have made it, with the CT that was read."""
    volume = read_ct(series)
    assert volume.source is not None
    facts = replace(
        result.facts,
        series=volume.source.identity,
        input_digest=input_digest(volume),
        record={"bundle": BUNDLE, "software": {"version": "0.1.0"}},
    )
    return replace(result, geometry=volume.geometry, facts=facts), volume


def make_dicom_case(folder: Path) -> DicomCase:
    """The case on a plain axial series."""
    result, volume = hip_case()
    series = write_series(folder / "series", volume)
    result, volume = result_of(series, result)
    write_result(folder / "out", result)
    return DicomCase(folder / "out", series, result, volume)
