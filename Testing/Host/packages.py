"""Python packages that count as missing, and the three ways to install them, which install nothing here.

Slicer offers ``slicer.packaging`` in newer and ``slicer.util.pip_install`` in all versions; PyTorch comes through the
``PyTorchUtils`` of an extension. Each keeps what it was asked for in `requests` and then counts it as installed.
"""

from __future__ import annotations

import importlib.metadata
import shlex
import types
from pathlib import Path
from typing import Any

import slicer
from packaging.requirements import Requirement

# What was asked for: (function, requirements, requester).
requests: list[tuple[str, tuple[str, ...], str | None]] = []
# Packages that count as missing although they are installed here.
missing: set[str] = set()
# Raised by the next installations: what a machine without network would report.
failures: list[Exception] = []

_installedVersion = importlib.metadata.version
_pipInstall = slicer.util.pip_install


def install() -> None:
    """Put these functions into the place of the real ones and forget earlier requests."""
    for kept in (requests, missing, failures):
        kept.clear()
    importlib.metadata.version = _version
    slicer.util.pip_install = slicer.pip_install = lambda requirements: pip_install(requirements)


def uninstall() -> None:
    """Give the real functions back."""
    importlib.metadata.version = _installedVersion
    slicer.util.pip_install = slicer.pip_install = _pipInstall


def load_requirements(path: str | Path) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def pip_check(requirements: Any) -> bool:
    """Whether all the requirements are met."""
    return not _absent(_listed(requirements))


def pip_ensure(
    requirements: Any,
    *,
    prompt_install: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    **_options: Any,
) -> None:
    """Install what is missing after asking, but not in testing mode.

    Raises:
        RuntimeError: the user declined.
    """
    absent = _absent(_listed(requirements))
    if not absent or (skip_in_testing and slicer.app.testingEnabled()):
        return
    if prompt_install and not slicer.util.confirmOkCancelDisplay(
        f"{len(absent)} Python packages need to be installed.", detailedText="\n".join(map(str, absent))
    ):
        raise RuntimeError("User declined package installation")
    _install("pip_ensure", absent, requester)


def pip_install(requirements: Any, *, requester: str | None = None, **_options: Any) -> None:
    """Install the requirements without asking."""
    _install("pip_install", _listed(requirements), requester)


class PyTorchUtilsLogic:
    """The PyTorch extension's logic."""

    def installTorch(
        self,
        askConfirmation: bool = False,
        forceComputationBackend: str | None = None,
        torchVersionRequirement: str | None = None,
        torchvisionVersionRequirement: str | None = None,
    ) -> Any:
        """Return the torch module, or None when the user declined."""
        if askConfirmation and not slicer.util.confirmOkCancelDisplay("PyTorch will be downloaded and installed."):
            return None
        _install("installTorch", [Requirement(f"torch{torchVersionRequirement or ''}")], None)
        return types.ModuleType("torch")


def packagingModule() -> types.ModuleType:
    """The module to be imported as ``slicer.packaging``."""
    found = types.ModuleType("slicer.packaging", __doc__)
    for function in (load_requirements, pip_check, pip_ensure, pip_install):
        setattr(found, function.__name__, function)
    return found


def torchModule() -> types.ModuleType:
    """The module to be imported as ``PyTorchUtils``."""
    found = types.ModuleType("PyTorchUtils", PyTorchUtilsLogic.__doc__)
    vars(found)["PyTorchUtilsLogic"] = PyTorchUtilsLogic
    return found


def _version(name: str) -> str:
    if name in missing:
        raise importlib.metadata.PackageNotFoundError(name)
    return _installedVersion(name)


def _install(function: str, requirements: list[Requirement], requester: str | None) -> None:
    requests.append((function, tuple(map(str, requirements)), requester))
    if failures:
        raise failures.pop(0)
    missing.difference_update(requirement.name for requirement in requirements)


def _listed(requirements: Any) -> list[Requirement]:
    if isinstance(requirements, str):
        requirements = shlex.split(requirements)
    elif isinstance(requirements, Requirement):
        requirements = [requirements]
    return [item if isinstance(item, Requirement) else Requirement(item) for item in requirements]


def _absent(requirements: list[Requirement]) -> list[Requirement]:
    def absent(requirement: Requirement) -> bool:
        if requirement.marker is not None and not requirement.marker.evaluate():
            return False
        try:
            return not requirement.specifier.contains(_version(requirement.name), prereleases=True)
        except importlib.metadata.PackageNotFoundError:
            return True

    return [requirement for requirement in requirements if absent(requirement)]
