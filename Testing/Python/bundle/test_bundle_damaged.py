"""Nothing of a bundle that was damaged or tampered with is used, and one sentence says what is wrong with it."""

from pathlib import Path

import pytest
from bundle_damages import (
    DAMAGES,
    edit_manifest,
    infinite_number,
    list_file,
    listed_pickle,
    newer_format,
    no_weights,
    one_byte,
    pickle_in_disguise,
    stray_pickle,
    too_few_weights,
    truncated_manifest,
    whole_numbers,
    wrong_shape,
)

from MSKSegmentLib.bundle import load_bundle, verify_bundle
from MSKSegmentLib.errors import BundleError

pytest_plugins = ("bundle_fixtures",)


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


@pytest.mark.parametrize("damage", [pickle_in_disguise, too_few_weights, wrong_shape, infinite_number, whole_numbers])
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
