"""What of the page follows from the task: columns, words, windows, and no tools for densities on MR."""

import pytest
from mr_phantoms import mr_labels, mr_volume

from MSKSegmentLib.errors import BundleError
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.tasks import HIP_THIGH_CT, load_task
from MSKSegmentLib.web.case.options import choose
from MSKSegmentLib.web.case.service import ReviewService
from MSKSegmentLib.web.page.pictures import histogram_chart, thumbnail
from MSKSegmentLib.web.page.sides import side_comparison
from MSKSegmentLib.web.page.state import initial_state, task_state


def test_the_page_follows_the_task():
    usual, mr = task_state(HIP_THIGH_CT), task_state(load_task("lower-limb-mr"))
    assert {name: initial_state()[name] for name in usual} == usual
    names = {column["name"] for column in mr["columns"]}
    assert {column["name"] for column in usual["columns"]} - names == {
        "mean_hu", "fat_percent", "composite_percent", "lean_percent"
    }  # fmt: skip
    assert not any("HU" in window["tooltip"] for window in mr["windows"]) and len(mr["windows"]) == 1
    assert [mode["name"] for mode in mr["threed_modes"]] == ["segment", "all"]
    assert mr["scan_word"] == "MR scan" and not mr["has_hu"] and usual["has_hu"]


def test_pictures_and_sides_of_an_mr_scan():
    task, volume = load_task("lower-limb-mr"), mr_volume()
    session = ReviewSession(measure_case(mr_labels(task.table), volume.geometry, volume, task=task), volume)
    key = "VL_right"
    assert thumbnail(session, key, session.worst_slices(key, 1)[0]).startswith("data:image/png")
    assert [row["name"] for row in side_comparison(session, key)["rows"]] == ["volume_cc"]
    assert histogram_chart(session.histogram(key), None) is None


def test_new_scans_are_those_of_the_task(tmp_path, monkeypatch):
    """The page asks for the scan of the task, takes its series of a zip, and offers no sample of another."""
    task = load_task("lower-limb-mr")
    page = initial_state(task=task)
    assert page["open_title"] == "Open a scan: MR scan" and page["open_text"] == "Lower limb, MR."
    assert initial_state()["open_title"] == "Open a CT"
    usual = choose(None, None, tmp_path)
    assert usual.task is HIP_THIGH_CT and ReviewService(usual).sample_available
    bundle = type("Bundle", (), {"task": task})
    monkeypatch.setattr("MSKSegmentLib.web.case.options.resolve_bundle", lambda *asked: bundle if asked[1] == task.name else None)
    service = ReviewService(choose(None, None, tmp_path, settings=Settings(task="lower-limb-mr")))
    assert service.options.task is task and not service.sample_available
    upload = service.begin_upload("knee.zip", 100)
    assert upload._modality == "MR"
    upload.discard()


def test_a_task_without_a_bundle_is_refused_before_anything_is_uploaded(tmp_path):
    with pytest.raises(BundleError, match="No model bundle of the task trunk-ct is installed"):
        choose(None, None, tmp_path, settings=Settings(task="trunk-ct"))
