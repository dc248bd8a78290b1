"""Keys for the review, alive only while the module is open."""

import qt
import slicer


class Shortcuts:
    """Single keys; typing into a text field still types."""

    def __init__(self, parent, actions):
        """`actions` maps key sequences to functions without arguments."""
        # In the whole window, because after choosing a row one works in the slice views.
        owner = slicer.util.mainWindow() or parent
        self._shortcuts = []
        for keys, action in actions.items():
            shortcut = qt.QShortcut(qt.QKeySequence(keys), owner)
            shortcut.connect("activated()", action)
            self._shortcuts.append(shortcut)
        self.setEnabled(False)

    def setEnabled(self, enabled):
        """Switch all keys on or off."""
        for shortcut in self._shortcuts:
            shortcut.setEnabled(enabled)

    def remove(self):
        """Take the keys away for good."""
        self.setEnabled(False)
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
        self._shortcuts = []
