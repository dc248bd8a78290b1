"""PySide6 made to read like PythonQt, the Qt binding of 3D Slicer.

PythonQt reads Q_PROPERTYs as attributes (``label.text``), connects with a C++ signature
(``button.connect("clicked(bool)", f)``), hands a Python function no more arguments than it takes, refuses unknown
attributes on Qt objects and knows no Python-defined signals. PySide6 does none of this, so its classes are altered
here, once and for the whole process. The result is an imitation: it catches what the list above names, and nothing
says that everything else that passes here passes in PythonQt.
"""

from __future__ import annotations

import functools
import re
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets, QtXml

_SOURCES = (QtCore, QtGui, QtWidgets, QtNetwork, QtXml)
# PySide6's own ways of doing things, which PythonQt lacks: a module that used them would crash or fail in Slicer.
_NOT_IN_PYTHONQT = {"Signal", "Slot", "Property", "SignalInstance", "ClassInfo", "QThread", "QThreadPool", "QRunnable"}
# Virtual functions as well as properties: an attribute in their place would be taken for an override.
_KEEP_AS_METHODS = {"sizeHint", "minimumSizeHint"}

# What went wrong in slots since the host was started: PythonQt prints such exceptions and goes on.
slotErrors: list[str] = []
_connections: dict[int, list[tuple[str, Callable[..., Any] | None, Any, Callable[..., Any]]]] = {}


@functools.cache
def qtModule() -> types.ModuleType:
    """Alter PySide6's classes and return the module that code imports as ``qt``."""
    qt = types.ModuleType("qt", "Qt as PythonQt shows it, made from PySide6 for tests.")
    for source in _SOURCES:
        for name in dir(source):
            value = getattr(source, name)
            if name.startswith("_") or name in _NOT_IN_PYTHONQT:
                continue
            if isinstance(value, type) and issubclass(value, shiboken6.Object):
                value.__setattr__ = _setAttribute
            if isinstance(value, type) and issubclass(value, QtCore.QObject):
                _turnPropertiesIntoAttributes(value)
            setattr(qt, name, value)
    _turnPropertiesIntoAttributes(QtUiTools.QUiLoader)
    _hookConnect()
    _addMethods()
    return qt


def connect(sender: QtCore.QObject, signal: str, *target: Any) -> bool:
    """Connect a signal, named by its C++ signature, to a callable or to (receiver, slot signature).

    Raises:
        ValueError: the sender has no such signal. PythonQt only returns False there; a test should hear of it.
    """
    bound, count = _boundSignal(sender, signal)
    function = _slotOf(*target)
    slot = _guarded(function, count)
    bound.connect(slot)
    key = _identity(sender)
    if key not in _connections:
        _connections[key] = []
        sender.destroyed.connect(lambda *_: _connections.pop(key, None))
    _connections[key].append((_normalized(signal), function, bound, slot))
    return True


def disconnect(sender: QtCore.QObject, signal: str, *target: Any) -> bool:
    """Undo `connect`; without a target, for all callables that were connected to the signal. True when any was."""
    name, function = _normalized(signal), _slotOf(*target) if target else None
    kept, found = [], False
    for entry in _connections.get(_identity(sender), []):
        if entry[0] == name and (function is None or entry[1] == function):
            entry[2].disconnect(entry[3])
            found = True
        else:
            kept.append(entry)
    if found:
        _connections[_identity(sender)] = kept
    return found


def disconnectAll(sender: QtCore.QObject) -> None:
    """Undo every connection of the object that `connect` made."""
    for _name, _function, bound, slot in _connections.pop(_identity(sender), []):
        bound.disconnect(slot)


def reportError(where: str) -> None:
    """Keep the exception being handled for `slotErrors` and print it, as PythonQt does."""
    text = f"{where}\n{traceback.format_exc()}"
    slotErrors.append(text)
    print(text, file=sys.stderr)


def _identity(sender: QtCore.QObject) -> int:
    return int(shiboken6.getCppPointer(sender)[0])


def _normalized(signal: str) -> str:
    # What QMetaObject.normalizedSignature does, whose argument differs between versions of PySide6.
    return re.sub(r"\bconst\s+|[\s&]", "", signal)


def _boundSignal(sender: QtCore.QObject, signal: str) -> tuple[Any, int]:
    """Return the signal of the object and the number of arguments that its signature names."""
    signature = _normalized(signal)
    name, _, arguments = signature.rstrip(")").partition("(")
    count = len(arguments.split(",")) if arguments else 0
    for cls in type(sender).__mro__:
        # Stand-ins name the C++ signatures of their Python signals, whose own have no VTK types.
        if signature in cls.__dict__.get("cppSignals", {}):
            return getattr(sender, cls.cppSignals[signature]), count
    # Not sender.metaObject(): PySide6 would take the meta object of the whole class for a part of this one object.
    meta = type(sender).staticMetaObject
    if meta.indexOfSignal(signature) < 0:
        raise ValueError(f"{meta.className()} has no signal {signature}")
    bound = getattr(sender, name)
    try:
        return bound[arguments] if arguments else bound, count
    except (KeyError, IndexError, TypeError):
        return bound, count


def _slotOf(*target: Any) -> Callable[..., Any]:
    if len(target) == 1 and callable(target[0]):
        return target[0]
    if len(target) == 2 and isinstance(target[1], str):
        return getattr(target[0], target[1].partition("(")[0])
    raise TypeError(f"a signal connects to a callable or to a receiver and its slot, not to {target}")


def _accepted(function: Callable[..., Any]) -> int | None:
    """The number of positional arguments that PythonQt would pass at most; None for all.

    PythonQt looks at plain functions and methods only, and counts arguments with defaults too: a
    ``lambda key=key: ...`` on ``clicked(bool)`` gets the bool as its key.
    """
    bound = isinstance(function, types.MethodType)
    plain = function.__func__ if isinstance(function, types.MethodType) else function
    if not isinstance(plain, types.FunctionType) or plain.__code__.co_flags & 0x04:
        return None
    return plain.__code__.co_argcount - int(bound)


def _guarded(function: Callable[..., Any], count: int) -> Callable[..., None]:
    accepted = _accepted(function)
    passed = count if accepted is None else min(count, accepted)

    def slot(*arguments: Any) -> None:
        try:
            function(*arguments[:passed])
        except Exception:
            reportError(f"in a slot: {function!r}")

    return slot


def _turnPropertiesIntoAttributes(cls: type) -> None:
    meta = cls.staticMetaObject
    for index in range(meta.propertyCount()):
        name = meta.property(index).name()
        if name in _KEEP_AS_METHODS or (index < meta.propertyOffset() and name not in cls.__dict__):
            continue
        if not isinstance(cls.__dict__.get(name), _Attribute):
            setattr(cls, name, _attribute(cls, name, meta.property(index).isWritable()))


class _Attribute(property):
    """A property of objects; the class itself still shows Qt's function, because some are static (QTimer.singleShot)."""

    def __init__(self, getter: Any, setter: Any, function: Any) -> None:
        super().__init__(getter, setter)
        self._function = function

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self._function if instance is None else super().__get__(instance, owner)


def _attribute(cls: type, name: str, writable: bool) -> _Attribute:
    capital = name[0].upper() + name[1:]
    function = getattr(cls, name, None)
    getter = function or getattr(cls, f"is{capital}", None)
    # The getters of the application and some others are static: they take no object.
    if getter is None or isinstance(cls.__dict__.get(name), staticmethod):

        def getter(self: Any) -> Any:
            return QtCore.QObject.property(self, name)

    setter = getattr(cls, f"set{capital}", None)
    if setter is None and writable:

        def setter(self: Any, value: Any) -> None:
            QtCore.QObject.setProperty(self, name, value)

    return _Attribute(getter, setter if writable else None, function)


def _hookConnect() -> None:
    read = QtCore.QObject.__getattribute__

    # PySide6 finds its own static QObject.connect before anything that is put into the class.
    def getAttribute(self: Any, name: str) -> Any:
        if name == "connect":
            return functools.partial(connect, self)
        if name == "disconnect":
            return functools.partial(disconnect, self)
        return read(self, name)

    QtCore.QObject.__getattribute__ = getAttribute


def _setAttribute(self: Any, name: str, value: Any) -> None:
    attribute = next((cls.__dict__[name] for cls in type(self).__mro__ if name in cls.__dict__), None)
    if isinstance(attribute, QtCore.Property):
        QtCore.QObject.setProperty(self, name, value)
    elif hasattr(attribute, "__set__"):
        attribute.__set__(self, value)
    elif isinstance(attribute, QtCore.Signal):
        # PySide6 keeps the signals of an object this way.
        self.__dict__[name] = value
    elif type(self).__module__.startswith("PySide6."):
        raise AttributeError(f"{type(self).__name__} has no attribute '{name}' that can be set")
    else:
        # A class that was derived in Python: its objects take anything.
        self.__dict__[name] = value


def _addMethods() -> None:
    QtCore.QObject.name = property(lambda self: self.objectName, lambda self, value: self.setObjectName(value))
    QtCore.QObject.className = lambda self: type(self).staticMetaObject.className()
    QtCore.QObject.delete = shiboken6.delete
    QtWidgets.QDialog.exec_ = QtWidgets.QDialog.exec
    QtWidgets.QMenu.exec_ = QtWidgets.QMenu.exec
    # PySide6's own calls the hooked connect with arguments of its own.
    timer = QtCore.QTimer
    timer.singleShot = _Attribute(timer.isSingleShot, timer.setSingleShot, _singleShot)


def _singleShot(milliseconds: int, function: Callable[..., Any]) -> None:
    timer = QtCore.QTimer(QtCore.QCoreApplication.instance())
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(_guarded(function, 0))
    timer.timeout.connect(timer.deleteLater)
    timer.start()
