"""Bundles come back as they were saved, and what does not fit is not saved."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from bundle_cases import CALIBRATION, CARD, MANIFEST, network
from conftest import ROOT
from safetensors.torch import load_file

from MSKSegmentLib.bundle import Manifest, NetworkSpec, load_bundle, save_bundle, update_calibration, verify_bundle
from MSKSegmentLib.bundle.describe import describe_bundle
from MSKSegmentLib.bundle.updating import update_card
from MSKSegmentLib.errors import BundleError
from MSKSegmentLib.network.families import build_network

pytest_plugins = ("bundle_fixtures",)


def test_round_trip(saved):
    loaded = load_bundle(saved)
    assert replace(loaded.manifest, files={}) == MANIFEST
    assert loaded.card == CARD and loaded.calibration == CALIBRATION
    assert loaded.digest == hashlib.sha256((saved / "bundle.json").read_bytes()).hexdigest()
    assert {path.name for path in saved.iterdir()} == {*loaded.manifest.files, "bundle.json"}
    for name, digest in loaded.manifest.files.items():
        assert hashlib.sha256((saved / name).read_bytes()).hexdigest() == digest
    assert [entry.name for entry in saved.parent.iterdir()] == ["hip-1"], "no temporary folder stays behind"


def test_network_comes_back_within_float16(saved):
    original, loaded = network(), load_bundle(saved).load_network()
    assert not loaded.training
    tensors = loaded.state_dict()
    assert tensors.keys() == original.state_dict().keys()
    for key, value in original.state_dict().items():
        if value.is_floating_point():
            assert tensors[key].dtype == torch.float32 and tensors[key].device.type == "cpu"
            torch.testing.assert_close(tensors[key], value, rtol=2**-11 if value.ndim > 1 else 0, atol=1e-7)
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), original(x), rtol=0, atol=0.02)


def test_a_network_is_loaded_without_torchs_compiler(saved):
    """Every run would wait two seconds for it."""
    code = f"from MSKSegmentLib.bundle import load_bundle; load_bundle({str(saved)!r}).load_network()"
    code = f"import sys; {code}; print('torch' in sys.modules, 'torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_another_family_comes_back_and_is_named(tmp_path):
    spec = NetworkSpec(levels=2, base_filters=4, in_channels=3, family="spatial-channel-unet")
    torch.manual_seed(2)
    made = build_network(spec).eval()
    torch.nn.init.normal_(made.location.weight)
    bundle = save_bundle(tmp_path / "b", replace(MANIFEST, network=spec), made.state_dict(), None, CARD, dtype="float32")
    content = json.loads((tmp_path / "b" / "bundle.json").read_text())
    assert content["format_version"] == 3 and content["network"]["family"] == "spatial-channel-unet"
    loaded = bundle.load_network()
    x, place = torch.rand(1, 3, 16, 16), torch.tensor([0.3])
    with torch.no_grad():
        assert torch.equal(loaded(x, place), made(x, place)) and not torch.equal(loaded(x, place), loaded(x, place + 0.4))
    assert "Spatial-Channel U-Net, 2 levels x 4 filters" in describe_bundle(tmp_path / "b")
    with pytest.raises(BundleError, match="lack location"):
        save_bundle(tmp_path / "c", replace(MANIFEST, network=spec), network().state_dict(), None, CARD)
    with pytest.raises(BundleError, match="'forest', which this software does not know"):
        Manifest.from_json({**content, "network": {**content["network"], "family": "forest"}})


def test_float32_comes_back_exactly(tmp_path):
    original = network(1)
    loaded = save_bundle(tmp_path / "b", MANIFEST, original.state_dict(), None, CARD, dtype="float32").load_network()
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in original.state_dict().items())


@pytest.mark.parametrize(("dtype", "kernels"), [("float16", torch.float16), ("bfloat16", torch.bfloat16)])
def test_kernels_are_stored_short_and_vectors_in_full(tmp_path, dtype, kernels):
    save_bundle(tmp_path / "b", MANIFEST, network().state_dict(), None, CARD, dtype=dtype)
    stored = load_file(tmp_path / "b" / "weights.safetensors")
    assert not any("num_batches_tracked" in key for key in stored)
    assert {tensor.dtype for tensor in stored.values() if tensor.ndim > 1} == {kernels}
    assert {tensor.dtype for tensor in stored.values() if tensor.ndim == 1} == {torch.float32}


def test_numbers_beyond_float16_survive(tmp_path):
    state = network().state_dict()
    state["encoder.0.1.running_var"][0] = 123456.0
    state["encoder.0.0.weight"][0, 0, 0, 0] = 98765.0
    loaded = save_bundle(tmp_path / "b", MANIFEST, state, None, CARD).load_network().state_dict()
    assert loaded["encoder.0.1.running_var"][0] == 123456.0
    assert loaded["encoder.0.0.weight"][0, 0, 0, 0] == 98765.0


def test_loaded_network_can_be_trained_on(saved):
    loaded = load_bundle(saved).load_network().train()
    loaded(torch.rand(2, 3, 16, 16)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in loaded.parameters())
    assert loaded.state_dict()["encoder.0.1.num_batches_tracked"] == 1


def test_same_input_same_bytes(tmp_path):
    one, other = (save_bundle(tmp_path / name, MANIFEST, network().state_dict(), CALIBRATION, CARD) for name in ("a", "b"))
    assert one.digest == other.digest


def test_calibration_is_optional(tmp_path):
    loaded = save_bundle(tmp_path / "b", MANIFEST, network().state_dict(), None, CARD)
    assert loaded.calibration is None and not (tmp_path / "b" / "calibration.json").exists()


def test_names_beyond_ascii(tmp_path):
    folder = tmp_path / "股関節 モデル"
    save_bundle(folder, replace(MANIFEST, name="股関節"), network().state_dict(), CALIBRATION, CARD)
    assert load_bundle(folder).manifest.name == "股関節" and load_bundle(folder).calibration == CALIBRATION


def test_recalibration_is_a_new_version(saved, tmp_path):
    old = load_bundle(saved)
    new = update_calibration(old, {"cases": 7}, tmp_path / "hip-2", "1.1", date="2026-03-01")
    assert new.calibration == {"cases": 7} and new.card == CARD
    assert new.digest != old.digest
    assert replace(new.manifest, files={}) == replace(MANIFEST, version="1.1", date="2026-03-01")
    assert new.manifest.files["weights.safetensors"] == old.manifest.files["weights.safetensors"]
    assert load_bundle(saved) == old


def test_recalibration_with_the_old_version_is_refused(saved, tmp_path):
    with pytest.raises(BundleError, match="already has version 1.0"):
        update_calibration(load_bundle(saved), {}, tmp_path / "b", "1.0")


def test_a_new_card_changes_nothing_else(saved, tmp_path):
    old = load_bundle(saved)
    new = update_card(old, "Another card.", tmp_path / "hip-1")
    assert new.card == "Another card." and new.calibration == CALIBRATION and verify_bundle(new.folder) == []
    changed = {name for name, digest in new.manifest.files.items() if digest != old.manifest.files[name]}
    assert changed == {"MODEL_CARD.md"} and replace(new.manifest, files={}) == MANIFEST
    assert load_bundle(saved) == old


# --- what must not be saved


def test_an_existing_folder_is_never_overwritten(bundle):
    before = (bundle / "bundle.json").read_bytes()
    with pytest.raises(BundleError, match="already is a hip-1"):
        save_bundle(bundle, MANIFEST, network(2).state_dict(), None, CARD)
    assert (bundle / "bundle.json").read_bytes() == before and verify_bundle(bundle) == []


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BundleError, match="No space left"):
        save_bundle(tmp_path / "b", MANIFEST, network().state_dict(), None, CARD)
    assert list(tmp_path.iterdir()) == []


def drop(state):
    del state["head.bias"]


def add(state):
    state["stray"] = torch.zeros(1)


def reshape(state):
    state["head.bias"] = torch.zeros(22)


def spoil(state):
    state["head.bias"][3] = float("nan")


@pytest.mark.parametrize(("change", "words"), [(drop, "lack head.bias"), (add, "stray"), (reshape, "(22,)"), (spoil, "not finite")])
def test_weights_that_do_not_fit_are_not_saved(tmp_path, change, words):
    state = network().state_dict()
    change(state)
    with pytest.raises(BundleError) as error:
        save_bundle(tmp_path / "b", MANIFEST, state, None, CARD)
    assert words in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_impossible_manifest_or_calibration_is_not_saved(tmp_path):
    state = network().state_dict()
    with pytest.raises(BundleError, match="0 dropout passes"):
        save_bundle(tmp_path / "b", replace(MANIFEST, passes=0), state, None, CARD)
    with pytest.raises(BundleError, match="finite numbers"):
        save_bundle(tmp_path / "b", MANIFEST, state, {"slope": float("nan")}, CARD)
    with pytest.raises(ValueError, match="float8"):
        save_bundle(tmp_path / "b", MANIFEST, state, None, CARD, dtype="float8")
    assert list(tmp_path.iterdir()) == []
