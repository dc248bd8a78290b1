"""A bundle that brings its own table of structures: from the network to result folder, review and scene all names are its own."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from bundle_cases import CARD, MANIFEST
from structure_tables import toy_json, toy_table

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import NetworkSpec, load_bundle, save_bundle, update_calibration
from MSKSegmentLib.case_result import CaseResult, SegmentReport
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import BundleError, InputError
from MSKSegmentLib.pipeline import measure_case, segment_case
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.results.result_reading import read_case
from MSKSegmentLib.review import ReviewSession, SegmentMask
from MSKSegmentLib.review.stored_session import session_from_json
from MSKSegmentLib.settings import Settings
from MSKSegmentLib.tasks import HIP_THIGH_CT, with_table

TABLE = toy_table()
KEYS = [segment.key for segment in TABLE.segments]
SPEC = NetworkSpec(levels=2, base_filters=4, classes=6, in_channels=1)


@pytest.fixture(scope="module")
def own_bundle(tmp_path_factory):
    import torch

    from MSKSegmentLib.network.bayesian_unet import BayesianUNet

    torch.manual_seed(1)
    network = BayesianUNet(SPEC.levels, SPEC.base_filters, SPEC.classes, SPEC.in_channels)
    folder = tmp_path_factory.mktemp("own") / "toy"
    manifest = replace(MANIFEST, network=SPEC, passes=2)
    return save_bundle(folder, manifest, network.state_dict(), None, CARD, table=TABLE)


@pytest.fixture(scope="module")
def measured():
    """Label and CT with every structure but one side of the kneecap."""
    labels = np.zeros((12, 30, 40), np.uint8)
    labels[2:10, 10:16, 4:10], labels[2:10, 10:16, 30:36] = 1, 101
    labels[2:10, 18:24, 4:10], labels[2:10, 18:24, 30:36] = 3, 103
    labels[8:11, 20:26, 17:23], labels[3:6, 4:8, 5:9], labels[7:10, 4:9, 18:22] = 2, 4, 5
    hu = np.where(np.isin(labels % 100, (1, 2, 4)), 500, np.where(labels, 45, -90)).astype(np.int16)
    volume = CTVolume(hu, Geometry(labels.shape[::-1], (4.0, 4.0, 4.0), (-80.0, -60.0, 0.0)))
    return measure_case(labels, volume.geometry, volume, 1.5, task=with_table(HIP_THIGH_CT, TABLE)), volume


def test_the_bundle_carries_its_table(own_bundle, tmp_path):
    content = json.loads((own_bundle.folder / "bundle.json").read_text(encoding="utf-8"))
    assert content["format_version"] == 2 and content["structures"] == "structures.json" in content["files"]
    assert load_bundle(own_bundle.folder).table == TABLE
    assert update_calibration(own_bundle, {}, tmp_path / "new", "2").table == TABLE


def test_other_bundles_are_of_hip_and_thigh_and_as_before(tiny_bundle):
    assert load_bundle(tiny_bundle).table is HIP_AND_THIGH
    content = json.loads((tiny_bundle / "bundle.json").read_text(encoding="utf-8"))
    assert content["format_version"] == 1 and "structures" not in content


def _with_table(bundle, folder, data):
    from hashlib import sha256

    shutil.copytree(bundle.folder, folder)
    text = json.dumps(data).encode()
    (folder / "structures.json").write_bytes(text)
    content = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    content["files"]["structures.json"] = sha256(text).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(content), encoding="utf-8")


def test_faulty_tables_are_refused_in_a_sentence(own_bundle, tmp_path):
    twice = toy_json()
    twice["structures"][1]["key"] = "HAM"
    _with_table(own_bundle, tmp_path / "twice", twice)
    with pytest.raises(BundleError, match=r"in its structures.json, two structures have the key HAM; correct the table"):
        load_bundle(tmp_path / "twice")
    short = toy_json()
    del short["structures"][-1]
    _with_table(own_bundle, tmp_path / "short", short)
    with pytest.raises(BundleError, match="6 classes instead of background and 4 structures"):
        load_bundle(tmp_path / "short")
    shutil.copytree(own_bundle.folder, tmp_path / "altered")
    (tmp_path / "altered" / "structures.json").write_text(json.dumps(toy_json()), encoding="utf-8")
    with pytest.raises(BundleError, match="structures.json was altered"):
        load_bundle(tmp_path / "altered")
    content = json.loads((own_bundle.folder / "bundle.json").read_text(encoding="utf-8"))
    shutil.copytree(own_bundle.folder, tmp_path / "unknown")
    (tmp_path / "unknown" / "bundle.json").write_text(json.dumps(content | {"structures": "brain"}), encoding="utf-8")
    with pytest.raises(BundleError, match="the structures 'brain', which this software does not know"):
        load_bundle(tmp_path / "unknown")


def test_a_table_of_another_network_is_not_written(tmp_path):
    with pytest.raises(BundleError, match="23 classes instead of background and 5 structures"):
        save_bundle(tmp_path / "new", MANIFEST, {}, None, CARD, table=TABLE)
    assert not (tmp_path / "new").exists()


def test_a_run_speaks_of_its_own_structures(own_bundle, phantom, tmp_path):
    result = segment_case(phantom, own_bundle, Settings("cpu", passes=2, seed=1))
    assert result.table == TABLE and [report.segment.key for report in result.reports] == KEYS
    assert set(np.unique(result.labels)) <= {0, *(segment.label for segment in TABLE.segments)} and result.labels.any()
    write_result(tmp_path / "out", result)
    stored = read_case(tmp_path / "out").result
    assert stored.table == TABLE and stored.reports == result.reports
    np.testing.assert_array_equal(stored.labels, result.labels)
    session = ReviewSession(stored, phantom)
    assert [row.key for row in session.rows()] == KEYS


def test_measured_by_the_rules_of_its_groups(measured):
    result, _ = measured
    found = {report.segment.key: report.measurements for report in result.reports}
    assert [key for key, numbers in found.items() if numbers is None] == ["KNEECAP_left"]
    assert found["HAM_left"].lean_fraction == 1 and found["HAM_left"].volume_cc_per_m2 == found["HAM_left"].volume_cc / 1.5**2
    for key in ("SHANK_right", "TAIL", "BLADDER"):
        assert found[key].fat_fraction is None and found[key].volume_cc_per_m2 is None
    sides = {report.segment.key: report.segment.side for report in result.reports}
    assert sides["TAIL"] is sides["BLADDER"] is Side.MIDLINE and sides["HAM_left"] is Side.LEFT


def test_the_folder_and_the_review_keep_the_names(measured, tmp_path):
    import SimpleITK as sitk

    result, volume = measured
    write_result(tmp_path / "out", result)
    image = sitk.ReadImage(str(tmp_path / "out" / "segmentation.seg.nrrd"))
    names = {image.GetMetaData(key) for key in image.GetMetaDataKeys() if key.endswith("_Name")}
    assert names == {segment.name for segment in TABLE.segments} - {"Kneecap, left"}
    session = ReviewSession.of_stored(read_case(tmp_path / "out"), volume)
    rows = {row.key: row for row in session.rows()}
    assert list(rows) == KEYS
    ham = rows["HAM_right"]
    assert (ham.name, ham.color, ham.group, ham.side) == ("Hamstrings, right", (10, 10, 200), "back", Side.RIGHT)
    assert rows["KNEECAP_left"].missed or not rows["KNEECAP_left"].found
    session.edit({"BLADDER": SegmentMask.empty()})
    again = session_from_json(session.to_json(), session.result.labels, None, volume, result.labels)
    assert again.table == TABLE and not again.row("BLADDER").found
    session.set_height(1.8)
    assert session.report("TAIL").measurements.volume_cc_per_m2 is None
    assert session.report("HAM_left").measurements.volume_cc_per_m2 == pytest.approx(
        session.report("HAM_left").measurements.volume_cc / 1.8**2
    )


def test_a_result_with_a_damaged_table_is_refused(measured, tmp_path):
    write_result(tmp_path / "out", measured[0])
    path = tmp_path / "out" / "result.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["structures"]["structures"][0]["label"] = 0
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="result.json"):
        read_case(tmp_path / "out")


def test_a_result_whose_reports_are_of_another_table_is_a_fault(measured):
    result, _ = measured
    with pytest.raises(ValueError, match="which the table 'hip and thigh' does not hold"):
        CaseResult(result.labels, result.geometry, tuple(SegmentReport(r.segment, r.light, ()) for r in result.reports))


def test_the_scene_has_its_names_and_colours(measured):
    pytest.importorskip("slicer")
    from MSKSegmentLib.scene import HeadlessApplication, add_segmentation, ensure_segment, segment_labels
    from MSKSegmentLib.scene.structures import table_of_node

    result, _ = measured
    with HeadlessApplication() as application:
        node = add_segmentation(application.scene, result)
        assert table_of_node(node) == TABLE
        np.testing.assert_array_equal(segment_labels(node, result.geometry), result.labels)
        ensure_segment(node, "KNEECAP_left")
        segmentation = node.GetSegmentation()
        assert sorted(segmentation.GetSegmentIDs()) == sorted(KEYS)
        for segment in TABLE.segments:
            drawn = segmentation.GetSegment(segment.key)
            assert drawn.GetName() == segment.name and drawn.GetTerminology().startswith("MSKSegment toy~")
            assert [round(255 * channel) for channel in drawn.GetColor()] == list(segment.color)
