"""The preview: a rough look that lies on the CT's grid, rates nothing and says what it is wherever a result is shown."""

import json
from dataclasses import replace

import numpy as np
import pytest

from MSKSegmentLib import preview
from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.engine import SegmentRequest
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.results.result_reading import read_result
from MSKSegmentLib.settings import Settings


def test_every_nth_slice_is_chosen_by_its_distance_and_stands_for_its_neighbours():
    def grid(depth, z):
        return Geometry((40, 40, depth), (1.0, 1.0, z))

    assert [preview.slice_step(grid(50, z)) for z in (0.63, 1.0, 1.4, 4.5, 5.0, 9.0, 12.0)] == [14, 9, 6, 2, 1, 1, 1]
    assert preview.stand_ins(11, 3).tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert preview.stand_ins(4, 1).tolist() == [0, 1, 2, 3]
    # The last one that was looked at stands for all behind it.
    assert preview.stand_ins(6, 4).tolist() == [0, 0, 0, 1, 1, 1] and preview.stand_ins(2, 9).tolist() == [0, 0]
    coarse = preview.coarse_geometry(grid(11, 1.5), 3)
    assert coarse.size == (40, 40, 4) and coarse.spacing == (1.0, 1.0, 4.5)


@pytest.fixture
def thin(phantom):
    """The phantom in slices of 1.5 mm: the preview looks at every sixth."""
    hu = np.repeat(phantom.hu, 4, axis=0)
    return CTVolume(hu, replace(phantom.geometry, size=hu.shape[::-1], spacing=(4.0, 4.0, 1.5)))


def test_a_preview_copies_what_it_looked_at_and_looks_as_the_full_run_does(thin, tiny_bundle, monkeypatch):
    from MSKSegmentLib.inference.slices import SliceReader

    seen = {}
    real = SliceReader.read

    def read(self, level):
        seen.setdefault(round(level, 3), real(self, level))
        return seen[round(level, 3)]

    monkeypatch.setattr(SliceReader, "read", read)
    steps = []
    result = segment_case(thin, load_bundle(tiny_bundle), Settings("cpu", seed=3, preview=True), lambda *s: steps.append(s))
    assert [s[1:] for s in steps if s[0] == "inference"][-1] == (16, 16) and len(seen) <= 16
    assert result.labels.shape == result.uncertainty.shape == thin.hu.shape
    for array in (result.labels, result.uncertainty):
        assert np.array_equal(array, array[::6][preview.stand_ins(len(array), 6)]) and array.any()
    rough = dict(seen)
    seen.clear()
    segment_case(thin, load_bundle(tiny_bundle), Settings("cpu", passes=1, seed=3))
    # Where both look at the same level the network gets the same pixels, neighbours included.
    shared = [level for level in rough if level in seen]
    assert shared and all((rough[level] == seen[level]).all() for level in shared)


def test_a_preview_is_marked_everywhere_and_rates_nothing(thin, tiny_bundle, tmp_path, capsys):
    import SimpleITK as sitk

    scan, out = tmp_path / "thin.nii.gz", tmp_path / "out"
    sitk.WriteImage(thin.geometry.image_of(thin.hu), str(scan))
    command = ["segment", str(scan), "-o", str(out), "--bundle", str(tiny_bundle), "--seed", "1", "--progress", "none"]
    assert main([*command, "--preview"]) == 0
    assert "PREVIEW from 16 of 96 slices and 2 dropout passes" in " ".join(capsys.readouterr().out.split())
    content = json.loads((out / "result.json").read_text(encoding="utf-8"))
    assert content["provenance"]["preview"] is True and content["provenance"]["settings"]["passes"] == 2
    result, *_ = read_result(out)
    assert "PREVIEW" in result.warnings[0]
    assert {report.light for report in result.reports} == {Light.GREY}
    found = [report for report in result.reports if report.measurements]
    assert found and all("preview" in report.reasons[0] for report in result.reports)
    assert all(report.predicted_dice is None and report.dice_interval is None for report in result.reports)
    # Nobody gets it for a full result, and the full run takes its place.
    earlier_result = pytest.importorskip("MSKSegmentLib.web.case.opening").earlier_result
    assert earlier_result(tmp_path, "out", scan, None) is None
    assert main(command) == 0
    assert earlier_result(tmp_path, "out", scan, None) == out
    result, *_ = read_result(out)
    assert not any("PREVIEW" in warning for warning in result.warnings) and result.facts.preview is False
    assert not any("preview" in " ".join(report.reasons) for report in result.reports)


def test_front_ends_ask_for_it_by_the_command_line(tmp_path):
    request = SegmentRequest(tmp_path / "ct.nrrd", tmp_path / "out")
    assert "--preview" not in request.arguments()
    assert "--preview" in replace(request, settings=Settings(preview=True)).arguments()
