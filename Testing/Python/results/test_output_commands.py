"""Every command that writes a folder: what is there is filled and never lost, and what would fail is said before the work."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from review_cases import LABEL, make_case, mask_of

from MSKSegmentLib import pipeline
from MSKSegmentLib.bundle import check_new_bundle, load_bundle, update_calibration
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import BundleError, InputError
from MSKSegmentLib.output import filling
from MSKSegmentLib.results import result_folder
from MSKSegmentLib.results.result_folder import bytes_of_result, check_output, write_result
from MSKSegmentLib.results.result_reading import read_result
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.review import folder as review_folder
from MSKSegmentLib.web.case.lock import ReviewLock
from MSKSegmentLib.web.case.result_list import list_results

pytest_plugins = ("bundle_fixtures",)

FILES = {"segmentation.seg.nrrd", "uncertainty.nrrd", "measurements.csv", "result.json"}


@pytest.fixture(scope="module")
def case():
    return make_case()


def names(folder):
    return {path.name for path in folder.iterdir()}


def segment(phantom_file, tiny_bundle, out, *more):
    return main(
        ["segment", str(phantom_file), "-o", str(out), "--bundle", str(tiny_bundle), "--samples", "2", "--seed", "1",
         "--progress", "none", *more]
    )  # fmt: skip


@pytest.mark.slow
def test_segment_into_the_working_folder_and_through_a_link(phantom_file, tiny_bundle, tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert segment(phantom_file, tiny_bundle, ".") == 0
    assert names(Path(".")) == FILES and os.path.samestat(os.stat("."), os.stat(here))
    if os.name == "posix":
        (tmp_path / "link").symlink_to(tmp_path / "drive" / "results")
        for _ in range(2):
            assert segment(phantom_file, tiny_bundle, tmp_path / "link") == 0
        assert (tmp_path / "link").is_symlink() and names(tmp_path / "drive" / "results") == FILES
        assert names(tmp_path) - {phantom_file.name} == {"here", "link", "drive"}


@pytest.mark.parametrize("trouble", ["review", "corrected elsewhere", "other files", "long name", "a file"])
def test_segment_says_before_the_run_that_the_end_would_fail(
    phantom_file, tiny_bundle, tmp_path, monkeypatch, capsys, case, trouble
):
    out = tmp_path / ("n" * 300 if trouble == "long name" else "out")
    if trouble == "a file":
        out.write_text("mine")
    elif trouble == "other files":
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
    elif trouble != "long name":
        write_result(out, case[0])
        if trouble == "review":
            session = ReviewSession(*case, author="Dr. Sato")
            session.accept("GMAX_right")
            review_folder.save(session, out)
        else:
            # As a program that saves its corrections over the file it opened.
            (out / "segmentation.seg.nrrd").write_bytes((out / "segmentation.seg.nrrd").read_bytes() + b"\0")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr(pipeline, "segment_case", None)
    assert segment(phantom_file, tiny_bundle, out) == 2
    said = capsys.readouterr().err
    words = {"review": "has been reviewed", "corrected elsewhere": "segmentation.seg.nrrd in 'out' has been changed"}
    words |= {"other files": "holds other files", "long name": "shorter name", "a file": "is a file"}
    assert words[trouble] in said and said.strip().endswith(".") and said.count("\n") == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_segment_says_before_the_run_that_space_is_short(phantom_file, tiny_bundle, tmp_path, monkeypatch, capsys):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(pipeline, "segment_case", None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=(2 << 20) + 1000))
    assert segment(phantom_file, tiny_bundle, tmp_path / "out", "--keep-ct") == 2
    assert "MB left and the result may need" in capsys.readouterr().err
    assert names(tmp_path) <= {phantom_file.name}


def test_the_space_of_a_result_is_not_underrated(tmp_path):
    result, volume = make_case()
    noise = np.random.default_rng(0).random(result.labels.shape, np.float32) * 1e-3
    body = volume.hu > -500
    write_result(tmp_path / "out", replace(result, uncertainty=np.where(body, noise, 0)))
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert written < bytes_of_result(result.labels.size)


def test_an_outdated_scene_goes_and_notes_stay(case, tmp_path):
    out = tmp_path / "out"
    write_result(out, case[0], extra=lambda folder: (folder / "scene.mrb").write_text("of the first run") and None)
    (out / "notes.txt").write_text("mine")
    write_result(out, case[0])
    assert names(out) == FILES | {"notes.txt"} and (out / "notes.txt").read_text() == "mine"
    digests = json.loads((out / "result.json").read_text(encoding="utf-8"))["files"]
    assert set(digests) == FILES - {"result.json"}


def test_a_review_that_began_during_the_run_is_kept(case, tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_result(out, case[0])
    write_measurements = result_folder.write_measurements

    def meanwhile(path, result):
        if not (out / "review.npz").exists():
            session = ReviewSession(*case, author="Dr. Sato")
            session.edit({"VM_left": mask_of(case[0].labels == LABEL["VM_right"])})
            review_folder.save(session, out)
        write_measurements(path, result)

    monkeypatch.setattr(result_folder, "write_measurements", meanwhile)
    with pytest.raises(InputError, match="The result is whole in 'out-2', not in 'out': the result in 'out' has been reviewed"):
        write_result(out, case[0])
    assert read_result(out)[1] and not read_result(tmp_path / "out-2")[1] and names(tmp_path / "out-2") == FILES


def test_a_crash_in_the_exchange_is_ended_by_whoever_reads_next(case, tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_result(out, case[0])
    monkeypatch.setattr(filling, "_put_in_place", lambda ready: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_result(out, replace(case[0], facts=replace(case[0].facts, date="2026-08-02")))
    monkeypatch.undo()
    shutil.copytree(out, tmp_path / "other" / "copy")
    assert read_result(out)[0].facts.date == "2026-08-02" and names(out) == FILES
    assert [one.date for one in list_results(tmp_path / "other")] == ["2026-08-02"]


def test_a_reviewer_notices_that_the_result_was_replaced(case, tmp_path):
    write_result(tmp_path / "out", case[0])
    lock = ReviewLock(tmp_path / "out", "Dr. Sato")
    assert lock.held and not lock.is_lost()
    write_result(tmp_path / "out", case[0])
    assert lock.is_lost()
    lock.release()


def test_a_review_goes_on_while_its_table_is_open_elsewhere(case, tmp_path, monkeypatch):
    """As on Windows, where a spreadsheet program keeps the file."""
    out = tmp_path / "out"
    write_result(out, case[0])
    session = ReviewSession(*case, author="Dr. Sato")
    session.accept("GMAX_right")
    put = os.replace

    def locked(source, target):
        if Path(target).name == "measurements.csv":
            raise PermissionError(13, "Permission denied")
        put(source, target)

    monkeypatch.setattr(os, "replace", locked)
    with pytest.raises(InputError, match=r"open in another program .* such as measurements-2\.csv"):
        review_folder.save(session, out)
    monkeypatch.undo()
    assert read_result(out)[1] == session.history
    assert json.loads((out / "result.json").read_text(encoding="utf-8"))["history"]
    assert names(out) == FILES | {"automatic.seg.nrrd", "review.npz"}


def test_bundles_fill_empty_folders_and_links(saved, tmp_path):
    bundle = load_bundle(saved)
    (tmp_path / "empty" / "lost+found").mkdir(parents=True)
    update_calibration(bundle, {"cases": 7}, tmp_path / "empty", "1.1")
    if os.name == "posix":
        (tmp_path / "link").symlink_to(tmp_path / "drive")
        assert update_calibration(bundle, {"cases": 7}, tmp_path / "link", "1.2").folder == tmp_path / "drive"
        assert (tmp_path / "link").is_symlink()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(BundleError, match="There already is a mine"):
        update_calibration(bundle, {"cases": 7}, tmp_path / "mine", "1.3")


def test_virtual_patients_go_through_a_link(tmp_path, capsys, monkeypatch):
    from virtual_cases import made_up_atlas

    from MSKSegmentLib.virtual import cases

    monkeypatch.setattr(cases, "load_atlases", lambda folder: (made_up_atlas(),))
    if os.name == "posix":
        (tmp_path / "link").symlink_to(tmp_path / "drive")
    command = ["virtual", "-n", "1", "--spacing", "9", "8", "8", "-o"]
    target = tmp_path / ("link" if os.name == "posix" else "drive")
    assert main([*command, str(target)]) == 0, capsys.readouterr().err
    assert names(tmp_path / "drive" / "patient_000000") == {"ct.nii.gz", "labels.nii.gz", "facts.json"}
    (tmp_path / "file").write_text("mine")
    assert main([*command, str(tmp_path / "file")]) == 2 and "is a file" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["calibrate", "evaluate", "train", "realism", "import-keras"])
def test_other_commands_refuse_somebody_elses_folder_before_they_work(command, saved, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    data = tmp_path / "data"
    (data / "case").mkdir(parents=True)
    (data / "case" / "ct.nii.gz").write_text("")
    (data / "case" / "labels.nii.gz").write_text("")
    (tmp_path / "w.h5").write_text("")
    arguments = {
        "calibrate": ["calibrate", str(data), "--bundle", str(saved), "--source", "cases", "--version", "9"],
        "evaluate": ["evaluate", str(data), "--bundle", str(saved)],
        "train": ["train", "paper", "--pairs", str(data)],
        "realism": ["realism", str(data / "case" / "ct.nii.gz"), "--virtual", str(data)],
        "import-keras": ["bundle", "import-keras", str(tmp_path / "w.h5"), "--levels", "5"],
    }[command]
    pytest.importorskip({"import-keras": "h5py", "calibrate": "torch"}.get(command, "matplotlib"))
    assert main([*arguments, "-o", str(mine)]) == 2
    said = capsys.readouterr().err
    assert "mine" in said and ("holds" in said or "already is" in said), said
    assert names(mine) == {"thesis.txt"} and (mine / "thesis.txt").read_text() == "years of work"


def test_a_table_beside_a_bundle_with_a_long_name_fits(tmp_path):
    from MSKSegmentLib.calibration.calibrate_bundle import _table_beside

    observed = _table_beside(check_new_bundle(tmp_path / ("n" * 255)))
    assert len(observed.name) == 255 and observed.name.endswith("_observations.csv")
    (tmp_path / "new_observations.csv").write_text("of an earlier calibration")
    assert _table_beside(tmp_path / "new").name == "new_observations-2.csv"


def test_check_output_leaves_no_trace(tmp_path):
    for folder in (tmp_path / "new" / "deep", tmp_path):
        check_output(folder)
        assert not list(tmp_path.iterdir())
