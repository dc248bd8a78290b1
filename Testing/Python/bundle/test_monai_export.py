"""A bundle as a MONAI bundle: read back and run by MONAI itself, its network compared with ours."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import phantom_volume

pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("nibabel")

import nibabel
import SimpleITK as sitk
import torch
from monai import bundle as monai_bundle

from MSKSegmentLib.bundle import load_bundle, resolve_bundle, save_bundle
from MSKSegmentLib.bundle.manifest import Manifest, NetworkSpec, Preprocessing
from MSKSegmentLib.bundle.monai_export import export_monai
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.reading.files import read_ct
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.inference.slices import normalise
from MSKSegmentLib.network.bayesian_unet import BayesianUNet
from MSKSegmentLib.other_models.monai_bundle import channel_names


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A random network of two levels without dropout, on the grid of the CT itself, so that its labels can be compared."""
    spec = NetworkSpec(levels=2, base_filters=4, in_channels=3, dropout=0.0)
    preprocessing = Preprocessing(value_range=(-1.0, 1.0))
    manifest = Manifest("plain", "1", "random weights", "2026-01-01", "Apache-2.0", spec, preprocessing, passes=2)
    torch.manual_seed(3)
    network = BayesianUNet(levels=2, base_filters=4, in_channels=3, dropout=0.0)
    return save_bundle(tmp_path_factory.mktemp("plain") / "plain", manifest, network.state_dict(), None, "A card.", dtype="float32")


@pytest.fixture(scope="module")
def exported(bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("monai") / "plain"
    export_monai(bundle, folder)
    return folder


def own_probabilities(bundle, volume):
    """What our network says of every slice of a CT, float32 ``[classes, z, y, x]``."""
    planes = normalise(torch.from_numpy(volume.hu.astype(np.float32)), bundle.manifest.preprocessing)
    last, network = len(planes) - 1, bundle.load_network()
    stacks = [planes[[max(k - 1, 0), k, min(k + 1, last)]][None] for k in range(len(planes))]
    with torch.no_grad():
        found = [network(stack)[0].softmax(0) for stack in stacks]
        if bundle.manifest.preprocessing.mirrored:
            mirrored = [network(stack.flip(-1))[0].softmax(0).flip(-1) for stack in stacks]
            found = [(one + other) / 2 for one, other in zip(found, mirrored, strict=True)]
    return torch.stack(found, 1)


def labelled_by_monai(exported, folder, monkeypatch):
    """What MONAI makes of the one CT in ``<folder>/ct``: labels uint8 ``[z, y, x]``, axes to the left, posterior and superior."""
    places = {"bundle_root": str(exported), "dataset_dir": str(folder / "ct"), "output_dir": str(folder / "out")}
    monkeypatch.setattr(sys, "argv", ["monai"])
    monai_bundle.run(config_file=str(exported / "configs" / "inference.json"), device="$torch.device('cpu')", **places)
    (written,) = (folder / "out").rglob("*.nii.gz")
    assert nibabel.load(written).get_data_dtype() == np.uint8
    return sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(written)), "LPS"))


def test_the_metadata_say_what_monai_asks(exported, bundle):
    metadata = json.loads((exported / "configs" / "metadata.json").read_text())
    parser = monai_bundle.ConfigParser()
    parser.read_meta(exported / "configs" / "metadata.json")
    assert parser["_meta_::network_data_format::outputs::pred::num_channels"] == 23
    names = channel_names(metadata, "plain")
    assert names[4] == "Gluteus maximus" and set(names) == set(range(1, 23))
    assert metadata["license"] == "Apache-2.0" and "Not a medical device" in metadata["intended_use"]
    assert bundle.digest in (exported / "docs" / "README.md").read_text()


def test_the_script_says_what_the_network_says(exported, bundle):
    volume = phantom_volume()
    script = torch.jit.load(str(exported / "models" / "model.ts"))
    values = normalise(torch.from_numpy(volume.hu.astype(np.float32)), bundle.manifest.preprocessing)
    with torch.no_grad():
        found = script(values.permute(2, 1, 0)[None, None])[0].permute(0, 3, 2, 1)
    assert torch.allclose(found, own_probabilities(bundle, volume), atol=1e-4)


def test_dropout_stays_on_in_the_script(tiny_bundle, tmp_path):
    export_monai(load_bundle(tiny_bundle), tmp_path / "tiny")
    script = torch.jit.load(str(tmp_path / "tiny" / "models" / "model.ts")).eval()
    volume = torch.rand(1, 1, 20, 18, 3)
    with torch.no_grad():
        first, second = script.one_pass(volume), script.one_pass(volume)
    assert first.shape == (1, 23, 20, 18, 3) and not torch.allclose(first, second)
    assert torch.allclose(first.sum(1), torch.ones(1, 20, 18, 3), atol=1e-5)


def test_monai_runs_it_and_labels_as_we_do(exported, bundle, tmp_path, monkeypatch):
    volume = phantom_volume()
    (tmp_path / "ct").mkdir()
    # Stored with other axes than those of the network, as NIfTI files are.
    sitk.WriteImage(sitk.DICOMOrient(volume.geometry.image_of(volume.hu), "RAS"), str(tmp_path / "ct" / "scan.nii.gz"))
    labels = labelled_by_monai(exported, tmp_path, monkeypatch)
    assert labels.shape == volume.hu.shape
    ours = own_probabilities(bundle, volume).argmax(0).numpy()
    assert len(np.unique(ours)) > 3 and (labels == ours).mean() > 0.999


def test_the_command_writes_a_new_folder_only(bundle, exported, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files"):
        export_monai(bundle, tmp_path / "full")
    assert main(["bundle", "export-monai", str(bundle.folder), "-o", str(tmp_path / "new")]) == 0
    assert {p.name for p in (tmp_path / "new").iterdir()} == {p.name for p in exported.iterdir()}
    assert "docs/README.md says how to run it" in capsys.readouterr().out


def test_monai_labels_as_the_network_that_comes_along(sample_ct, tmp_path, monkeypatch):
    """Its weights with dropout off, so that both draw the same two passes of a stack of slices on the network's own grid."""
    real = resolve_bundle(None)
    manifest = replace(real.manifest, network=replace(real.manifest.network, dropout=0.0), passes=2, auto_passes=False)
    bundle = save_bundle(tmp_path / "still", manifest, real.load_network().state_dict(), None, "A card.", dtype="float32")
    export_monai(bundle, tmp_path / "monai")
    grid, volume = manifest.preprocessing, read_ct(sample_ct)
    # The sample's pixels are somewhat smaller than the network's, which makes this body somewhat larger.
    middle, sides = len(volume.hu) // 2, [size // 32 * 32 for size in volume.hu.shape[1:]]
    hu = np.ascontiguousarray(volume.hu[middle : middle + 3, : sides[0], : sides[1]])
    spacing = (grid.in_plane_spacing_mm, grid.in_plane_spacing_mm, grid.slice_interval_mm or 3.0)
    stack = CTVolume(hu, Geometry(hu.shape[::-1], spacing))
    (tmp_path / "ct").mkdir()
    sitk.WriteImage(stack.geometry.image_of(stack.hu), str(tmp_path / "ct" / "scan.nii.gz"))
    labels = labelled_by_monai(tmp_path / "monai", tmp_path, monkeypatch)
    ours = own_probabilities(bundle, stack).argmax(0).numpy()
    assert len(np.unique(ours)) > 8 and (labels == ours).mean() > 0.9999
