"""The first stage that a bundle names: its entry in the manifest, the first network inside or beside it, and what is refused."""

import json
from dataclasses import replace

import pytest
from conftest import ROOT, write_tiny_bundle

from MSKSegmentLib.bundle import Manifest, load_bundle, save_bundle
from MSKSegmentLib.bundle.cascade import first_stage_problems, located, opened_first_stage, put_inside, save_cascade
from MSKSegmentLib.bundle.describe import describe_bundle, describe_verification
from MSKSegmentLib.bundle.first_stage import FIRST_STAGE_FILE, FirstStage, first_stage_from_json
from MSKSegmentLib.bundle.monai_export import export_monai
from MSKSegmentLib.bundle.package_file import export_package, import_package
from MSKSegmentLib.bundle.updating import update_card
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import BundleError

pytest.importorskip("torch")
BEFORE = FirstStage("bundle", margin_mm=12.0, bundle="first", structures=("FEMUR", "PELVIS"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A first network, a cascade that carries it, and one that names it beside itself."""
    folder = tmp_path_factory.mktemp("cascade")
    first = write_tiny_bundle_of(folder / "first", "first")
    second = load_bundle(write_tiny_bundle(folder / "second"))
    state = second.load_network().state_dict()
    preprocessing = replace(second.manifest.preprocessing, first_stage=replace(BEFORE, bundle=str(folder / "first")))
    preprocessing, file = put_inside(preprocessing, "CT")
    save_cascade(folder / "carrying", replace(second.manifest, preprocessing=preprocessing), state, "A cascade.", file)
    beside = replace(second.manifest.preprocessing, first_stage=replace(BEFORE, digest=first.digest))
    save_bundle(folder / "naming", replace(second.manifest, preprocessing=beside), state, None, "A cascade.")
    return folder


def write_tiny_bundle_of(folder, name):
    bundle = load_bundle(write_tiny_bundle(folder.with_name(folder.name + "-made")))
    return save_bundle(folder, replace(bundle.manifest, name=name), bundle.load_network().state_dict(), None, "The first.")


def opened(folder, **changes):
    bundle = load_bundle(folder)
    preprocessing = bundle.manifest.preprocessing
    if changes:
        preprocessing = replace(preprocessing, first_stage=replace(preprocessing.first_stage, **changes))
    return opened_first_stage(preprocessing, "CT", folder)


def test_a_manifest_without_a_first_stage_is_what_it_was():
    stored = json.loads((ROOT / "MSKSegmentLib/Resources/Models/mskseg-virtual/bundle.json").read_text())
    assert json.loads(json.dumps(Manifest.from_json(stored).to_json())) == stored


def test_a_first_stage_takes_a_manifest_that_older_software_refuses(site):
    stored = json.loads((site / "carrying" / "bundle.json").read_text())
    assert stored["format_version"] == 4 and json.loads(json.dumps(Manifest.from_json(stored).to_json())) == stored
    skin = replace(Manifest.from_json(stored).preprocessing, first_stage=FirstStage(margin_mm=3.0))
    assert skin.to_json()["first_stage"] == {"kind": "body", "margin_mm": 3.0, "fill": -1000.0}
    assert first_stage_from_json(skin.to_json()["first_stage"]) == skin.first_stage


@pytest.mark.parametrize(
    "entry, said",
    [
        ({"kind": "skull"}, "kind 'skull'"),
        ({"margin_mm": -1}, "margin outside"),
        ({"margin_mm": "wide"}, "is none"),
        ({"fill": 1e9}, "impossible fill"),
        ({"kind": "bundle", "bundle": "first"}, "no structures of it"),
        ({"kind": "bundle", "bundle": "first", "structures": ["FEMUR"]}, "without the digest"),
        ({"kind": "bundle", "bundle": FIRST_STAGE_FILE, "structures": ["FEMUR"], "digest": "0"}, "not in the bundle"),
        ({"bundle": "first"}, "names a bundle"),
        ({"depth": 3}, "depth"),
        ("skin", "not an object"),
    ],
)
def test_impossible_entries_are_refused(entry, said):
    stored = json.loads((ROOT / "MSKSegmentLib/Resources/Models/mskseg-virtual/bundle.json").read_text())
    stored["preprocessing"]["first_stage"] = entry
    with pytest.raises(BundleError, match=said):
        Manifest.from_json(stored)


@pytest.mark.parametrize("name", ["carrying", "naming"])
def test_the_first_network_is_found_and_told(site, name):
    with opened(site / name) as first:
        assert first.manifest.name == "first" and first.load_network() is not None
    assert first_stage_problems(site / name) == [] and describe_verification(site / name)[0]
    assert "calls FEMUR, PELVIS, widened by 12 mm" in describe_bundle(site / name)


def test_a_cascade_arrives_whole_with_its_first_network(site, tmp_path, capsys):
    assert main(["bundle", "export", str(site / "carrying"), "-o", str(tmp_path / "both.mskseg")]) == 0
    assert "First stage" in capsys.readouterr().out
    got = import_package(tmp_path / "both.mskseg", tmp_path / "got")
    with opened(got.folder) as first:
        assert first.digest == load_bundle(site / "first").digest
    facts = export_package(load_bundle(site / "naming"), tmp_path / "one.mskseg")
    assert "send it, too" in str(facts.about["first_stage"])


def test_a_cascade_is_not_written_for_monai(site, tmp_path):
    with pytest.raises(BundleError, match="behind a first stage"):
        export_monai(load_bundle(site / "carrying"), tmp_path / "monai")
    assert not (tmp_path / "monai").exists()


def test_a_bundle_written_anew_keeps_its_first_network(site, tmp_path):
    anew = update_card(load_bundle(site / "carrying"), "Another card.", tmp_path / "anew")
    with opened(anew.folder) as first:
        assert first.manifest.name == "first"
    # Fine-tuning names it by its place, and puts it inside again.
    preprocessing, file = put_inside(located(anew), "CT")
    assert preprocessing.first_stage == anew.manifest.preprocessing.first_stage and file


@pytest.mark.parametrize(
    "name, changes, said",
    [
        ("naming", {"bundle": "nowhere"}, "nowhere is missing; put its bundle beside"),
        ("naming", {"digest": "0" * 64}, "not the one that the second was made behind"),
        ("naming", {"structures": ("HALO",)}, "knows no structure HALO"),
        ("naming", {"bundle": "naming", "digest": ""}, "has a first stage of its own"),
    ],
)
def test_another_first_network_than_the_one_it_was_made_behind_is_refused(site, name, changes, said):
    with pytest.raises(BundleError, match=said) as caught, opened(site / name, **changes):
        pass
    assert "\n" not in str(caught.value)


def test_a_first_network_for_mr_does_not_stand_before_one_for_ct(site):
    preprocessing = load_bundle(site / "naming").manifest.preprocessing
    refused = pytest.raises(BundleError, match="is one for CT, and the second one for MR")
    with refused, opened_first_stage(preprocessing, "MR", site / "naming"):
        pass


def test_a_run_without_its_first_network_ends_with_a_sentence(site, tmp_path, phantom_file, capsys):
    """Before anything is computed, and without a result."""
    alone = tmp_path / "alone"
    alone.mkdir()
    for file in (site / "naming").iterdir():
        (alone / file.name).write_bytes(file.read_bytes())
    assert main(["segment", str(phantom_file), "-o", str(tmp_path / "out"), "--bundle", str(alone), "--device", "cpu"]) == 2
    assert "first network first is missing" in capsys.readouterr().err and not (tmp_path / "out" / "result.json").exists()
    assert not describe_verification(alone)[0]
