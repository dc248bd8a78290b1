"""The layering rule of the design, held by reading every import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "MSKSegmentLib"
FRONT = {"slicer", "vtk", "vtkmodules", "qt", "ctk", "PythonQt", "PySide6", "trame", "trame_slicer"}
MAY = {
    "scene": {"slicer", "vtk", "vtkmodules"},
    "web": {"trame", "trame_slicer", "slicer", "vtk", "vtkmodules"},
}
TORCH_LAYERS = {"network", "inference", "training", "bundle"}
# Packages that take long to import or may be missing: only inside functions, or in modules that are imported there.
HEAVY = {"torch", "SimpleITK", "monai", "scipy", "skimage", "cc3d", "pydicom", "slicer", "vtk"}
ORDER = [
    {"errors", "anatomy", "findings"},
    {"ct", "case_result"},
    {"segmentation", "measurement"},
    {"network", "bundle", "inference"},
    {"quality"},
    {"provenance", "pipeline", "export"},
    {"engine", "scene", "virtual", "training", "cohort", "review", "console"},
    {"web", "cli_devices", "cli_training", "cli_evaluation", "cli_review", "cli", "__main__"},
]
# `virtual` stands apart: it makes data and needs only anatomy and ct; `inference` slices are shared with training.
MODULES = sorted(LIBRARY.rglob("*.py"))


def _layer(path):
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def _imports(path):
    """(module, is at file scope) of every import, relative ones resolved to ``MSKSegmentLib.<layer>``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ["MSKSegmentLib", *path.relative_to(LIBRARY).parts[:-1]]
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, id(node) in top
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "MSKSegmentLib":
                for name in node.names:
                    yield f"{module}.{name.name}", id(node) in top
            else:
                yield module, id(node) in top


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_only_the_layers_that_may_know_slicer_vtk_or_qt(path):
    allowed = MAY.get(_layer(path), set())
    used = {module.split(".")[0] for module, _ in _imports(path)} & FRONT
    assert used <= allowed, f"{path.name} imports {sorted(used - allowed)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_torch_only_where_networks_live(path):
    if _layer(path) in TORCH_LAYERS:
        return
    assert "torch" not in {module.split(".")[0] for module, _ in _imports(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_nothing_calls_upwards(path):
    rank = {layer: position for position, layers in enumerate(ORDER) for layer in layers}
    own = rank.get(_layer(path), -1)
    for module, _ in _imports(path):
        parts = module.split(".")
        if parts[0] == "MSKSegmentLib" and len(parts) > 1 and parts[1] in rank and own >= 0:
            assert rank[parts[1]] <= own, f"{path.name} in {_layer(path)} imports {module}"


def test_scene_never_touches_the_application():
    for path in (LIBRARY / "scene").glob("*.py"):
        attributes = {
            ast.unparse(node) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)
        }
        bad = {a for a in attributes if a.startswith(("slicer.app", "slicer.modules", "slicer.mrmlScene", "slicer.util.load"))}
        assert not bad, f"{path.name} uses {sorted(bad)}"


def test_importing_the_library_is_cheap():
    code = "import sys, MSKSegmentLib, MSKSegmentLib.anatomy; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_command_line_starts_without_heavy_packages():
    code = "import sys, MSKSegmentLib.cli; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_modules_can_be_read_in_one_go():
    long = {p.name: n for p in MODULES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 300}
    assert not long, long
