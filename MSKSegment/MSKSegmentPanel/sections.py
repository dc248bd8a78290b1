"""Sections of the panel: forms of their own, which stay folded or open as the user left them."""

import slicer

_SETTING = "MSKSegment/Folded/"


def keepFolding(section):
    """Fold a collapsible button as it was left the last time; returns what to connect to its being folded and opened."""
    key = _SETTING + section.objectName
    section.setCollapsed(slicer.util.settingsValue(key, section.collapsed, converter=slicer.util.toBool))
    return lambda folded: slicer.app.settings().setValue(key, folded)


def addSection(panel, path, before=None):
    """Put the section that a file of Qt Designer describes into the panel, above the widget of that name or at the end."""
    layout = panel.layout()
    names = [_name(layout.itemAt(place)) for place in range(layout.count())]
    # The last item is the room that is left.
    layout.insertWidget(names.index(before) if before else len(names) - 1, slicer.util.loadUI(path))


def _name(item):
    return item.widget().objectName if item.widget() is not None else ""
