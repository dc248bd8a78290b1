"""``slicer.parameterNodeWrapper`` for the kinds of attributes that the module has, as Slicer's own stores and checks them.

Slicer's package is not part of slicer-core. From its source (Base/Python/slicer/parameterNodeWrapper): texts in the node, defaults
written at once, values kept until the node is modified, wrong types refused.
"""

from __future__ import annotations

import types
import typing
from typing import Any

import slicer


class _Parameter:
    """One attribute of a kind, in a node."""

    def __init__(self, node: Any, name: str, kind: type, default: Any) -> None:
        self._node, self._name, self._kind = node, name, kind
        if not node.HasParameter(name):
            self._write(default)
        self._value = self._read()

    def get(self) -> Any:
        return self._value

    def set(self, value: Any) -> None:
        if value is None and not _is_node(self._kind):
            raise ValueError("Value must not be None")
        allowed = (int, float) if self._kind is float else self._kind
        if value is not None and not isinstance(value, allowed):
            raise TypeError(f"Value must be of type {allowed}, is type {type(value)}")
        with slicer.util.NodeModify(self._node):
            self._write(value)
            self._value = self._read()

    def modified(self) -> None:
        # Closing a scene empties the node.
        if not self._node.HasParameter(self._name):
            self._write(_default(self._kind))
        self._value = self._read()

    def _write(self, value: Any) -> None:
        if _is_node(self._kind):
            self._node.SetParameter(self._name, "")
            self._node.SetNodeReferenceID(self._name, value.GetID() if value is not None else None)
        else:
            self._node.SetParameter(self._name, str(value))

    def _read(self) -> Any:
        if _is_node(self._kind):
            return self._node.GetNodeReference(self._name)
        text = self._node.GetParameter(self._name)
        return text == "True" if self._kind is bool else self._kind(text)


def parameterNodeWrapper(cls: type) -> type:
    """Turn a class with annotations into one whose attributes live in a parameter node."""
    kinds = typing.get_type_hints(cls)
    defaults = {name: getattr(cls, name, _default(kind)) for name, kind in kinds.items()}

    def init(self: Any, node: Any) -> None:
        self.parameterNode = node
        self._parameters = {name: _Parameter(node, name, kind, defaults[name]) for name, kind in kinds.items()}
        parameters = self._parameters

        def modified(_caller: Any, _event: str) -> None:
            for parameter in parameters.values():
                parameter.modified()

        self._tag = node.AddObserver("ModifiedEvent", modified)

    members: dict[str, Any] = {
        "allParameters": kinds,
        "__init__": init,
        "__del__": lambda self: self.parameterNode.RemoveObserver(self._tag),
        "StartModify": lambda self: self.parameterNode.StartModify(),
        "EndModify": lambda self, modified: self.parameterNode.EndModify(modified),
    }
    for name in kinds:
        members[name] = _property(name)
    for name, member in members.items():
        setattr(cls, name, member)
    return cls


def _property(name: str) -> property:
    return property(lambda self: self._parameters[name].get(), lambda self, value: self._parameters[name].set(value))


def _default(kind: type) -> Any:
    return None if _is_node(kind) else kind()


def _is_node(kind: type) -> bool:
    return issubclass(kind, slicer.vtkMRMLNode)


def wrapper_module() -> types.ModuleType:
    """The module as Slicer has it."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    vars(module)["parameterNodeWrapper"] = parameterNodeWrapper
    return module
