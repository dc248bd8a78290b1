"""Bundles of several networks: joined, loaded, verified, sent, refused."""

import json
from dataclasses import replace

import pytest
from conftest import write_tiny_bundle

from MSKSegmentLib.bundle import Manifest, load_bundle, save_bundle, update_calibration, verify_bundle
from MSKSegmentLib.bundle.joining import join_bundles
from MSKSegmentLib.bundle.package_file import export_package, import_package
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import BundleError, InputError

torch = pytest.importorskip("torch")


def another(bundle, folder, seed=1, **changes):
    """A bundle of the same kind whose weights come from another seed, with some entries of its manifest changed."""
    torch.manual_seed(seed)
    state = {key: value + 0.1 * torch.randn_like(value) for key, value in bundle.load_network().state_dict().items() if value.ndim}
    return save_bundle(folder, replace(bundle.manifest, **{"name": f"other{seed}", **changes}), state, None, "# Card\n\nOther.\n")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    first = load_bundle(write_tiny_bundle(folder / "first"))
    return first, another(first, folder / "second")


@pytest.fixture(scope="module")
def joined(two, tmp_path_factory):
    return join_bundles(two, tmp_path_factory.mktemp("joined") / "both", "both")


def test_the_networks_of_both_are_in_it(two, joined):
    networks = joined.load_network().members
    for bundle, network in zip(two, networks, strict=True):
        for key, value in bundle.load_network().state_dict().items():
            assert torch.equal(value, network.state_dict()[key]), key
    assert joined.calibration is None and joined.manifest.passes == two[0].manifest.passes
    assert all(bundle.digest[:12] in joined.card and bundle.manifest.name in joined.card for bundle in two)
    assert verify_bundle(joined.folder) == []


def test_software_of_before_refuses_it_and_single_bundles_are_written_as_before(two, joined):
    manifests = [json.loads((bundle.folder / "bundle.json").read_text()) for bundle in (joined, *two)]
    assert [one["format_version"] for one in manifests] == [4, 1, 1]
    assert [one.get("members") for one in manifests] == [2, None, None]


def test_every_network_is_verified(two, tmp_path):
    both = join_bundles(two, tmp_path / "both", "both")
    path = both.folder / "weights_2.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert verify_bundle(both.folder) == ["weights_2.safetensors was altered"]
    with pytest.raises(BundleError, match=r"weights_2.safetensors was altered"):
        both.load_network()
    path.unlink()
    with pytest.raises(BundleError, match=r"weights_2.safetensors is missing"):
        load_bundle(both.folder)


def test_a_network_that_the_manifest_does_not_count_is_refused(two, tmp_path):
    both = join_bundles(two, tmp_path / "both", "both")
    content = json.loads((both.folder / "bundle.json").read_text())
    for members, words in ((1, "weights_2.safetensors"), (3, "lists no weights_3.safetensors"), (5, "5 networks that share")):
        (both.folder / "bundle.json").write_text(json.dumps({**content, "members": members}))
        with pytest.raises(BundleError, match=words):
            load_bundle(both.folder)


def test_it_is_sent_and_recalibrated_whole(two, joined, tmp_path):
    export_package(joined, tmp_path / "both.mskseg")
    assert import_package(tmp_path / "both.mskseg", tmp_path / "got").digest == joined.digest
    new = update_calibration(joined, {"format": "none"}, tmp_path / "new", "2")
    assert {name: new.manifest.files[name] for name in joined.manifest.files} == joined.manifest.files


def test_what_does_not_fit_together_is_refused_and_nothing_is_written(two, joined, tmp_path):
    first, second = two
    other_grid = replace(first.manifest.preprocessing, in_plane_spacing_mm=2.0)
    cases = [
        ([first], InputError, "2 to 4 bundles"),
        ([first] * 5, InputError, "2 to 4 bundles"),
        ([first, first], BundleError, "the same weights"),
        ([first, joined], BundleError, "several networks itself"),
        ([first, another(first, tmp_path / "grid", preprocessing=other_grid)], BundleError, "preprocessing"),
        ([first, another(first, tmp_path / "license", license="CC0")], BundleError, "licence"),
    ]
    for bundles, kind, words in cases:
        with pytest.raises(kind, match=words):
            join_bundles(bundles, tmp_path / "no", "no")
        assert not (tmp_path / "no").exists()
    with pytest.raises(BundleError, match="already is"):
        join_bundles(two, second.folder, "no")


def test_the_command_joins_and_says_what_came_out(two, tmp_path, capsys):
    folders = [str(bundle.folder) for bundle in two]
    assert main(["bundle", "join", *folders, "-o", str(tmp_path / "both"), "--name", "both", "--version", "3"]) == 0
    told = capsys.readouterr().out
    assert "both 3" in told and "2 networks: Bayesian U-Net" in told and "million each" in told
    assert main(["bundle", "join", folders[0], folders[0], "-o", str(tmp_path / "no"), "--name", "no"]) == 2
    assert "the same weights" in capsys.readouterr().err


def test_a_training_and_monai_want_one_network(joined, tmp_path):
    from MSKSegmentLib.bundle.monai_export import export_monai
    from MSKSegmentLib.training.checkpoints import initial_weights

    with pytest.raises(InputError, match="start from one of the bundles"):
        initial_weights(str(joined.folder), joined.manifest.network)
    with pytest.raises(BundleError, match="several networks"):
        export_monai(joined, tmp_path / "monai")


def test_members_share_passes_so_that_each_has_one(two):
    content = replace(two[0].manifest, members=3, passes=3).to_json()
    assert content["format_version"] == 4 and Manifest.from_json(content).members == 3
    for wrong in ({"passes": 2}, {"members": 0}, {"members": "2"}, {"members": True}):
        with pytest.raises(BundleError):
            Manifest.from_json({**content, **wrong})
