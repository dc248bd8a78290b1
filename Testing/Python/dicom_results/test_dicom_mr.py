"""A result of MR as DICOM objects: no Hounsfield units, shares of fat, references to MR images; read back and validated."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_result_cases import DOCUMENT, TAGS, positions, write_series
from dixon_files import write_image
from enhanced_ct import write_enhanced
from mr_phantoms import SPACING, mr_labels, mr_volume

pytest.importorskip("highdicom", reason="highdicom is not installed")

from MSKSegmentLib.commands.export import report_maker
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.storage_classes import image_classes
from MSKSegmentLib.dicom_results.codes import CODED_NUMBERS, own_codes
from MSKSegmentLib.dicom_results.export import FILES, PDF_OBJECT, REPORT_OBJECT, SEGMENTATION_OBJECT, UNCERTAINTY_OBJECT
from MSKSegmentLib.dicom_results.source import open_source
from MSKSegmentLib.results.result_folder import REPORT_PDF, write_result
from MSKSegmentLib.results.result_reading import read_result
from MSKSegmentLib.tasks import load_task, task_names

ROOT = Path(__file__).resolve().parents[3]
TASK = load_task("lower-limb-mr")
FAT = 0.23
MR_TAGS = {
    "Modality": "MR",
    "SOPClassUID": image_classes("MR")[0],
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"],
    "SliceThickness": None,
}


def without_rescale(_, data):
    """As most scanners write MR."""
    del data.RescaleSlope, data.RescaleIntercept


def single_frames(folder, volume):
    return write_series(folder / "series", volume, without_rescale, tags=MR_TAGS, rescale=lambda _: (1.0, 0.0))


def one_multi_frame(folder, volume):
    """Enhanced MR, whose frames lie in the file in another order."""

    def edit(data):
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = image_classes("MR")[1]
        for keyword, value in {**TAGS, "Modality": "MR"}.items():
            setattr(data, keyword, value)
        for frame in data.PerFrameFunctionalGroupsSequence:
            frame.PixelMeasuresSequence[0].PixelSpacing = list(SPACING[:2])
            del frame.CTImageFrameTypeSequence, frame.PixelValueTransformationSequence

    order = np.random.default_rng(2).permutation(len(volume.hu)).tolist()
    return write_enhanced(
        folder / "series.dcm", volume.hu, order=order, positions=positions(volume), rescale=lambda _: (1.0, 0.0), edit=edit
    )


@pytest.fixture(scope="module", params=[single_frames, one_multi_frame])
def exported(request, tmp_path_factory):
    """The result of `mskseg measure` with images of fat and water, given an uncertainty as of a network, and its objects."""
    folder = tmp_path_factory.mktemp("mr")
    volume, labels = mr_volume(), mr_labels(TASK.table)
    origin, files = volume.geometry.origin, {}
    series = request.param(folder, volume)
    signal = volume.hu.astype(np.float32)
    for name, array in (("labels", labels), ("fat", FAT * signal), ("water", (1 - FAT) * signal)):
        files[name] = str(write_image(folder / f"{name}.nii.gz", array, SPACING, origin))
    measured = folder / "measured"
    words = ["--task", TASK.name, "--fat", files["fat"], "--water", files["water"], "--height-cm", "163"]
    assert main(["measure", files["labels"], "--ct", str(series), "-o", str(measured), *words]) == 0
    result = read_result(measured)[0]
    uncertainty = np.where(labels > 0, np.random.default_rng(3).uniform(1e-4, 1e-3, labels.shape), 0).astype(np.float32)
    result = replace(result, uncertainty=uncertainty)
    write_result(folder / "out", result)
    (folder / "out" / REPORT_PDF).write_bytes(DOCUMENT)
    assert main(["export", str(folder / "out"), "--dicom", str(folder / "dicom"), "--source", str(series)]) == 0
    assert {path.name for path in (folder / "dicom").iterdir()} == set(FILES)
    return folder / "dicom", result, series


@pytest.fixture(scope="module")
def objects(exported):
    return {path.name: pydicom.dcmread(path) for path in exported[0].iterdir()}


@pytest.mark.parametrize("name", FILES)
def test_a_validator_finds_no_error(exported, name):
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("dciodvfy (Debian: dicom3tools) is not installed")
    done = subprocess.run([validator, str(exported[0] / name)], capture_output=True, text=True)
    assert not [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.parametrize("name", FILES)
def test_every_object_refers_to_the_images_of_mr(exported, objects, name):
    data, (_, result, _) = objects[name], exported
    kinds = {
        str(item.ReferencedSOPInstanceUID): str(item.ReferencedSOPClassUID)
        for item in data.iterall()
        if item.VR == "SQ"
        for item in item.value
        if "ReferencedSOPInstanceUID" in item and "ReferencedSOPClassUID" in item
    }
    own = set(result.facts.series.instances)
    assert own <= set(kinds) and {kinds[uid] for uid in own} <= set(image_classes("MR"))
    assert str(data.PatientName) == TAGS["PatientName"] and data.StudyID == TAGS["StudyID"]


def test_labels_are_read_back(exported, objects):
    result, data = exported[1], objects[SEGMENTATION_OBJECT]
    labels = np.zeros_like(result.labels)
    for frame, group in zip(data.pixel_array, data.PerFrameFunctionalGroupsSequence, strict=True):
        place = [float(v) for v in group.PlanePositionSequence[0].ImagePositionPatient]
        item = data.SegmentSequence[group.SegmentIdentificationSequence[0].ReferencedSegmentNumber - 1]
        labels[round(result.geometry.to_index(place)[2])][frame > 0] = TASK.table.segment(item.TrackingID).label
    np.testing.assert_array_equal(labels, result.labels)
    assert len(data.SegmentSequence) == 46 and "lower limb" in data.ContentDescription


def test_uncertainty_is_read_back(exported, objects):
    frames = objects[UNCERTAINTY_OBJECT].pixel_array
    # Rounded, as the result folder holds it.
    found, exact = (np.sort(values, axis=None) for values in (frames, exported[1].uncertainty))
    np.testing.assert_allclose(found, exact, rtol=2**-11, atol=0)


def test_the_pdf_is_read_back(objects):
    data = objects[PDF_OBJECT]
    assert data.EncapsulatedDocument[: data.EncapsulatedDocumentLength] == DOCUMENT


def test_the_report_has_shares_of_fat_and_nothing_in_hounsfield_units(exported, objects):
    data = objects[REPORT_OBJECT]
    told = {}
    for item in _items(data):
        if item.ValueType == "NUM":
            code, measured = item.ConceptNameCodeSequence[0].CodeValue, item.MeasuredValueSequence[0]
            told.setdefault(code, []).append(measured.FloatingPointValue)
            assert measured.MeasurementUnitsCodeSequence[0].CodeValue in ("cm3", "cm3/m2", "cm2", "mm", "%", "1")
    found = [report.measurements for report in exported[1].reports if report.measurements]
    assert told["DIXONFAT"] == [one.further["dixon_fat_percent"] for one in found] and len(found) == 46
    assert told["DIXONFAT"] == pytest.approx([100 * FAT] * 46, abs=0.5)
    assert told["118565006"] == [one.volume_cc for one in found]
    assert not {"112031", "FAT", "LEAN", "HULOW"} & set(told)
    (procedure,) = [i for i in data.ContentSequence if i.ConceptNameCodeSequence[0].CodeValue == "121058"]
    assert "MR" in procedure.ConceptCodeSequence[0].CodeMeaning
    assert "CT" not in " ".join(i.TextValue for i in _items(data) if i.ValueType == "TEXT")


def _items(item):
    for one in item.get("ContentSequence", ()):
        yield one
        yield from _items(one)


def test_its_report_for_people_is_of_the_mr_scan(exported, monkeypatch, tmp_path):
    dicom, result, series = exported
    shutil.copytree(dicom.parent / "out", tmp_path / "out")
    (tmp_path / "out" / REPORT_PDF).unlink()
    asked = []

    def write(request, path):
        asked.append(request.title)
        path.write_bytes(DOCUMENT)
        return (path,)

    monkeypatch.setattr("MSKSegmentLib.report.pdf.check_pdf", lambda: None)
    monkeypatch.setattr("MSKSegmentLib.report.writing.write_report_files", write)
    assert report_maker(tmp_path / "out", True)(open_source(result, series)) == DOCUMENT and asked == ["MR 2026-03-01"]


def test_own_codes_of_all_tasks_are_documented_and_mean_one_thing():
    page = (ROOT / "Docs" / "user" / "dicom_results.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE))
    for name in task_names():
        for code in own_codes(load_task(name).table):
            assert documented[code.value] == code.meaning, name
            assert len(code.value) <= 16 and len(code.meaning) <= 64
    assert len({measure.column for measure in CODED_NUMBERS}) == len(CODED_NUMBERS)
