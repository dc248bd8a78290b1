"""Bundles come back as they were saved, and nothing that was tampered with is used."""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from MSKSegmentLib import resources
from MSKSegmentLib.bundle import (
    Manifest,
    NetworkSpec,
    Preprocessing,
    bundle_folder,
    find_bundles,
    load_bundle,
    resolve_bundle,
    save_bundle,
    update_calibration,
    verify_bundle,
)
from MSKSegmentLib.bundle.describe import describe_bundle, describe_bundles, describe_verification
from MSKSegmentLib.errors import BundleError
from MSKSegmentLib.network.bayesian_unet import BayesianUNet

SPEC = NetworkSpec(levels=3, base_filters=4, in_channels=3)
MANIFEST = Manifest(
    name="hip",
    version="1.0",
    description="A small network.",
    date="2026-01-31",
    license="CC BY 4.0",
    network=SPEC,
    preprocessing=Preprocessing(in_plane_spacing_mm=1.0, slice_interval_mm=2.0),
    passes=12,
)
CARD = "# Hip\n\nTrained on virtual patients;\nfor research only.\n\nMore: 左右.\n"
CALIBRATION = {
    "date": "2026-02-01",
    "structures": {"GMED": {"patients": 40, "slope": -134.25}, "OE": {"patients": 38, "slope": -20.5}},
    "source": "校正",
}


def network(seed: int = 0) -> BayesianUNet:
    torch.manual_seed(seed)
    built = BayesianUNet(3, 4, 23, 3)
    for key, buffer in built.named_buffers():
        if "running" in key:
            buffer.uniform_(0.5, 1.5)
    return built.eval()


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "hip-1"
    save_bundle(folder, MANIFEST, network().state_dict(), CALIBRATION, CARD)
    return folder


@pytest.fixture
def bundle(saved, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(saved, tmp_path / "hip-1"))


def edit_manifest(folder: Path, **entries) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **entries}), "utf-8")


def list_file(folder: Path, name: str, data: bytes | None = None) -> None:
    """Put `name` into the manifest, as one who wants it read would."""
    files = json.loads((folder / "bundle.json").read_text("utf-8"))["files"]
    content = (folder / name).read_bytes() if data is None else data
    edit_manifest(folder, files={**files, name: hashlib.sha256(content).hexdigest()})


# --- what was saved comes back


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
    one, other = (
        save_bundle(tmp_path / name, MANIFEST, network().state_dict(), CALIBRATION, CARD) for name in ("a", "b")
    )
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


@pytest.mark.parametrize(
    ("change", "words"), [(drop, "lack head.bias"), (add, "stray"), (reshape, "(22,)"), (spoil, "not finite")]
)
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


# --- what must not be loaded


def one_byte(folder):
    path = folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def one_letter_of_the_card(folder):
    path = folder / "MODEL_CARD.md"
    path.write_bytes(path.read_bytes().replace(b"research", b"Research"))


def other_calibration(folder):
    (folder / "calibration.json").write_text("{}")


def parent_path(folder):
    (folder.parent / "x").write_bytes(b"secret")
    list_file(folder, "../x")


def absolute_path(folder):
    list_file(folder, str(folder / "MODEL_CARD.md"))


def windows_path(folder):
    list_file(folder, "..\\x", b"secret")


def stray_pickle(folder):
    (folder / "weights.pkl").write_bytes(pickle.dumps({}))


def listed_pickle(folder):
    stray_pickle(folder)
    list_file(folder, "weights.pkl")


def torch_file(folder):
    torch.save({}, folder / "weights.pt")
    list_file(folder, "weights.pt")


def folder_inside(folder):
    (folder / "more").mkdir()


def newer_format(folder):
    edit_manifest(folder, format_version=99)


def truncated_manifest(folder):
    path = folder / "bundle.json"
    path.write_bytes(path.read_bytes()[:200])


def manifest_of_garbage(folder):
    (folder / "bundle.json").write_bytes(b"\xff\xfe\x00garbage")


def deeply_nested_manifest(folder):
    (folder / "bundle.json").write_text("[" * 100_000)


def manifest_of_something_else(folder):
    (folder / "bundle.json").write_text('{"format": "other"}')


def no_manifest(folder):
    (folder / "bundle.json").unlink()


def no_folder(folder):
    shutil.rmtree(folder)


def no_weights(folder):
    (folder / "weights.safetensors").unlink()


def weights_not_listed(folder):
    files = json.loads((folder / "bundle.json").read_text("utf-8"))["files"]
    (folder / "weights.safetensors").unlink()
    edit_manifest(folder, files={key: value for key, value in files.items() if key != "weights.safetensors"})


def calibration_not_listed(folder):
    files = json.loads((folder / "bundle.json").read_text("utf-8"))["files"]
    edit_manifest(folder, files={key: value for key, value in files.items() if key != "calibration.json"})


def calibration_that_is_a_list(folder):
    other_calibration(folder)
    (folder / "calibration.json").write_text("[1, 2]")
    list_file(folder, "calibration.json")


def calibration_that_is_no_json(folder):
    (folder / "calibration.json").write_text("{'a': 1")
    list_file(folder, "calibration.json")


def words_for_numbers(folder):
    edit_manifest(folder, network={"levels": "six"})


def half_a_level(folder):
    edit_manifest(folder, network={"levels": 3.5})


def window_of_letters(folder):
    edit_manifest(folder, preprocessing={"hu_window": ["a", "b"]})


def no_value_range(folder):
    edit_manifest(folder, preprocessing={"value_range": None})


def endless_value_range(folder):
    edit_manifest(folder, preprocessing={"value_range": [0, float("inf")]})


DAMAGES = [
    *(one_byte, one_letter_of_the_card, other_calibration, parent_path, absolute_path, windows_path, stray_pickle),
    *(listed_pickle, torch_file, folder_inside, newer_format, truncated_manifest, manifest_of_garbage),
    *(deeply_nested_manifest, manifest_of_something_else, no_manifest, no_folder, no_weights, weights_not_listed),
    *(calibration_not_listed, calibration_that_is_a_list, calibration_that_is_no_json, words_for_numbers),
    *(half_a_level, window_of_letters, no_value_range, endless_value_range),
]


def assert_one_sentence(text: str, folder: Path) -> None:
    assert text[0].isupper() or text.startswith(("bundle.json", "hip-1")), text
    assert text.endswith(".") and "\n" not in text and ". " not in text, text
    assert str(folder.parent) not in text and "Error" not in text and "secret" not in text, text


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_bundle_is_refused_in_one_sentence(bundle, damage):
    assert verify_bundle(bundle) == []
    damage(bundle)
    with pytest.raises(BundleError) as error:
        load_bundle(bundle)
    assert_one_sentence(str(error.value), bundle)
    assert verify_bundle(bundle) != []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (one_byte, "weights.safetensors was altered"),
        (no_weights, "weights.safetensors is missing"),
        (stray_pickle, "weights.pkl is in the folder but not in the manifest"),
        (listed_pickle, "weights.pkl, which is not a file of a bundle"),
        (newer_format, "format version 99"),
        (truncated_manifest, "not readable JSON"),
    ],
)
def test_the_sentence_names_the_trouble(bundle, damage, words):
    damage(bundle)
    with pytest.raises(BundleError, match=words):
        load_bundle(bundle)


def test_verification_tells_every_problem(bundle):
    one_byte(bundle)
    stray_pickle(bundle)
    (bundle / "MODEL_CARD.md").unlink()
    assert len(verify_bundle(bundle)) == 3


def test_leftovers_of_file_managers_do_no_harm(bundle):
    (bundle / ".DS_Store").write_bytes(b"\0")
    assert verify_bundle(bundle) == []


def test_weights_altered_after_loading_are_not_used(bundle):
    loaded = load_bundle(bundle)
    one_byte(bundle)
    with pytest.raises(BundleError, match="altered"):
        loaded.load_network()
    (bundle / "weights.safetensors").unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        loaded.load_network()


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def pickle_in_disguise(folder):
    (folder / "weights.safetensors").write_bytes(pickle.dumps(Bomb()))


def too_few_weights(folder):
    save_file({"head.bias": torch.zeros(23)}, folder / "weights.safetensors")


def wrong_shape(folder):
    state = load_file(folder / "weights.safetensors")
    save_file({**state, "head.bias": torch.zeros(22)}, folder / "weights.safetensors")


def infinite_number(folder):
    state = load_file(folder / "weights.safetensors")
    save_file({**state, "head.bias": torch.full((23,), float("inf"))}, folder / "weights.safetensors")


def whole_numbers(folder):
    state = load_file(folder / "weights.safetensors")
    save_file({**state, "head.bias": torch.zeros(23, dtype=torch.int64)}, folder / "weights.safetensors")


@pytest.mark.parametrize(
    "damage", [pickle_in_disguise, too_few_weights, wrong_shape, infinite_number, whole_numbers]
)
def test_whole_bundle_with_unusable_weights(bundle, damage, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    damage(bundle)
    list_file(bundle, "weights.safetensors")
    with pytest.raises(BundleError) as error:
        load_bundle(bundle).load_network()
    assert_one_sentence(str(error.value), bundle)
    assert len(verify_bundle(bundle)) == 1
    assert not (tmp_path / "exploded").exists()


def test_a_manifest_asking_for_a_giant_takes_no_memory(bundle):
    edit_manifest(bundle, network={"levels": 8, "base_filters": 10**5})
    with pytest.raises(BundleError) as error:
        load_bundle(bundle).load_network()
    assert_one_sentence(str(error.value), bundle)


# --- finding


@pytest.fixture
def shelf(saved, tmp_path, monkeypatch) -> Path:
    """Two bundles in a folder that the environment names, and none that came with the software."""
    shelf = tmp_path / "shelf"
    for name in ("hip-1", "thigh"):
        shutil.copytree(saved, shelf / name)
    edit_manifest(shelf / "thigh", name="Thigh muscles")
    (shelf / "no bundle").mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "site" / "MSKSegmentLib")
    monkeypatch.setenv("MSKSEG_BUNDLES", os.pathsep.join([str(shelf), str(tmp_path / "absent"), str(shelf / "thigh")]))
    return shelf


def test_bundles_named_by_the_environment(shelf):
    assert find_bundles() == (shelf / "hip-1", shelf / "thigh")


@pytest.mark.parametrize("place", ["site/Resources/Models", "site/MSKSegmentLib/Resources/Models"])
def test_the_bundle_that_comes_with_the_software_is_the_default(shelf, tmp_path, place):
    shutil.copytree(shelf / "thigh", tmp_path / place / "built in")
    assert [folder.name for folder in find_bundles()] == ["built in", "hip-1", "thigh"]
    assert resolve_bundle(None).folder.name == "built in"


def test_a_bundle_still_being_written_is_not_found(shelf):
    (shelf / "hip-1").rename(shelf / ".0123")
    assert [folder.name for folder in find_bundles()] == ["thigh"]


def test_by_folder_name_by_name_and_by_path(shelf, monkeypatch):
    assert resolve_bundle("hip-1").folder == shelf / "hip-1"
    assert resolve_bundle("Thigh muscles").folder == shelf / "thigh"
    assert resolve_bundle(str(shelf / "thigh")).folder == shelf / "thigh"
    monkeypatch.chdir(shelf.parent)
    (shelf.parent / "thigh").mkdir()
    assert resolve_bundle("thigh").folder == shelf / "thigh", "a folder that is no bundle does not hide one"


def test_unknown_and_ambiguous_names(shelf, tmp_path, monkeypatch):
    with pytest.raises(BundleError) as error:
        resolve_bundle(str(tmp_path / "knee"))
    assert str(error.value).endswith("knee; give its folder or one of the installed: hip-1, thigh.")
    edit_manifest(shelf / "thigh", name="hip")
    with pytest.raises(BundleError, match="2 model bundles are called hip;"):
        resolve_bundle("hip")
    monkeypatch.delenv("MSKSEG_BUNDLES")
    with pytest.raises(BundleError, match="MSKSEG_BUNDLES"):
        resolve_bundle(None)
    with pytest.raises(BundleError, match="installed: none"):
        bundle_folder("knee")


def test_a_damaged_bundle_does_not_stop_the_others(shelf):
    truncated_manifest(shelf / "hip-1")
    assert resolve_bundle("Thigh muscles").manifest.name == "Thigh muscles"
    with pytest.raises(BundleError, match="not readable JSON"):
        resolve_bundle("hip-1")


# --- describing


def test_list(shelf):
    (shelf / "thigh" / "calibration.json").unlink()
    calibration_not_listed(shelf / "thigh")
    lines = describe_bundles().splitlines()
    assert lines[0].split() == ["FOLDER", "NAME", "VERSION", "SIZE", "NETWORK", "CALIBRATED"]
    assert lines[1].split()[:3] == ["hip-1", "hip", "1.0"] and lines[1].endswith("yes")
    assert "Thigh muscles" in lines[2] and lines[2].endswith("no")
    assert "3 levels x 4 filters, batch norm" in lines[1]
    assert lines[3] == "Default: hip-1"


def test_list_shows_damage_and_goes_on(shelf):
    truncated_manifest(shelf / "hip-1")
    assert "(unreadable)" in describe_bundles().splitlines()[1] and "Thigh muscles" in describe_bundles()


def test_list_of_none(shelf, monkeypatch):
    monkeypatch.delenv("MSKSEG_BUNDLES")
    assert "MSKSEG_BUNDLES" in describe_bundles() and "No model bundle" in describe_bundles()


def test_info(saved):
    text = describe_bundle(saved)
    trained = sum(parameter.numel() for parameter in network().parameters())
    digest = hashlib.sha256((saved / "bundle.json").read_bytes()).hexdigest()
    for words in (
        *("hip 1.0 (2026-01-31)", "Trained on virtual patients; for research only.", "CC BY 4.0", "dropout 0.5"),
        *("3 neighbouring slices", "in plane 1 mm, slice interval 2 mm", "HU -150 to 350 mapped to 0 to 1"),
        *(f"{trained / 1e6:.3f} million, stored as float16", "2 structures, up to 40 patients each, 2026-02-01"),
    ):
        assert words in text, words
    rows = [line.split() for line in text.splitlines()]
    assert ["Passes", "12"] in rows and ["Digest", digest] in rows


def test_info_without_calibration(tmp_path):
    save_bundle(tmp_path / "b", MANIFEST, network().state_dict(), None, CARD, dtype="float32")
    text = describe_bundle(tmp_path / "b")
    assert "not rated" in text and "stored as float32" in text


@pytest.mark.parametrize("calibration", [{}, {"structures": 3}, {"structures": {"GMED": None}, "date": "x"}])
def test_info_on_a_calibration_of_another_kind(tmp_path, calibration):
    save_bundle(tmp_path / "b", MANIFEST, network().state_dict(), calibration, CARD)
    assert "calibrate the bundle again" in describe_bundle(tmp_path / "b")


def test_info_refuses_a_damaged_bundle(bundle):
    one_byte(bundle)
    with pytest.raises(BundleError, match="altered"):
        describe_bundle(bundle)


def test_verification_in_words(bundle):
    assert describe_verification(bundle)[0]
    one_byte(bundle)
    stray_pickle(bundle)
    sound, text = describe_verification(bundle)
    assert not sound and text.startswith("hip-1 must not be used:") and text.count("\n- ") == 2


def test_list_and_info_are_cheap(saved):
    """The list appears without waiting for torch."""
    script = (
        "import sys\nfrom MSKSegmentLib.bundle import describe\n"
        f"describe.describe_bundles(); describe.describe_bundle({str(saved)!r})\n"
        "print(sorted({'torch', 'h5py', 'SimpleITK', 'scipy'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
