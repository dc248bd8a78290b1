"""Bundles are found by folder, name and path, and described without waiting for torch."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bundle_cases import CARD, MANIFEST, network
from bundle_damages import calibration_not_listed, edit_manifest, one_byte, stray_pickle, truncated_manifest

from MSKSegmentLib import resources
from MSKSegmentLib.bundle import bundle_folder, find_bundles, resolve_bundle, save_bundle
from MSKSegmentLib.bundle.describe import describe_bundle, describe_bundles, describe_verification
from MSKSegmentLib.errors import BundleError

pytest_plugins = ("bundle_fixtures",)


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


def test_the_bundle_that_comes_with_the_software_is_the_default(shelf, tmp_path):
    shutil.copytree(shelf / "thigh", tmp_path / "site" / "MSKSegmentLib" / "Resources" / "Models" / "built in")
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
    assert lines[0].split() == ["FOLDER", "NAME", "VERSION", "SIZE", "TASK", "NETWORK", "CALIBRATED"]
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
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
