"""The shown case in a section that holds another result against it: corrections are followed, and told."""

from MSKSegmentLib.language.catalogue import tr as _

from .sections import keepFolding


class ComparedCase:
    """The case that is shown in a section, and whether what the section says is of before a correction.

    `onCorrected` is called with the keys of what was corrected. `againButton` makes the comparison anew; `outdating` are the
    widgets that must not be read as being of now, and `whyAgain` the sentence that says so.
    """

    def __init__(self, section, againButton, outdating, whyAgain, onCorrected):
        self._section = section
        self._againButton = againButton
        self._outdating = outdating
        self._whyAgain = whyAgain
        self._onCorrected = onCorrected
        self._unsubscribe = None
        self.case = None
        self.outdated = False
        section.connect("contentsCollapsed(bool)", keepFolding(section))

    def setCase(self, case):
        """Another case is shown, or with None none."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        self.case = case
        self._unsubscribe = case.session.subscribe(self._onCorrected) if case is not None else None
        self._section.setVisible(case is not None)

    def setOutdated(self, outdated):
        """A table of before a correction must not be read as one of now."""
        self.outdated = outdated
        self._againButton.setVisible(outdated)
        self._againButton.setToolTip(_(self._whyAgain) if outdated else "")
        for widget in self._outdating:
            widget.setEnabled(not outdated)
