"""What of the page follows from the task: columns, words, windows, and no tools for densities on MR."""

import asyncio
import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from mr_phantoms import mr_labels, mr_volume

from MSKSegmentLib.bundle import tasks_at_hand
from MSKSegmentLib.errors import BundleError, InputError
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.review import ReviewSession
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.tasks import HIP_THIGH_CT, load_task
from MSKSegmentLib.web.case import scan_run
from MSKSegmentLib.web.case.opening import earlier_result
from MSKSegmentLib.web.case.options import choose
from MSKSegmentLib.web.case.service import ReviewService
from MSKSegmentLib.web.case.uploads import ArrivedCT
from MSKSegmentLib.web.page.pictures import histogram_chart, thumbnail
from MSKSegmentLib.web.page.sides import side_comparison
from MSKSegmentLib.web.page.state import initial_state, opening_words, task_state


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
    page = opening_words(task)
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


def test_the_task_of_new_scans_is_chosen_on_the_page_where_nobody_named_it(tmp_path, monkeypatch, tiny_bundle):
    """Uploads take the kind of scan, the run gets the task, and a result of another task does not stand for its own."""
    mr = tmp_path / "mr"
    shutil.copytree(tiny_bundle, mr)
    content = json.loads((mr / "bundle.json").read_text())
    (mr / "bundle.json").write_text(json.dumps(content | {"task": "lower-limb-mr", "format_version": 3}))
    assert [task.name for task in tasks_at_hand()] == ["hip-thigh-ct"]
    monkeypatch.setenv("MSKSEG_BUNDLES", str(mr))
    options = choose(None, None, tmp_path / "results")
    assert [task.name for task in options.tasks] == ["hip-thigh-ct", "lower-limb-mr"]
    assert not choose(None, None, tmp_path, settings=Settings(bundle=str(tiny_bundle))).tasks, "the command line has said it"
    page = opening_words(options.task, options.tasks)
    assert page["open_task"] == "hip-thigh-ct"
    assert [task["title"] for task in page["open_tasks"]] == ["Hip and thigh, CT", "Lower limb, MR"]
    assert opening_words(options.task, options.tasks[:1])["open_tasks"] == [], "nothing to choose"
    asked = []

    def segmentation(request, on_progress):
        asked.append(request.settings.task)
        raise InputError("This was only to see the settings.")

    monkeypatch.setattr(scan_run, "Segmentation", segmentation)
    service = ReviewService(options)

    async def segmented():
        service.take(ArrivedCT(tmp_path / "scan.nii.gz", "scan"))
        await asyncio.wait(service._tasks)

    asyncio.run(segmented())
    service.choose_task("trunk-ct")
    assert service.task is HIP_THIGH_CT, "no bundle does it"
    service.choose_task("lower-limb-mr")
    upload = service.begin_upload("knee.zip", 100)
    service.choose_task("hip-thigh-ct")
    assert upload._modality == service.task.modality == "MR" and not service.sample_available, "not while a file arrives"
    upload.discard()
    service.show_upload(None)
    asyncio.run(segmented())
    assert asked == [None, "lower-limb-mr"]


def test_a_result_of_another_task_is_not_opened_in_place_of_a_run(tmp_path, phantom):
    task = load_task("trunk-ct")
    labels = np.where(phantom.hu > 0, task.table.segments[0].label, 0).astype(np.uint8)
    scan = tmp_path / "scan.nrrd"
    sitk.WriteImage(phantom.geometry.image_of(phantom.hu), str(scan))
    write_result(tmp_path / "scan", measure_case(labels, phantom.geometry, phantom, task=task))
    assert earlier_result(tmp_path, "scan", scan, None, task=task) == tmp_path / "scan"
    assert earlier_result(tmp_path, "scan", scan, None) is None


def test_a_task_without_a_bundle_is_refused_before_anything_is_uploaded(tmp_path):
    with pytest.raises(BundleError, match="No model bundle of the task trunk-ct is installed"):
        choose(None, None, tmp_path, settings=Settings(task="trunk-ct"))
