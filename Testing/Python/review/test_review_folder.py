"""A review that lives in its result folder: saved at once, whole after a crash, opened as it was left."""

import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from review_cases import LABEL, Clock, grown, make_case, mask_of

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.ct.reading.label_maps import read_labels
from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.results import result_folder
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.review import folder as review_folder
from MSKSegmentLib.review.folder import finish_review, open_folder, save

FILES = {"segmentation.seg.nrrd", "uncertainty.nrrd", "measurements.csv", "result.json"}


@pytest.fixture(scope="module")
def case():
    return make_case()


@pytest.fixture(scope="module")
def written(case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "out"
    result_folder.write_result(folder, case[0])
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "結果")


def names(folder):
    return {path.name for path in folder.iterdir()}


def corrected(folder, case):
    session = open_folder(folder, case[1], "Dr. Sato")
    session.edit({"GMED_left": mask_of(grown(case[0].labels, "GMED_left", 3))})
    return session


def test_opened_as_it_was_left(folder, case):
    session = corrected(folder, case)
    session.accept("GMAX_right")
    session.set_height(1.8)
    save(session, folder)
    again = open_folder(folder, case[1], "Dr. Ito")
    assert again.result.reports == session.result.reports and again.history == session.history
    assert again.automatic.reports == session.automatic.reports and again.height_m == 1.8
    np.testing.assert_array_equal(again.result.labels, session.result.labels)
    np.testing.assert_array_equal(again.automatic.labels, case[0].labels)
    again.revert("GMED_left")
    save(again, folder)
    third = open_folder(folder, case[1])
    assert third.report("GMED_left").state is ReviewState.AUTOMATIC and third.history[-1].who == "Dr. Ito"


def test_a_save_updates_the_numbers_and_finish_the_segmentation(folder, case):
    before = (folder / "segmentation.seg.nrrd").read_bytes()
    session = corrected(folder, case)
    save(session, folder)
    assert names(folder) == FILES | {"automatic.seg.nrrd", "review.npz"}
    assert (folder / "automatic.seg.nrrd").read_bytes() == (folder / "segmentation.seg.nrrd").read_bytes() == before
    rows = csv.DictReader((folder / "measurements.csv").read_text().splitlines())
    row = next(row for row in rows if (row["abbreviation"], row["side"]) == ("GMED", "left"))
    volume_cc = session.report("GMED_left").measurements.volume_cc
    assert row["state"] == "edited" and float(row["volume_cc"]) == pytest.approx(volume_cc, abs=1e-4)
    assert float(row["dice_to_automatic"]) == pytest.approx(session.report("GMED_left").dice_to_automatic, abs=1e-4)
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert content["history"][0]["who"] == "Dr. Sato" and content["provenance"]["input"]["digest"] == "a1"
    finish_review(session, folder)
    np.testing.assert_array_equal(read_labels(folder / "segmentation.seg.nrrd", HIP_AND_THIGH)[0], session.result.labels)
    assert (folder / "automatic.seg.nrrd").read_bytes() == before
    assert names(folder) == FILES | {"automatic.seg.nrrd", "review.npz"}
    np.testing.assert_array_equal(open_folder(folder, case[1]).automatic.labels, case[0].labels)


@pytest.mark.parametrize(
    ("first_time", "step", "kept"),
    [
        (True, "copyfile", False),
        (True, "write_review", False),
        (True, "write_measurements", True),
        (False, "write_review", False),
        (False, "write_measurements", True),
        (False, "write_content", True),
        (False, "write_segmentation", True),
    ],
)
def test_stopped_at_any_step_the_review_is_that_of_before_or_after(folder, case, monkeypatch, first_time, step, kept):
    session = corrected(folder, case)
    before = case[0].reports
    if not first_time:
        save(session, folder)
        before = session.result.reports
    session.edit({"SART_left": mask_of(np.zeros(case[0].labels.shape, bool))})

    class Stopped(BaseException):
        pass

    def stop(*args):
        if step == "copyfile":
            args[1].write_bytes(b"half")
        raise Stopped

    monkeypatch.setattr(review_folder.shutil if step == "copyfile" else review_folder, step, stop)
    with pytest.raises(Stopped):
        finish_review(session, folder)
    monkeypatch.undo()
    again = open_folder(folder, case[1])
    assert again.result.reports == (session.result.reports if kept else before)
    np.testing.assert_array_equal(again.automatic.labels, case[0].labels)


def test_killed_while_it_saves_at_most_the_last_stroke_is_lost(folder, case):
    code = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import numpy as np
from review_cases import LABEL, make_case
from MSKSegmentLib.review import ReviewSession, SegmentMask
from MSKSegmentLib.review.folder import save
session = ReviewSession(*make_case())
mask = session.mask("VLVI_left")
for stroke in range(1, 10**6):
    content = mask.mask.copy()
    content.ravel()[np.flatnonzero(content)[:stroke]] = False
    session.edit({"VLVI_left": SegmentMask(mask.box, content)})
    save(session, Path(sys.argv[1]))
    print(stroke, flush=True)
"""
    places = [str(Path(__file__).parents[1] / "helpers"), str(Path(__file__).parents[3])]
    child = subprocess.Popen([sys.executable, "-c", code, str(folder), *places], stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        child.stdout.readline()
    time.sleep(0.037)
    child.kill()
    saved = 5 + len(child.communicate()[0].split())
    session = open_folder(folder, case[1])
    lost = session.automatic_report("VLVI_left").measurements.voxels - session.report("VLVI_left").measurements.voxels
    assert saved <= lost <= saved + 1 and session.history[0].details["strokes"] == lost


def test_a_full_disk_is_told_and_the_earlier_state_stays(folder, case, monkeypatch):
    session = corrected(folder, case)
    save(session, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    session.accept("GMED_left")

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zipfile.ZipFile.open", full)
    with pytest.raises(InputError, match="review.npz could not be written"):
        save(session, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_of_another_scan_is_refused(folder, case):
    session = corrected(folder, case)
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    content["provenance"]["input"]["digest"] = "b2"
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="another scan"):
        save(session, folder)
    assert names(folder) == FILES
    with pytest.raises(InputError, match="no result"):
        save(session, folder.parent)


def test_the_wrong_ct_is_refused(folder, case):
    with pytest.raises(InputError, match="not the one"):
        open_folder(folder, CTVolume(case[1].hu + np.int16(5), case[1].geometry))


def test_a_session_that_began_in_memory_can_be_saved(folder, case):
    session = ReviewSession(*case, author="Dr. Sato", clock=Clock())
    session.edit({"VM_left": mask_of(case[0].labels == LABEL["VM_right"])})
    save(session, folder)
    assert open_folder(folder, case[1]).history == session.history
