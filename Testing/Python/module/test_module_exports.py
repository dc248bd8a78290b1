"""What the panel makes of a case for people and other systems: the report, the DICOM results; the engine makes them."""

import os
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")
pytest.importorskip("highdicom")
pytest.importorskip("jinja2")

import pydicom
import slicer
from dicom_result_cases import make_dicom_case
from Host import host
from module_cases import choose, click, show_case, wait
from module_runs import child_of

from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.language.catalogue import languages, speak, tr

pytest_plugins = ("module_fixtures", "warm_children")


@pytest.fixture(scope="module")
def dicom_case(tmp_path_factory):
    return make_dicom_case(tmp_path_factory.mktemp("dicom"))


@pytest.fixture
def from_dicom(panel, dicom_case, monkeypatch):
    """The case of a run on a volume that Slicer's DICOM module loaded; nothing but the network's work is left out."""
    from MSKSegmentPanel import segmentationRun

    from MSKSegmentLib.results.result_folder import write_result
    from MSKSegmentLib.scene import add_ct

    node = add_ct(slicer.mrmlScene, dicom_case.volume, "CT hip")
    uids = [slicer.dicomDatabase.addFile(path) for path in sorted(dicom_case.series.iterdir())]
    node.SetAttribute("DICOM.instanceUIDs", " ".join(uids))
    ended = SimpleNamespace(exit_code=0)
    monkeypatch.setattr(segmentationRun, "EngineRun", SimpleNamespace(segment=lambda *arguments: ended))
    run = panel.logic.startSegmentation(node)
    # The engine reads an image file, which names no series.
    facts = replace(dicom_case.result.facts, series=None)
    write_result(run._output, replace(dicom_case.result, facts=facts))
    panel.runs.take(run)
    return panel.review.case


def _without(package, folder, monkeypatch):
    """Hide a package from the children."""
    (folder / "sitecustomize.py").write_text(f"import sys; sys.modules[{package!r}] = None\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))


def test_without_a_result_there_is_nothing_to_export(panel):
    assert not panel.ui.exportReportButton.enabled and not panel.ui.exportDicomButton.enabled


@pytest.fixture
def english_again():
    yield
    speak("en")


@pytest.mark.usefixtures("warm_children")
def test_a_report_is_made_of_the_case_as_it_is_now_in_the_panels_language(panel, tmp_path, english_again):
    case, ui = show_case(panel), panel.ui
    choose(panel, "GMAX_right")
    click(ui.acceptButton)
    assert case.session.report("GMAX_right").state is ReviewState.ACCEPTED
    ui.languageSelector.setCurrentIndex(1 + languages().index("ja"))
    path = tmp_path / "for the surgeon.html"
    host.answer(str(path))
    click(ui.exportReportButton)
    folder = panel.run._run._folder
    assert (
        ui.progressFrame.visible
        and ui.stageLabel.text == tr("Making the report") != "Making the report"
        and ui.cancelButton.enabled
    )
    assert not ui.exportReportButton.enabled and not ui.exportDicomButton.enabled and not ui.segmentButton.enabled
    assert ui.exportCsvButton.enabled
    wait(lambda: not panel.run.running, 300)
    assert path.name in ui.messageLabel.text and str(tmp_path) in ui.messageLabel.text
    text = path.read_text(encoding="utf-8")
    assert 'lang="ja"' in text and "CT hip" in text and case.session.history[-1].who in text
    assert not folder.exists() and [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert not ui.progressFrame.visible and ui.exportReportButton.enabled and ui.segmentButton.enabled


def test_a_cancelled_report_ends_its_child_and_writes_nothing(panel, tmp_path):
    show_case(panel)
    host.answer(str(tmp_path / "report.html"))
    click(panel.ui.exportReportButton)
    child, folder = child_of(panel), panel.run._run._folder
    click(panel.ui.cancelButton)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert not folder.exists() and not list(tmp_path.iterdir())
    assert "cancelled" in panel.ui.messageLabel.text and panel.ui.exportReportButton.enabled


def test_a_missing_package_is_named_before_the_work(panel, tmp_path):
    show_case(panel)
    host.setMissing("jinja2")
    host.answer(str(tmp_path / "report.html"))
    host.answer(0)
    click(panel.ui.exportReportButton)
    assert panel.ui.messageLabel.text.startswith("This export needs Python packages") and "jinja2" in panel.ui.messageLabel.text
    assert not panel.run.running


def test_a_result_of_no_dicom_series_is_refused_before_a_folder_is_asked_for(panel):
    show_case(panel)
    click(panel.ui.exportDicomButton)
    text = panel.ui.messageLabel.text
    assert text.startswith("DICOM results belong to a scanned study") and "segment it again" in text and not panel.run.running


@pytest.mark.usefixtures("warm_children")
def test_dicom_results_go_into_a_new_folder_and_into_the_scanned_study(panel, from_dicom, dicom_case, tmp_path, monkeypatch):
    assert set(from_dicom.session.result.facts.series.instances) == set(dicom_case.result.facts.series.instances)
    # A PDF takes most of the time, and has tests of its own.
    (tmp_path / "site").mkdir()
    _without("weasyprint", tmp_path / "site", monkeypatch)
    place = tmp_path / "results"
    (place / "CT_hip_DICOM").mkdir(parents=True)
    host.answer(str(place))
    click(panel.ui.exportDicomButton)
    wait(lambda: not panel.run.running, 300)
    assert panel.ui.messageLabel.text == f"CT_hip_DICOM-2 was written; it lies in {place}."
    files = sorted((place / "CT_hip_DICOM-2").iterdir())
    assert [path.name for path in files] == ["measurements.dcm", "segmentation.dcm", "uncertainty.dcm"]
    assert {pydicom.dcmread(path).StudyInstanceUID for path in files} == {dicom_case.result.facts.series.study_uid}


def test_images_that_the_database_lost_are_asked_for(panel, from_dicom):
    slicer.dicomDatabase._files.popitem()
    click(panel.ui.exportDicomButton)
    assert "does not have all images" in panel.ui.messageLabel.text and not panel.run.running
