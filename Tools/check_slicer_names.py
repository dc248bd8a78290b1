#!/usr/bin/env python3
"""Check that every name of Slicer, CTK and Qt that the module and its test host use exists in their sources.

Without arguments the names are compared with the committed list, Testing/Host/slicer_names.json. With git directories
of the sources every name in use is looked up again, and --update writes the list anew when all of them were found::

    python Tools/check_slicer_names.py --git Slicer/Slicer=PATH --git commontk/CTK=PATH \\
        --git MeVisLab/pythonqt=PATH --git fepegar/SlicerPyTorch=PATH --update

The list holds names and where they were found, nothing of the sources themselves. Properties, signals and slots of Qt's
own classes are asked of Qt itself (PySide6), functions that PythonQt wraps are looked up in PythonQt's source.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Testing"))

from Host.names_used import names_of_stand_ins, names_used, normalized  # noqa: E402

LIST = ROOT / "Testing" / "Host" / "slicer_names.json"
SLICER, CTK, PYTHONQT, PYTORCH = "Slicer/Slicer", "commontk/CTK", "MeVisLab/pythonqt", "fepegar/SlicerPyTorch"
Place = tuple[str, str]

_PYTHON_PACKAGES = {
    "slicer": (SLICER, "Base/Python/slicer/{}.py"),
    "SampleData": (SLICER, "Modules/Scripted/SampleData/SampleData.py"),
    "PyTorchUtils": (PYTORCH, "PyTorchUtils/PyTorchUtils.py"),
}
_PYTHON_FILES = [(SLICER, "Base/Python/*.py"), (SLICER, "Modules/Scripted/*.py"), (PYTORCH, "*.py")]
_ADDED_BY_MACROS = re.compile(r"^(?:Get|Set|Is)|(?:On|Off)$")
_DECORATORS = [(SLICER, "*PythonQtDecorators.h"), (CTK, "*PythonQtDecorators.h")]


class Sources:
    """Git directories by repository, read at their HEAD."""

    def __init__(self, directories: dict[str, str]) -> None:
        self._directories = directories
        self.files = functools.cache(self._files)
        self.text = functools.cache(self._text)

    def git(self, repository: str, *arguments: str) -> str:
        """Return what git prints; nothing when it finds nothing."""
        command = ["git", "-C", self._directories[repository], *arguments]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout

    def versions(self) -> dict[str, str]:
        """Return commit and date of every repository."""
        return {name: self.git(name, "log", "-1", "--format=%H %cs").strip() for name in sorted(self._directories)}

    def _files(self, repository: str) -> tuple[str, ...]:
        return tuple(self.git(repository, "ls-tree", "-r", "--name-only", "HEAD").splitlines())

    def _text(self, repository: str, path: str) -> str:
        # Without the comments of C++, in which a name may stand that no longer exists.
        text = self.git(repository, "show", f"HEAD:{path}")
        return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL) if path.endswith((".h", ".cpp")) else text

    def file_called(self, name: str, *repositories: str) -> Place | None:
        """Return the file of that name, wherever it lies."""
        every = ((repository, path) for repository in repositories for path in self.files(repository))
        return next((place for place in every if place[1].rpartition("/")[2] == name), None)

    def grep(self, pattern: str, *places: Place) -> Place | None:
        """Return the first file whose lines match an extended regular expression."""
        return next(self.grep_all(pattern, *places), None)

    def grep_all(self, pattern: str, *places: Place) -> Iterator[Place]:
        """Yield every file whose lines match an extended regular expression."""
        for repository, paths in places:
            for found in self.git(repository, "grep", "-lE", "-e", pattern, "HEAD", "--", paths).splitlines():
                yield repository, found.removeprefix("HEAD:")


class Finder:
    """Looks names up, in the forms that `names_used` describes."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def place_of(self, name: str) -> Place | None:
        """Return repository and file that define a name, None when nothing does."""
        if name.endswith(" in .ui"):
            return self._sources.file_called(f"{name.removesuffix(' in .ui')}Plugin.h", SLICER, CTK)
        head, _, rest = name.partition(".")
        if head in _PYTHON_PACKAGES:
            return self._module(rest) if name.startswith("slicer.modules.") else self._python_name(head, rest)
        if not rest:
            return self._class(head)
        return self._any_member(rest) if head == "*" else self._member(head, rest)

    def _module(self, name: str) -> Place | None:
        wanted = name.partition(".")[2]
        for path in self._sources.files(SLICER):
            match = re.fullmatch(r"Modules/\w+/(\w+)/(?:qSlicer(\w+)Module\.h|(\w+)\.py)", path)
            if match and wanted == match[1].lower() and match[1] in match.groups()[1:]:
                return SLICER, path
        return None

    def _python_name(self, package: str, name: str) -> Place | None:
        repository, pattern = _PYTHON_PACKAGES[package]
        module, _, function = name.partition(".") if package == "slicer" else ("", "", name)
        file = pattern.format(module)
        # A module may be a folder, whose files say what it holds.
        inside = f"{file.removesuffix('.py')}/"
        for path in self._sources.files(repository):
            if path == file or (path.startswith(inside) and path.endswith(".py")):
                text = self._sources.text(repository, path)
                if not function or re.search(rf"^(?:def|class) {function}\b|^{function} =", text, re.MULTILINE):
                    return repository, path
        return None

    def _class(self, cls: str) -> Place | None:
        header = self._sources.file_called(f"{cls}.h", SLICER, CTK)
        if header and re.search(rf"\bclass\b[^;{{]*\b{cls}\b", self._sources.text(*header)):
            return header
        wrapped = self._sources.grep(rf"class PythonQtWrapper_{cls}\b", (PYTHONQT, "generated_cpp_515/*.h"))
        return wrapped or self._sources.grep(rf"^class {cls}\b", *_PYTHON_FILES)

    def _bases(self, cls: str, header: Place) -> list[str]:
        text = self._sources.text(*header)
        if header[1].endswith(".py"):
            match = re.search(rf"^class {cls}\(([^)]*)\)", text, re.MULTILINE)
        else:
            match = re.search(rf"\bclass\b[^;{{]*?\b{cls}\b\s*(?:final\s*)?:([^{{;]*){{", text)
        return re.findall(r"\w+", re.sub(r"\b(?:public|virtual)\b", "", match[1])) if match else []

    def _member(self, cls: str, member: str) -> Place | None:
        header = self._class(cls)
        if header is None:
            return _vtk_member(member, cls)
        if header[0] == PYTHONQT:
            return self._qt_member(cls, member)
        if _declares(self._sources.text(*header), member):
            return header
        # Slicer and CTK add functions to their classes for Python alone.
        added = self._sources.grep(rf"\bstatic_{cls}_{member}\(|\b{member}\({cls}\*", *_DECORATORS)
        if added and "(" not in member:
            return added
        found = (self._member(base, member) for base in self._bases(cls, header))
        return next((place for place in found if place), None)

    def _qt_member(self, cls: str, member: str) -> Place | None:
        bases = _qt_bases(cls)
        kind = "|".join(bases)
        # PythonQt drops the underscore that Python 2 needed for exec and print.
        member = member.removesuffix("_")
        name = member.partition("(")[0]
        wrapped = (
            rf"\b{name}\(({kind})[*&]? theWrappedObject|static_({kind})_{name}\(|\b{name} = ({kind})::{name}"
            rf"|^bool {name}\(QObject"
        )
        place = self._sources.grep(wrapped, (PYTHONQT, "generated_cpp_515/*.h")) if "(" not in member else None
        if place is None and "(" not in member:
            # connect, parent, property and the like are added to every QObject by PythonQt itself.
            decorated = self._sources.grep(rf"\b{name}\(QObject\*", (PYTHONQT, "src/PythonQtStdDecorators.h"))
            place = decorated or self._sources.grep(rf'"{name}", re', (PYTHONQT, "src/PythonQtInstanceWrapper.cpp"))
        return place or _meta_object_member(bases, member)

    def _any_member(self, member: str) -> Place | None:
        name = member.partition("(")[0]
        python = self._sources.grep(rf"^ +def {name}\(|^        self\.{name} =", *_PYTHON_FILES)
        wrapped = self._sources.grep(rf"\b{name}\(Q[A-Za-z]+[*&]? theWrappedObject", (PYTHONQT, "generated_cpp_515/*.h"))
        if "(" not in member and (python or wrapped):
            return wrapped or python
        found = _meta_object_member(_every_qt_class(), member)
        if found is None and "(" not in member:
            found = self._sources.grep(rf"\b{name}(\(| READ)", (SLICER, "*.h"), (CTK, "*.h"))
        return found or self._qt_member("QObject", member) or _vtk_member(name) or self._declared_anywhere(member)

    def _declared_anywhere(self, member: str) -> Place | None:
        """The first header that declares a member, also one with arguments or made by a macro."""
        name = member.partition("(")[0]
        headers = self._sources.grep_all(rf"\b({name}|{_ADDED_BY_MACROS.sub('', name)})\b", (SLICER, "*.h"), (CTK, "*.h"))
        return next((place for place in headers if _declares(self._sources.text(*place), member)), None)


def _declares(text: str, member: str) -> bool:
    name, bracket, arguments = member.partition("(")
    if bracket:
        wanted = [part for part in arguments.rstrip(")").split(",") if part]
        for match in re.finditer(rf"\b{name}\s*\(([^)]*)\)", text):
            given = [re.sub(r"\s*(?:=.*)?$", "", part) for part in match[1].split(",") if part.strip()]
            types = [normalized(re.sub(r"(?<=[\s*&])\w+$", "", part.strip()) or part) for part in given]
            # Arguments with defaults may be left out of a connection.
            if types[: len(wanted)] == wanted:
                return True
        return False
    stem = _ADDED_BY_MACROS.sub("", name)
    made_by_macro = rf"vtk\w*(?:Get|Set|Boolean)\w*Macro\(\s*{stem}\b"
    return bool(re.search(rf"\b{name}\b", text) or (stem != name and re.search(made_by_macro, text)))


@functools.cache
def _every_qt_class() -> tuple[str, ...]:
    from PySide6 import QtCore, QtGui, QtWidgets

    found = {name for module in (QtCore, QtGui, QtWidgets) for name in dir(module)}
    return tuple(sorted(name for name in found if hasattr(_qt_class(name), "staticMetaObject")))


@functools.cache
def _qt_class(name: str) -> type | None:
    from PySide6 import QtCore, QtGui, QtWidgets

    return next((getattr(module, name) for module in (QtWidgets, QtGui, QtCore) if hasattr(module, name)), None)


def _qt_bases(cls: str) -> tuple[str, ...]:
    found = _qt_class(cls)
    return tuple(base.__name__ for base in getattr(found, "__mro__", ()) if base.__name__.startswith("Q")) or (cls,)


def _meta_object_member(classes: tuple[str, ...], member: str) -> Place | None:
    """Ask Qt itself for a property, signal, slot or enumerator."""
    import PySide6

    for cls in classes:
        meta = getattr(_qt_class(cls), "staticMetaObject", None)
        if meta is None:
            continue
        if "(" in member:
            found = meta.indexOfMethod(member) >= meta.methodOffset()
        else:
            methods = [meta.method(index) for index in range(meta.methodOffset(), meta.methodCount())]
            enums = [meta.enumerator(index) for index in range(meta.enumeratorOffset(), meta.enumeratorCount())]
            found = (
                meta.indexOfProperty(member) >= meta.propertyOffset()
                or any(bytes(method.name().data()).decode() == member for method in methods)
                or any(enum.key(index) == member for enum in enums for index in range(enum.keyCount()))
            )
        if found:
            return "PySide6-Essentials", f"meta object of {cls}, Qt {PySide6.__version__}"
    return None


def _vtk_member(member: str, cls: str | None = None) -> Place | None:
    """Ask VTK itself, whose classes are real in the tests too."""
    import vtk

    for name in [cls] if cls else dir(vtk):
        if name.startswith("vtk") and hasattr(getattr(vtk, name, None), member):
            return "Kitware/VTK", f"{name} of VTK {vtk.vtkVersion.GetVTKVersion()}"
    return None


def listed() -> dict[str, list[str]]:
    """Return the committed list: name -> [repository, file]."""
    return json.loads(LIST.read_text(encoding="utf-8"))["names"]


def versions_listed() -> dict[str, str]:
    """Return the commits that the committed list was made from: repository -> commit and date."""
    return json.loads(LIST.read_text(encoding="utf-8"))["sources"]


def wanted() -> dict[str, str]:
    """Return every name that module and host use, with the place where it is used first."""
    return {**names_of_stand_ins(ROOT), **names_used(ROOT)}


def _write(versions: dict[str, str], names: dict[str, Place]) -> None:
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(list(names[name]))}" for name in sorted(names))
    head = json.dumps(versions, indent=4).replace("\n}", "\n  }")
    LIST.write_text(f'{{\n  "sources": {head},\n  "names": {{\n{lines}\n  }}\n}}\n', encoding="utf-8")


def main() -> int:
    """Print the names that are wrong; return 1 when there are any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--git", action="append", default=[], metavar="REPOSITORY=PATH", help="git directory of a source")
    parser.add_argument("--update", action="store_true", help="write the list anew from the sources")
    arguments = parser.parse_args()
    used = wanted()
    if not arguments.git:
        missing = sorted(set(used) - set(listed()))
        print("\n".join(f"{name} ({used[name]}) is not in {LIST.name}" for name in missing) or f"{len(used)} names listed")
        return int(bool(missing))
    sources = Sources(dict(entry.split("=", 1) for entry in arguments.git))
    finder = Finder(sources)
    found = {name: finder.place_of(name) for name in sorted(used)}
    wrong = sorted(name for name, place in found.items() if place is None)
    print("\n".join(f"{name} ({used[name]}) was not found" for name in wrong) or f"{len(found)} names found")
    if arguments.update and not wrong:
        _write(sources.versions(), {name: place for name, place in found.items() if place is not None})
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
