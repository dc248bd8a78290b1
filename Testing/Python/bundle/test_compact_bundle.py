"""``Tools/compact_bundle.py``: kernels of few values, which compress better and lie close to those of before."""

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch

from MSKSegmentLib.bundle import load_bundle, verify_bundle
from MSKSegmentLib.bundle.weights import decode_weights

ROOT = Path(__file__).resolve().parents[3]
TOOLS, BUNDLED = ROOT / "Tools", ROOT / "MSKSegmentLib" / "Resources" / "Models" / "mskseg-virtual"
sys.path.insert(0, str(TOOLS))

from compact_bundle import rounded  # noqa: E402


@pytest.mark.parametrize("scale", [1.0, 1e-3, 37.0])
def test_a_filter_keeps_255_values_within_half_a_step(scale):
    kernel = torch.randn((6, 5, 3, 3), generator=torch.Generator().manual_seed(1)) * scale
    kernel[2] = 0
    kernel[3] *= 50
    found = rounded(kernel)
    for before, after in zip(kernel, found, strict=True):
        step = 2.0 ** float(torch.ceil(torch.log2(before.abs().max().clamp(min=1e-30) / 127)))
        assert float((after - before).abs().max()) <= step / 2 * (1 + 1e-6)
        assert len(torch.unique(after)) <= 255
    assert torch.equal(found.half().float(), found), "float16 holds it exactly"
    assert torch.equal(rounded(found), found)


def test_the_bundle_of_a_compact_one_is_whole_uncalibrated_and_smaller(tmp_path):
    new = tmp_path / "new"
    said = subprocess.run(
        [sys.executable, str(TOOLS / "compact_bundle.py"), str(BUNDLED), "-o", str(new), "--version", "other"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert verify_bundle(new) == [] and load_bundle(new).calibration is None
    assert json.loads((new / "bundle.json").read_text())["version"] == "other"
    files = [folder / "weights.safetensors" for folder in (BUNDLED, new)]
    sizes = [len(zlib.compress(file.read_bytes())) for file in files]
    assert sizes[1] < sizes[0] or said.startswith("Kernels moved by 0.0%"), "a bundle that is compact already stays as it is"
    manifest = load_bundle(new).manifest
    before, after = (decode_weights(file.read_bytes(), manifest.network).state_dict() for file in files)
    for key, value in before.items():
        if value.ndim < 2:
            assert torch.equal(value, after[key]), "vectors stay"
        else:
            assert float((value - after[key]).norm() / value.norm()) < 0.03
