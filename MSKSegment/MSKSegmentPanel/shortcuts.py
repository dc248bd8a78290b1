"""Keys for the review, alive only while the module is open and nothing else takes keys."""

import qt
import slicer

# Widgets in which a letter means something of their own: it is written, or chooses an entry.
_TAKE_LETTERS = ("QLineEdit", "QTextEdit", "QPlainTextEdit", "QAbstractSpinBox", "QComboBox")


class Shortcuts:
    """Single keys; they are off while a text field, a spin box or a combo box has the focus."""

    def __init__(self, parent, actions):
        """`actions` maps key sequences to functions without arguments."""
        # In the whole window, because after choosing a row one works in the slice views.
        owner = slicer.util.mainWindow() or parent
        self._wanted = False
        self._shortcuts = []
        for keys, action in actions.items():
            shortcut = qt.QShortcut(qt.QKeySequence(keys), owner)
            shortcut.connect("activated()", action)
            self._shortcuts.append(shortcut)
        # A shortcut that is off leaves the key to the widget; one that merely did nothing would swallow it.
        slicer.app.connect("focusObjectChanged(QObject*)", self._focusChanged)
        self.setEnabled(False)

    def setEnabled(self, enabled):
        """Switch all keys on or off."""
        self._wanted = enabled
        self._refresh(qt.QApplication.focusWidget())

    def remove(self):
        """Take the keys away for good."""
        slicer.app.disconnect("focusObjectChanged(QObject*)", self._focusChanged)
        self.setEnabled(False)
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
        self._shortcuts = []

    def _focusChanged(self, focused):
        self._refresh(focused)

    def _refresh(self, focused):
        enabled = self._wanted and not takesLetters(focused)
        for shortcut in self._shortcuts:
            shortcut.setEnabled(enabled)


def takesLetters(thing):
    """Whether a letter typed into a widget, or a part of one such as the list of a combo box, is the widget's own."""
    while thing is not None:
        if any(thing.inherits(name) for name in _TAKE_LETTERS):
            return True
        thing = thing.parent()
    return False
