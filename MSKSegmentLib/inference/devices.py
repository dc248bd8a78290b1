"""Which computing device a run uses, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DeviceError

CHOICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Device:
    """A torch device name and its description for people, for example ``NVIDIA L4, 24 GB``."""

    name: str
    description: str


def choose_device(wanted: str = "auto") -> Device:
    """The device asked for; ``auto`` takes CUDA where it works, else the CPU.

    Raises:
        DeviceError: an unknown name, or CUDA asked for where torch finds none.
    """
    import torch

    if wanted not in CHOICES:
        raise DeviceError(f"The device {wanted!r} is unknown; choose one of {', '.join(CHOICES)}.")
    if wanted != "cpu" and torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        return Device("cuda", f"{properties.name}, {properties.total_memory / 2**30:.0f} GB")
    if wanted == "cuda":
        raise DeviceError(
            "No CUDA device is available to PyTorch; choose the device 'cpu' or install a CUDA build of PyTorch and its driver."
        )
    return Device("cpu", f"CPU, {torch.get_num_threads()} threads")
