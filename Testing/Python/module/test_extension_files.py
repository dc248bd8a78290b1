"""The extension's files: everything is listed and installed, says the same everywhere, and works from where it is installed."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

try:
    import tomllib
except ImportError:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[3]
MODULE = ROOT / "MSKSegment"
STAND_IN = ROOT / "Testing" / "CMake"
# The schema of the Extensions Index (version 1.0.2): required and allowed keys.
REQUIRED = {"$schema", "category", "scm_url"}
ALLOWED = REQUIRED | {
    "scm_revision", "scm_type", "build_dependencies", "dicom_support_rule", "build_subdirectory", "enabled", "tier",
}  # fmt: skip


def _cmake_list(file, name):
    """The entries of ``set(name ...)`` in a CMake file, with the module's name put in."""
    body = re.search(rf"set\({name}\s(.*?)\)", file.read_text(encoding="utf-8"), re.DOTALL).group(1)
    return [entry.replace("${MODULE_NAME}", "MSKSegment") for entry in body.split()]


def _cmake_value(name):
    return re.search(rf'set\({name} "(.*?)"\)', (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")).group(1)


def _files(folder):
    kept = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix() for path in kept}


def _entry():
    return json.loads((ROOT / "Docs" / "ExtensionsIndex" / "MSKSegment.json").read_text(encoding="utf-8"))


def test_every_file_of_the_module_is_listed():
    listed = _cmake_list(MODULE / "CMakeLists.txt", "MODULE_PYTHON_SCRIPTS")
    listed += _cmake_list(MODULE / "CMakeLists.txt", "MODULE_PYTHON_RESOURCES")
    assert len(listed) == len(set(listed))
    there = _files(MODULE) - {"CMakeLists.txt"}
    assert set(listed) == there, f"not listed: {sorted(there - set(listed))}; not there: {sorted(set(listed) - there)}"


def test_every_file_of_the_library_has_a_pattern_that_takes_it():
    names = {name for name in _files(ROOT / "MSKSegmentLib") - {"CMakeLists.txt"} if not name.startswith("Resources/")}
    suffixes = {Path(name).suffix for name in names}
    text = (ROOT / "MSKSegmentLib" / "CMakeLists.txt").read_text(encoding="utf-8")
    assert suffixes <= {f".{suffix}" for suffix in re.findall(r'"\*\.(\w+)"', text)}
    assert '"Resources/*"' in text


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The extension, configured, built and installed with a stand-in for Slicer's CMake macros."""
    if shutil.which("cmake") is None:
        pytest.skip("CMake is not installed")
    folder = tmp_path_factory.mktemp("extension")
    build, target = folder / "build", folder / "installed"
    configure = ["cmake", "-S", ROOT, "-B", build, f"-DSlicer_DIR={STAND_IN}", f"-DCMAKE_INSTALL_PREFIX={target}"]
    for command in ([*configure, "-Wno-dev"], ["cmake", "--build", build], ["cmake", "--install", build]):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    tests = subprocess.run(["ctest", "-N"], cwd=build, capture_output=True, text=True, timeout=60).stdout
    assert "generic_MSKSegment" in tests and "py_MSKSegment" in tests
    return target / "lib" / "Slicer" / "qt-scripted-modules"


@pytest.mark.slow
def test_the_installed_extension_holds_everything(installed):
    sources = {
        "": _files(MODULE) - {"CMakeLists.txt"},
        "MSKSegmentLib": _files(ROOT / "MSKSegmentLib") - {"CMakeLists.txt"},
    }
    wanted = {(Path(folder) / name).as_posix() for folder, names in sources.items() for name in names}
    assert _files(installed) == wanted


def test_the_installed_library_runs_without_packages_that_nobody_installs(installed, phantom_file, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )

    where = run("-c", "import MSKSegmentLib; print(MSKSegmentLib.__file__)").stdout
    assert Path(where.strip()).parent == installed / "MSKSegmentLib"
    verified = run("-m", "MSKSegmentLib", "bundle", "verify")
    assert verified.returncode == 0 and "mskseg-virtual is whole" in verified.stdout, verified.stderr
    # As the panel starts a run in Slicer, which has no packages of the command line.
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['rich'] = None\n")
    environment["PYTHONPATH"] += f"{os.pathsep}{tmp_path}"
    out = tmp_path / "out"
    options = ["--samples", "1", "--device", "cpu", "--progress", "json"]
    done = run("-m", "MSKSegmentLib", "segment", str(phantom_file), "-o", str(out), *options)
    assert done.returncode == 0 and (out / "result.json").exists(), done.stderr


@pytest.mark.parametrize("kind", ["source tree", "installed"])
def test_the_module_finds_the_library(kind, installed):
    """Slicer puts only the folder of the module's file on the path."""
    pytest.importorskip("slicer")
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    folder, library = (MODULE, ROOT) if kind == "source tree" else (installed, installed)
    code = (
        "import sys\n"
        "from Host import host\n"
        "host.start()\n"
        # From here on nothing leads to the library but the module itself.
        "for name in [n for n in sys.modules if n.startswith('MSKSegmentLib')]: del sys.modules[name]\n"
        "sys.meta_path[:] = [finder for finder in sys.meta_path if 'editable' not in repr(finder)]\n"
        f"sys.path[:] = [{str(folder)!r}] + [p for p in sys.path if p not in ('', {str(ROOT)!r}, {str(ROOT / 'Testing')!r})]\n"
        "import MSKSegment, MSKSegmentLib\n"
        "print(MSKSegmentLib.__file__)\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'Testing'}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[-1]).parent == library / "MSKSegmentLib"


def test_requirements_say_what_pyproject_says():
    lines = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = {line for line in lines if line and not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert requirements <= set(project["dependencies"])
    # What is left out comes with Slicer or serves the command line's table and bar alone.
    left_out = {re.split(r"[<>=]", line)[0] for line in set(project["dependencies"]) - requirements}
    assert left_out == {"numpy", "scipy", "SimpleITK", "pydicom", "rich"}
    source = (MODULE / "MSKSegmentPanel" / "dependencies.py").read_text(encoding="utf-8")
    exports = {name: set(re.findall(r'"(.*?)"', text)) for name, text in re.findall(r"(\w+)_REQUIREMENTS = \((.*)\)", source)}
    assert exports["PDF"] | exports["REPORT"] == set(project["optional-dependencies"]["report"])
    assert exports["DICOM"] == set(project["optional-dependencies"]["dicom"])
    torch = re.search(r'TORCH_VERSIONS = "(.*)"', source)
    assert project["optional-dependencies"]["torch"] == [f"torch{torch.group(1)}"]


def test_the_entry_of_the_extensions_index_follows_its_schema():
    entry = _entry()
    assert set(entry) >= REQUIRED and set(entry) <= ALLOWED
    assert entry["$schema"].startswith(
        "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1"
    )
    assert isinstance(entry["tier"], int) and 1 <= entry["tier"] <= 5
    assert b"\r" not in (ROOT / "Docs" / "ExtensionsIndex" / "MSKSegment.json").read_bytes()


def test_entry_and_cmake_agree():
    entry = _entry()
    assert entry["scm_url"] == _cmake_value("EXTENSION_HOMEPAGE")
    assert entry["category"] == _cmake_value("EXTENSION_CATEGORY")
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert entry["build_dependencies"] == re.search(r'set\(EXTENSION_DEPENDS "(.*?)"\)', text).group(1).split()
    assert "project(MSKSegment)" in text
    for name in ("EXTENSION_ICONURL", "EXTENSION_SCREENSHOTURLS"):
        # Known together or not at all; never a made-up address.
        assert bool(_cmake_value(name)) == bool(entry["scm_url"])
    assert "Research" in _cmake_value("EXTENSION_DESCRIPTION") or "research" in _cmake_value("EXTENSION_DESCRIPTION")


def test_the_icon_is_128_pixels_with_a_transparent_ground():
    header = (MODULE / "Resources" / "Icons" / "MSKSegment.png").read_bytes()[:26]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big")) == (128, 128)
    assert header[25] == 6, "the colour type of pixels with transparency"


def test_what_is_tracked_stays_small_enough_for_the_index():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git working copy")
    size = sum((ROOT / name).stat().st_size for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())
    assert size < 60e6, "the index accepts a clone of 100 MB, history included"


def test_links_in_the_users_documents_lead_somewhere():
    made_by_the_host = {f"panel_{state}.png" for state in ("before", "running", "results", "selected", "error")}
    documents = [path for folder in ("user", "ExtensionsIndex") for path in (ROOT / "Docs" / folder).glob("*.md")]
    links = [
        (document, link)
        for document in documents
        for link in re.findall(r"\]\(([^)#]+)", document.read_text(encoding="utf-8"))
        if "://" not in link and Path(link).name not in made_by_the_host
    ]
    assert len(documents) > 3 and len(links) > 5
    for document, link in links:
        assert (document.parent / link).exists(), f"{document.name}: {link}"
