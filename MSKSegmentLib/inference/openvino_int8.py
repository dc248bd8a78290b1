"""The OpenVINO graph with its convolutions in 8-bit integers, where a few slices of the scan show that labels hardly change.

Weights are rounded to 255 steps for each filter, activations to 256 steps between 0 (none is negative) and the most that any of
the example slices shows there: Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", without the training. The first convolution keeps the graph's type: its few input channels gain
no time, and rounded HU change a fifth more labels. Dropout, biases, sums and the softmax are not rounded.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as op
from torch import Tensor

from ..network.bayesian_unet import BayesianUNet
from .evidence import likeliest
from .openvino_backend import (
    OpenVINOBackend,
    apart,
    compiled,
    convolution,
    convolved,
    network_graph,
    random_inputs,
    random_numbers,
)

_LOG = logging.getLogger(__name__)
# Of the labelled pixels so many may get another label in the same pass.
MOST_CHANGED = 0.01
# Kept in the graph's type where rounding all others changes too much: first and last convolutions, counted from either end.
_FIRST, _MORE = (1, 0), (2, 3)
_STEPS, _WEIGHT_STEPS = 256, 255
_SEED = 0


class Int8Backend(OpenVINOBackend):
    """Convolutions in 8-bit integers; everything else as `OpenVINOBackend` does it."""

    name = "openvino-int8"

    def __init__(self, network: BayesianUNet, examples: Sequence[Tensor]) -> None:
        """`examples` are slices ``[1, channels, H, W]`` of the scan, all of one size.

        Raises:
            RuntimeError: rounding changes too many labels in them, or there are none.
        """
        super().__init__(network)
        if not examples:
            raise RuntimeError("there is no slice to learn the range of activations from")
        apart(self._learn, [np.ascontiguousarray(image.numpy(), np.float32) for image in examples])

    def _learn(self, examples: Sequence[np.ndarray]) -> None:
        shape = examples[0].shape
        seen = _Seen()
        plain = network_graph(self._network, shape, seen)
        peaks = [op.reduce_max(x, op.constant(np.array([0, 1, 2, 3], np.int64))).output(0) for x in seen.inputs]
        probabilities = plain.get_results()[0].input_value(0)
        outputs = _passes(ov.Model([probabilities, *peaks], plain.get_parameters(), "ranges"), examples)
        ranges = np.array([[float(peak) for peak in found[1:]] for found in outputs]).max(axis=0)
        expected = [likeliest(found[0][0]) for found in outputs]
        for first, last in (_FIRST, _MORE):
            kept = {*range(first), *range(len(ranges) - last, len(ranges))}
            self._rounding = ranges, kept
            changed = self._changed(examples, expected)
            rounded = len(ranges) - len(kept)
            _LOG.info("8-bit integers in %d of %d convolutions change %.2f %% of the labels", rounded, len(ranges), 100 * changed)
            if changed <= MOST_CHANGED:
                return
        raise RuntimeError(f"8-bit integers would change {100 * changed:.1f} % of the labels")

    def _graph(self, shape: tuple[int, ...]) -> ov.Model:
        return network_graph(self._network, shape, _Rounded(*self._rounding))

    def _changed(self, examples: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
        """The share of the labelled pixels that get another label with the same random numbers."""
        found = [likeliest(outputs[0][0]) for outputs in _passes(self._graph(examples[0].shape), examples)]
        labelled = sum(np.count_nonzero(one | other) for one, other in zip(found, expected, strict=True))
        return sum(np.count_nonzero(one != other) for one, other in zip(found, expected, strict=True)) / max(1, labelled)


class _Seen:
    """Makes convolutions as they are, and keeps what goes into each."""

    def __init__(self) -> None:
        self.inputs: list[ov.Output] = []

    def __call__(self, x: ov.Output, weight: Tensor, bias: Tensor, end: int) -> ov.Output:
        self.inputs.append(x)
        return convolution(x, weight, bias, end)


class _Rounded:
    """Makes convolutions of rounded values by the ranges of their inputs, in the order of the graph, but for those `kept`."""

    def __init__(self, ranges: np.ndarray, kept: Collection[int]) -> None:
        self._ranges, self._kept, self._next = ranges, kept, 0

    def __call__(self, x: ov.Output, weight: Tensor, bias: Tensor, end: int) -> ov.Output:
        number, self._next = self._next, self._next + 1
        most = self._ranges[number]
        if number in self._kept or most <= 0:
            return convolution(x, weight, bias, end)
        values = weight.detach().contiguous().numpy()
        # A filter of zeros has no range of its own.
        widest = np.abs(values).max(axis=(1, 2, 3), keepdims=True).clip(np.finfo(np.float32).tiny)
        return convolved(_to_steps(x, 0.0, most, _STEPS), _to_steps(op.constant(values), -widest, widest, _WEIGHT_STEPS), bias, end)


def _to_steps(x: ov.Output | ov.Node, low: float | np.ndarray, high: float | np.ndarray, steps: int) -> ov.Output:
    """`x` on so many equal steps between two bounds; OpenVINO computes what lies between two of these in 8-bit integers."""
    bounds = [op.constant(np.asarray(bound, np.float32)) for bound in (low, high)]
    return op.fake_quantize(x, *bounds, *bounds, steps).output(0)


def _passes(model: ov.Model, examples: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """All outputs of one pass of each example, the same random numbers for every graph of the network."""
    request, wanted, source = compiled(model).create_infer_request(), random_inputs(model), np.random.SFC64(_SEED)
    found = []
    for image in examples:
        outputs = request.infer([image, *random_numbers(source, wanted)])
        found.append([np.array(outputs[port]) for port in request.model_outputs])
    return found
