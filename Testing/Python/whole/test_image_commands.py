"""Image files through the command line: the numbers of each side, lasting doubts, and refusals that write nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from image_checks import TABLES, label_array
from image_inputs import ASSUMED, NIFTI_INPUTS, ImageInput
from image_writing import lopsided, nifti, nrrd

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.engine import SegmentRequest
from MSKSegmentLib.settings import Settings


def measured(folder: Path, ct: Path, labels: Path, *more: str) -> dict[str, tuple[float, float]]:
    """Volume and HU per structure and side, as `mskseg measure` writes them."""
    output = folder / f"out-{ct.stem}-{len(list(folder.iterdir()))}"
    assert main(["measure", str(labels), "--ct", str(ct), "-o", str(output), *more]) == 0
    content = json.loads((output / "result.json").read_text(encoding="utf-8"))
    rows = content["segments"] if "segments" in content else content["reports"]
    found = {}
    for row in rows:
        numbers = row["measurements"]
        if numbers:
            found[row["key"]] = (numbers["volume_cc"], numbers["mean_hu"])
    assert found
    return found


def test_numbers_per_side_are_those_of_the_plain_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan = lopsided()
    sitk.WriteImage(scan.geometry.image_of(scan.hu), str(tmp_path / "plain.nrrd"))
    sitk.WriteImage(scan.geometry.image_of(label_array().astype(np.uint8)), str(tmp_path / "labels.nrrd"))
    labels = tmp_path / "labels.nrrd"
    plain = measured(tmp_path, tmp_path / "plain.nrrd", labels)
    assert plain["FEMUR_right"][0] != plain["FEMUR_left"][0]
    for name in ("pixdim 1 beside the sform", "negative pixdim beside the sform", "vox_offset 0", "metres"):
        entry = next(entry for entry in NIFTI_INPUTS if entry.name == name)
        found = measured(tmp_path, entry.make(tmp_path, scan), labels)
        assert found.keys() == plain.keys()
        for key, numbers in plain.items():
            assert found[key] == pytest.approx(numbers, rel=1e-4), (name, key)
    unstated = nrrd("spacings: SPACING", without=("space directions", "space", "space origin"))(tmp_path, scan)
    assert main(["measure", str(labels), "--ct", str(unstated), "-o", str(tmp_path / "o")]) == 2
    assert "--assume-orientation" in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_an_assumed_orientation_lasts_in_the_result(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = nifti(qform_code=0, sform_code=0)(tmp_path, lopsided())
    settings = Settings(bundle=str(tiny_bundle), seed=3, assume_orientation="LPS")
    request = SegmentRequest(path, tmp_path / "out", settings, keep_ct=True)
    assert main([*request.arguments(), "--samples", "2"]) == 0
    content = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))
    assert any("LPS was assumed" in sentence for sentence in content["warnings"])
    assert ASSUMED in {finding["code"] for finding in content["findings"]}
    assert "green" not in (tmp_path / "out" / "measurements.csv").read_text(encoding="utf-8")
    assert main(["check", str(tmp_path / "out" / "ct.nrrd")]) == 0
    assert "LPS was assumed" in capsys.readouterr().out


@pytest.mark.parametrize("entry", [entry for table in TABLES.values() for entry in table if entry.refused], ids=lambda e: e.name)
def test_nothing_is_written_on_refusal(
    entry: ImageInput, tiny_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = entry.make(tmp_path, lopsided())
    before = sorted(tmp_path.rglob("*"))
    command = ["segment", str(path), "-o", str(tmp_path / "out"), "--bundle", str(tiny_bundle), "--progress", "none"]
    assert main(command) == 2
    sentence = capfd.readouterr().err.strip()
    assert entry.refused in sentence and "\n" not in sentence and str(tmp_path) not in sentence
    assert sorted(tmp_path.rglob("*")) == before
