"""Bundles adapted to a scanner without labels: the statistics of batch normalisation, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import write_tiny_bundle

from MSKSegmentLib.bundle import Manifest, NetworkSpec, Preprocessing, load_bundle, save_bundle
from MSKSegmentLib.bundle.first_stage import FirstStage
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import BundleError, InputError

torch = pytest.importorskip("torch")
from MSKSegmentLib.network.families import build_network  # noqa: E402
from MSKSegmentLib.training.adapting import Adaptation, SiteStatistics, adapt_bundle  # noqa: E402


def scan_of(offset=0, seed=0):
    """A body of two densities in air; `offset` shifts its values as a drifted scanner does."""
    rng = np.random.default_rng(seed)
    hu = np.full((8, 64, 64), -1000, np.int16)
    hu[:, 12:52, 12:52] = 40 + offset + rng.normal(0, 15, (8, 40, 40))
    hu[:, 24:40, 20:44] = 200 + offset
    return CTVolume(hu, Geometry((64, 64, 8), (5.0, 5.0, 6.0)))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(write_tiny_bundle(tmp_path_factory.mktemp("site") / "tiny"))


def norms_of(network):
    return [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]


def test_only_the_statistics_of_normalisation_change(bundle, tmp_path):
    new = adapt_bundle(bundle, [scan_of(60), scan_of(60, 1)], tmp_path / "new", "2")
    before, after = (one.load_network().state_dict() for one in (bundle, new))
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed == {key for key in before if key.endswith(("running_mean", "running_var"))}
    assert new.manifest.version == "2" and new.calibration is None and new.rating is None
    assert bundle.digest[:12] in new.card and "2 scans" in new.card and bundle.card.strip() in new.card


def test_the_first_normalisation_gets_the_statistics_of_all_slices_together(bundle, tmp_path):
    scans = [scan_of(60), scan_of(-40, 1)]
    statistics = SiteStatistics(bundle, Adaptation(slices=100))
    network, seen = bundle.load_network(), []
    first = norms_of(network)[0]
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    looked_at = statistics._look_at

    def look_at_both(image, place):
        with torch.no_grad():
            network(image)
        looked_at(image, place)

    statistics._look_at = look_at_both
    assert sum(statistics.add(scan) for scan in scans) == len(seen) == statistics.seen > 8
    # Before the first normalisation there is no dropout: features are the same, and every slice counts as one.
    means = torch.stack([one.mean(dim=(0, 2, 3)) for one in seen]).double()
    squares = torch.stack([one.var(dim=(0, 2, 3)) for one in seen]).double() + means**2
    name = next(key for key in network.state_dict() if key.endswith("running_mean"))
    weights = statistics.weights()
    assert torch.allclose(weights[name].double(), means.mean(0), atol=1e-5)
    variance = squares.mean(0) - means.mean(0) ** 2
    assert torch.allclose(weights[name.replace("mean", "var")].double(), variance, rtol=1e-4, atol=1e-6)


def test_a_share_lies_between_both(bundle):
    found = {}
    for share in (0.25, 1.0):
        statistics = SiteStatistics(bundle, Adaptation(share, slices=4))
        statistics.add(scan_of(80))
        found[share] = statistics.weights()
    trained = bundle.load_network().state_dict()
    for key in trained:
        if key.endswith(("running_mean", "running_var")):
            assert torch.allclose(found[0.25][key], 0.75 * trained[key] + 0.25 * found[1.0][key], atol=1e-5), key


def test_a_drifted_scanner_looks_to_the_adapted_network_as_the_usual_one_did(bundle, tmp_path):
    """Features of the first normalisation keep their mean and spread, though every voxel is 80 HU higher."""
    usual = adapt_bundle(bundle, [scan_of()], tmp_path / "usual", "2").load_network()
    drifted = adapt_bundle(bundle, [scan_of(80)], tmp_path / "drifted", "2").load_network()

    def features(network, offset):
        window = torch.from_numpy((np.clip(scan_of(offset).hu[2:5], -150, 350)[None] + 150) / 500).float()
        kept = []
        handle = norms_of(network)[0].register_forward_hook(lambda module, inputs, output: kept.append(output))
        with torch.no_grad():
            network(window)
        handle.remove()
        return kept[0].mean(dim=(0, 2, 3))

    at_home, unadapted, adapted = features(usual, 0), features(usual, 80), features(drifted, 80)
    assert (adapted - at_home).abs().max() < 0.5 * (unadapted - at_home).abs().max()


def test_behind_a_first_stage_what_lies_beside_the_body_has_no_part_in_the_statistics(bundle, tmp_path):
    preprocessing = replace(bundle.manifest.preprocessing, first_stage=FirstStage())
    state = bundle.load_network().state_dict()
    behind = save_bundle(tmp_path / "behind", replace(bundle.manifest, preprocessing=preprocessing), state, None, "Card.")
    alone, with_bottle = scan_of(), scan_of()
    for scan in (alone, with_bottle):
        # A corner of air, so that the network's window around the body shows what lies there.
        scan.hu[:, 12:26, 38:52] = -1000
        # Fat under the skin, without which a flat back would be taken for a phantom.
        scan.hu[:, 48:52, 12:52] = -100
    with_bottle.hu[:, 15:20, 43:48] = 300
    found = {}
    for name, one in (("whole", bundle), ("behind", behind)):
        found[name] = [SiteStatistics(one, Adaptation(slices=4)) for _ in range(2)]
        for statistics, scan in zip(found[name], (alone, with_bottle), strict=True):
            statistics.add(scan)
    key = next(key for key in state if key.endswith("running_mean"))
    shift = {name: (two.weights()[key] - one.weights()[key]).abs().max() for name, (one, two) in found.items()}
    assert shift["behind"] < 0.2 * shift["whole"] and shift["whole"] > 0
    new = adapt_bundle(behind, [with_bottle], tmp_path / "new", "2")
    assert new.manifest.preprocessing.first_stage == FirstStage()


def test_kernels_of_float32_stay_as_they_are(bundle, tmp_path):
    state = {key: value + 1e-6 for key, value in bundle.load_network().state_dict().items() if value.ndim}
    whole = save_bundle(tmp_path / "whole", replace(bundle.manifest, version="7"), state, None, "Card.", dtype="float32")
    new = adapt_bundle(whole, [scan_of()], tmp_path / "new", "8").load_network().state_dict()
    assert all(torch.equal(new[key], value) for key, value in whole.load_network().state_dict().items() if value.ndim > 1)


def test_what_cannot_be_adapted_is_refused(bundle, tmp_path):
    def other(**changes):
        spec = replace(bundle.manifest.network, **changes)
        manifest = Manifest("other", "1", "random", "2026-01-01", "CC0", spec, Preprocessing())
        return save_bundle(tmp_path / str(len(list(tmp_path.iterdir()))), manifest, build_network(spec).state_dict(), None, "Card.")

    with pytest.raises(BundleError, match="no batch normalisation"):
        SiteStatistics(other(batch_norm=False))
    pytest.importorskip("monai")
    volumes = NetworkSpec(levels=2, base_filters=4, family="dynunet", dimensions=3, patch=(8, 16, 16))
    with pytest.raises(BundleError, match="reads volumes"):
        SiteStatistics(other(**{key: getattr(volumes, key) for key in ("family", "dimensions", "patch", "in_channels")}))


def test_values_that_mean_nothing_are_refused():
    for wrong in ({"share": 0.0}, {"share": 1.1}, {"share": float("nan")}, {"slices": 0}):
        with pytest.raises(InputError):
            Adaptation(**wrong)


def test_nothing_is_written_where_no_scan_could_be_used(bundle, tmp_path):
    with pytest.raises(InputError, match="nothing was adapted"):
        adapt_bundle(bundle, [], tmp_path / "new", "2")
    with pytest.raises(BundleError, match="already has version"):
        adapt_bundle(bundle, [scan_of()], tmp_path / "new", bundle.manifest.version)
    assert not (tmp_path / "new").exists()


def test_the_command_leaves_out_what_is_no_scan_and_says_so(bundle, tmp_path, capsys):
    sitk = pytest.importorskip("SimpleITK")
    for number in range(2):
        volume = scan_of(60, number)
        sitk.WriteImage(volume.geometry.image_of(volume.hu), str(tmp_path / f"scan{number}.nii.gz"))
    (tmp_path / "none.nii.gz").write_bytes(b"no image")
    scans = [str(tmp_path / name) for name in ("scan0.nii.gz", "none.nii.gz", "scan1.nii.gz")]
    place = ["--bundle", str(bundle.folder), "-o", str(tmp_path / "new")]
    assert main(["adapt", *scans, *place, "--version", "2", "--slices", "3"]) == 0
    told = capsys.readouterr()
    assert "Scan 1 of 3: 3 slices" in told.out and "tiny 2" in told.out and "not rated" in told.out
    assert "Scan 2 (none.nii.gz) was left out" in told.err and "2 scans say as much of these patients" in told.err
    assert main(["adapt", *scans, *place, "--version", "3"]) == 2
    assert "There already is a new" in capsys.readouterr().err
    assert main(["adapt", scans[1], "--bundle", str(bundle.folder), "-o", str(tmp_path / "no"), "--version", "2"]) == 2
    assert "nothing was adapted" in capsys.readouterr().err and not (tmp_path / "no").exists()
