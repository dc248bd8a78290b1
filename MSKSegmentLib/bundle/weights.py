"""A network's numbers: a state dictionary to the bytes of ``weights.safetensors`` and back to a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import BundleError
from ..network.families import build_network
from .manifest import NetworkSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

STORED_DTYPES = ("float16", "bfloat16", "float32")

# Batch norm's count of training steps: unused with a fixed momentum, so it is not stored.
_UNSTORED = "num_batches_tracked"


def weights_files(members: int) -> tuple[str, ...]:
    """The files of a bundle that hold the weights of its networks, of which it has so many.

    >>> weights_files(3)
    ('weights.safetensors', 'weights_2.safetensors', 'weights_3.safetensors')
    """
    return tuple("weights.safetensors" if number == 1 else f"weights_{number}.safetensors" for number in range(1, members + 1))


def empty_network(spec: NetworkSpec) -> nn.Module:
    """The network that `spec` describes, without memory for its parameters (torch's meta device).

    Raises:
        BundleError: no network can be built from `spec`.
        DependencyError: its family needs a package that is not installed.
    """
    import torch

    try:
        with torch.device("meta"):
            return build_network(spec)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise BundleError(
            "No network can be built with these levels, filters and channels; correct them or get a fresh bundle."
        ) from error


def encode_weights(state: Mapping[str, Tensor], spec: NetworkSpec, dtype: str = "float16") -> bytes:
    """`state`, a state dictionary of the network of `spec`, as the bytes of a safetensors file.

    Kernels are stored as `dtype`. Vectors (biases and batch-norm statistics) stay float32: they weigh next to
    nothing, and the variances of a network fed with 0..255 exceed float16's largest number. So does any kernel
    that would overflow.

    Raises:
        BundleError: names or shapes differ from what `spec` asks for, or a number is not finite.
        ValueError: `dtype` is none of `STORED_DTYPES`.
    """
    import torch
    from safetensors.torch import save

    if dtype not in STORED_DTYPES:
        raise ValueError(f"weights are stored as one of {', '.join(STORED_DTYPES)}, not as {dtype}")
    tensors = {key: tensor.detach().cpu().to(torch.float32) for key, tensor in state.items() if not key.endswith(_UNSTORED)}
    _check_fit(tensors, empty_network(spec))
    stored = {}
    for key, tensor in tensors.items():
        short = tensor.to(getattr(torch, dtype)) if tensor.ndim > 1 else tensor
        stored[key] = (short if bool(torch.isfinite(short).all()) else tensor).contiguous()
    return save(stored)


def decode_weights(data: bytes, spec: NetworkSpec) -> nn.Module:
    """The network with the weights in `data`, the bytes of a safetensors file: float32, in evaluation mode, on the CPU.

    Raises:
        BundleError: `data` is not a safetensors file, or names, shapes or numbers do not fit `spec`.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise BundleError("The weights are not a readable safetensors file; get a fresh copy of the bundle.") from error
    network = empty_network(spec)
    _check_fit(tensors, network)
    state = {key: tensor.to(torch.float32) for key, tensor in tensors.items()}
    state |= {key: torch.zeros((), dtype=torch.int64) for key in network.state_dict() if key.endswith(_UNSTORED)}
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval()


def _check_fit(tensors: Mapping[str, Tensor], network: nn.Module) -> None:
    import torch

    wanted = {key: tuple(t.shape) for key, t in network.state_dict().items() if not key.endswith(_UNSTORED)}
    missing, unknown = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    problem = None
    if missing:
        problem = f"lack {missing[0]}" + (f" and {len(missing) - 1} more entries" if missing[1:] else "")
    elif unknown:
        problem = f"hold {unknown[0]}, which the network does not have"
    for key, shape in {} if problem else wanted.items():
        tensor = tensors[key]
        if tuple(tensor.shape) != shape:
            problem = f"hold {key} of shape {tuple(tensor.shape)} where the network needs {shape}"
        elif not tensor.is_floating_point():
            problem = f"hold {key} as whole numbers"
        elif not bool(torch.isfinite(tensor).all()):
            problem = f"hold numbers in {key} that are not finite"
        if problem:
            break
    if problem:
        raise BundleError(f"The weights {problem}; use weights that fit the network in the manifest.")
