"""The layering rule of the design, held by reading every import."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "MSKSegmentLib"
FRONT = {"slicer", "vtk", "vtkmodules", "qt", "ctk", "PythonQt", "PySide6", "trame", "trame_slicer"}
MAY = {
    "scene": {"slicer", "vtk", "vtkmodules"},
    "web": {"trame", "trame_slicer", "slicer", "vtk", "vtkmodules"},
}
TORCH_LAYERS = {"network", "inference", "training", "bundle"}
# Packages that take long to import or may be missing: only inside functions, or in modules that are imported there.
HEAVY = {"torch", "SimpleITK", "monai", "scipy", "skimage", "cc3d", "pydicom", "highdicom", "pynetdicom", "slicer", "vtk"}
# Every layer (package or module of the library) with the ground floor first: a layer may import those before it, and no other.
ORDER = (
    "errors",
    "language",
    "findings",
    "timing",
    "packages",
    "processes",
    "memory",
    "output",
    "resources",
    "anatomy",
    "ct",
    "tasks",
    "run_facts",
    "settings",
    "case_result",
    "network",
    "bundle",
    "segmentation",
    "measurement",
    "inference",
    "quality",
    "wording",
    "provenance",
    "preview",
    "prepared_scan",
    "pipeline",
    "results",
    "foreign",
    "engine",
    "other_models",
    "virtual",
    "comparison",
    "site_reference",
    "review",
    "rating",
    "dicom_results",
    "evaluation",
    "two_results",
    "proximal_femur",
    "calibration",
    "training",
    "learning",
    "sparse",
    "scene",
    "report",
    "cohort",
    "study",
    "web",
    "node",
    "commands",
    "__main__",
)
MOST_PARAMETERS = 8
MOST_LINES = 300
# Names that every module of a kind defines: `commands.base` imports the module of a command and takes its `command`.
CONVENTIONS = {"command"}
# The rooms of `web`, the lowest first.
WEB_ROOMS = ("case", "views", "page", "serving")
MODULES = tuple(path for path in sorted(LIBRARY.rglob("*.py")) if path != LIBRARY / "__init__.py")


def _layer(path):
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


@cache
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
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [(name.name, id(node) in top) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # The names may be modules themselves.
            names = [f"{module}.{name.name}" for name in node.names]
            modules = [name for name in names if _is_module(name)] or [module]
            found += [(one, id(node) in top) for one in modules]
    return tuple(found)


def _is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_module_has_a_layer():
    assert len(MODULES) > 200
    assert {_layer(path) for path in MODULES} == set(ORDER) and len(set(ORDER)) == len(ORDER)


def test_imports_keep_the_layers():
    wrong = []
    for path in MODULES:
        layer = _layer(path)
        for module, _ in _imports(path):
            first, *rest = module.split(".")
            if first in FRONT and first not in MAY.get(layer, set()):
                wrong.append(f"{_name(path)} imports {module}, which its layer may not know")
            if first == "torch" and layer not in TORCH_LAYERS:
                wrong.append(f"{_name(path)} imports torch outside the layers of networks")
            if first == "MSKSegmentLib" and rest and ORDER.index(rest[0]) > ORDER.index(layer):
                wrong.append(f"{_name(path)} imports {module} from a layer above its own")
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_in_a_circle():
    """Also not through imports inside functions; packages are passed through to the modules that they gather."""
    names = {_name(path): path for path in MODULES}
    graph = {
        name: {module for module, _ in _imports(path) if module in names and names[module].name != "__init__.py"}
        for name, path in names.items()
    }
    graph |= {name: set() for name, path in names.items() if path.name == "__init__.py"}
    TopologicalSorter(graph).prepare()


def test_rooms_of_the_browser_keep_their_order():
    wrong, seen = [], set()
    for path in MODULES:
        if _layer(path) != "web" or path.parent == LIBRARY / "web":
            continue
        room = path.relative_to(LIBRARY).parts[1]
        seen.add(room)
        for module, _ in _imports(path):
            other = module.removeprefix("MSKSegmentLib.web.").split(".")[0] if module.startswith("MSKSegmentLib.web.") else room
            if WEB_ROOMS.index(other) > WEB_ROOMS.index(room):
                wrong.append(f"{_name(path)} imports {module} from a room above its own")
    assert seen == set(WEB_ROOMS)
    assert not wrong, "\n".join(wrong)


def test_scene_never_touches_the_application():
    scene = [path for path in MODULES if _layer(path) == "scene"]
    assert scene
    for path in scene:
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
    code = "import sys, MSKSegmentLib.commands.main; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_public_names_mean_one_thing():
    """A public class, function or type is defined once in the library; so is a constant that other modules import."""
    defined, imported = defaultdict(set), set()
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            for name, is_constant in _defined_names(node):
                defined[name, is_constant].add(_name(path))
        imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for name in node.names}
    assert len(defined) > 1000
    twice = {
        name: sorted(modules)
        for (name, is_constant), modules in defined.items()
        if len(modules) > 1 and name not in CONVENTIONS and not (is_constant and name not in imported)
    }
    assert not twice, "\n".join(f"{name}: {', '.join(modules)}" for name, modules in twice.items())


def _defined_names(node):
    """(public name, is a constant) of what a statement at file scope defines; an alias of a type is no constant."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        names = [node.name]
    else:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return [(name, name.isupper()) for name in names if not name.startswith("_")]


def test_functions_take_few_parameters():
    """What belongs together travels in one object."""
    long = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                if len([name for name in names if name not in ("self", "cls")]) > MOST_PARAMETERS:
                    long.append(f"{_name(path)}.{node.name} takes {', '.join(names)}")
    assert not long, "\n".join(long)


def test_the_document_lists_the_layers_in_this_order():
    text = (ROOT / "Docs" / "developer" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("| Layer |")[2].partition("\n\n")[0]
    layers = [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert (*layers, "__main__") == ORDER


def test_modules_can_be_read_in_one_go():
    """Library, Slicer module, tests and tools; half of the library's modules are shorter than 110 lines."""
    others = [path for folder in ("MSKSegment", "Testing", "Tools", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    assert len(others) > 200
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (*MODULES, *others)}
    long = {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MOST_LINES}
    assert not long, long
    assert median(lines[path] for path in MODULES) < 110


# What is about the structures of hip and thigh by nature, or reads what was written when there were no others. All else takes
# the table from a bundle or a result.
ABOUT_HIP_AND_THIGH = {
    "MSKSegmentLib.anatomy.terminology",
    "MSKSegmentLib.bundle.manifest",
    "MSKSegmentLib.bundle.structures",
    "MSKSegmentLib.calibration.fit",
    "MSKSegmentLib.calibration.report_measures",
    "MSKSegmentLib.case_result",
    "MSKSegmentLib.evaluation.disputed",
    "MSKSegmentLib.evaluation.folder",
    "MSKSegmentLib.evaluation.run",
    "MSKSegmentLib.evaluation.stored",
    "MSKSegmentLib.foreign.merged",
    "MSKSegmentLib.report.density",
    "MSKSegmentLib.report.density_child",
    "MSKSegmentLib.results.result_folder",
    "MSKSegmentLib.results.result_reading",
    "MSKSegmentLib.review.reference",
    "MSKSegmentLib.scene.structures",
}


def test_the_built_in_table_of_structures_does_not_creep_back():
    """Virtual patients, training and learning are about hip and thigh; other modules are named one by one."""
    found = {
        _name(path) for path in MODULES if any(module.startswith("MSKSegmentLib.anatomy.built_in") for module, _ in _imports(path))
    }
    others = {name for name in found if name.split(".")[1] not in ("virtual", "training", "learning")}
    assert others == ABOUT_HIP_AND_THIGH
