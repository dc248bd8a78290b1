"""The published Keras architecture, and its weights in every file layout that Keras ever wrote."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import torch

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
        (layer.name, [(w.path.rpartition("/")[2], keras.ops.convert_to_numpy(w)) for w in layer.weights]) for layer in model.layers
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
