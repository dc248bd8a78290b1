"""Where another program is installed: a virtual or conda environment that the user names, or whatever PATH finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DependencyError, InputError, shown

# The environment to look into where none is named, for all that starts runs without asking for one.
ENVIRONMENT_VARIABLE = "MSKSEG_MODEL_ENV"
_PROBE_S = 120.0
# Prints the version of each distribution and the place of each module of an environment; imports none of them.
_PROBE = """
import importlib.metadata as metadata, importlib.util as util, json, platform, sys
distributions, modules = json.loads(sys.argv[1])
versions, places = {}, {}
for name in distributions:
    try:
        versions[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
for name in modules:
    try:
        spec = util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec and spec.origin:
        places[name] = spec.origin
print(json.dumps({"python": platform.python_version(), "versions": versions, "places": places}))
"""
_CUDA = "import torch; print(torch.cuda.is_available())"
# What one Python is told about its own place would lead another one astray.
_OURS = ("PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


@dataclass(frozen=True)
class Probe:
    """What an environment says of itself: its Python, versions of distributions and places of modules, those that it has."""

    python: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Environment:
    """A virtual or conda environment, given by its folder; None is what PATH names."""

    folder: Path | None = None

    @property
    def words(self) -> str:
        """What a sentence calls it, without the folders above it."""
        return "the folders of PATH" if self.folder is None else f"the environment {shown(self.folder)!r}"

    def program(self, name: str) -> Path | None:
        """The program of that name, None where there is none."""
        found = shutil.which(name, path=None if self.folder is None else os.pathsep.join(map(str, self._folders)))
        return None if found is None else Path(found).absolute()

    def required_program(self, name: str, title: str, how: str) -> Path:
        """The program of that name, which belongs to what is called `title` and is installed as `how` says.

        Raises:
            DependencyError: there is none.
        """
        found = self.program(name)
        if found is None:
            raise DependencyError(
                f"{title} is not installed in {self.words}: install it there {how}, or name its environment with --model-env."
            )
        return found

    def python_of(self, program: Path) -> Path | None:
        """The Python that a program was installed with: the one beside it, or the one that its first line names."""
        real = program.resolve()
        for folder in (program.parent, real.parent):
            found = shutil.which("python", path=str(folder)) or shutil.which("python3", path=str(folder))
            if found:
                return Path(found)
        try:
            with real.open("rb") as file:
                start = file.readline(512)
        except OSError:
            return None
        named = Path(os.fsdecode(start[2:].strip().split(b" ")[0])) if start.startswith(b"#!") else None
        return named if named is not None and named.name.startswith("python") and named.is_file() else None

    def variables(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables that a program of this environment is started with: this process's, without what is ours alone."""
        inherited = {name: value for name, value in os.environ.items() if name not in _OURS}
        if "SLICER_HOME" in inherited:
            # Slicer's libraries in place of its own would break another Python.
            inherited.pop("LD_LIBRARY_PATH", None)
        if self.folder is not None:
            inherited["PATH"] = os.pathsep.join([*map(str, self._folders), inherited.get("PATH", "")])
        return {**inherited, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", **(more or {})}

    @property
    def _folders(self) -> tuple[Path, ...]:
        """Where the programs of the environment lie."""
        assert self.folder is not None, "PATH has no folder of its own"
        names = ("Scripts", ".", "Library/bin") if os.name == "nt" else ("bin",)
        return tuple((self.folder / name).absolute() for name in names)


def environment_at(folder: str | Path | None) -> Environment:
    """The environment in a folder, which holds a Python; None is the one that ``MSKSEG_MODEL_ENV`` names, else PATH.

    Raises:
        InputError: there is no environment.
    """
    folder = folder or os.environ.get(ENVIRONMENT_VARIABLE)
    if not folder:
        return Environment()
    # `~` reaches us unexpanded from a panel.
    environment = Environment(Path(folder).expanduser())
    if environment.program("python") is None and environment.program("python3") is None:
        raise InputError(
            f"The folder {shown(Path(folder))!r} is no environment of Python: name the folder of a virtual or conda environment "
            f"with --model-env, the one that holds {'Scripts' if os.name == 'nt' else 'bin/python'}."
        )
    return environment


def python_in(environment: Environment) -> Path:
    """The Python of an environment; for PATH it is the one that runs this program."""
    if environment.folder is None:
        return Path(sys.executable)
    found = environment.program("python") or environment.program("python3")
    assert found is not None, "an environment without a Python has been refused"
    return found


def probe(environment: Environment, python: Path | None, distributions: Sequence[str] = (), modules: Sequence[str] = ()) -> Probe:
    """Ask a Python what is installed with it; it imports none of that. Empty where it does not answer."""
    if python is None:
        return Probe()
    answer = _answer(environment, python, ["-c", _PROBE, json.dumps([list(distributions), list(modules)])])
    try:
        told: dict[str, Any] = json.loads(answer)
        places = {name: Path(place) for name, place in told["places"].items()}
        return Probe(str(told["python"]), told["versions"], places)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Probe()


def has_cuda(environment: Environment, python: Path | None) -> bool:
    """Whether the PyTorch of an environment sees a GPU; importing it takes seconds."""
    return python is not None and _answer(environment, python, ["-c", _CUDA]).strip() == "True"


def _answer(environment: Environment, python: Path, words: Sequence[str]) -> str:
    """The last line that a Python prints; empty where it fails."""
    variables = {name: value for name, value in environment.variables().items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            [str(python), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PROBE_S,
            # The folder that a Python is started in would come before what is installed.
            cwd=python.parent,
            env=variables,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.splitlines()
    return lines[-1] if done.returncode == 0 and lines else ""
