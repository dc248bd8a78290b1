"""Back ends: ways to compute the same dropout passes, behind one small interface. Needs torch."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from ..network.bayesian_unet import BayesianUNet
from ..network.ensemble import Ensemble, members_of
from ..network.families import logits_of
from ..network.mc_dropout import dropout_sampling
from ..network.mirrored import Mirrored
from ..packages import is_installed
from .fused import FusedUNet, quick_dtype
from .mirror import MirrorBackend
from .plain import PlainPasses
from .turns import TurnsBackend

Draw = Callable[[int], Tensor]

REFERENCE, TORCH_CPU, TORCH_CUDA, OPENVINO = "reference", "torch-cpu", "torch-cuda", "openvino"
#: Not among those that are chosen for a device: it is asked for.
OPENVINO_INT8 = "openvino-int8"
BACKENDS = (TORCH_CUDA, OPENVINO, TORCH_CPU, REFERENCE)


class Backend(Protocol):
    """Runs dropout passes of one network; holds its weights in the form it needs.

    `largest_batch` is how many passes are worth drawing at once: batches are slower than single passes on a CPU and several
    times faster on a GPU.
    """

    name: str
    largest_batch: int

    def start(self, image: Tensor, seed: int, position: float = 0.0) -> Draw:
        """Begin a slice ``[1, channels, H, W]``, or a slab, on the CPU, with its own random numbers.

        `position` is the slice's along the limb. The function that comes back draws n passes: probabilities, float32
        ``[n, classes, (D,) H, W]``, on the back end's device.
        """
        ...


def available_backends(device: str, network: nn.Module | None = None) -> tuple[str, ...]:
    """The back ends that can run on this machine for a device (``cpu`` or ``cuda``), the fastest for this network first.

    Those of the CPU follow those of the GPU, so that a run can go on where the GPU fails.
    """
    found = [TORCH_CUDA] if device == "cuda" and torch.cuda.is_available() else []
    if (network is None or _has_graph(network)) and _openvino_is_faster():
        found.append(OPENVINO)
    return (*found, TORCH_CPU, REFERENCE)


def can_round(device: str, network: nn.Module) -> bool:
    """Whether `OPENVINO_INT8` can run a network on this machine for a device."""
    return device == "cpu" and _has_graph(network) and _openvino_is_faster()


def _has_graph(network: nn.Module) -> bool:
    """The OpenVINO graph is that of this family's network."""
    return isinstance(members_of(network)[0], BayesianUNet)


def _openvino_is_faster() -> bool:
    """Wherever it is installed on an x86 processor: it was 1.3 to 3 times as fast as `TORCH_CPU` with every network measured."""
    return platform.machine().lower() in ("x86_64", "amd64") and is_installed("openvino")


def make_backend(name: str, network: nn.Module, examples: Sequence[Tensor] = ()) -> Backend:
    """The back end called `name` for a network in evaluation mode, or for the members of an ensemble in turn.

    A member that is also there in a mirror has one back end for both. `OPENVINO_INT8` learns from `examples`, slices of the scan
    ``[1, channels, H, W]`` of one size.

    Raises:
        ValueError: there is no such back end.
        ImportError: it needs a package that is not installed.
        RuntimeError: its device fails or is too small.
    """
    if isinstance(network, Ensemble):
        made: dict[nn.Module, Backend] = {}
        return TurnsBackend([_made_once(name, member, made, examples) for member in network.members])
    if name == REFERENCE:
        return ReferenceBackend(network)
    if name == OPENVINO:
        from .openvino_backend import OpenVINOBackend

        assert isinstance(network, BayesianUNet), "available_backends gives it to no other network"
        return OpenVINOBackend(network)
    if name == OPENVINO_INT8:
        from .openvino_int8 import Int8Backend

        assert isinstance(network, BayesianUNet), "it is asked for where it can run"
        return Int8Backend(network, examples)
    if name == TORCH_CPU:
        return TorchBackend(network, "cpu")
    if name == TORCH_CUDA:
        return TorchBackend(network, "cuda")
    raise ValueError(f"unknown back end {name!r}; there are {', '.join(BACKENDS)}")


def _made_once(name: str, member: nn.Module, made: dict[nn.Module, Backend], examples: Sequence[Tensor]) -> Backend:
    """The back end of a member, from those `made` before where it is one of them, directly or in a mirror."""
    own = member.network if isinstance(member, Mirrored) else member
    if own not in made:
        made[own] = make_backend(name, own, examples)
    return MirrorBackend(made[own]) if own is not member else made[own]


class ReferenceBackend:
    """The network as it was trained, in float32, one pass after the other on the CPU: what all others are measured against."""

    name = REFERENCE
    largest_batch = 1

    def __init__(self, network: nn.Module) -> None:
        # Evaluation mode is no change to a network that was loaded to predict.
        self._network = network.eval()

    def start(self, image: Tensor, seed: int, position: float = 0.0) -> Draw:
        """Begin a slice."""
        generator, places = torch.Generator().manual_seed(seed), torch.tensor([position])

        @torch.inference_mode()
        def draw(count: int) -> Tensor:
            with dropout_sampling(self._network, generator):
                return logits_of(self._network, image.expand(count, *image.shape[1:]), places.expand(count)).softmax(dim=1)

        return draw


class TorchBackend:
    """`FusedUNet`, or another family's network as it is, on the CPU or on CUDA, in the fastest type that the device has itself."""

    def __init__(self, network: nn.Module, device: str) -> None:
        self.name = TORCH_CPU if device == "cpu" else TORCH_CUDA
        self.largest_batch = 1 if device == "cpu" else 64
        self._device = device
        dtype = quick_dtype(device)
        passes = FusedUNet(network, dtype) if isinstance(network, BayesianUNet) else PlainPasses(network, dtype)
        self._network = passes.to(device)

    def start(self, image: Tensor, seed: int, position: float = 0.0) -> Draw:
        """Begin a slice."""
        generator = torch.Generator(self._device).manual_seed(seed)
        if self._device != "cpu":
            # Pinned, so that the copy does not wait for the kernels of the slice before.
            image = image.pin_memory().to(self._device, non_blocking=True)
        places = torch.tensor([position], device=self._device)

        @torch.inference_mode()
        def draw(count: int) -> Tensor:
            return self._network(image.expand(count, *image.shape[1:]), generator, places.expand(count)).softmax(dim=1)

        return draw
