"""Bundles whose passes look in a mirror: written, refused by older software, exported."""

import json
from dataclasses import replace

import pytest
from conftest import write_tiny_bundle

from MSKSegmentLib.bundle import Manifest, load_bundle, update_calibration, verify_bundle
from MSKSegmentLib.bundle.updating import update_mirrored, update_rating
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import BundleError

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    calibrated = update_calibration(load_bundle(write_tiny_bundle(folder / "tiny")), {"format": "none"}, folder / "two", "2")
    return update_rating(calibrated, {"format": "none"}, folder / "three", "3")


@pytest.fixture(scope="module")
def mirrored(plain, tmp_path_factory):
    return update_mirrored(plain, True, tmp_path_factory.mktemp("mirrored") / "mirrored", "4")


def test_it_has_the_same_network_and_no_calibration(plain, mirrored):
    assert mirrored.manifest.preprocessing == replace(plain.manifest.preprocessing, mirrored=True)
    assert mirrored.read_file("weights.safetensors") == plain.read_file("weights.safetensors")
    assert plain.calibration is not None and plain.rating is not None
    assert mirrored.calibration is None and mirrored.rating is None and mirrored.card == plain.card
    assert verify_bundle(mirrored.folder) == []


def test_older_software_refuses_it_by_its_version_and_other_bundles_stay_as_they_were(plain, mirrored):
    old, new = (json.loads((bundle.folder / "bundle.json").read_text()) for bundle in (plain, mirrored))
    assert old["format_version"] == 1 and "mirrored" not in old["preprocessing"]
    assert new["format_version"] == 5 and new["preprocessing"]["mirrored"] is True


def test_it_can_be_undone(plain, mirrored, tmp_path):
    back = update_mirrored(mirrored, False, tmp_path / "back", "5")
    assert back.manifest == replace(plain.manifest, version="5", date=back.manifest.date, files=back.manifest.files)


def test_what_cannot_be_is_refused_and_nothing_is_written(plain, mirrored, tmp_path):
    with pytest.raises(BundleError, match="tiny 4 looks in a mirror already; nothing was written"):
        update_mirrored(mirrored, True, tmp_path / "no", "5")
    with pytest.raises(BundleError, match="already has version 3"):
        update_mirrored(plain, True, tmp_path / "no", "3")
    few = replace(plain, manifest=replace(plain.manifest, passes=1))
    with pytest.raises(BundleError, match="a network as it is and in a mirror, with too few passes for that .1."):
        update_mirrored(few, True, tmp_path / "no", "5")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"mirrored": 1}, "not a whole number"), ({"mirrored": "yes"}, "not a whole number"), ({"mirrors": True}, "unknown mirrors")],
)
def test_a_garbled_entry_is_refused(mirrored, changed, words):
    content = json.loads((mirrored.folder / "bundle.json").read_text())
    with pytest.raises(BundleError, match=words):
        Manifest.from_json({**content, "preprocessing": {**content["preprocessing"], **changed}})


def test_every_network_needs_a_pass_in_the_mirror_and_one_beside_it(mirrored):
    content = json.loads((mirrored.folder / "bundle.json").read_text())
    assert Manifest.from_json({**content, "members": 2, "passes": 4}).members == 2
    with pytest.raises(BundleError, match="2 networks, each as it is and in a mirror, with too few passes for that .3."):
        Manifest.from_json({**content, "members": 2, "passes": 3})


def test_the_command_says_what_came_out(plain, tmp_path, capsys):
    assert main(["bundle", "mirror", str(plain.folder), "-o", str(tmp_path / "new"), "--version", "4"]) == 0
    told = capsys.readouterr().out
    assert "tiny 4" in told and "3, every second one of a network in a mirror" in told and "results are not rated" in told
    assert main(["bundle", "mirror", str(tmp_path / "new"), "-o", str(tmp_path / "old"), "--version", "5", "--undo"]) == 0
    assert "in a mirror" not in capsys.readouterr().out
    assert main(["bundle", "mirror", str(plain.folder), "-o", str(tmp_path / "no"), "--version", "5", "--undo"]) == 2
    assert "No pass of tiny 3 looks in a mirror; nothing was written" in capsys.readouterr().err


def test_a_training_goes_on_from_it_and_a_checkpoint_of_before_fits(mirrored):
    from MSKSegmentLib.training.checkpoints import _as_before, initial_weights

    assert initial_weights(str(mirrored.folder), mirrored.manifest.network)
    assert _as_before(mirrored.manifest.preprocessing) == _as_before(replace(mirrored.manifest.preprocessing, mirrored=False))


def test_the_script_for_other_programs_looks_in_the_mirror_too():
    from MSKSegmentLib.network.bayesian_unet import BayesianUNet
    from MSKSegmentLib.network.scripted_passes import scripted

    torch.manual_seed(3)
    network = BayesianUNet(levels=2, base_filters=4, in_channels=3, dropout=0.0).eval()
    volume = torch.rand(1, 1, 16, 12, 5)
    plain = scripted(network, 3, 2, 0.0, 2)
    one, other = plain(volume), plain(volume.flip(2)).flip(2)
    assert not torch.allclose(one, other, atol=1e-3)
    for passes, expected in ((2, (one + other) / 2), (3, (2 * one + other) / 3)):
        assert torch.allclose(scripted(network, 3, 2, 0.0, passes, mirrored=True)(volume), expected, atol=1e-5)
