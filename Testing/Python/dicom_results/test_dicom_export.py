"""A result folder as DICOM objects: written, checked by a validator, read back by three libraries."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_result_cases import BUNDLE, DOCUMENT, TAGS, make_dicom_case
from review_cases import LABEL, grown, mask_of

pytest.importorskip("highdicom", reason="highdicom is not installed")

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.anatomy.terminology import side_code
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.dicom_results.codes import CODED_NUMBERS, own_codes
from MSKSegmentLib.dicom_results.export import PDF_OBJECT, REPORT_OBJECT, SEGMENTATION_OBJECT, UNCERTAINTY_OBJECT
from MSKSegmentLib.dicom_results.identity import identity_of
from MSKSegmentLib.dicom_results.segmentation import make_segmentation
from MSKSegmentLib.dicom_results.source import open_source
from MSKSegmentLib.results.result_folder import REPORT_PDF
from MSKSegmentLib.results.result_reading import read_result
from MSKSegmentLib.results.tables import table_row
from MSKSegmentLib.review.folder import finish_review, open_folder

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return make_dicom_case(tmp_path_factory.mktemp("dicom"))


@pytest.fixture(scope="module")
def exported(case):
    """The files that the command writes of a folder with a report."""
    (case.folder / REPORT_PDF).write_bytes(DOCUMENT)
    folder = case.folder.parent / "dicom"
    assert main(["export", str(case.folder), "--dicom", str(folder), "--source", str(case.series)]) == 0
    assert {path.name for path in folder.iterdir()} == {SEGMENTATION_OBJECT, REPORT_OBJECT, UNCERTAINTY_OBJECT, PDF_OBJECT}
    return folder


@pytest.fixture(scope="module")
def objects(exported):
    return {path.name: pydicom.dcmread(path) for path in exported.iterdir()}


@pytest.fixture(scope="module")
def source(case):
    return open_source(case.result, case.series)


def groups(report):
    """The measurement groups of a report by tracking identifier, each as (numbers, codes, texts) by code value of the name."""
    container = next(i for i in report.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "126010")
    found = {}
    for group in container.ContentSequence:
        items = [(i.ValueType, name_of(i), i) for i in group.ContentSequence]
        key = next(i.TextValue for _, name, i in items if name[1] == "112039")
        found[key] = (
            {name: i.MeasuredValueSequence[0] for kind, name, i in items if kind == "NUM"},
            {name[1]: i.ConceptCodeSequence[0].CodeValue for kind, name, i in items if kind == "CODE"},
            [(name[1], i.TextValue) for kind, name, i in items if kind == "TEXT"],
        )
    return found


def name_of(item):
    """(scheme, value, value of the derivation) of a content item."""
    name = item.ConceptNameCodeSequence[0]
    modifiers = [i for i in item.get("ContentSequence", ()) if i.ConceptNameCodeSequence[0].CodeValue == "121401"]
    derivation = modifiers[0].ConceptCodeSequence[0].CodeValue if modifiers else None
    return name.CodingSchemeDesignator, name.CodeValue, derivation


def references(data, keyword="ReferencedSOPInstanceUID"):
    return {str(e.value) for e in data.iterall() if e.keyword == keyword}


def test_labels_read_back_by_highdicom(exported, case):
    import highdicom

    read = highdicom.seg.segread(exported / SEGMENTATION_OBJECT)
    volume = read.get_volume(combine_segments=True)
    # Frames without a label are not stored.
    levels = np.flatnonzero((case.result.labels > 0).any(axis=(1, 2)))
    numbers = np.zeros(256, int)
    for item in read.SegmentSequence:
        numbers[HIP_AND_THIGH.segment(item.TrackingID).label] = item.SegmentNumber
    expected = numbers[case.result.labels[levels[0] : levels[-1] + 1]]
    # highdicom may count the slices downwards.
    first = case.result.geometry.to_index(volume.map_indices_to_reference(np.array([[0, 0, 0]]))[0])
    assert np.allclose(first[:2], 0, atol=1e-3)
    downwards = round(first[2]) == levels[-1]
    np.testing.assert_array_equal(volume.array, expected[::-1] if downwards else expected)


def test_labels_read_back_by_pydicom(objects, case):
    data = objects[SEGMENTATION_OBJECT]
    by_number = {item.SegmentNumber: HIP_AND_THIGH.segment(item.TrackingID) for item in data.SegmentSequence}
    labels = np.zeros_like(case.result.labels)
    for frame, group in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        place = [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient]
        column, row, level = case.result.geometry.to_index(place)
        assert (round(column), round(row)) == (0, 0)
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        labels[round(level)][frame > 0] = by_number[number].label
        # Every frame says which image it was drawn on.
        derived = group.DerivationImageSequence[0].SourceImageSequence[0]
        assert derived.ReferencedSOPInstanceUID == case.volume.source.slices[round(level)].instance_uid
    np.testing.assert_array_equal(labels, case.result.labels)


def test_labels_read_back_by_simpleitk(exported, objects, case):
    import SimpleITK as sitk

    frames = sitk.GetArrayFromImage(sitk.ReadImage(str(exported / SEGMENTATION_OBJECT)))
    # Eight pixels share a byte, and this reader leaves a last byte that is not full unread: its pixels are whatever memory held.
    last = objects[SEGMENTATION_OBJECT].pixel_array.ravel()[frames.size - frames.size % 8 :]
    frames.reshape(-1)[frames.size - frames.size % 8 :] = last
    counts = np.zeros(len(HIP_AND_THIGH.segments) + 1, int)
    for frame, group in zip(frames, objects[SEGMENTATION_OBJECT].PerFrameFunctionalGroupsSequence, strict=True):
        counts[group.SegmentIdentificationSequence[0].ReferencedSegmentNumber] += np.count_nonzero(frame)
    for item in objects[SEGMENTATION_OBJECT].SegmentSequence:
        label = HIP_AND_THIGH.segment(item.TrackingID).label
        assert counts[item.SegmentNumber] == np.count_nonzero(case.result.labels == label)


def test_segments_carry_the_anatomy(objects):
    for item in objects[SEGMENTATION_OBJECT].SegmentSequence:
        segment = HIP_AND_THIGH.segment(item.TrackingID)
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        assert (kind.CodingSchemeDesignator, kind.CodeValue) == (segment.structure.code.scheme, segment.structure.code.value)
        side = side_code(segment.side)
        modifiers = [m.CodeValue for m in kind.get("SegmentedPropertyTypeModifierCodeSequence", ())]
        assert modifiers == ([side.value] if side else [])
        assert item.SegmentLabel == segment.name and item.SegmentAlgorithmType == "AUTOMATIC"
        algorithm = item.SegmentationAlgorithmIdentificationSequence[0]
        assert BUNDLE["name"] in algorithm.AlgorithmVersion and "0.1.0" in algorithm.AlgorithmVersion


def test_every_number_of_the_table_is_in_the_report(objects, case):
    found = groups(objects[REPORT_OBJECT])
    assert list(found) == [segment.key for segment in HIP_AND_THIGH.segments]
    told = 0
    for report in case.result.reports:
        row, numbers = table_row(report), found[report.segment.key][0]
        expected = {m: row[m.column] for m in CODED_NUMBERS if row.get(m.column) is not None}
        assert len(numbers) == len(expected)
        for measure, value in expected.items():
            derivation = measure.derivation.value if measure.derivation else None
            item = numbers[measure.name.scheme, measure.name.value, derivation]
            assert item.FloatingPointValue == value
            assert float(item.NumericValue) == pytest.approx(value, abs=1e-4)
            unit = item.MeasurementUnitsCodeSequence[0]
            assert (unit.CodingSchemeDesignator, unit.CodeValue) == ("UCUM", measure.unit.value)
            told += 1
    assert told > 500


def test_lights_and_reasons_are_in_the_report(objects, case):
    found = groups(objects[REPORT_OBJECT])
    for report in case.result.reports:
        _, codes, texts = found[report.segment.key]
        assert codes["LIGHT"] == ("GREYWRONG" if report.suspect else report.light.name)
        assert [text for name, text in texts if name == "REASON"] == list(report.reasons)
        assert codes["STATE"] == "AUTOMATIC" and codes["FOUND"] == ("52101004" if report.measurements else "2667000")
    assert {report.light for report in case.result.reports} >= {Light.RED, Light.YELLOW, Light.GREY}
    texts = [
        i.TextValue for i in objects[REPORT_OBJECT].ContentSequence if (i.ValueType, i.RelationshipType) == ("TEXT", "CONTAINS")
    ]
    assert texts[0].startswith("Research use only") and any("part of the thigh" in text for text in texts)


def test_groups_refer_to_their_segments(objects):
    numbers = {item.TrackingID: item.SegmentNumber for item in objects[SEGMENTATION_OBJECT].SegmentSequence}
    uid = objects[SEGMENTATION_OBJECT].SOPInstanceUID
    container = next(i for i in objects[REPORT_OBJECT].ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "126010")
    for group in container.ContentSequence:
        key = next(i.TextValue for i in group.ContentSequence if name_of(i)[1] == "112039")
        referred = [i.ReferencedSOPSequence[0] for i in group.ContentSequence if i.ValueType == "IMAGE"]
        assert [(r.ReferencedSOPInstanceUID, r.ReferencedSegmentNumber) for r in referred] == (
            [(uid, numbers[key])] if key in numbers else []
        )


def test_uncertainty_is_that_of_the_result_folder(objects, case):
    of_folder = read_result(case.folder)[0].uncertainty
    data = objects[UNCERTAINTY_OBJECT]
    frames = data.pixel_array
    assert frames.dtype == np.float32 and len(frames) == len(case.result.uncertainty)
    for frame, group in zip(frames, data.PerFrameFunctionalGroupsSequence, strict=True):
        place = [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient]
        level = round(case.result.geometry.to_index(place)[2])
        np.testing.assert_array_equal(frame, of_folder[level])
        np.testing.assert_allclose(frame, case.result.uncertainty[level], rtol=2**-11, atol=0)


def test_pdf_is_stored_unchanged(objects):
    data = objects[PDF_OBJECT]
    assert data.EncapsulatedDocument[: data.EncapsulatedDocumentLength] == DOCUMENT


@pytest.mark.parametrize("name", [SEGMENTATION_OBJECT, REPORT_OBJECT, UNCERTAINTY_OBJECT, PDF_OBJECT])
def test_patient_study_and_sources_are_those_of_the_scan(objects, case, name):
    data = objects[name]
    first = pydicom.dcmread(case.volume.source.slices[0].path, stop_before_pixels=True)
    for keyword in (
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "PatientAge",
        "StudyInstanceUID",
        "StudyDate",
        "AccessionNumber",
    ):
        assert data[keyword].value == first[keyword].value, keyword
    assert str(data.PatientName) == TAGS["PatientName"]
    if name in (SEGMENTATION_OBJECT, UNCERTAINTY_OBJECT):
        assert data.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert references(data) >= set(case.volume.source.identity.instances)
    assert "research use only" in data.SeriesDescription
    assert data.SeriesInstanceUID != first.SeriesInstanceUID
    assert data.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99MSKSEG"


@pytest.mark.parametrize("name", [SEGMENTATION_OBJECT, REPORT_OBJECT, UNCERTAINTY_OBJECT, PDF_OBJECT])
def test_validator_finds_no_error(exported, name):
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")
    done = subprocess.run([validator, str(exported / name)], capture_output=True, text=True)
    errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
    assert not errors


def test_the_same_result_gives_the_same_bytes(exported, case, source):
    result, history = read_result(case.folder)
    again = io.BytesIO()
    make_segmentation(result, source, identity_of(result, history, 1)).save_as(again, enforce_file_format=True)
    assert again.getvalue() == (exported / SEGMENTATION_OBJECT).read_bytes()


def test_a_correction_gives_new_identifiers(objects, case, source, tmp_path):
    folder = shutil.copytree(case.folder, tmp_path / "out")
    session = open_folder(folder, case.volume, "Dr. Sato")
    session.edit({"GMED_left": mask_of(grown(case.result.labels, "GMED_left", 1))})
    finish_review(session, folder)
    result, history = read_result(folder)
    assert result.facts.series == case.volume.source.identity
    data = make_segmentation(result, source, identity_of(result, history, 1))
    assert data.SOPInstanceUID != objects[SEGMENTATION_OBJECT].SOPInstanceUID
    assert data.SeriesInstanceUID != objects[SEGMENTATION_OBJECT].SeriesInstanceUID
    kinds = {item.TrackingID: (item.SegmentAlgorithmType, item.SegmentNumber) for item in data.SegmentSequence}
    assert kinds["GMED_left"][0] == "SEMIAUTOMATIC" and kinds["GMED_right"][0] == "AUTOMATIC"
    drawn = sum(
        int(frame.sum())
        for frame, group in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True)
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == kinds["GMED_left"][1]
    )
    assert (
        drawn == np.count_nonzero(result.labels == LABEL["GMED_left"]) > np.count_nonzero(case.result.labels == LABEL["GMED_left"])
    )


def test_own_codes_are_documented_and_fit():
    page = (ROOT / "Docs" / "user" / "dicom_results.md").read_text(encoding="utf-8")
    # A second table has the structures of other tasks.
    page = page.partition("Structures of the other tasks")[0]
    documented = re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert documented == [(code.value, code.meaning) for code in own_codes(HIP_AND_THIGH)]
    for code in own_codes(HIP_AND_THIGH):
        assert len(code.value) <= 16 and len(code.meaning) <= 64
