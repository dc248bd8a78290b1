"""A calibration on MR: lights come from overlap and doubt alone, and no mean of intensities is learned."""

from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from mr_phantoms import mr_labels, mr_volume
from quality_cases import observations, without_hounsfield

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.calibration import observing
from MSKSegmentLib.calibration.fit import calibrate
from MSKSegmentLib.calibration.judging import judge_left_out, thresholds_of
from MSKSegmentLib.calibration.report import write_quality
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.pipeline import measure_case
from MSKSegmentLib.quality.calibration import Calibration
from MSKSegmentLib.quality.traffic_light import rate
from MSKSegmentLib.tasks import load_task

SOME = ("GMAX", "SART")


@pytest.fixture(scope="module")
def observed():
    return without_hounsfield(observations(40, only=SOME))


def test_mr_cases_give_no_difference_of_means(tmp_path, monkeypatch):
    """The network is spared: its result are the labels that were drawn, moved by two voxels."""
    task, volume = load_task("lower-limb-mr"), mr_volume()
    labels = mr_labels(task.table)
    (tmp_path / "p1").mkdir()
    for name, array in (("mr", volume.hu), ("labels", labels)):
        sitk.WriteImage(volume.geometry.image_of(array), str(tmp_path / "p1" / f"{name}.nii.gz"))
    moved = np.roll(labels, 2, axis=2)
    bundle = SimpleNamespace(table=task.table, task=task)
    monkeypatch.setattr(observing, "segment_case", lambda scan, *_, **__: measure_case(moved, scan.geometry, scan, task=task))
    (case,) = observing.segmented_cases(bundle, tmp_path, "cpu", lambda: None, print)
    found = [row for row in case.rows if row.dice]
    assert len(found) > 20 and all(row.mean_hu_true is None and row.aie_hu is None for row in found)


def test_such_observations_give_lights(observed):
    calibration = calibrate(observed, "2026-01-01", "made up", 10, {}, ("a1",), HIP_AND_THIGH)
    calibration = Calibration.from_json(calibration.to_json())
    assert "sd_mean_hu" not in calibration.model.dice.features and len(calibration.model.dice.features) > 3
    lights = []
    for item in observed:
        rating = rate(item.abbreviation, item.scores, (), calibration, 10, composition=False)
        estimate = calibration.model.estimate(item.abbreviation, item.scores)
        assert estimate.dice_interval is not None and estimate.hu_shifts is None
        lights.append((rating.light, item.dice))
    good = [dice for light, dice in lights if light is Light.GREEN]
    bad = [dice for light, dice in lights if light in (Light.RED, Light.YELLOW)]
    assert good and bad and np.mean(good) > np.mean(bad) + 0.03


def test_the_report_of_such_a_calibration_is_written(observed, tmp_path):
    calibration = calibrate(observed, "2026-01-01", "made up", 10, {}, ("a1",), HIP_AND_THIGH)
    judged = judge_left_out(observed, 10)
    write_quality(tmp_path, judged, calibration, "Made-up MR", 0)
    assert thresholds_of(calibration, observed)
    assert {"quality.md"} <= {path.name for path in tmp_path.iterdir()}
