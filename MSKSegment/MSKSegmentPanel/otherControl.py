"""The section that holds another result of the same CT beside the open one: agreement, differences, taking a structure."""

from pathlib import Path

import slicer

from MSKSegmentLib.comparison.change_words import OUTDATED
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.language.forms import told
from MSKSegmentLib.results.result_reading import StoredCase
from MSKSegmentLib.two_results.agreement_rows import NO_PROOF, NOTHING_TO_TAKE, ONLY_IN_PARTS, agreement_rows, summary_text
from MSKSegmentLib.two_results.agreement_table import point_of_difference
from MSKSegmentLib.two_results.beside import hold_beside, hold_beside_again, read_of_same_ct, snapshot_of
from MSKSegmentLib.two_results.known import source_of

from .agreementTable import AgreementTable
from .comparedCase import ComparedCase
from .comparedViews import ComparedViews
from .widgets import askFolder


class OtherControl:
    """`startRun` is called with what is to be called with a run that has ended, what starts it, and what that is called with."""

    def __init__(self, ui, logic, messages, layouts, review, startRun):
        self._ui = ui
        self._logic = logic
        self._messages = messages
        self._review = review
        self._startRun = startRun
        outdating = (ui.agreementTable, ui.otherSummaryLabel, ui.differencesCheckBox)
        self._compared = ComparedCase(ui.otherSection, ui.compareAgainButton, outdating, OUTDATED, self._corrected)
        self._held = None
        self._hindrance = ""
        self._number = 0
        self._taken = []
        self._views = ComparedViews(ui, layouts)
        self._table = AgreementTable(ui.agreementTable, self._look)
        ui.otherSelector.setMRMLScene(slicer.mrmlScene)
        ui.otherSelector.connect("currentNodeChanged(vtkMRMLNode*)", lambda *args: self.refresh(self._hindrance))
        ui.compareButton.connect("clicked(bool)", self._compareNode)
        ui.otherFolderButton.connect("clicked(bool)", self._compareFolder)
        ui.compareAgainButton.connect("clicked(bool)", self._again)
        ui.otherEndButton.connect("clicked(bool)", self._end)
        ui.nextDifferenceButton.connect("clicked(bool)", self._nextSlice)
        ui.takeButton.connect("clicked(bool)", self._take)
        ui.takeBackButton.connect("clicked(bool)", self._takeBack)
        self.showCase(None)

    def showCase(self, case):
        """Another case is shown, or with None none: what was held beside the one before is put away."""
        self._compared.setCase(case)
        self._taken = []
        self._views.setCase(case)
        self._show(None)
        self.refresh(self._hindrance)

    def showTexts(self):
        """The panel speaks another language; what was compared stays as it is."""
        outdated, row = self._compared.outdated, self._table.chosen
        self._show(self._held)
        self._showOutdated(outdated)
        self._choose(row)

    def refresh(self, hindrance):
        """Allow comparing unless something hinders a run, which is said."""
        self._hindrance = hindrance
        node = self._ui.otherSelector.currentNode()
        if not hindrance and node is None:
            hindrance = _("Choose a segmentation first")
        elif not hindrance and self._compared.case is not None and node is self._compared.case.nodes.segmentation:
            hindrance = _("This is the open result itself; choose another segmentation")
        self._ui.compareButton.setEnabled(not hindrance)
        self._ui.compareButton.setToolTip(hindrance or _("Hold the chosen segmentation beside the open result"))

    def close(self):
        """The panel goes away."""
        self.showCase(None)
        self._table.close()

    def _compareNode(self, *args):
        node = self._ui.otherSelector.currentNode()
        own = next((case for case in self._logic.cases if case.nodes.segmentation is node), None)
        self._messages.clear()
        if own is not None and own.nodes.ct is self._compared.case.nodes.ct:
            with self._messages.reported():
                self._hold(snapshot_of(own.session), node.GetName())
            return
        case, name = self._compared.case, node.GetName()

        def imported(run):
            with self._messages.reported():
                try:
                    result = run.result()
                finally:
                    run.close()
                # Another case may have been chosen meanwhile.
                if case is self._compared.case:
                    self._hold(StoredCase(result, result, ()), name)

        self._startRun(imported, self._logic.startImport, case, node)

    def _compareFolder(self, *args):
        folder = askFolder(self._ui.otherSection, _("Result folder of the same CT"), "")
        if folder:
            self._messages.clear()
            with self._messages.reported():
                other = read_of_same_ct(Path(folder), self._compared.case.session.result.facts)
                self._hold(other, Path(folder).name)

    def _hold(self, other, name):
        """Hold a result beside the open one, which takes seconds for a large scan."""
        self._review.measureEdits()
        session = self._compared.case.session
        with slicer.util.WaitCursor():
            self._show(hold_beside(snapshot_of(session), other, session.volume, name))

    def _again(self, *args):
        self._review.measureEdits()
        row = self._table.chosen
        with self._messages.reported(), slicer.util.WaitCursor():
            self._show(hold_beside_again(snapshot_of(self._compared.case.session), self._held))
        self._choose(row)

    def _end(self, *args):
        self._show(None)

    def _show(self, held):
        ui = self._ui
        self._held = held
        ui.otherLabel.setText(self._names(held) if held else "")
        ui.otherSummaryLabel.setText(summary_text(held) if held else "")
        for widget in (ui.otherLabel, ui.otherSummaryLabel, ui.agreementTable, ui.otherEndButton):
            widget.setVisible(held is not None)
        for widget in (ui.nextDifferenceButton, ui.takeButton, ui.takeBackButton):
            widget.setVisible(held is not None)
        self._table.setRows(agreement_rows(held) if held else ())
        self._views.show(held)
        self._showOutdated(False)
        self._showActions()

    def _names(self, held):
        """Which result is which."""
        name, source = self._compared.case.nodes.segmentation.GetName(), told(source_of(held.pair.first.result.facts))
        own = _("{name} ({source})").format(name=name, source=source)
        words = _("First: {first}. Second: {second}, by {source}.")
        words = words.format(first=own, second=held.name, source=told(held.source))
        return f"{words} {_(NO_PROOF)}"

    def _choose(self, row):
        """Choose a row again after the table was made anew."""
        if row is not None:
            self._table.choose(row.key)
            self._showActions()

    def _look(self, row):
        """Go to the slice in which the structure of a row differs most."""
        self._number = 0
        self._goToSlice(row)

    def _nextSlice(self, *args):
        row = self._table.chosen
        self._number = (self._number + 1) % len(row.slices)
        self._goToSlice(row)

    def _goToSlice(self, row):
        self._showActions()
        pair, session = self._held.pair, self._compared.case.session
        if row.is_compared:
            key = pair.keys_in_first(row.key)[0]
            if row.slices:
                self._review.choose(key)
                self._views.jump(point_of_difference(pair, row.key, row.slices[self._number].index))
                return
        else:
            key = row.key
        if any(one.key == key for one in session.rows()):
            self._review.choose(key)

    def _take(self, *args):
        row, case = self._table.chosen, self._compared.case
        with self._messages.reported():
            self._review.measureEdits()
            edit = self._logic.takeFrom(case, row.key, self._held.mask_of_other(row.key), self._held.source)
            if edit is not None:
                self._taken.append((row.name, edit))
        self._again()

    def _takeBack(self, *args):
        name, edit = self._taken.pop()
        with self._messages.reported():
            self._review.measureEdits()
            if not self._logic.takeBack(self._compared.case, edit):
                self._messages.showInfo(_("Nothing of {name} as it was taken is left to be undone.").format(name=name))
        self._again()

    def _corrected(self, keys):
        if self._held is None:
            return
        session, before = self._compared.case.session, {one.segment.key: one for one in self._held.pair.first.result.reports}
        # What was accepted, but not drawn on, has the numbers that it had.
        if any(session.report(key).measurements is not before[key].measurements for key in keys):
            self._showOutdated(True)

    def _showOutdated(self, outdated):
        self._compared.setOutdated(outdated)
        if outdated:
            self._views.hideDifferences()

    def _showActions(self):
        """What the chosen row allows."""
        ui, row = self._ui, self._table.chosen
        slices = row.slices if row is not None else ()
        number = min(self._number, len(slices) - 1)
        ui.nextDifferenceButton.setEnabled(len(slices) > 1)
        place = _("Next slice ({number} of {count})").format(number=number + 1, count=len(slices))
        ui.nextDifferenceButton.setText(place if slices else _("Next slice"))
        area = slices[number].area_cm2 if slices else 0.0
        ui.nextDifferenceButton.setToolTip(_("Here {area} cm² differ").format(area=f"{area:.1f}") if slices else "")
        ui.takeButton.setEnabled(row is not None and row.takeable)
        ui.takeButton.setToolTip(self._whyNot(row))
        ui.takeBackButton.setEnabled(bool(self._taken))
        ui.takeBackButton.setToolTip(_("Undo taking {name}").format(name=self._taken[-1][0]) if self._taken else "")

    def _whyNot(self, row):
        if row is None:
            return _("Choose a row first")
        if row.takeable:
            return _("Take this structure from the second result; a correction that can be undone")
        if not row.is_compared or row.dice == "1.000":
            return ""
        return told(NOTHING_TO_TAKE if row.key in self._held.pair.takeable else ONLY_IN_PARTS)
