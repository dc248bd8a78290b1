"""A result folder read back: what was written is what is read, and damage is told in words."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from review_cases import LABEL, Clock, grown, make_case, mask_of

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import HistoryEvent, Light, ReviewState, Scores
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.results.result_folder import report_json, result_json, write_result
from MSKSegmentLib.results.result_reading import read_case, read_result, report_from_json
from MSKSegmentLib.results.review_file import read_review, write_review
from MSKSegmentLib.review import ReviewSession

# Entries of a segment that came after the first results were written.
LATER = ("scores", "paper_light", "failure_probability", "volume_interval_cc", "mean_hu_interval", "usual_uncertainty")


@pytest.fixture(scope="module")
def case():
    return make_case()


@pytest.fixture(scope="module")
def written(case, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "山田"
    write_result(folder, case[0])
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "結果")


def test_what_was_written_is_read(case, written):
    result, history = read_result(written)
    assert result.reports == case[0].reports and result.warnings == case[0].warnings and history == ()
    assert result.facts == case[0].facts and result.geometry.matches(case[0].geometry, 1e-6)
    np.testing.assert_array_equal(result.labels, case[0].labels)
    np.testing.assert_allclose(result.uncertainty, case[0].uncertainty, rtol=2**-11, atol=0)
    np.testing.assert_array_equal(result.uncertainty == 0, case[0].uncertainty == 0)
    assert result.labels.dtype == np.uint8 and result.uncertainty.dtype == np.float32


def test_an_unreviewed_case_holds_one_label_map(written):
    stored = read_case(written)
    assert stored.result.labels is stored.automatic.labels and stored.automatic.reports == stored.result.reports


@pytest.mark.parametrize("turned", [False, True])
def test_a_reviewed_session_is_written_and_read(turned, tmp_path):
    result, volume = make_case(turned)
    session = ReviewSession(result, volume, "Dr. Sato", clock=Clock())
    session.edit({"GMED_left": mask_of(grown(result.labels, "GMED_left", 3))})
    session.accept("GMAX_right")
    write_result(tmp_path / "out", session.result, history=session.history, automatic=session.automatic)
    stored = read_case(tmp_path / "out")
    assert stored.result.reports == session.result.reports and stored.history == session.history
    assert stored.automatic.reports == result.reports
    np.testing.assert_array_equal(stored.result.labels, session.result.labels)
    np.testing.assert_array_equal(stored.automatic.labels, result.labels)
    content = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert [event["what"] for event in content["history"]][-1] == "accepted"
    rows = (tmp_path / "out" / "measurements.csv").read_text().splitlines()
    assert "dice_to_automatic" in rows[0] and sum(",edited," in row for row in rows) >= 1


def test_reports_survive_json_in_every_state(case):
    report = next(report for report in case[0].reports if report.segment.key == "FEMUR_left")
    given = [
        replace(report, dice_interval=(0.8, 0.95), state=ReviewState.ACCEPTED, light=Light.YELLOW),
        replace(report, measurements=None, uncertainty=None, predicted_dice=None, dice_to_automatic=0.0),
        replace(report, scores=None, paper_light=None, failure_probability=None, volume_interval_cc=None),
        replace(report, scores=Scores(metal_distance_mm=12.5, stray_components=0), mean_hu_interval=(-3.5, 60.0)),
    ]
    for one in given:
        data = result_json(replace(case[0], reports=(one,)))["segments"][0]
        assert report_from_json(json.loads(json.dumps(data)), HIP_AND_THIGH) == one


def test_results_of_before_there_were_reviews_are_read(case, folder):
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    del content["history"]
    for entry in content["segments"]:
        del entry["dice_to_automatic"]
        for name in LATER:
            del entry[name]
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    result, history = read_result(folder)
    assert result.reports == tuple(replace(report, **dict.fromkeys(LATER)) for report in case[0].reports) and history == ()


def test_scores_that_a_newer_version_may_add_are_passed_over(case):
    data = report_json(case[0].reports[0])
    data["scores"]["invented_later"] = 0.5
    assert report_from_json(data, HIP_AND_THIGH) == case[0].reports[0]
    data["scores"]["soft_dice"] = "good"
    with pytest.raises(ValueError, match="good"):
        report_from_json(data, HIP_AND_THIGH)


def test_a_measured_case_has_no_uncertainty(case, tmp_path):
    write_result(tmp_path / "out", replace(case[0], uncertainty=None))
    assert read_result(tmp_path / "out")[0].uncertainty is None


def test_history_is_kept_without_the_automatic_version(case, tmp_path):
    event = HistoryEvent("2026-03-01T12:00:00+00:00", "佐藤", "accepted", "SACRUM", {"light": "green"})
    write_result(tmp_path / "out", case[0], history=[event])
    assert read_result(tmp_path / "out")[1] == (event,) and not (tmp_path / "out" / "review.npz").exists()


def test_a_segmentation_that_slicer_saved_cropped_is_brought_back_to_the_grid(case, folder):
    import SimpleITK as sitk

    path = folder / "segmentation.seg.nrrd"
    image = sitk.ReadImage(str(path))
    cropped = sitk.RegionOfInterest(image, [70, 50, 80], [5, 4, 20])
    for key in image.GetMetaDataKeys():
        cropped.SetMetaData(key, image.GetMetaData(key))
    sitk.WriteImage(cropped, str(path), True)
    expected = np.zeros_like(case[0].labels)
    expected[20:100, 4:54, 5:75] = case[0].labels[20:100, 4:54, 5:75]
    result, _ = read_result(folder)
    np.testing.assert_array_equal(result.labels, expected)
    cropped.SetOrigin([value + 1.3 for value in cropped.GetOrigin()])
    sitk.WriteImage(cropped, str(path), True)
    with pytest.raises(InputError, match="different scans"):
        read_result(folder)


def test_no_folder_no_result_and_other_files(tmp_path):
    with pytest.raises(InputError, match="There is no result in the folder 'nowhere'"):
        read_result(tmp_path / "nowhere")
    (tmp_path / "result.json").write_text("[1, 2]")
    with pytest.raises(InputError, match="holds no result of this program"):
        read_result(tmp_path)


@pytest.mark.parametrize("name", ["result.json", "segmentation.seg.nrrd", "uncertainty.nrrd"])
@pytest.mark.parametrize("keep", [0, 0.5])
def test_half_a_file_is_told_in_words(folder, name, keep):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(keep * len(data))])
    with pytest.raises(InputError) as caught:
        read_result(folder)
    assert str(caught.value).count(".") >= 1 and str(folder.parent) not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(format_version=99),
        lambda c: c["segments"].pop(),
        lambda c: c["segments"][3].update(light="blue"),
        lambda c: c["segments"][3].update(key="LIVER"),
        lambda c: c["segments"][3]["measurements"].pop("voxels"),
        lambda c: c.update(segments="none"),
        lambda c: (c.pop("findings"), c.pop("warnings")),
        lambda c: c.update(findings=[{"severity": "odd", "code": "a", "sentence": "b"}]),
    ],
)
def test_a_foreign_result_json_is_told_in_words(folder, change):
    content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    change(content)
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read; run the segmentation again"):
        read_result(folder)


def test_review_file_holds_any_difference(tmp_path):
    random = np.random.default_rng(0)
    automatic = random.integers(0, 20, (7, 9, 11)).astype(np.uint8)
    everywhere = random.integers(100, 120, automatic.shape).astype(np.uint8)
    one = automatic.copy()
    one[3, 8, 10] = LABEL["VM_left"]
    for labels in (automatic.copy(), one, everywhere):
        write_review(tmp_path / "review.npz", automatic, labels, {"text": "筋肉"})
        found, content = read_review(tmp_path / "review.npz", automatic)
        np.testing.assert_array_equal(found, labels)
        assert content["text"] == "筋肉" and (found is automatic) == np.array_equal(labels, automatic)
    with pytest.raises(InputError, match="cannot be read; remove that file"):
        read_review(tmp_path / "review.npz", automatic[:5])
    data = (tmp_path / "review.npz").read_bytes()
    for broken in (b"", data[: len(data) // 2], data[:100] + b"xx" + data[102:]):
        (tmp_path / "review.npz").write_bytes(broken)
        with pytest.raises(InputError, match="cannot be read; remove that file"):
            read_review(tmp_path / "review.npz", automatic)
