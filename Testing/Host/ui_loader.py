"""Loading Qt Designer files that name Slicer's and CTK's widgets."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader as PySideUiLoader
from PySide6.QtWidgets import QWidget

from . import ctk_widgets, pythonqt, qmrml_widgets

STAND_INS: dict[str, type[QWidget]] = {**ctk_widgets.WIDGETS, **qmrml_widgets.WIDGETS}


class QUiLoader(PySideUiLoader):
    """The loader that ``slicer.util.loadUI`` uses: stand-ins for custom widgets, connections of the file included."""

    def createWidget(self, className: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        """Make the stand-in or the Qt widget of that class.

        Raises:
            ValueError: neither Qt nor the host has the class.
        """
        if className in STAND_INS:
            widget = STAND_INS[className](parent)
            widget.setObjectName(name)
            return widget
        if className not in self.availableWidgets() and className != "Line":
            raise ValueError(f"the test host has no widget class {className}")
        return super().createWidget(className, parent, name)

    def load(self, device: Any, parent: QWidget | None = None) -> QWidget:
        """Load the file from an open device."""
        tree = ElementTree.fromstring(bytes(device.readAll().data()))
        # Signals with VTK arguments exist in the stand-ins in Python only: the C++ loader would not find them.
        found = [connection for block in tree.findall("connections") for connection in block]
        for block in tree.findall("connections"):
            tree.remove(block)
        buffer = QBuffer()
        buffer.setData(QByteArray(ElementTree.tostring(tree)))
        buffer.open(QIODevice.ReadOnly)
        widget = super().load(buffer, parent)
        _applySettings(widget)
        for connection in found:
            sender, receiver = (_child(widget, connection.findtext(end, "")) for end in ("sender", "receiver"))
            pythonqt.connect(sender, connection.findtext("signal", ""), receiver, connection.findtext("slot", ""))
        return widget


def _applySettings(root: QWidget) -> None:
    """Give stand-ins the settings of the file that Qt knows no property for and keeps as dynamic ones."""
    for widget in (root, *root.findChildren(QWidget)):
        if type(widget) in STAND_INS.values():
            for name in (bytes(entry.data()).decode() for entry in widget.dynamicPropertyNames()):
                setter = getattr(widget, f"set{name[0].upper()}{name[1:]}", None)
                if setter is not None:
                    setter(widget.property(name))


def _child(widget: QWidget, name: str) -> QObject:
    found = widget if widget.objectName == name else widget.findChild(QObject, name)
    if found is None:
        raise ValueError(f"a connection of the .ui file names {name}, which is not in it")
    return found
