"""What of the page follows from the task: columns, words, windows, and no tools for densities on MR."""

from mr_phantoms import mr_labels, mr_volume

from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.tasks import HIP_THIGH_CT, load_task
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
