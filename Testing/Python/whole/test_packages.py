"""Whatever package is missing or broken: one sentence that says how to install it, exit code 2, and nothing written."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import phantom_volume
from ct_scans import two_thighs, write_dicom

from MSKSegmentLib import packages
from MSKSegmentLib.errors import DependencyError

try:
    import tomllib
except ImportError:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]

# Runs commands in one process in which packages are absent, or present and broken, and prints how each of them ended.
CHILD = """
import contextlib, io, json, sys

blocked, broken, commands = json.loads(sys.argv[1])

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in broken:
            from importlib.machinery import ModuleSpec
            return ModuleSpec(name, self)
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory", name=module.__name__)

sys.meta_path.insert(0, Finder())
from MSKSegmentLib.commands.main import main
ended = []
for command in commands:
    with contextlib.redirect_stderr(io.StringIO()) as said, contextlib.redirect_stdout(io.StringIO()):
        code = main(command)
    ended.append([code, said.getvalue()])
print(json.dumps(ended))
"""

# What brings each package, with the commands that cannot do without it.
MISSING = [
    ("torch", "pip install torch", ["segment", "devices", "verify", "train", "calibrate", "evaluate", "keras"]),
    ("slicer", "mskseg[scene]", ["segment --scene"]),
    ("slicer", "mskseg[web]", ["review"]),
    ("vtk", "mskseg[scene]", ["segment --scene"]),
    ("trame_slicer", "mskseg[web]", ["review"]),
    ("trame", "mskseg[web]", ["review"]),
    ("aiohttp", "mskseg[web]", ["review"]),
    ("undo_stack", "mskseg[web]", ["review"]),
    ("pynetdicom", "mskseg[node]", ["node"]),
    ("dicomweb_client", "mskseg[node]", ["node"]),
    ("monai", "mskseg[train]", ["train", "evaluate"]),
    ("matplotlib", "mskseg[train]", ["train", "evaluate", "realism", "calibrate --report"]),
    ("h5py", "mskseg[keras]", ["keras"]),
    ("pydicom", "pip install pydicom", ["check dicom"]),
    ("rich", "pip install rich", ["segment", "measure"]),
    ("cc3d", "pip install connected-components-3d", ["segment", "measure"]),
]


def _child(blocked, commands, broken=()):
    arguments = [sys.executable, "-c", CHILD, json.dumps([blocked, broken, commands])]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def commands(tmp_path_factory, tiny_bundle):
    """Command lines that get as far as the package, by name, and the folder that they would write into."""
    import SimpleITK as sitk

    folder = tmp_path_factory.mktemp("packages")
    volume = phantom_volume()
    scan, labels, written = folder / "scan.nii.gz", folder / "labels.nrrd", folder / "written"
    sitk.WriteImage(volume.geometry.image_of(volume.hu), str(scan))
    sitk.WriteImage(volume.geometry.image_of((volume.hu > 0).astype("uint8") * 5), str(labels))
    for number in range(3):
        (folder / "patients" / str(number)).mkdir(parents=True)
        shutil.copy(scan, folder / "patients" / str(number) / "ct.nii.gz")
    written.mkdir()
    found = {
        "segment": ["segment", scan, "-o", written / "s", "--bundle", tiny_bundle],
        "segment --scene": ["segment", scan, "-o", written / "s", "--bundle", tiny_bundle, "--scene"],
        "devices": ["devices", "--bundle", tiny_bundle],
        "verify": ["bundle", "verify", tiny_bundle],
        "keras": ["bundle", "import-keras", folder / "w.h5", "--levels", "2", "-o", written / "k"],
        "review": ["review", "--no-browser", "-o", written / "r"],
        "node": ["node", "--config", folder / "node.toml"],
        "train": ["train", "bundled", "-o", written / "t", "--atlas", folder],
        "calibrate": ["calibrate", folder, "--source", "x", "--version", "2", "-o", written / "c"],
        "evaluate": ["evaluate", scan, "--truth", labels, "--bundle", tiny_bundle, "-o", written / "e"],
        "realism": ["realism", scan, "-o", written / "re", "--virtual", folder / "patients"],
        "measure": ["measure", labels, "--ct", scan, "-o", written / "m"],
        "check dicom": ["check", write_dicom(folder / "series", two_thighs(16))],
    }
    found["calibrate --report"] = [*found["calibrate"], "--report", written / "p"]
    return {name: [str(word) for word in words] for name, words in found.items()}, written


@pytest.mark.parametrize("package, remedy, names", MISSING, ids=[f"{package}-{remedy}" for package, remedy, _ in MISSING])
def test_a_missing_package_is_one_sentence(commands, package, remedy, names):
    lines, written = commands
    for name, (code, said) in zip(names, _child([package], [lines[name] for name in names]), strict=True):
        told = said.strip()
        assert code == 2 and "Traceback" not in said and "\n" not in told, (name, code, said)
        assert remedy in told and f"{sys.executable} -m pip install " in told, (name, told)
        assert not list(written.iterdir()), name


@pytest.mark.parametrize(
    "package, name", [("torch", "segment"), ("slicer", "segment --scene"), ("vtk", "segment --scene"), ("h5py", "keras")]
)
def test_a_package_that_cannot_be_loaded_is_one_sentence(commands, package, name):
    lines, written = commands
    line = [*lines[name], *(["--progress", "none"] if name.startswith("segment") else [])]
    ((code, said),) = _child([], [line], [package])
    assert code == 2 and "Traceback" not in said and "\n" not in said.strip(), said
    assert f"package {package} cannot be loaded (libGL.so.1" in said
    assert not list(written.iterdir())


@pytest.mark.parametrize("blocked, broken", [(["openvino"], []), ([], ["openvino"])], ids=["missing", "broken"])
def test_without_openvino_torch_computes(commands, tmp_path, blocked, broken):
    line = [*commands[0]["segment"], "--progress", "none"]
    line[line.index("-o") + 1] = str(tmp_path / "out")
    ((code, said),) = _child(blocked, [line], broken)
    assert code == 0, said
    assert json.loads((tmp_path / "out" / "result.json").read_text())["provenance"]["backends"] == ["torch-cpu"]


def test_an_import_that_fails_within_the_software_is_a_fault():
    assert packages.unusable(ImportError("cannot import name 'x'", name="MSKSegmentLib.ct")) is None
    assert packages.unusable(ModuleNotFoundError("No module named 'MSKSegmentLib.y'", name="MSKSegmentLib.y")) is None


def test_the_command_is_for_the_python_that_runs(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/my tools/python")
    assert '"/opt/my tools/python" -m pip install "mskseg[keras]"' in str(packages.missing("h5py"))
    builds = {"linux": "torch --index-url https://download.pytorch.org/whl/cpu (", "win32": "torch (", "darwin": "torch ("}
    for platform, build in builds.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert f"pip install {build}" in str(packages.missing("torch.nn"))
    with pytest.raises(DependencyError, match="Measuring needs the package no-such"):
        packages.require("sys", "no-such", purpose="Measuring")


def test_extras_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(packages.EXTRAS.values()) <= set(extras)
    for module, extra in packages.EXTRAS.items():
        assert not any(re.match(rf"{module}\b", line) for line in project["dependencies"]), f"{module} is plain"
        # What is no distribution of its own comes with the one that the extra names.
        if module in ("slicer", "trame_slicer", "aiohttp", "monai", "matplotlib", "h5py", "openvino"):
            name = packages._DISTRIBUTIONS.get(module, module)
            assert any(re.match(rf"{name}\b", line) for line in extras[extra]), f"{extra} brings no {name}"
