"""The wheel is whole: built from the source distribution, installed far from the source tree, and used by its command."""

import csv
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
import SimpleITK as sitk
from conftest import phantom_volume
from web_process import Server

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "MSKSegmentLib"
# What the package's folder holds for others: Slicer's build.
NOT_OF_THE_PACKAGE = {"MSKSegmentLib/CMakeLists.txt"}
NOT_COPIED = (".*", "out", "build", "*.egg-info", "__pycache__")
BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def _library_files():
    paths = (path for path in LIBRARY.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(ROOT).as_posix() for path in paths} - NOT_OF_THE_PACKAGE


def _plain_environment():
    """Nothing in it leads back to the source tree."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "MSKSEG_BUNDLES", "VIRTUAL_ENV")
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, "OMP_NUM_THREADS": "1"}


def _run(command, folder, **options):
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=_plain_environment(), capture_output=True, text=True, timeout=300, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _built(hook, source, target):
    """The file that a hook of the build backend makes of a source tree; needs no network."""
    target.mkdir()
    return target / _run([sys.executable, "-c", BUILD, hook, target], source).splitlines()[-1]


def _volumes(folder):
    rows = csv.DictReader((folder / "measurements.csv").read_text(encoding="utf-8-sig").splitlines())
    return {(row["abbreviation"], row["side"]): row["volume_cc"] for row in rows}


@pytest.fixture(scope="module")
def source_distribution(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    # A build leaves folders in its source tree.
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*NOT_COPIED))
    return _built("build_sdist", folder / "source", folder / "sdist")


@pytest.fixture(scope="module")
def wheel(source_distribution, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(source_distribution) as archive:
        archive.extractall(folder / "unpacked", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (tree,) = (folder / "unpacked").iterdir()
    return _built("build_wheel", tree, folder / "wheel")


@pytest.fixture(scope="module")
def program(wheel, tmp_path_factory):
    """The command ``mskseg`` of a new environment that has the wheel, and beside it the packages of this one."""
    folder = tmp_path_factory.mktemp("elsewhere")
    _run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], folder)
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    packages = Path(_run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder).strip())
    # Only the folders: what an editable installation put into them as .pth files is not followed from here.
    shared = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (packages / "shared.pth").write_text("\n".join(shared), encoding="utf-8")
    options = ["--no-index", "--no-deps", "--ignore-installed"]
    _run([sys.executable, "-m", "pip", "--python", python, "install", *options, wheel], folder)
    where = _run([python, "-c", "import MSKSegmentLib; print(MSKSegmentLib.__file__)"], folder)
    assert Path(where.strip()).parent == packages / "MSKSegmentLib"
    return scripts / "mskseg"


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    volume = phantom_volume()
    path = tmp_path_factory.mktemp("scan") / "scan.nii.gz"
    sitk.WriteImage(volume.geometry.image_of(volume.hu), str(path))
    return path


@pytest.fixture(scope="module")
def result(program, scan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    _run([program, "segment", scan, "-o", folder / "result", "--samples", "1", "--device", "cpu", "--keep-ct"], folder)
    return folder / "result"


def test_the_wheel_holds_every_file_of_the_package(wheel):
    held = {name for name in zipfile.ZipFile(wheel).namelist() if not re.match(r"mskseg-[^/]*\.dist-info/", name)}
    wanted = _library_files()
    assert held == wanted, f"missing: {sorted(wanted - held)}; superfluous: {sorted(held - wanted)}"
    for kind in ("Models", "SampleCT", "Terminology", "TransferFunctions", "ReferenceValues"):
        assert any(name.startswith(f"MSKSegmentLib/Resources/{kind}/") for name in held), kind


def test_the_source_distribution_holds_what_the_wheel_needs(source_distribution):
    with tarfile.open(source_distribution) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert _library_files() | {"pyproject.toml", "README.md", "LICENSE"} <= names


def test_the_bundle_is_found_and_whole(program, tmp_path):
    table = _run([program, "bundle", "list"], tmp_path)
    assert "mskseg-virtual" in table and "Default: mskseg-virtual" in table
    assert "is whole" in _run([program, "bundle", "verify"], tmp_path)


def test_segment(result):
    assert {"result.json", "measurements.csv", "segmentation.seg.nrrd", "uncertainty.nrrd"} <= {p.name for p in result.iterdir()}


def test_measure(program, result, scan, tmp_path):
    _run([program, "measure", result / "segmentation.seg.nrrd", "--ct", scan, "-o", tmp_path / "measured"], tmp_path)
    segmented, measured = (_volumes(folder) for folder in (result, tmp_path / "measured"))
    assert len(measured) == 43 and any(measured.values()) and measured == segmented


def test_review(program, result, tmp_path):
    pytest.importorskip("trame_slicer")
    environment = {name: "" for name in ("PYTHONPATH", "MSKSEG_BUNDLES")}
    server = Server(result, program=[program, "review", "--no-browser"], cwd=tmp_path, environment=environment)
    try:
        cookie = server.cookie()
        assert server.request("/index.html", cookie=cookie)[0] == 200
        # What the page consists of comes out of the wheel too.
        script = server.request("/__mskseg/transfer.js", cookie=cookie)
        assert script[0] == 200 and script[2] == (LIBRARY / "web" / "page" / "static" / "transfer.js").read_bytes()
        assert server.stop() == 0, server.text
    finally:
        server.close()
