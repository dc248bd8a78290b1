"""The node between a sender and a real archive: nothing is lost and nothing doubled, whatever is killed, cut or away."""

import re
import sys

import numpy as np
import pytest
from conftest import phantom_hu
from ct_scans import write_dicom
from node_cases import (
    PATIENT,
    RESULTS,
    NodeProcess,
    rows,
    running,
    store,
    wait_for,
    wait_for_state,
    write_config,
    write_study,
)
from pydicom.uid import generate_uid

pytest_plugins = ("node_fixtures", "warm_children")


def _by_store(archive):
    return {"ae_title": archive.title, "host": "127.0.0.1", "port": archive.dicom}


def _send(config, folder):
    statuses = store(config.receive.port, sorted(folder.iterdir()))
    assert set(statuses) == {0}, statuses


def test_a_study_comes_by_c_store_and_its_results_go_back(archive, python, tmp_path):
    uid = write_study(tmp_path / "ct")
    archive.put(tmp_path / "ct")
    with running(write_config(tmp_path, _by_store(archive)), python) as (config, node):
        _send(config, tmp_path / "ct")
        wait_for_state(config, uid, "done")
        assert archive.modalities(uid) == {"CT": 6, **RESULTS}
        # The same study once more is the same study.
        _send(config, tmp_path / "ct")
        wait_for(lambda: node.status()["received"]["images taken"] == 12, "the images were not taken")
        assert rows(config)[next(iter(rows(config)))][0] == "done"
    assert archive.modalities(uid) == {"CT": 6, **RESULTS}


def test_a_study_comes_and_goes_by_dicomweb(archive, python, tmp_path):
    uid = write_study(tmp_path / "ct")
    archive.put(tmp_path / "ct")
    mr = write_study(tmp_path / "mr", tags={"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"})
    archive.put(tmp_path / "mr")
    path = write_config(tmp_path, {"url": archive.web}, receive=None, poll={"url": archive.web, "every_s": 1})
    with running(path, python) as (config, node):
        wait_for_state(config, uid, "done")
        assert archive.modalities(uid) == {"CT": 6, **RESULTS}
        # The results are new objects of the study: they do not make it new.
        again = node._poller
        again.step()
        again.step()
        assert rows(config)[next(iter(rows(config)))][0] == "done" and not again.trouble
    assert archive.modalities(mr) == {"MR": 6}
    assert archive.modalities(uid) == {"CT": 6, **RESULTS}


def test_two_studies_at_once_and_one_in_pieces(archive, python, tmp_path):
    folders = [tmp_path / name for name in ("one", "two", "pieces")]
    one, two, pieces = (write_study(folder) for folder in folders)
    with running(write_config(tmp_path, _by_store(archive)), python) as (config, _):
        parts = [sorted(folders[2].iterdir())[start : start + 3] for start in (0, 3)]
        assert store(config.receive.port, parts[0]) == [0, 0, 0]
        _send(config, folders[0])
        _send(config, folders[1])
        for uid in (one, two, pieces):
            wait_for_state(config, uid, "done")
        assert archive.modalities(pieces) == RESULTS
        # More images are another scan, with results of their own.
        assert store(config.receive.port, parts[1]) == [0, 0, 0]
        wait_for(lambda: archive.modalities(pieces) == {name: 2 for name in RESULTS}, "the later images were not taken")
        wait_for_state(config, pieces, "done")
        # A part of them once more is not.
        assert store(config.receive.port, parts[0]) == [0, 0, 0]
        assert archive.modalities(one) == archive.modalities(two) == RESULTS
    assert archive.modalities(pieces) == {name: 2 for name in RESULTS}


@pytest.mark.parametrize("state", ["segmenting", "sending"])
def test_a_kill_loses_and_doubles_nothing(archive, python, tmp_path, state):
    uid = write_study(tmp_path / "ct")
    send = _by_store(archive)
    node = NodeProcess(write_config(tmp_path, send), python, {"pause_s": 0.3}).start().listens()
    if state == "sending":
        archive.stop()
    try:
        _send(node.config, tmp_path / "ct")
        wait_for_state(node.config, uid, state)
        node.kill()
    finally:
        if state == "sending":
            archive.start()
    node.start()
    try:
        wait_for_state(node.config, uid, "done")
        assert archive.modalities(uid) == RESULTS
        assert node.stop() == 0
    finally:
        node.stop()
    log = node.log
    assert "tried again" not in log, log
    # As words: a port may end in the patient's number.
    assert "Study " in log and not any(re.search(rf"\b{re.escape(word)}\b", log) for word in (*PATIENT.split("^"), "4711", uid)), (
        log
    )


def test_a_cut_queue_is_built_again_from_the_files(archive, python, tmp_path):
    done, waiting = (write_study(tmp_path / name) for name in ("done", "waiting"))
    path = write_config(tmp_path, _by_store(archive))
    with running(path, python) as (config, _):
        _send(config, tmp_path / "done")
        wait_for_state(config, done, "done")
        _send(config, tmp_path / "waiting")
    queue = config.node.folder / "queue.sqlite"
    for ending in ("-wal", "-shm"):
        queue.with_name(queue.name + ending).unlink(missing_ok=True)
    content = queue.read_bytes()
    queue.write_bytes(content[: len(content) * 2 // 3])
    with running(path, python) as (config, _):
        for uid in (done, waiting):
            wait_for_state(config, uid, "done")
    assert archive.modalities(done) == archive.modalities(waiting) == RESULTS
    assert queue.with_name("queue.sqlite.damaged").exists()


def test_an_archive_that_is_away_for_a_while(archive, python, tmp_path):
    uid = write_study(tmp_path / "ct")
    with running(write_config(tmp_path, _by_store(archive)), python) as (config, node):
        archive.stop()
        try:
            _send(config, tmp_path / "ct")
            wait_for(lambda: any(row[2] >= 2 for row in rows(config).values()), "nothing was tried twice")
            assert "cannot be reached" in node.status()["peers"]["Results to the archive"]
        finally:
            archive.start()
        wait_for_state(config, uid, "done")
        assert not node.status()["peers"]["Results to the archive"]
    assert archive.modalities(uid) == RESULTS


@pytest.mark.slow
@pytest.mark.usefixtures("warm_children")
def test_the_real_segmentation_of_a_phantom(archive, tiny_bundle, tmp_path):
    """Nothing stands in for anything, but the network is small: the archive gets objects that refer to the images it sent."""
    hu, spacing = phantom_hu(), (4.0, 4.0)
    uid, frame = generate_uid(), generate_uid()
    tags = {"StudyInstanceUID": uid, "FrameOfReferenceUID": frame, "PatientName": PATIENT, "SliceThickness": 6.0}
    write_dicom(tmp_path / "ct", hu, spacing=spacing, levels=6.0 * np.arange(len(hu)), tags=tags)
    archive.put(tmp_path / "ct")
    path = write_config(tmp_path, {"url": archive.web}, segment={"bundle": str(tiny_bundle), "device": "cpu"}, disk={"gb": 1})
    with running(path, sys.executable) as (config, _):
        _send(config, tmp_path / "ct")
        state, reason, _ = wait_for_state(config, uid, "done", "failed", "refused")
        assert state == "done", reason
    found = archive.modalities(uid)
    assert found.pop("CT") == len(hu) and found["SEG"] == found["SR"] == 1, found
