"""Where the words for users stand: marked texts in Python, those of the page's templates and the panel's form, errors, findings."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import cache
from pathlib import Path

MARKS = {"_", "N_", "tr", "noted", "gettext"}
# What a user of panel or page may be told of: not what training, studies and the like say on a command line.
SENTENCE_LAYERS = (
    "anatomy", "bundle", "ct", "dicom_results", "engine", "foreign", "inference", "language", "learning", "measurement",
    "other_models", "output", "packages", "pipeline", "prepared_scan", "preview", "quality", "rating", "report",
    "resources", "results", "review", "scene", "segmentation", "tasks", "two_results", "web",
)  # fmt: skip
FINDINGS = {"refusal", "warning"}
# Errors of the page, and sentences that are marked one by one.
STATED = {"Problem", "stated"}
_PAGE_WORDS = re.compile(r"\b_\('((?:[^'\\]|\\.)*)'\)")

Word = tuple[str, str]


def python_words(root: Path) -> Iterator[Word]:
    """(file, text) of every marked text of library and panel."""
    for path in _modules(root / "MSKSegmentLib", root / "MSKSegment"):
        for node in _calls(path):
            if _called(node) in MARKS and node.args and (text := _text(node.args[0])):
                yield _name(path, root), text


def page_words(library: Path) -> Iterator[Word]:
    """(file, text) of every text of the page's templates, where they stand as ``_('...')`` in expressions."""
    for path in sorted((library / "web" / "page" / "templates").glob("*.html")):
        for found in _PAGE_WORDS.finditer(path.read_text(encoding="utf-8")):
            yield f"web/{path.name}", found[1].replace("\\'", "'")


def form_words(root: Path) -> Iterator[Word]:
    """(file, text) of every text of the panel's form that is to be translated."""
    for path in sorted((root / "MSKSegment" / "Resources" / "UI").glob("*.ui")):
        tree = ElementTree.parse(path)
        fixed = {id(one) for group in tree.iter("stringlist") if group.get("notr") == "true" for one in group}
        for element in tree.iter("string"):
            if element.get("notr") != "true" and id(element) not in fixed and (element.text or "").strip():
                yield path.name, str(element.text)


def sentences(library: Path) -> Iterator[Word]:
    """(file, form) of every error and finding; what is put into a sentence is a placeholder, named after where it comes from."""
    for path in _modules(library):
        if path.relative_to(library).parts[0].removesuffix(".py") not in SENTENCE_LAYERS:
            continue
        for node in _calls(path):
            name = _called(node)
            number = 1 if name in FINDINGS else 0 if name.endswith("Error") or name in STATED else -1
            form = _form(node.args[number]) if 0 <= number < len(node.args) else ""
            if " " in form and (form[-1] in ".?" or name in STATED):
                yield _name(path, library.parent), form


def _modules(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.py"))


@cache
def _calls(path: Path) -> tuple[ast.Call, ...]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(node: ast.Call) -> str:
    function = node.func
    return function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix().removeprefix("MSKSegmentLib/").removeprefix("MSKSegment/")


def _form(node: ast.expr) -> str:
    if not isinstance(node, ast.JoinedStr):
        return _text(node)
    names: list[str] = []
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        elif isinstance(part, ast.FormattedValue):
            name = _value_name(part.value)
            count = sum(one.rstrip("0123456789") == name for one in names)
            names.append(f"{name}{count + 1}" if count else name)
            parts.append(f"{{{names[-1]}}}")
    return "".join(parts)


def _value_name(node: ast.expr) -> str:
    """What a placeholder is called: the variable, the attribute, or what a function is given."""
    if isinstance(node, ast.Name):
        return node.id.lower().strip("_").rstrip("0123456789") or "value"
    if isinstance(node, ast.Attribute):
        return node.attr.lower().strip("_").rstrip("0123456789") or "value"
    if isinstance(node, ast.Call):
        return _value_name(node.args[0]) if node.args else _value_name(node.func)
    if isinstance(node, ast.Subscript):
        return _value_name(node.value)
    return "value"
