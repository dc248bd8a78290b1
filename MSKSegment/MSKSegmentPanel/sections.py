"""Sections of the panel that stay folded or open as the user left them."""

import slicer

_SETTING = "MSKSegment/Folded/"


def keepFolding(section):
    """Fold a collapsible button as it was left the last time; returns what to connect to its being folded and opened."""
    key = _SETTING + section.objectName
    section.setCollapsed(slicer.util.settingsValue(key, section.collapsed, converter=slicer.util.toBool))
    return lambda folded: slicer.app.settings().setValue(key, folded)
