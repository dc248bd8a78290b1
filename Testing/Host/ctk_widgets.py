"""Stand-ins for the widgets of CTK, with the properties, signals and looks that a scripted module relies on."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QAbstractButton, QMessageBox, QStyle, QStyleOption, QStyleOptionButton, QWidget

from . import dialogs


class ctkCollapsibleButton(QAbstractButton):
    """A section with a header that folds the children away; `collapsed` is what users of the class set."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        super().__init__(next((a for a in arguments if isinstance(a, QWidget)), None))
        self.setText(text)
        self._collapsed = False
        self._hidden: list[QWidget] = []
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(self.sizePolicy.Policy.Minimum, self.sizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._headerHeight(), 0, 0)
        self.toggled.connect(lambda checked: self.setCollapsed(not checked))

    def _headerHeight(self) -> int:
        return self.fontMetrics().height() + 10

    def _isCollapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        children = [child for child in self.children() if isinstance(child, QWidget)]
        if collapsed:
            self._hidden = [child for child in children if not child.isHidden()]
            for child in self._hidden:
                child.hide()
        else:
            for child in self._hidden:
                child.show()
        self.setMaximumHeight(self._headerHeight() if collapsed else 16777215)
        self.setChecked(not collapsed)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, _isCollapsed, setCollapsed)

    def sizeHint(self) -> QSize:
        if self._collapsed or self.layout() is None:
            return QSize(self.fontMetrics().horizontalAdvance(self.text) + 40, self._headerHeight())
        # The layout's own hint lacks the room that the header takes.
        return QWidget.sizeHint(self)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint() if self._collapsed or self.layout() is None else QWidget.minimumSizeHint(self)

    def hitButton(self, point: Any) -> bool:
        return point.y() <= self._headerHeight()

    def paintEvent(self, _event: Any) -> None:
        painter, option = QPainter(self), QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(self._headerHeight())
        self.style().drawPrimitive(QStyle.PE_PanelButtonCommand, option, painter, self)
        arrow = QStyleOption()
        arrow.initFrom(self)
        arrow.rect = option.rect.adjusted(6, 0, 0, 0)
        arrow.rect.setWidth(10)
        down = QStyle.PE_IndicatorArrowRight if self._collapsed else QStyle.PE_IndicatorArrowDown
        self.style().drawPrimitive(down, arrow, painter, self)
        text = option.rect.adjusted(24, 0, -6, 0)
        self.style().drawItemText(
            painter, text, Qt.AlignVCenter | Qt.AlignLeft, self.palette, self.enabled, self.text.replace("&&", "&")
        )


class ctkMessageBox(QMessageBox):
    """A message box with a "don't show again" box; here it is kept and answered by `dialogs`, never waited for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settingsKey = ""

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        self._settingsKey = key

    dontShowAgainSettingsKey = Property(str, lambda self: self._settingsKey, setDontShowAgainSettingsKey)

    def exec_(self) -> Any:
        return dialogs.answerMessageBox(self)

    exec = exec_


WIDGETS = {cls.__name__: cls for cls in (ctkCollapsibleButton, ctkMessageBox)}
