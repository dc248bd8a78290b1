"""Weights of the published Keras architecture give the same numbers here, from every file layout."""

import hashlib
import sys

import numpy as np
import pytest
from keras_files import LAYOUTS, h5py, keras, largest_difference, named_arrays, published_network, save, write_keras2

from MSKSegmentLib.bundle import Preprocessing, load_bundle
from MSKSegmentLib.bundle.keras_import import KerasModel, import_keras
from MSKSegmentLib.errors import BundleError, DependencyError


@pytest.fixture(scope="module", params=[True, False], ids=["batch norm", "no batch norm"])
def model(request):
    keras.utils.set_random_seed(3)
    return published_network(levels=3, base=4, batch_norm=request.param)


@pytest.mark.filterwarnings("ignore:.*HDF5 file")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_same_logits_from_every_layout(model, layout, tmp_path):
    path = tmp_path / LAYOUTS[layout]
    save(model, layout, path)
    bundle = import_keras(path, tmp_path / "bundle", KerasModel(levels=3, base_filters=4, name="imported"))
    assert bundle.manifest.network.batch_norm == any("batch" in layer.name for layer in model.layers)
    slices = np.random.default_rng(0).uniform(0, 1, (2, 20, 28, 1)).astype(np.float32)
    difference, spread = largest_difference(model, bundle.load_network(), slices)
    assert spread > 0.1
    assert difference <= 1e-4


def test_neighbouring_slices_keep_their_order(tmp_path):
    keras.utils.set_random_seed(4)
    model = published_network(levels=2, base=4, batch_norm=True, channels=3)
    model.save_weights(tmp_path / "w.weights.h5")
    bundle = import_keras(
        tmp_path / "w.weights.h5",
        tmp_path / "b",
        KerasModel(2, 4, in_channels=3, name="three", preprocessing=Preprocessing(value_range=(0.0, 255.0), slice_interval_mm=1.0)),
    )
    slices = np.random.default_rng(1).uniform(0, 1, (1, 16, 16, 3)).astype(np.float32)
    difference, spread = largest_difference(model, bundle.load_network(), slices)
    assert spread > 0.1 and difference <= 1e-4


@pytest.mark.parametrize("counted_from", [1, 97])
def test_numbers_that_go_on_from_an_earlier_model(counted_from, tmp_path):
    """A second model in one Python process is numbered on, so that 99 and 100 may meet in the middle."""
    keras.utils.set_random_seed(5)
    model = published_network(levels=3, base=4, batch_norm=True)
    renamed = []
    counts: dict[str, int] = {}
    for layer, (_, weights) in zip(model.layers, named_arrays(model), strict=True):
        kind = type(layer).__name__.lower()
        counts[kind] = counts.get(kind, counted_from - 1) + 1
        renamed.append((f"{kind}_{counts[kind]}", weights))
    write_keras2(tmp_path / "w.h5", renamed, order=sorted)
    bundle = import_keras(tmp_path / "w.h5", tmp_path / "b", KerasModel(3, 4, name="numbered on"))
    slices = np.random.default_rng(1).uniform(0, 1, (1, 16, 16, 1)).astype(np.float32)
    assert largest_difference(model, bundle.load_network(), slices)[0] <= 1e-4


def test_layers_named_by_hand_follow_the_declared_order(model, tmp_path):
    layers = [(f"{chr(122 - i % 26)} part {i % 7}{i:x}", weights) for i, (_, weights) in enumerate(named_arrays(model))]
    write_keras2(tmp_path / "w.h5", layers)
    bundle = import_keras(tmp_path / "w.h5", tmp_path / "b", KerasModel(3, 4, name="named by hand"))
    slices = np.random.default_rng(1).uniform(0, 1, (1, 16, 16, 1)).astype(np.float32)
    assert largest_difference(model, bundle.load_network(), slices)[0] <= 1e-4


def test_the_published_size(tmp_path):
    keras.utils.set_random_seed(6)
    model = published_network(levels=6, base=32, batch_norm=True)
    model.save_weights(tmp_path / "w.weights.h5")
    bundle = import_keras(tmp_path / "w.weights.h5", tmp_path / "b", KerasModel(levels=6, name="full size"))
    slices = np.random.default_rng(2).uniform(0, 1, (1, 64, 64, 1)).astype(np.float32)
    difference, spread = largest_difference(model, bundle.load_network(), slices)
    assert spread > 0.1 and difference <= 1e-4


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    keras.utils.set_random_seed(7)
    path = tmp_path_factory.mktemp("keras") / "trained.h5"
    write_keras2(path, named_arrays(published_network(levels=3, base=4, batch_norm=True)))
    return path


@pytest.mark.parametrize("file", ["model a.h5", "model a.weights.h5"])
def test_the_files_name_serves_as_name(weights_file, tmp_path, file):
    (tmp_path / file).write_bytes(weights_file.read_bytes())
    assert import_keras(tmp_path / file, tmp_path / "b", KerasModel(3, 4)).manifest.name == "model a"


def test_what_the_bundle_says_of_itself(weights_file, tmp_path):
    folder = tmp_path / "bundle"
    preprocessing = Preprocessing((-100, 200), (0, 1), in_plane_spacing_mm=0.8)
    papers = {"name": "theirs", "version": "2", "license": "CC BY 4.0"}
    import_keras(weights_file, folder, KerasModel(3, 4, dropout=0.4, passes=20, preprocessing=preprocessing, **papers))
    bundle = load_bundle(folder)
    manifest = bundle.manifest
    assert (manifest.name, manifest.version, manifest.license, manifest.passes) == ("theirs", "2", "CC BY 4.0", 20)
    assert manifest.preprocessing.hu_window == (-100, 200) and manifest.preprocessing.value_range == (0, 1)
    assert manifest.preprocessing.in_plane_spacing_mm == 0.8 and manifest.network.dropout == 0.4
    assert bundle.calibration is None
    assert "trained.h5" in bundle.card and hashlib.sha256(weights_file.read_bytes()).hexdigest() in bundle.card
    assert str(weights_file.parent) not in bundle.card and str(weights_file.parent) not in manifest.description


def one_sentence(error: pytest.ExceptionInfo, *words: str) -> None:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text and ". " not in text and "/" not in text, text
    for word in words:
        assert word in text, text


def test_wrong_number_of_levels(weights_file, tmp_path):
    with pytest.raises(BundleError) as error:
        import_keras(weights_file, tmp_path / "b", KerasModel(levels=4, base_filters=4, name="x"))
    one_sentence(error, "trained.h5", "13 convolutions", "18", "3 levels")
    assert not (tmp_path / "b").exists()


def test_wrong_width_names_layer_and_both_shapes(weights_file, tmp_path):
    with pytest.raises(BundleError) as error:
        import_keras(weights_file, tmp_path / "b", KerasModel(levels=3, base_filters=8, name="x"))
    one_sentence(error, "conv2d", "(3, 3, 1, 4)", "(3, 3, 1, 8)", "encoder.0")


def test_wrong_number_of_classes(tmp_path):
    keras.utils.set_random_seed(8)
    layers = named_arrays(published_network(levels=2, base=4, batch_norm=False))
    name, weights = layers[-1]
    layers[-1] = (name, [(role, values[..., :20]) for role, values in weights])
    write_keras2(tmp_path / "w.h5", layers)
    with pytest.raises(BundleError) as error:
        import_keras(tmp_path / "w.h5", tmp_path / "b", KerasModel(levels=2, base_filters=4, name="x"))
    one_sentence(error, name, "(3, 3, 4, 20)", "(3, 3, 4, 23)", "head")


def test_batch_norm_that_is_not_there(weights_file, tmp_path):
    with pytest.raises(BundleError) as error:
        import_keras(weights_file, tmp_path / "b", KerasModel(3, 4, batch_norm=False, name="x"))
    one_sentence(error, "batch normalisation", "leave that option out")


def test_batch_norm_without_its_scale(tmp_path):
    keras.utils.set_random_seed(9)
    layers = named_arrays(published_network(levels=2, base=4, batch_norm=True))
    layers = [(name, [item for item in weights if item[0] != "gamma"]) for name, weights in layers]
    write_keras2(tmp_path / "w.h5", layers)
    with pytest.raises(BundleError) as error:
        import_keras(tmp_path / "w.h5", tmp_path / "b", KerasModel(2, 4, name="x"))
    one_sentence(error, "batch_normalization", "no gamma")


def test_another_kind_of_layer(tmp_path):
    write_keras2(tmp_path / "w.h5", [("lstm", [("recurrent_filter", np.ones((4, 8), np.float32))])])
    with pytest.raises(BundleError) as error:
        import_keras(tmp_path / "w.h5", tmp_path / "b", KerasModel(2, 4, name="x"))
    assert "recurrent_filter" in str(error.value) and str(error.value).endswith(".")


def truncated(path, weights_file):
    path.write_bytes(weights_file.read_bytes()[:3000])


def no_hdf5(path, weights_file):
    path.write_bytes(b"PK\x03\x04 not HDF5")


def empty_hdf5(path, weights_file):
    h5py.File(path, "w").close()


def absent(path, weights_file):
    pass


def group_missing(path, weights_file):
    path.write_bytes(weights_file.read_bytes())
    with h5py.File(path, "a") as file:
        del file[next(name for name in file if name.startswith("conv2d"))]


def names_that_are_no_list(path, weights_file):
    path.write_bytes(weights_file.read_bytes())
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = 7


def group_where_an_array_belongs(path, weights_file):
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars/0")


def not_finite(path, weights_file):
    path.write_bytes(weights_file.read_bytes())
    with h5py.File(path, "a") as file:
        kernels = []
        file.visit(lambda name: kernels.append(name) if name.endswith("kernel:0") else None)
        file[kernels[0]][0, 0, 0, 0] = np.nan


@pytest.mark.parametrize(
    "damage",
    [
        *(truncated, no_hdf5, empty_hdf5, absent, group_missing, names_that_are_no_list),
        *(group_where_an_array_belongs, not_finite),
    ],
)
def test_damaged_files(damage, weights_file, tmp_path):
    path = tmp_path / "damaged.h5"
    damage(path, weights_file)
    with pytest.raises(BundleError) as error:
        import_keras(path, tmp_path / "b", KerasModel(3, 4, name="x"))
    one_sentence(error)
    assert not (tmp_path / "b").exists()


def test_the_source_file_is_left_alone(weights_file, tmp_path):
    before = weights_file.read_bytes()
    import_keras(weights_file, tmp_path / "b", KerasModel(3, 4, name="x"))
    assert weights_file.read_bytes() == before


def test_keras_itself_is_not_needed(weights_file, tmp_path, monkeypatch):
    for module in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError):
        import keras  # noqa: F401
    assert import_keras(weights_file, tmp_path / "b", KerasModel(3, 4, name="x")).manifest.name == "x"


def test_without_h5py_the_sentence_says_what_to_install(weights_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DependencyError, match=r"pip install \"mskseg\[keras\]\""):
        import_keras(weights_file, tmp_path / "b", KerasModel(3, 4, name="x"))
