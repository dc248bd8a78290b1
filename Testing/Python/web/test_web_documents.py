"""Documents that the page has made on request: report and DICOM results of the result as it stands, or why there are none."""

import io
import json
import os
import threading
import zipfile

import numpy as np
import pydicom
import pytest
from conftest import phantom_volume
from dicom_result_cases import write_series
from web_cases import make_case
from web_process import ROOT, Client, Server, run, soon

from MSKSegmentLib.ct.reading.files import read_ct
from MSKSegmentLib.results.result_reading import read_case

for name in ("trame_slicer", "highdicom", "jinja2", "matplotlib"):
    pytest.importorskip(name)
pytest_plugins = ("web_fixtures",)
# A package that is installed and lacks a library of the system.
BROKEN = "raise OSError('cannot load library')\n"


def make(server, name, cookie):
    """(status, answer) of asking for a document."""
    status, _, body = server.request(f"/make/{name}", "POST", b"", cookie)
    return status, json.loads(body)


def fetch(server, name, cookie):
    """The headers and the content of a document that must be made."""
    status, answer = make(server, name, cookie)
    assert status == 200 and answer["ok"], answer
    status, headers, body = server.request(f"/made/{answer['key']}", cookie=cookie)
    assert status == 200
    assert server.request(f"/made/{answer['key']}", cookie=cookie)[0] == 404, "a document is given once"
    return headers, body


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """(server, cookie, result, series): a result of a DICOM series, corrected in a page that stays open."""
    folder = tmp_path_factory.mktemp("documents")
    temporary = folder / "temporary"
    temporary.mkdir()
    series = write_series(folder / "series", phantom_volume())
    case = make_case(folder / "results" / "case 1", read_ct(series), ("red", "yellow"), source=str(series))
    server = Server(folder / "results", case, environment={"TMPDIR": str(temporary)})
    cookie = server.cookie()
    run(_correct(server, cookie))
    yield server, cookie, case, series
    server.close()


async def _correct(server, cookie):
    client = await Client.open(server, cookie)
    await client.on_page("case")
    await client.trigger("draw", "VLVI_right", [2, 2, 2], 4)
    await client.trigger("accept", "FEMUR_left")


def test_reports_tell_of_the_last_correction(site):
    server, cookie, case, _ = site
    headers, body = fetch(server, "report.html", cookie)
    assert headers["Content-Disposition"] == 'attachment; filename="case_1_report.html"'
    text = body.decode()
    assert text.lstrip().lower().startswith("<!doctype html") and "case 1" in text
    assert "accepted" in text and "edited" in text
    assert not (case / "report.html").exists(), "the result folder is not written to"


def test_one_document_is_made_at_a_time(site):
    pytest.importorskip("weasyprint")
    server, cookie, *_ = site
    got = []
    thread = threading.Thread(target=lambda: got.append(fetch(server, "report.pdf", cookie)))

    async def ask_meanwhile():
        client = await Client.open(server, cookie)
        thread.start()
        await client.wait(lambda one: one.service["making"] == "report.pdf")
        refused = make(server, "report.html", cookie)
        await client.wait(lambda one: one.service["making"] == "")
        return refused

    status, answer = run(ask_meanwhile())
    thread.join()
    assert status == 422 and answer["sentence"].startswith("Report (PDF) is being made; wait")
    ((headers, body),) = got
    assert headers["Content-Type"] == "application/pdf" and body.startswith(b"%PDF-")
    assert headers["Content-Disposition"] == 'attachment; filename="case_1_report.pdf"'


def test_dicom_results_hold_the_corrected_labels(site):
    server, cookie, case, series = site
    headers, body = fetch(server, "dicom.zip", cookie)
    assert headers["Content-Disposition"] == 'attachment; filename="case_1_dicom.zip"'
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        names = set(archive.namelist())
        assert {"case 1/segmentation.dcm", "case 1/measurements.dcm", "case 1/uncertainty.dcm"} <= names
        segmentation = pydicom.dcmread(io.BytesIO(archive.read("case 1/segmentation.dcm")))
    source = pydicom.dcmread(next(series.iterdir()), stop_before_pixels=True)
    assert segmentation.StudyInstanceUID == source.StudyInstanceUID and segmentation.PatientID == source.PatientID
    drawn = segmentation.pixel_array.astype(bool).sum()
    stored = read_case(case)
    assert drawn == np.count_nonzero(stored.result.labels) > np.count_nonzero(stored.automatic.labels)


def test_only_pages_with_the_token_have_documents_made(site):
    server, cookie, *_ = site
    assert server.request("/make/report.html", "POST", b"")[0] == 403
    assert server.request("/make/report.html", "POST", b"", cookie, Origin="http://127.0.0.1:1")[0] == 403
    assert server.request("/make/report.html", cookie=cookie)[0] == 404, "an address alone makes nothing"
    for name in ("result.json", "report.txt", "..%2fresult.json", "%2e%2e"):
        assert server.request(f"/make/{name}", "POST", b"", cookie)[0] in (403, 404), name
    for key in ("report.html", "dicom.zip", "..%2fresult.json"):
        assert server.request(f"/made/{key}", cookie=cookie)[0] in (403, 404), key


def test_a_series_that_moved_is_named(site):
    """The last of the tests of `site`: what is refused leaves nothing behind."""
    server, cookie, case, series = site
    moved = series.rename(series.with_name("moved"))
    status, answer = make(server, "dicom.zip", cookie)
    assert status == 422 and "no longer where" in answer["sentence"] and "mskseg review OUT --ct SERIES" in answer["sentence"]
    # Another series in its place.
    write_series(series, phantom_volume(), number=2)
    status, answer = make(server, "dicom.zip", cookie)
    assert (
        status == 422 and "does not hold the series" in answer["sentence"] and "On this page: end the review" in answer["sentence"]
    )
    for path in series.iterdir():
        path.unlink()
    series.rmdir()
    moved.rename(series)
    temporary = case.parents[1] / "temporary"
    assert soon(lambda: not [path for path in temporary.rglob("*") if path.is_file()])


def test_what_is_missing_is_said_in_a_sentence(tmp_path, serve, case):
    broken = tmp_path / "broken" / "weasyprint"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(BROKEN)
    server = serve(tmp_path / "results", environment={"PYTHONPATH": os.pathsep.join(map(str, (ROOT, broken.parent)))})
    cookie = server.cookie()
    status, answer = make(server, "report.pdf", cookie)
    assert status == 422 and answer["sentence"] == "No result is open; open one first."

    async def refusals():
        client = await Client.open(server, cookie)
        await client.trigger("open", "case")
        await client.on_page("case")
        told = [make(server, name, cookie) for name in ("report.pdf", "dicom.zip")]
        (case / "ct.nrrd").unlink()
        told.append(make(server, "report.html", cookie))
        shown = await client.wait(lambda one: (one.service["problem"] or "").startswith("The CT of this result"))
        return told, shown

    (pdf, dicom, no_ct), shown = run(refusals())
    assert pdf[0] == dicom[0] == no_ct[0] == 422
    assert "needs Pango, which cannot be loaded" in pdf[1]["sentence"]
    assert "does not say which DICOM series it was made from" in dicom[1]["sentence"]
    assert "no longer where it was" in no_ct[1]["sentence"] and shown["problem"] == no_ct[1]["sentence"]
    assert shown["making"] == ""
