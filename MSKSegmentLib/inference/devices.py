"""Which computing device a run uses, and what it is called."""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
from dataclasses import dataclass

from ..errors import DeviceError
from ..memory import total_bytes
from ..processes import usable_cores

CHOICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Device:
    """A torch device name and its description for people, for example ``NVIDIA L4, 24 GB``."""

    name: str
    description: str


def wait_without_spinning() -> None:
    """Let threads that wait for each other sleep; to be called before torch is imported for the first time.

    OpenMP's threads spin by default. Beside other work, or beside OpenVINO's own threads, this multiplied the processor time of
    the small steps between two slices. A policy that the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def load_ahead() -> threading.Thread:
    """Import what a run needs after reading, in a thread beside reading; what is missing is said where it is needed.

    To be joined before the process ends.
    """

    def load() -> None:
        for name in ("torch", "scipy.ndimage", "MSKSegmentLib.inference.predict"):
            with contextlib.suppress(Exception):
                importlib.import_module(name)

    thread = threading.Thread(target=load)
    thread.start()
    return thread


def choose_device(wanted: str = "auto") -> Device:
    """The device asked for; ``auto`` takes CUDA where it works, else the CPU.

    Raises:
        DeviceError: an unknown name, or CUDA asked for where torch finds none.
    """
    if wanted not in CHOICES:
        raise DeviceError(f"The device {wanted!r} is unknown; choose one of {', '.join(CHOICES)}.")
    found = available_devices()
    if wanted == "auto":
        return found[0]
    for device in found:
        if device.name == wanted:
            return device
    raise DeviceError(
        "No CUDA device is available to PyTorch; choose the device 'cpu' or install a CUDA build of PyTorch and its driver."
    )


def available_devices() -> tuple[Device, ...]:
    """All devices that a run can use here, the fastest first."""
    import torch

    found = []
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found.append(Device("cuda", f"{properties.name}, {properties.total_memory / 2**30:.0f} GB"))
    cores = usable_cores()
    memory = total_bytes()
    size = "" if memory is None else f", {memory / 2**30:.0f} GB"
    found.append(Device("cpu", f"CPU, {cores} core{'s' if cores > 1 else ''}{size}"))
    return tuple(found)


def gpu_count(device: Device) -> int:
    """How many GPUs this computer has of the kind that a run on the device uses; 0 for a processor."""
    import torch

    return torch.cuda.device_count() if device.name == "cuda" else 0


def torch_versions() -> tuple[str, str | None]:
    """The version of PyTorch, and of the CUDA that it was built for (None for a build without)."""
    import torch

    return torch.__version__, torch.version.cuda
