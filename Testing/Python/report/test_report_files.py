"""The files of a report: from a result folder as it stands, whole or not at all."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest
from review_cases import LABEL, make_case, mask_of

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.report import ReportRequest, write_report_files
from MSKSegmentLib.report.case import case_of_session, read_report_case
from MSKSegmentLib.report.page import html_of
from MSKSegmentLib.report.pdf import write_page_pdf
from MSKSegmentLib.report.pictures import Plane, draw_slice
from MSKSegmentLib.report.slices import SlicePicture
from MSKSegmentLib.results.result_folder import CT, SEGMENTATION, write_result
from MSKSegmentLib.results.segmentation_file import write_ct, write_segmentation
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.wording.reasons import FORMS, ReasonKind

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=timezone.utc)
TINY = draw_slice(Plane(np.zeros((4, 4)), (0, 1), (1.0, 1.0)), [], 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    result, volume = make_case()
    folder = tmp_path_factory.mktemp("report") / "case"
    write_result(folder, result, extra=lambda place: write_ct(place / CT, volume))
    return folder


@pytest.fixture(scope="module")
def files(folder):
    """Both files, made once, with pictures of the segments that cost no time: those are looked at in `test_report_page`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("MSKSegmentLib.report.structures.segment_slice", lambda *_: SlicePicture(TINY, 0.0, 0.0))
        return write_report_files(ReportRequest(folder, title="Case 7", with_3d=False, now=NOW))


def test_both_files_lie_beside_the_result(folder, files):
    assert [path.name for path in files] == ["report.html", "report.pdf"]
    assert all(path.parent == folder and path.is_file() for path in files)
    assert files[0].read_text(encoding="utf-8").startswith("<!DOCTYPE html>") and files[1].read_bytes().startswith(b"%PDF-")
    assert not [path.name for path in folder.iterdir() if path.name.startswith("msk-")]


def test_every_page_says_what_it_is_not(files):
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext of poppler-utils reads the pages; it is not installed")
    text = subprocess.run(["pdftotext", "-layout", files[1], "-"], capture_output=True, text=True, check=True).stdout
    pages = text.split("\f")[:-1]
    assert len(pages) > 3
    assert all("Research use only, not a medical device." in page for page in pages)
    assert "Case 7" in pages[0] and f"1 / {len(pages)}" in pages[0]


def test_a_pdf_is_the_same_from_the_same_page(files, tmp_path):
    """On the first page alone, which has everything that a PDF may hold."""
    first = files[0].read_text(encoding="utf-8").partition('<section class="structures">')[0] + "</body></html>"
    for name in ("one.pdf", "two.pdf"):
        write_page_pdf(first, tmp_path / name)
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()


def test_a_new_run_takes_the_report_of_the_old_one_away(folder, files, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    write_result(copy, make_case()[0])
    assert not (copy / "report.html").exists() and not (copy / "report.pdf").exists()


def test_one_file_elsewhere(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("MSKSegmentLib.report.writing.html_of", lambda *_: "<p>page</p>")
    assert write_report_files(ReportRequest(folder), tmp_path / "one.html") == (tmp_path / "one.html",)
    write_report_files(ReportRequest(folder), tmp_path / "two.PDF")
    assert (tmp_path / "two.PDF").read_bytes().startswith(b"%PDF-")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.PDF"]


def test_what_cannot_be_is_said_before_the_work(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("MSKSegmentLib.report.writing.html_of", lambda *_: pytest.fail("work was done"))
    with pytest.raises(InputError, match="neither .html nor .pdf"):
        write_report_files(ReportRequest(folder), tmp_path / "report.docx")
    with pytest.raises(InputError, match="no catalogue of the language 'xx'"):
        write_report_files(ReportRequest(folder, "xx"))
    with pytest.raises(InputError, match="no catalogue of the language"):
        write_report_files(ReportRequest(folder, "../en"))
    with pytest.raises(InputError, match="no result in the folder"):
        write_report_files(ReportRequest(tmp_path))


def test_a_segmentation_that_another_program_changed_is_measured_again(folder, tmp_path):
    """Never new pictures beside old numbers."""
    result, _ = make_case()
    copy = shutil.copytree(folder, tmp_path / "copy")
    labels = result.labels.copy()
    labels[labels == 4] = 0
    write_segmentation(copy / SEGMENTATION, replace(result, labels=labels))
    (copy / "uncertainty.nrrd").unlink()
    case = read_report_case(copy)
    assert case.reports["GMAX_right"].measurements is None and case.history[-1].what == "edited"
    (copy / CT).unlink()
    with pytest.raises(InputError, match="changed by another program"):
        read_report_case(copy)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_first_page_is_one_page_however_much_there_is_to_say(monkeypatch, language):
    import weasyprint

    result, volume = make_case()
    session = ReviewSession(result, volume, "W" * 200)
    for number, key in enumerate(LABEL):
        if number % 3 == 0:
            session.accept(key)
    session.edit({"RF_left": mask_of(result.labels == 0)})
    case = case_of_session(session, "M" * 300)
    pairs = itertools.cycle(_everything())
    crowded = tuple(
        replace(row, reasons=(reason,), light=light, mark=light.value) if row.found else row
        for row, (reason, light) in zip(case.rows, pairs, strict=False)
    )
    monkeypatch.setattr("MSKSegmentLib.report.structures.parts", lambda *_: iter(()))
    html = html_of(replace(case, rows=crowded), language, with_3d=False, now=NOW)
    first = html.partition('<section class="structures">')[0] + "</body></html>"
    assert len(weasyprint.HTML(string=first).render().pages) == 1


def _everything():
    """Reasons and lights, so that every kind of doubt stands on the page."""
    reasons = {form.kind: form.text for form in FORMS if form.kind is not ReasonKind.GOOD}
    return [(reason, light) for light in (Light.RED, Light.YELLOW, Light.GREY) for reason in reasons.values()]
