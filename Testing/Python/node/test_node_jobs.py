"""The work on a study: which series is taken, what its children may use, what becomes of those that fail."""

import json
import threading
import time
from dataclasses import replace

import pytest
from node_cases import PATIENT, launcher, write_config, write_study

from MSKSegmentLib.node.choosing import SeriesFacts, fitting_series
from MSKSegmentLib.node.config import ChooseTable
from MSKSegmentLib.node.config_reading import read_config
from MSKSegmentLib.node.files import WorkFolder, name_of
from MSKSegmentLib.node.jobs import Worker
from MSKSegmentLib.node.keeping import Keeper
from MSKSegmentLib.node.queue import StudyQueue


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A worker on a study of two series; gives a function that lets it work and returns the study's row."""
    write_config(tmp_path, {"ae_title": "NOWHERE", "host": "127.0.0.1"})
    config = read_config(tmp_path / "node.toml")
    folder = WorkFolder(config.node.folder, config.disk.most_bytes, config.disk.reserve_bytes)
    queue = StudyQueue(folder.queue_file)
    keeper = Keeper(folder, queue, config.disk)
    uid = write_study(tmp_path / "ct", slices=4, series=2)
    for path in sorted((tmp_path / "ct").iterdir()):
        keeper.take(path.read_bytes())

    def work(plan=None, steps=1, **segment):
        monkeypatch.setenv("FAST_ENGINE", json.dumps(plan or {}))
        changed = replace(config, segment=replace(config.segment, **segment))
        worker = Worker(changed, folder, queue, threading.Event(), launcher(tmp_path))
        queue.settle(0)
        for _ in range(steps):
            end = time.monotonic() + 60
            while not worker.step():
                assert time.monotonic() < end, queue.find(name_of(uid))
                time.sleep(0.02)
        return queue.find(name_of(uid))

    work.queue, work.folder, work.study = queue, folder, name_of(uid)
    yield work
    queue.close()
    folder.close()


def test_one_series_is_taken_and_its_results_lie_ready(bench):
    row = bench()
    assert (row.state, row.reason) == ("sending", "")
    job = bench.folder.current_job(bench.study)
    assert len(list((job / "ct").iterdir())) == 4 and len(list((job / "dicom").glob("*.dcm"))) == 3


@pytest.mark.parametrize("works", [True, False])
def test_a_report_goes_along_where_it_can_be_made(bench, works):
    plan = {"pdf": True} if works else {"fail": ["report", 2, "The report as PDF needs Pango."]}
    assert bench(plan, report="ja").state == "sending"


def test_what_takes_too_long_fails(bench):
    row = bench({"pause_s": 60}, minutes=0.03)
    assert row.state == "failed" and "segment.minutes" in row.reason


def test_what_takes_too_much_memory_fails(bench):
    row = bench({"pause_s": 60, "memory_mb": 300}, memory_gb=0.2)
    assert row.state == "failed" and "segment.memory_gb" in row.reason


@pytest.mark.parametrize("command, code, state", [("segment", 2, "refused"), ("export", 1, "failed")])
def test_a_failure_is_tried_again_and_its_reason_names_nobody(bench, command, code, state):
    plan = {"fail": [command, code, f"The scan of {PATIENT} (4711-0815) has no slices; choose another."]}
    row = bench(plan, steps=1, attempts=2)
    assert row.state == "ready" and row.attempts == 1 and row.due > time.time() - 0.5
    row = bench(plan, attempts=2)
    assert row.state == state and "no slices" in row.reason
    assert not any(word in row.reason for word in ("Mustermann", "Erika", "4711"))
    # Sent again, it is tried again; what was done of it is not done again.
    bench.queue.again()
    assert bench().state == "sending"


@pytest.mark.parametrize("command", ["segment", "export"])
def test_what_the_child_of_a_killed_node_finished_meanwhile_counts_at_the_first_try(bench, command):
    row = bench({"overtaken": command}, attempts=1)
    assert (row.state, row.attempts, row.reason) == ("sending", 0, "")


def test_a_later_image_makes_a_study_ready_again(bench, tmp_path):
    row = bench()
    first = bench.folder.current_job(bench.study).name
    study = bench.queue.find(bench.study)
    image = next(bench.folder.known_images())
    assert bench.queue.add(replace(image, id=name_of("later"))) and not bench.queue.move(study, "done")
    later = bench.folder.images(image.study, image.series) / f"{name_of('later')}.dcm"
    later.write_bytes((bench.folder.images(image.study, image.series) / f"{image.id}.dcm").read_bytes())
    assert bench.queue.find(bench.study).state == "receiving"
    row = bench()
    assert row.state == "sending" and bench.folder.current_job(bench.study).name != first


def test_a_second_node_does_not_work_in_the_same_folder(bench):
    with pytest.raises(Exception, match="Another node works"):
        WorkFolder(bench.folder.folder, 1 << 30, 0)


HIP = SeriesFacts("CT", "HIP", "Becken 1.0 B30", 400, 1.0, number=3)


@pytest.mark.parametrize(
    "facts, rules, reason",
    [
        (HIP, ChooseTable(), ""),
        (replace(HIP, modality="PT"), ChooseTable(), "no CT"),
        (replace(HIP, localizer=True), ChooseTable(), "localizer"),
        (replace(HIP, slices=3), ChooseTable(), "3 slices, not 20 to 5000"),
        (replace(HIP, thickness_mm=12.0), ChooseTable(), "12 mm"),
        (HIP, ChooseTable(body_parts=("pelvis", "h*")), ""),
        (HIP, ChooseTable(body_parts=("CHEST",)), "body parts"),
        (replace(HIP, body_part=""), ChooseTable(body_parts=("HIP",)), ""),
        (replace(HIP, body_part=""), ChooseTable(body_parts=("HIP",), body_part_may_be_missing=False), "no body part"),
        (HIP, ChooseTable(descriptions=("*becken*",)), ""),
        (HIP, ChooseTable(descriptions=("*lung*",)), "choose.descriptions"),
        (HIP, ChooseTable(not_descriptions=("*B30",)), "choose.not_descriptions"),
    ],
)
def test_rules_of_series(facts, rules, reason):
    chosen, why = fitting_series({"a": facts}, rules)
    assert (chosen is None) == bool(reason) and reason in why
    assert facts.description not in why


def test_of_several_series_the_one_with_most_slices_then_the_thinnest():
    series = {"a": replace(HIP, slices=100), "b": replace(HIP, thickness_mm=2.0), "c": HIP}
    assert fitting_series(series, ChooseTable()) == ("c", "")
    none, why = fitting_series({"a": replace(HIP, slices=1), "b": replace(HIP, localizer=True)}, ChooseTable())
    assert none is None and "None of its 2 series fits" in why and "localizer" in why
