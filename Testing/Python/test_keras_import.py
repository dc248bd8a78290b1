"""Weights of the published Keras architecture give the same numbers here, from every file layout."""

import hashlib
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import torch

from MSKSegmentLib.bundle import load_bundle
from MSKSegmentLib.bundle.keras_import import import_keras
from MSKSegmentLib.errors import BundleError

h5py = pytest.importorskip("h5py")
keras = pytest.importorskip("keras")


def reflected(x):
    return keras.ops.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")


def published_network(levels: int, base: int, batch_norm: bool, channels: int = 1):
    """The architecture as published, written anew for Keras 3."""
    layers = keras.layers

    def activated(h):
        return layers.Activation("relu")(layers.BatchNormalization()(h) if batch_norm else h)

    def block(h, filters):
        for _ in range(2):
            h = activated(layers.Conv2D(filters, 3, padding="valid")(reflected(h)))
        return layers.Dropout(0.5)(h)

    inputs = keras.Input((None, None, channels))
    h, skips = inputs, []
    for level in range(levels):
        h = block(layers.MaxPooling2D(2)(h) if level else h, base * 2**level)
        skips.append(h)
    skips.pop()
    while skips:
        skip = skips.pop()
        up = activated(layers.Conv2DTranspose(h.shape[-1], 3, strides=2, padding="valid")(reflected(h)))
        up = layers.Cropping2D(((2, 3), (2, 3)))(up)
        h = block(layers.Concatenate()([up, skip]), skip.shape[-1])
    outputs = layers.Conv2D(23, 3, padding="valid")(reflected(h))
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(levels)
    for weight in model.weights:
        if weight.path.endswith("variance") or weight.path.endswith("gamma"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif not weight.path.endswith("kernel"):
            weight.assign(0.2 * rng.standard_normal(weight.shape))
    return model


def named_arrays(model) -> list[tuple[str, list[tuple[str, np.ndarray]]]]:
    return [
        (layer.name, [(w.path.rpartition("/")[2], keras.ops.convert_to_numpy(w)) for w in layer.weights])
        for layer in model.layers
    ]


def write_keras2(path, layers, root: str | None = None, order=None) -> None:
    """What `save_weights("x.h5")` of Keras 2 wrote; below `root` it is what `model.save("x.h5")` wrote."""
    with h5py.File(path, "w") as file:
        top = file.create_group(root) if root else file
        names = [name for name, _ in layers]
        top.attrs["layer_names"] = [name.encode() for name in (order(names) if order else names)]
        top.attrs["keras_version"] = b"2.3.1"
        for name, weights in layers:
            group = top.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{weight}:0".encode() for weight, _ in weights]
            for weight, values in weights:
                group[f"{name}/{weight}:0"] = values


def write_keras1(path, layers) -> None:
    """Keras 1 had other names for layers and weights, no nesting, and split long lists of names."""
    old = {
        **{"kernel": "W", "bias": "b", "gamma": "gamma", "beta": "beta"},
        **{"moving_mean": "running_mean", "moving_variance": "running_std"},
    }
    with h5py.File(path, "w") as file:
        names = []
        for name, weights in layers:
            number = name.rpartition("_")[2] if name[-1].isdigit() and "_" in name else "0"
            kind = "deconvolution2d" if "transpose" in name else "convolution2d" if "conv" in name else "layer" + name
            new = f"{kind}_{int(number) + 1}" if "batch" not in name else f"batchnormalization_{int(number) + 1}"
            names.append(new.encode())
            group = file.create_group(new)
            group.attrs["weight_names"] = [f"{new}_{old[weight]}".encode() for weight, _ in weights]
            for weight, values in weights:
                group[f"{new}_{old[weight]}"] = values
        half = len(names) // 2
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:half], names[half:]


def write_nested(path, model) -> None:
    """Keras 2 kept a model within a model as one layer, its trained weights first, then the running statistics."""
    flat = [(name, weight, values) for name, weights in named_arrays(model) for weight, values in weights]
    flat.sort(key=lambda item: item[1].startswith("moving"))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"input_2", b"lambda_1", b"model_1", b"activation_30"]
        for name in ("input_2", "lambda_1", "activation_30"):
            file.create_group(name).attrs["weight_names"] = []
        group = file.create_group("model_1")
        group.attrs["weight_names"] = [f"{name}/{weight}:0".encode() for name, weight, _ in flat]
        for name, weight, values in flat:
            group[f"{name}/{weight}:0"] = values


def save(model, layout: str, path) -> None:
    layers = named_arrays(model)
    if layout == "keras 3":
        model.save_weights(path)
    elif layout == "keras 3 nested":
        inputs = keras.Input((None, None, model.input_shape[-1]))
        keras.Model(inputs, keras.layers.Softmax()(model(inputs))).save_weights(path)
    elif layout == "keras 3 whole model h5":
        model.save(path)
    elif layout == "keras 2":
        write_keras2(path, layers)
    elif layout == "keras 2 whole model":
        write_keras2(path, layers, root="model_weights")
    elif layout == "keras 2 in alphabetical order":
        write_keras2(path, layers, order=sorted)
    elif layout == "keras 2 nested":
        write_nested(path, model)
    else:
        write_keras1(path, layers)


LAYOUTS = {
    "keras 3": "w.weights.h5",
    "keras 3 nested": "w.weights.h5",
    "keras 3 whole model h5": "w.h5",
    "keras 2": "w.h5",
    "keras 2 whole model": "w.h5",
    "keras 2 in alphabetical order": "w.hdf5",
    "keras 2 nested": "w.h5",
    "keras 1": "w.h5",
}


def largest_difference(model, network, slices: np.ndarray) -> tuple[float, float]:
    """Of logits for `slices` ``[n, h, w, channels]``, and the spread of the logits to compare it with."""
    expected = np.moveaxis(keras.ops.convert_to_numpy(model(slices, training=False)), -1, 1)
    with torch.no_grad():
        found = network(torch.from_numpy(np.ascontiguousarray(np.moveaxis(slices, -1, 1)))).numpy()
    return float(np.abs(found - expected).max()), float(expected.std())


@pytest.fixture(scope="module", params=[True, False], ids=["batch norm", "no batch norm"])
def model(request):
    keras.utils.set_random_seed(3)
    return published_network(levels=3, base=4, batch_norm=request.param)


@pytest.mark.filterwarnings("ignore:.*HDF5 file")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_same_logits_from_every_layout(model, layout, tmp_path):
    path = tmp_path / LAYOUTS[layout]
    save(model, layout, path)
    bundle = import_keras(path, tmp_path / "bundle", levels=3, base_filters=4, name="imported")
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
        tmp_path / "w.weights.h5", tmp_path / "b", 2, 4, in_channels=3, name="three", slice_interval_mm=1.0
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
    bundle = import_keras(tmp_path / "w.h5", tmp_path / "b", 3, 4, name="numbered on")
    slices = np.random.default_rng(1).uniform(0, 1, (1, 16, 16, 1)).astype(np.float32)
    assert largest_difference(model, bundle.load_network(), slices)[0] <= 1e-4


def test_layers_named_by_hand_follow_the_declared_order(model, tmp_path):
    layers = [(f"{chr(122 - i % 26)} part {i % 7}{i:x}", weights) for i, (_, weights) in enumerate(named_arrays(model))]
    write_keras2(tmp_path / "w.h5", layers)
    bundle = import_keras(tmp_path / "w.h5", tmp_path / "b", 3, 4, name="named by hand")
    slices = np.random.default_rng(1).uniform(0, 1, (1, 16, 16, 1)).astype(np.float32)
    assert largest_difference(model, bundle.load_network(), slices)[0] <= 1e-4


def test_the_published_size(tmp_path):
    keras.utils.set_random_seed(6)
    model = published_network(levels=6, base=32, batch_norm=True)
    model.save_weights(tmp_path / "w.weights.h5")
    bundle = import_keras(tmp_path / "w.weights.h5", tmp_path / "b", levels=6, name="full size")
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
    assert import_keras(tmp_path / file, tmp_path / "b", 3, 4).manifest.name == "model a"


def test_what_the_bundle_says_of_itself(weights_file, tmp_path):
    folder = tmp_path / "bundle"
    import_keras(
        *(weights_file, folder, 3, 4), name="theirs", version="2", hu_window=(-100, 200), value_range=(0, 1),
        in_plane_spacing_mm=0.8, passes=20, dropout=0.4, license="CC BY 4.0",
    )  # fmt: skip
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
        import_keras(weights_file, tmp_path / "b", levels=4, base_filters=4, name="x")
    one_sentence(error, "trained.h5", "13 convolutions", "18", "3 levels")
    assert not (tmp_path / "b").exists()


def test_wrong_width_names_layer_and_both_shapes(weights_file, tmp_path):
    with pytest.raises(BundleError) as error:
        import_keras(weights_file, tmp_path / "b", levels=3, base_filters=8, name="x")
    one_sentence(error, "conv2d", "(3, 3, 1, 4)", "(3, 3, 1, 8)", "encoder.0")


def test_wrong_number_of_classes(tmp_path):
    keras.utils.set_random_seed(8)
    layers = named_arrays(published_network(levels=2, base=4, batch_norm=False))
    name, weights = layers[-1]
    layers[-1] = (name, [(role, values[..., :20]) for role, values in weights])
    write_keras2(tmp_path / "w.h5", layers)
    with pytest.raises(BundleError) as error:
        import_keras(tmp_path / "w.h5", tmp_path / "b", levels=2, base_filters=4, name="x")
    one_sentence(error, name, "(3, 3, 4, 20)", "(3, 3, 4, 23)", "head")


def test_batch_norm_that_is_not_there(weights_file, tmp_path):
    with pytest.raises(BundleError) as error:
        import_keras(weights_file, tmp_path / "b", 3, 4, batch_norm=False, name="x")
    one_sentence(error, "batch normalisation", "leave that option out")


def test_batch_norm_without_its_scale(tmp_path):
    keras.utils.set_random_seed(9)
    layers = named_arrays(published_network(levels=2, base=4, batch_norm=True))
    layers = [(name, [item for item in weights if item[0] != "gamma"]) for name, weights in layers]
    write_keras2(tmp_path / "w.h5", layers)
    with pytest.raises(BundleError) as error:
        import_keras(tmp_path / "w.h5", tmp_path / "b", 2, 4, name="x")
    one_sentence(error, "batch_normalization", "no gamma")


def test_another_kind_of_layer(tmp_path):
    write_keras2(tmp_path / "w.h5", [("lstm", [("recurrent_filter", np.ones((4, 8), np.float32))])])
    with pytest.raises(BundleError) as error:
        import_keras(tmp_path / "w.h5", tmp_path / "b", 2, 4, name="x")
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
        import_keras(path, tmp_path / "b", 3, 4, name="x")
    one_sentence(error)
    assert not (tmp_path / "b").exists()


def test_the_source_file_is_left_alone(weights_file, tmp_path):
    before = weights_file.read_bytes()
    import_keras(weights_file, tmp_path / "b", 3, 4, name="x")
    assert weights_file.read_bytes() == before


def test_keras_itself_is_not_needed(weights_file, tmp_path, monkeypatch):
    for module in ("keras", "tensorflow"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError):
        import keras  # noqa: F401
    assert import_keras(weights_file, tmp_path / "b", 3, 4, name="x").manifest.name == "x"


def test_without_h5py_the_sentence_says_what_to_install(weights_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(BundleError, match="pip install h5py"):
        import_keras(weights_file, tmp_path / "b", 3, 4, name="x")
