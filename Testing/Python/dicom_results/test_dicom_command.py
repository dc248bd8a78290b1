"""The command that makes DICOM objects of a result: its report, its lines for programs, its refusals."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from dicom_result_cases import DOCUMENT, make_dicom_case
from review_cases import LABEL, grown

pytest.importorskip("highdicom", reason="highdicom is not installed")

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.commands.export import report_maker
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.dicom_results.export import DEFLATED, FILES, LARGE, as_it_stands
from MSKSegmentLib.dicom_results.source import open_source
from MSKSegmentLib.results.result_folder import REPORT_PDF
from MSKSegmentLib.results.result_reading import read_case
from MSKSegmentLib.results.segmentation_file import write_segmentation


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return make_dicom_case(tmp_path_factory.mktemp("dicom"))


@pytest.fixture(scope="module")
def source(case):
    return open_source(case.result, case.series)


@pytest.mark.parametrize("changed", ["result.json", "segmentation.seg.nrrd"])
def test_the_report_is_made_anew_after_a_change(case, source, tmp_path, monkeypatch, changed):
    folder = shutil.copytree(case.folder, tmp_path / "out")
    (folder / REPORT_PDF).write_bytes(DOCUMENT)
    assert report_maker(folder, None)(source) == DOCUMENT and report_maker(folder, False) is None
    later = (folder / REPORT_PDF).stat().st_mtime + 10
    os.utime(folder / changed, (later, later))
    asked = []

    def write(request, path):
        asked.append(request)
        path.write_bytes(b"%PDF-1.4 new")
        return (path,)

    monkeypatch.setattr("MSKSegmentLib.report.pdf.check_pdf", lambda: None)
    monkeypatch.setattr("MSKSegmentLib.commands.export.require", lambda *modules, **words: None)
    monkeypatch.setattr("MSKSegmentLib.report.writing.write_report_files", write)
    assert report_maker(folder, True)(source) == b"%PDF-1.4 new"
    assert (asked[0].folder, asked[0].ct, asked[0].title) == (folder, case.series, "CT 2026-03-01")
    assert asked[0].series == case.volume.source.series_uid


def test_labels_that_another_program_changed_are_measured_again(case, tmp_path):
    folder = shutil.copytree(case.folder, tmp_path / "out")
    assert as_it_stands(read_case(folder), case.series)[0].reports == case.result.reports
    changed = replace(case.result, labels=np.where(grown(case.result.labels, "OI_right", 1), LABEL["OI_right"], case.result.labels))
    write_segmentation(folder / "segmentation.seg.nrrd", changed)
    result, _ = as_it_stands(read_case(folder), case.series)
    report = next(report for report in result.reports if report.segment.key == "OI_right")
    assert report.measurements.voxels == np.count_nonzero(result.labels == LABEL["OI_right"])
    assert report.light is Light.GREY and report.predicted_dice is None


def test_a_program_gets_lines(case, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("MSKSegmentLib.dicom_results.export.export_dicom", lambda *arguments: ("a.dcm",))
    command = ["export", str(case.folder), "--dicom", str(tmp_path / "new"), "--source", str(case.series), "--progress", "json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["stage"] == "done"


def test_what_is_deflated_holds_the_same(case, tmp_path):
    import highdicom
    import SimpleITK as sitk

    words = ["export", str(case.folder), "--source", str(case.series), "--no-pdf", "--dicom"]
    assert main([*words, str(tmp_path / "plain")]) == main([*words, str(tmp_path / "small"), "--deflate"]) == 0
    for name in FILES[:3]:
        plain, small = (tmp_path / place / name for place in ("plain", "small"))
        one, other = pydicom.dcmread(plain), pydicom.dcmread(small)
        assert one == other and (small.stat().st_size < 0.5 * plain.stat().st_size) == (name in LARGE)
        assert (other.file_meta.TransferSyntaxUID == DEFLATED) == (name in LARGE)
    read = [highdicom.seg.segread(tmp_path / place / FILES[0]).pixel_array for place in ("plain", "small")]
    np.testing.assert_array_equal(*read)
    frames = [sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / place / FILES[0]))) for place in ("plain", "small")]
    # This reader leaves a last byte that is not full unread.
    np.testing.assert_array_equal(*(one.ravel()[: one.size - one.size % 8] for one in frames))


def test_the_command_says_what_is_wrong(case, tmp_path, capsys):
    assert main(["export", str(case.folder), "--dicom", str(tmp_path / "new")]) == 2
    assert "--source" in capsys.readouterr().err and not (tmp_path / "new").exists()
    assert main(["export", str(tmp_path), "--dicom", str(tmp_path / "new")]) == 2
