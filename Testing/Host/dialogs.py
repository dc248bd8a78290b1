"""Modal dialogs that nobody can click: what was shown is kept, and what a test said beforehand is the answer."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from PySide6 import QtGui, QtWidgets

_ICONS = {
    QtWidgets.QMessageBox.Icon.NoIcon: "",
    QtWidgets.QMessageBox.Icon.Information: "information",
    QtWidgets.QMessageBox.Icon.Warning: "warning",
    QtWidgets.QMessageBox.Icon.Critical: "error",
    QtWidgets.QMessageBox.Icon.Question: "question",
}


@dataclass(frozen=True)
class Shown:
    """A dialog that appeared: its kind ("error", "warning", "question", "file", "dialog" ...) and its texts."""

    kind: str
    text: str
    title: str = ""
    details: str = ""


# In the order in which they appeared.
shown: list[Shown] = []
# URLs that were handed to the system's browser.
openedUrls: list[str] = []
_answers: deque[Any] = deque()


def answer(*values: Any) -> None:
    """Say what the next dialogs return: a button for message boxes, a path (or "" for cancel) for file dialogs.

    For other dialogs give a function: it gets the dialog, which is shown, and returns the dialog's result.
    """
    _answers.extend(values)


def answerMessageBox(box: QtWidgets.QMessageBox) -> Any:
    """Keep the message; return the answer, or what Enter would press: the default or the first accepting button."""
    shown.append(Shown(_ICONS[box.icon], box.text, box.windowTitle.strip(), box.detailedText))
    if _answers:
        return _answers.popleft()
    default = box.defaultButton()
    if default is not None:
        return box.standardButton(default)
    standard = QtWidgets.QMessageBox.StandardButton
    for button in (standard.Ok, standard.Yes, standard.Close):
        if box.button(button) is not None:
            return button
    return standard.Ok


def _chooseFile(title: str) -> str:
    shown.append(Shown("file", title, title))
    return str(_answers.popleft()) if _answers else ""


def _execute(dialog: QtWidgets.QDialog) -> Any:
    if isinstance(dialog, QtWidgets.QMessageBox):
        return answerMessageBox(dialog)
    shown.append(Shown("dialog", dialog.objectName, dialog.windowTitle))
    dialog.show()
    QtWidgets.QApplication.processEvents()
    try:
        return _answers.popleft()(dialog) if _answers else QtWidgets.QDialog.DialogCode.Rejected
    finally:
        dialog.hide()


def install() -> None:
    """Put these answers in the place of Qt's blocking calls; file dialogs return text alone, as in PythonQt.

    What was shown and said before is forgotten.
    """
    for kept in (shown, openedUrls, _answers):
        kept.clear()

    def chooser(_parent: Any = None, caption: str = "", *_arguments: Any, **_named: Any) -> str:
        return _chooseFile(caption)

    for name in ("getSaveFileName", "getOpenFileName", "getExistingDirectory"):
        setattr(QtWidgets.QFileDialog, name, staticmethod(chooser))
    QtWidgets.QDialog.exec = QtWidgets.QDialog.exec_ = _execute
    QtWidgets.QMessageBox.exec = QtWidgets.QMessageBox.exec_ = _execute
    icon, button = QtWidgets.QMessageBox.Icon, QtWidgets.QMessageBox.StandardButton
    for name, kind, buttons in (
        ("information", icon.Information, button.Ok),
        ("warning", icon.Warning, button.Ok),
        ("critical", icon.Critical, button.Ok),
        ("question", icon.Question, button.Yes | button.No),
        ("about", icon.Information, button.Ok),
    ):
        setattr(QtWidgets.QMessageBox, name, staticmethod(_messageFunction(kind, buttons)))

    def openUrl(url: Any) -> bool:
        openedUrls.append(url.toString())
        return True

    QtGui.QDesktopServices.openUrl = staticmethod(openUrl)


def _messageFunction(icon: Any, buttons: Any) -> Any:
    def show(parent: Any, title: str, text: str, standardButtons: Any = buttons, *_default: Any) -> Any:
        return answerMessageBox(QtWidgets.QMessageBox(icon, title, text, standardButtons, parent))

    return show
