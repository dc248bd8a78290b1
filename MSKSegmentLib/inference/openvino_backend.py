"""The network as an OpenVINO graph: convolutions, ReLU and dropout fused, in the processor's fastest type.

The random bytes that decide which elements are dropped are inputs of the graph, so that a seed repeats a slice. Needs openvino.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..network.bayesian_unet import BayesianUNet
from .fused import FusedUNet, quick_dtype

# Nothing leaves this computer: OpenVINO's converter, which comes along unused, would load a package that reports its use. With
# this entry it finds none and takes its own stand-in that does nothing.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402
from openvino import opset13 as op  # noqa: E402

#: Makes the convolution of an activation with a weight and a bias, reflect-padded by 1 before and so much after along both axes.
Convolution = Callable[[ov.Output, Tensor, Tensor, int], ov.Output]
RandomInputs = list[tuple[tuple[int, ...], np.dtype]]


class OpenVINOBackend:
    """Runs the graph on the CPU; it is built for the first slice's size and again where that changes."""

    name = "openvino"
    largest_batch = 1

    def __init__(self, network: BayesianUNet) -> None:
        self._network = FusedUNet(network)
        self._shape: tuple[int, ...] = ()
        self._request: Any = None
        self._random: RandomInputs = []

    def start(self, image: Tensor, seed: int, position: float = 0.0) -> Callable[[int], Tensor]:
        """Begin a slice."""
        if tuple(image.shape) != self._shape:
            apart(self._compile, tuple(image.shape))
        request = self._request
        source = np.random.SFC64(seed)
        pixels = np.ascontiguousarray(image.numpy(), np.float32)

        def draw(count: int) -> Tensor:
            probabilities = np.empty((count, *request.get_output_tensor(0).shape[1:]), np.float32)
            for k in range(count):
                inputs = [pixels, *random_numbers(source, self._random)]
                # Shared memory lives as long as these arrays, which is longer than the computation.
                for number, array in enumerate(inputs):
                    request.set_input_tensor(number, ov.Tensor(array, shared_memory=True))
                request.set_output_tensor(0, ov.Tensor(probabilities[k : k + 1], shared_memory=True))
                # In a thread of OpenVINO's own, for the reason given in `apart`.
                request.start_async()
                request.wait()
            return torch.from_numpy(probabilities)

        return draw

    def _graph(self, shape: tuple[int, ...]) -> ov.Model:
        return network_graph(self._network, shape, convolution)

    def _compile(self, shape: tuple[int, ...]) -> None:
        model = self._graph(shape)
        self._request, self._random = compiled(model).create_infer_request(), random_inputs(model)
        self._shape = shape


def compiled(model: ov.Model) -> ov.CompiledModel:
    """A graph made ready for this processor, in its fastest type but for what the graph itself says."""
    # The threads that torch was given; a latency hint alone would take only half of the processors on some machines.
    options: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    options["INFERENCE_PRECISION_HINT"] = "bf16" if quick_dtype("cpu") is torch.bfloat16 else "f32"
    return ov.Core().compile_model(model, "CPU", options)


def random_inputs(model: ov.Model) -> RandomInputs:
    """Shape and type of each array of random numbers that a graph of `network_graph` wants beside its slice."""
    return [(tuple(node.shape), node.get_element_type().to_dtype()) for node in model.inputs[1:]]


def random_numbers(source: np.random.SFC64, wanted: RandomInputs) -> list[np.ndarray]:
    """Those numbers for one pass."""
    return [_random_numbers(source, shape, kind) for shape, kind in wanted]


def apart(call: Callable[..., None], *arguments: Any) -> None:
    """Call in a thread that ends with the call.

    OpenVINO gives a thread that it works in an alternate signal stack, and where one graph follows another it frees the one that
    is in use: the main thread would die of the next signal, such as the one that cancels a run.
    """
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call, *arguments).result()


def _random_numbers(source: np.random.SFC64, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    count = int(np.prod(shape))
    # Each draw of 64 bits gives several numbers.
    return source.random_raw(-(-count * kind.itemsize // 8)).view(kind)[:count].reshape(shape)


def network_graph(network: FusedUNet, shape: tuple[int, ...], convolve: Convolution) -> ov.Model:
    """Slice ``[1, channels, H, W]`` and random numbers ``[1, H, W, C]`` for every block in, probabilities out."""
    image = op.parameter(list(shape), np.float32)
    inputs = [image]
    x: ov.Output = image.output(0)
    skips = []
    for level, block in enumerate(network.encoder):
        if level:
            x = op.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
        x = _block(x, block, inputs, convolve)
        skips.append(x)
    skips.pop()
    up: Any
    for up, block in zip(network.up, network.decoder, strict=True):
        cells = op.relu(convolve(x, up.kernel, up.bias, 0)).output(0)
        grown = op.depth_to_space(cells, "blocks_first", 2).output(0)
        x = _block(op.concat([grown, skips.pop()], 1).output(0), block, inputs, convolve)
    logits = convolve(x, network.head.weight, network.head.bias, 1)
    return ov.Model([op.softmax(logits, 1)], inputs, "BayesianUNet")


def _block(x: ov.Output, block: Any, inputs: list[ov.Node], convolve: Convolution) -> ov.Output:
    for layer in block.convolutions:
        x = op.relu(convolve(x, layer.weight, layer.bias, 1)).output(0)
    return _dropped(x, block.p, inputs) if block.p else x


def _dropped(x: ov.Output, p: float, inputs: list[ov.Node]) -> ov.Output:
    channels, height, width = list(x.shape)[1:]
    # Bytes where they express p exactly, and in the order in which the processor holds activations, channels last.
    kind = np.uint8 if (p * 256) % 1 == 0 else np.uint16
    numbers = op.parameter([1, height, width, channels], kind)
    inputs.append(numbers)
    planar = op.transpose(numbers, op.constant(np.array([0, 3, 1, 2], np.int64)))
    kept = op.greater_equal(planar, op.constant(kind(round(p * (np.iinfo(kind).max + 1)))))
    # The factor 1 / (1 - p) is in the weights.
    return op.multiply(x, op.convert(kept, "f32")).output(0)


def convolution(x: ov.Output, weight: Tensor, bias: Tensor, end: int) -> ov.Output:
    """A convolution in the type of the graph (see `Convolution`)."""
    return convolved(x, op.constant(weight.detach().contiguous().numpy()), bias, end)


def convolved(x: ov.Output, kernel: ov.Node, bias: Tensor, end: int) -> ov.Output:
    """The same with a kernel that is in the graph already."""
    before, after = (op.constant(np.array([0, 0, n, n], np.int64)) for n in (1, end))
    padded = op.pad(x, before, after, "reflect")
    y = op.convolution(padded, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    return op.add(y, op.constant(bias.detach().view(1, -1, 1, 1).numpy())).output(0)
