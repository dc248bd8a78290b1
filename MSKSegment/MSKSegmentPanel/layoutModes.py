"""Layouts of the module in place of the user's: one at a time, and the user's comes back."""

import slicer

from .widgets import signalsBlocked


class LayoutModes:
    """Which of the module's buttons, if any, has taken the layout of the views; it is up again once the layout was left."""

    def __init__(self):
        self._before = None
        self._shown = None
        self._onLeft = None
        self._switching = False
        manager = slicer.app.layoutManager()
        if manager is not None:
            manager.connect("layoutChanged(int)", self._changed)

    def close(self):
        """The panel goes away: the user's layout comes back."""
        self.leave()
        manager = slicer.app.layoutManager()
        if manager is not None:
            manager.disconnect("layoutChanged(int)", self._changed)

    def offer(self, button, onEnter, onLeft):
        """Let a button that can be checked take the layout.

        `onEnter` is called to show what is to be seen and answers whether it could; `onLeft` when the layout is given back, or the
        user chose another one.
        """

        def toggled(checked):
            if not checked:
                self.leave()
                return
            self.leave()
            manager = slicer.app.layoutManager()
            if manager is None:
                _up(button)
                return
            self._before, self._switching = manager.layout, True
            self._onLeft = lambda: (_up(button), onLeft())
            try:
                entered = onEnter()
            finally:
                self._switching = False
            self._shown = manager.layout
            if not entered:
                self.leave()

        button.connect("toggled(bool)", toggled)

    def leave(self):
        """Give the user's layout back, if a button has taken it."""
        if self._onLeft is None:
            return
        onLeft, self._onLeft = self._onLeft, None
        slicer.app.layoutManager().setLayout(self._before)
        onLeft()

    def _changed(self, layout):
        if self._onLeft is not None and not self._switching and layout != self._shown:
            # The user chose another layout, which stays.
            onLeft, self._onLeft = self._onLeft, None
            onLeft()


def showOwnLayout(layout):
    """Show an `OwnLayout`; returns the slice widgets of its slice views."""
    from MSKSegmentLib.scene.own_views import offer_layouts

    manager = slicer.app.layoutManager()
    offer_layouts(manager.layoutLogic().GetLayoutNode())
    manager.setLayout(layout.number)
    # The views get their size, which what they show is fitted to.
    slicer.app.processEvents()
    return [manager.sliceWidget(name) for name in layout.slices]


def showNote(label, text):
    """Say something of the views; without anything to say the label takes no room."""
    label.setText(text)
    label.setVisible(bool(text))


def _up(button):
    with signalsBlocked(button):
        button.setChecked(False)
