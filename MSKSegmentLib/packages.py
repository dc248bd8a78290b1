"""Packages that a plain installation may lack: whether they are there, and the sentence that says how to install them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec

from .errors import DependencyError

FOR_MEASURING = ("SimpleITK", "scipy", "cc3d", "skimage", "isal")
FOR_SEGMENTING = ("torch", "safetensors", *FOR_MEASURING)
FOR_REVIEW = ("trame", "trame_slicer", "trame_rca", "wslink", "undo_stack", "aiohttp", "slicer", "vtk")
FOR_SCENE = ("slicer", "vtk")
FOR_DICOM = ("highdicom",)
FOR_NODE = ("pynetdicom", "dicomweb_client", "requests", *FOR_DICOM, *FOR_SEGMENTING)
FOR_REPORT = ("jinja2", "matplotlib")
FOR_PDF = ("weasyprint",)
FOR_TRAINING = ("torch", "monai", "matplotlib")

# Module -> the extra in pyproject.toml that brings it; modules that no extra brings are plain dependencies.
EXTRAS: Mapping[str, str] = {
    "slicer": "scene",
    "vtk": "scene",
    "vtkmodules": "scene",
    "trame": "web",
    "trame_slicer": "web",
    "trame_rca": "web",
    "wslink": "web",
    "undo_stack": "web",
    "aiohttp": "web",
    "cryptography": "sign",
    "monai": "train",
    "matplotlib": "train",
    "pynetdicom": "node",
    "dicomweb_client": "node",
    "requests": "node",
    "weasyprint": "report",
    "h5py": "keras",
    "openvino": "openvino",
    "highdicom": "dicom",
    "distributed": "cohort",
    "dask": "cohort",
    "pyarrow": "cohort",
    "filelock": "cohort",
    "jinja2": "report",
    "statsmodels": "study",
    "pandas": "study",
    "meshio": "mesh",
    "pytetwild": "mesh",
    "pyvista": "mesh",
}
# Modules whose distribution has another name.
_DISTRIBUTIONS = {
    "cc3d": "connected-components-3d",
    "skimage": "scikit-image",
    "slicer": "slicer-core",
    "dicomweb_client": "dicomweb-client",
    "trame_slicer": "trame-slicer",
    "trame_rca": "trame-rca",
    "undo_stack": "undo-stack",
    "vtkmodules": "vtk",
}
# From its usual place PyTorch brings gigabytes of CUDA to Linux, with or without a GPU.
_CPU_BUILDS = " --index-url https://download.pytorch.org/whl/cpu"
_WITH_GPU = "for an NVIDIA GPU choose the command on https://pytorch.org/get-started/locally"


def require(*modules: str, purpose: str = "This command", extra: str | None = None) -> None:
    """Say before the work, and not after it, that a package is missing; imports nothing. `extra` brings all that the purpose needs.

    Raises:
        DependencyError: one of the modules is not installed; the sentence has the command that installs it.
    """
    for module in modules:
        if not is_installed(module):
            raise missing(module, purpose, extra)


def load(*modules: str, purpose: str = "This command") -> None:
    """`require`, and import them: what is installed may still lack a library of the system.

    Raises:
        DependencyError: one of the modules is not installed or cannot be loaded.
    """
    require(*modules, purpose=purpose)
    for module in modules:
        try:
            import_module(module)
        except ImportError as error:
            raise unusable(error) or error from error


def missing(module: str, purpose: str = "This command", extra: str | None = None) -> DependencyError:
    """The error for a module that is not installed, given as it is imported, for example ``vtkmodules.vtkCommonCore``."""
    module = module.partition(".")[0]
    name = _DISTRIBUTIONS.get(module, module)
    if module == "torch":
        builds = _CPU_BUILDS if sys.platform == "linux" else ""
        return DependencyError(
            f"{purpose} needs PyTorch, which is not installed; install it with: {_pip('torch' + builds)} "
            f"({_WITH_GPU}; in 3D Slicer click Segment while the computer is online)."
        )
    extra = extra or EXTRAS.get(module)
    if extra:
        what = f'"mskseg[{extra}]"'
        return DependencyError(f"{purpose} needs the package {name}, which is not installed; install it with: {_pip(what)}.")
    return DependencyError(
        f"{purpose} needs the package {name}, which is not installed; install it with: {_pip(name)} (in 3D Slicer click Segment "
        "while the computer is online)."
    )


def unusable(error: ImportError) -> DependencyError | None:
    """The error for a package that is missing or cannot be loaded; None where the software itself is at fault."""
    name = error.name or ""
    if name.partition(".")[0] == __package__:
        return None
    if isinstance(error, ModuleNotFoundError) and name:
        return missing(name)
    reason = " ".join(str(error).split()).rstrip(".")
    what = f"The package {name.partition('.')[0]}" if name else "A package"
    return DependencyError(f"{what} cannot be loaded ({reason}); install what that names, or the package again.")


def is_installed(module: str) -> bool:
    """Whether the module is there; it is not imported, and may still fail to be."""
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def _pip(what: str) -> str:
    """The command for this very Python, whatever environment the terminal is in."""
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable or "python"
    return f"{python} -m pip install {what}"
