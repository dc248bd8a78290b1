"""Which names of Slicer, CTK and Qt the module relies on, read from its source without running it.

A name has one of these forms; a signal is a member with its C++ argument types::

    slicer.util.loadUI            a function of Slicer's Python packages
    slicer.modules.plots          a module
    qMRMLNodeComboBox             a class
    ctkComboBox in .ui            a class that Qt Designer files name, which needs a Designer plugin
    QLabel.setText                a member of a class or of a base of it
    *.insertWidget                a member of an object whose class the source does not tell
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import datetime
import logging
import pathlib
import re
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

# What the application's objects are, and what their functions return.
_GLOBALS = {
    "slicer.app": "qSlicerApplication",
    "slicer.mrmlScene": "vtkMRMLScene",
    "slicer.dicomDatabase": "ctkDICOMDatabase",
}
_RETURNS = {
    "qSlicerApplication.layoutManager": "qSlicerLayoutManager",
    "qSlicerApplication.applicationLogic": "vtkSlicerApplicationLogic",
    "qSlicerApplication.coreIOManager": "qSlicerCoreIOManager",
    "qSlicerApplication.clipboard": "QClipboard",
    "slicer.util.mainWindow": "qSlicerMainWindow",
    "slicer.modules.plots.logic": "vtkSlicerPlotsLogic",
    "slicer.modules.terminologies.logic": "vtkSlicerTerminologiesModuleLogic",
    "slicer.modules.segmenteditor.widgetRepresentation": "qSlicerScriptedLoadableModuleWidget",
    "qSlicerScriptedLoadableModuleWidget.self": "SegmentEditorWidget",
    "SegmentEditorWidget.editor": "qMRMLSegmentEditorWidget",
    "SegmentEditorWidget.layout": "QVBoxLayout",
    "qSlicerLayoutManager.sliceWidget": "qMRMLSliceWidget",
    "qSlicerLayoutManager.threeDWidget": "qMRMLThreeDWidget",
    "qSlicerLayoutManager.plotWidget": "qMRMLPlotWidget",
}
_CLASS_PREFIXES = ("vtk", "qMRML", "qSlicer", "ctk")
_STAND_IN = re.compile(r"^(ctk|qMRML|qSlicer)\w+$|^(SegmentEditorWidget|SampleDataLogic|PyTorchUtilsLogic)$")
# Qt Designer writes a layout's margins one by one; its loader turns them into a call.
_LAYOUT_PSEUDO_PROPERTIES = {f"{side}Margin" for side in ("left", "top", "right", "bottom")}
_PLAIN_TYPES = (str, bytes, list, dict, set, frozenset, tuple, int, float, pathlib.Path, datetime.datetime, type)
_PLAIN_TYPES += (re.Match, re.Pattern, subprocess.Popen, Exception, OSError, slice, unittest.TestCase)
_PLAIN_TYPES += (Requirement, SpecifierSet, contextlib.ExitStack, logging.Logger)
_PLAIN_ATTRIBUTES = {name for kind in _PLAIN_TYPES for name in dir(kind)} | set(dir(builtins))


def names_used(repository: Path) -> dict[str, str]:
    """Return every name with the place (``file:line``) where it is first used."""
    found: dict[str, str] = {}
    panel = sorted((repository / "MSKSegment").rglob("*.py"))
    children, forms = {}, sorted((repository / "MSKSegment").rglob("*.ui"))
    for path in forms:
        children.update(_widget_classes(path))
        _note(found, path.relative_to(repository).as_posix(), ((name, 0) for name in _names_of_form(path)))
    own = _names_defined_in([*panel, *sorted((repository / "MSKSegmentLib").rglob("*.py"))])
    for path in panel:
        _note(found, path.relative_to(repository).as_posix(), _Reader(path, children, own).names())
    for path in sorted((repository / "MSKSegmentLib" / "scene").glob("*.py")):
        _note(found, path.relative_to(repository).as_posix(), _Reader(path, {}, None).names())
    return found


def names_of_stand_ins(repository: Path) -> dict[str, str]:
    """Return the public members of the host's stand-ins, so that none is invented; the same form as `names_used`."""
    found: dict[str, str] = {}
    for path in sorted((repository / "Testing" / "Host").glob("*.py")):
        place = path.relative_to(repository).as_posix()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and _STAND_IN.match(node.name):
                _note(found, place, _members_of_stand_in(node))
    return found


def normalized(signal: str) -> str:
    """Return a signal's signature as Qt's meta object has it: no spaces, no const references."""
    return re.sub(r"\bconst\s+|[\s&]", "", signal)


def _note(found: dict[str, str], place: str, names: Iterator[tuple[str, int]]) -> None:
    for name, line in names:
        found.setdefault(name, f"{place}:{line}" if line else place)


def _members_of_stand_in(cls: ast.ClassDef) -> Iterator[tuple[str, int]]:
    renamed, own = {}, set()
    for node in cls.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name == "cppSignals":
                renamed = ast.literal_eval(node.value)
            elif name == "hostOnly":
                own = set(ast.literal_eval(node.value))
    yield cls.name, cls.lineno
    for signature in renamed:
        yield f"{cls.name}.{signature}", cls.lineno
    hidden = {"cppSignals", "hostOnly", *own, *renamed.values()}
    for node in cls.body:
        if isinstance(node, ast.FunctionDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            targets = [part for target in node.targets for part in ast.walk(target)]
            names = [part.id for part in targets if isinstance(part, ast.Name)]
        else:
            continue
        for name in names:
            if not name.startswith("_") and name not in hidden:
                yield f"{cls.name}.{name}", node.lineno


def _widget_classes(form: Path) -> dict[str, str]:
    root = ElementTree.parse(form).getroot()
    return {node.get("name", ""): node.get("class", "") for kind in ("widget", "layout") for node in root.iter(kind)}


def _names_of_form(form: Path) -> Iterator[str]:
    root = ElementTree.parse(form).getroot()
    classes = _widget_classes(form)
    for kind in ("widget", "layout"):
        for node in root.iter(kind):
            cls = node.get("class", "")
            yield cls if cls.startswith("Q") else f"{cls} in .ui"
            for prop in node.findall("property"):
                name = prop.get("name", "")
                if kind == "widget" or name not in _LAYOUT_PSEUDO_PROPERTIES:
                    yield f"{cls}.{name}"
    for connection in root.iter("connection"):
        for end, what in (("sender", "signal"), ("receiver", "slot")):
            cls = classes[connection.findtext(end, "")]
            yield f"{cls}.{normalized(connection.findtext(what, ''))}"


def _names_defined_in(paths: list[Path]) -> set[str]:
    """Functions, classes, attributes and enumerators of the project itself."""
    names: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for part in (part for target in targets for part in ast.walk(target)):
                    if isinstance(part, ast.Name):
                        names.add(part.id)
                    elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self":
                        names.add(part.attr)
    return names


class _Reader:
    """Reads one Python file; `own` None leaves out members of objects whose class the source does not tell."""

    def __init__(self, path: Path, children: dict[str, str], own: set[str] | None) -> None:
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._children = children
        self._own = own
        self._imported: set[str] = set()
        # What variables hold: those of a function by its name and theirs, attributes of self in the whole file.
        self._known: dict[tuple[str, str], str] = {}
        self._scopes = {id(self._tree): ""}
        for scope, node in self._walk(self._tree, ""):
            self._scopes[id(node)] = scope

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield each name with its line."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Import):
                self._imported.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                self._imported.update(alias.asname or alias.name for alias in node.names)
                if (node.module or "").split(".")[0] in ("slicer", "SampleData", "PyTorchUtils"):
                    yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        # Twice, because what a variable holds may depend on another that is assigned further down.
        for node in [*ast.walk(self._tree), *ast.walk(self._tree)]:
            self._learn(node)
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Attribute):
                yield from ((name, node.lineno) for name in self._names_of(node))
            elif isinstance(node, ast.Call):
                yield from ((name, node.lineno) for name in self._signal_of(node))

    def _walk(self, node: ast.AST, scope: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            inner = f"{scope}.{child.name}" if isinstance(child, (ast.FunctionDef, ast.ClassDef)) else scope
            yield inner, child
            yield from self._walk(child, inner)

    def _variable(self, node: ast.AST) -> tuple[str, str]:
        text = ast.unparse(node)
        return ("" if text.startswith("self.") else self._scopes.get(id(node), ""), text)

    def _learn(self, node: ast.AST) -> None:
        pairs: list[tuple[ast.AST, ast.AST]] = []
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs += zip(target.elts, node.value.elts, strict=False)
                else:
                    pairs.append((target, node.value))
        for left, right in pairs:
            kind = self._kind(right)
            if kind and not kind.startswith("class "):
                self._known.setdefault(self._variable(left), kind)
        if isinstance(node, ast.FunctionDef):
            for argument in node.args.args:
                for part in ast.walk(argument.annotation) if argument.annotation else ():
                    kind = self._kind(part) or ""
                    if kind.startswith("class "):
                        self._known[self._scopes[id(node)], argument.arg] = kind.removeprefix("class ")

    def _kind(self, node: ast.AST) -> str | None:
        """The class of an object, "class X" for the class itself, or the dotted name of a package."""
        text = ast.unparse(node)
        if text in _GLOBALS:
            return _GLOBALS[text]
        if self._variable(node) in self._known:
            return self._known[self._variable(node)]
        if isinstance(node, ast.Name):
            return node.id if node.id in ("slicer", "qt", "ctk") else None
        if isinstance(node, ast.Call):
            called = self._kind(node.func)
            return called.removeprefix("class ") if called and called.startswith("class ") else self._result(node.func)
        if isinstance(node, ast.Attribute):
            owner = self._kind(node.value)
            if owner in ("slicer", "qt", "ctk"):
                capital = owner == "qt" or node.attr.startswith(_CLASS_PREFIXES)
                return f"class {node.attr}" if capital else f"slicer.{node.attr}"
            if owner and owner.startswith("slicer"):
                return f"{owner}.{node.attr}"
            if text.split(".")[-2] in ("ui", "_ui") and node.attr in self._children:
                return self._children[node.attr]
            return _RETURNS.get(f"{owner}.{node.attr}") if owner else None
        return None

    def _result(self, function: ast.AST) -> str | None:
        if not isinstance(function, ast.Attribute):
            return None
        return _RETURNS.get(f"{self._kind(function.value)}.{function.attr}")

    def _names_of(self, node: ast.Attribute) -> Iterator[str]:
        owner, text = self._kind(node.value), ast.unparse(node)
        if text in _GLOBALS or node.attr.startswith("__"):
            return
        if owner in ("slicer", "qt", "ctk"):
            if (self._kind(node) or "").startswith("class "):
                yield node.attr
        elif owner == "slicer.modules" or (owner or "").startswith(("slicer.util", "slicer.packaging")):
            yield f"{owner}.{node.attr}"
        elif (owner or "").startswith("slicer.modules."):
            yield f"qSlicerAbstractCoreModule.{node.attr}"
        elif owner:
            yield f"{owner.removeprefix('class ')}.{node.attr}"
        elif self._own is not None and self._is_foreign(node):
            yield f"*.{node.attr}"

    def _is_foreign(self, node: ast.Attribute) -> bool:
        root = ast.unparse(node).split(".")[0].split("(")[0]
        if root in self._imported or (text := ast.unparse(node)).split(".")[-2:-1] in (["ui"], ["_ui"]):
            return False
        return node.attr not in self._own and node.attr not in _PLAIN_ATTRIBUTES and not text.startswith("vtk.")

    def _signal_of(self, node: ast.Call) -> Iterator[str]:
        function, first = node.func, node.args[0] if node.args else None
        connects = isinstance(function, ast.Attribute) and function.attr in ("connect", "disconnect")
        if connects and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield f"{self._kind(function.value) or '*'}.{normalized(first.value)}"
