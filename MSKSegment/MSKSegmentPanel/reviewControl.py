"""The review of one case: table, selected structure, edits and acceptance, all kept in step."""

import slicer

from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.review.rows import MARKS, RowFilter

from .editHandover import EditHandover
from .resultsTable import ResultsTable
from .structurePanel import StructurePanel
from .viewControl import ViewControl
from .widgets import scrollTo, signalsBlocked, singleShot

# Strokes in quick succession are measured once.
SETTLE_MS = 150

_SIDES = (None, "right", "left")


class ReviewControl:
    """Shows one case of the logic at a time; `module` is the module's widget, which watches VTK events."""

    def __init__(self, ui, logic, messages, layouts, module):
        self._ui = ui
        self._logic = logic
        self._messages = messages
        self._observe, self._unobserve = module.addObserver, module.removeObserver
        self._case = None
        self._segmentation = None
        self._unsubscribe = None
        self._waits = False
        self._slice = 0
        self._groups = (None,)
        self._structure = StructurePanel(ui)
        self._views = ViewControl(ui, layouts, messages)
        self._table = ResultsTable(ui.resultsTable, ui.columnsButton, self._chosen)
        self._handover = EditHandover(module.moduleName)
        self._settle = singleShot(SETTLE_MS, self.measureEdits)
        ui.flaggedOnlyCheckBox.connect("toggled(bool)", self._filter)
        ui.groupFilter.connect("currentIndexChanged(int)", self._filter)
        ui.sideFilter.connect("currentIndexChanged(int)", self._filter)
        ui.searchEdit.connect("textChanged(QString)", self._filter)
        ui.nextFlaggedButton.connect("clicked(bool)", self.chooseNextFlagged)
        ui.previousSliceButton.connect("clicked(bool)", self.previousSlice)
        ui.nextSliceButton.connect("clicked(bool)", self.nextSlice)
        ui.editButton.connect("clicked(bool)", self.edit)
        ui.acceptButton.connect("clicked(bool)", self.accept)
        ui.revertButton.connect("clicked(bool)", self._revert)
        self.showCase(None)

    @property
    def case(self):
        """The case shown, or None."""
        return self._case

    def showCase(self, case):
        """Show a case, or with None that there is none."""
        self.measureEdits()
        self._watch(None)
        self._case = case
        self._views.setCase(case)
        self._structure.clear()
        for section in (self._ui.selectedSection, self._ui.structuresSection):
            section.setVisible(case is not None)
        self._table.setTask(case.session.task if case else None)
        if case:
            self._offerGroups(case.session.table.groups)
        self._table.setRows(case.session.rows() if case else ())
        self._table.choose(None)
        self._filter()
        self._watch(case)

    def showTexts(self):
        """The panel speaks another language; the chosen structure stays."""
        key = self._table.chosen
        self.showCase(self._case)
        if key is not None:
            self._table.choose(key)
            self._chosen(key)

    def enter(self):
        """The module is in front again, perhaps after editing."""
        self._handover.close()
        self.measureEdits()

    def close(self):
        """The panel goes away."""
        self._settle.stop()
        self._table.close()
        self._handover.remove()

    def measureEdits(self):
        """Measure at once what was edited in the scene and still waits to be measured."""
        self._settle.stop()
        waits, self._waits = self._waits, False
        if not waits or self._case.nodes.segmentation is None:
            return
        with self._messages.reported():
            self._logic.remeasure(self._case)

    def place(self, placing):
        """Show where the numbers of the case lie among the curves of a site; None shows it no longer."""
        if self._case is None:
            return
        session = self._case.session
        session.place(placing)
        self._table.setTask(session.task, placing.quantities if placing is not None else ())
        self._table.setRows(session.rows())
        if self._table.chosen is not None:
            self._structure.show(session, self._table.chosen)

    def chooseNextFlagged(self, *args):
        """Go to the next structure that needs a look."""
        if self._case is None:
            return
        key = self._case.session.next_flagged(self._table.chosen)
        if key is None:
            self._messages.showInfo(_("Nothing is left to look at: every flagged structure was accepted."))
            return
        self.choose(key)
        scrollTo(self._ui.selectedSection)

    def choose(self, key):
        """Go to a structure of the case."""
        if key not in self._table.shown:
            self._showAllRows()
        self._table.choose(key)
        self._chosen(key)

    def previousSlice(self, *args):
        """Go to the slice that is more uncertain."""
        self._goToSlice(self._slice - 1)

    def nextSlice(self, *args):
        """Go to the slice that is less uncertain."""
        self._goToSlice(self._slice + 1)

    def edit(self, *args):
        """Open the chosen structure in Segment Editor."""
        key = self._table.chosen
        if key is not None:
            name = self._case.session.row(key).name
            self._logic.prepareEdit(self._case, key)
            self._handover.edit(self._case.nodes, key, name)

    def accept(self, *args):
        """Accept the chosen structure, or reopen an accepted one."""
        key = self._table.chosen
        if key is None:
            return
        self.measureEdits()
        session = self._case.session
        if session.report(key).state is ReviewState.ACCEPTED:
            session.reopen(key)
        else:
            session.accept(key)

    def _revert(self, *args):
        key = self._table.chosen
        if key is None:
            return
        name = self._case.session.row(key).name
        question = _("Throw away all edits of {name}?").format(name=name)
        if not slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Revert to automatic")):
            return
        with self._messages.reported():
            self._logic.revert(self._case, key)

    def _watch(self, case):
        """Listen to a case's session and segments, and no longer to those of the case before."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            for event in _editEvents():
                self._unobserve(self._segmentation, event, self._edited)
        if case is not None:
            self._unsubscribe = case.session.subscribe(self._rowsChanged)
            # Kept, because the node may be gone when the listening ends.
            self._segmentation = case.nodes.segmentation.GetSegmentation()
            for event in _editEvents():
                self._observe(self._segmentation, event, self._edited)

    def _edited(self, caller, event):
        self._waits = True
        self._settle.start()

    def _rowsChanged(self, keys):
        """The session measured or marked something; called by it."""
        self._table.updateRows([self._case.session.row(key) for key in keys])
        self._showSummary()
        self._views.refresh(keys)
        chosen = self._table.chosen
        if chosen in keys:
            self._structure.show(self._case.session, chosen)
            self._structure.showSlice(*self._slicePlace(chosen))

    def _chosen(self, key):
        """Another row was chosen."""
        self._views.follow(key)
        if key is None:
            self._structure.clear()
            return
        self._structure.show(self._case.session, key)
        self._goToSlice(0)

    def _goToSlice(self, place):
        key = self._table.chosen
        if key is None:
            return
        slices = self._case.session.worst_slices(key)
        if 0 <= place < len(slices):
            self._slice = place
            self._views.jump(slices[place].point_lps)
        self._structure.showSlice(*self._slicePlace(key))

    def _slicePlace(self, key):
        slices = self._case.session.worst_slices(key)
        self._slice = min(self._slice, max(len(slices) - 1, 0))
        return self._slice, slices

    def _filter(self, *args):
        ui = self._ui
        self._table.setFilter(
            RowFilter(
                flagged_only=ui.flaggedOnlyCheckBox.checked,
                group=self._groups[ui.groupFilter.currentIndex],
                side=_SIDES[ui.sideFilter.currentIndex],
                text=ui.searchEdit.text,
            )
        )
        self._showSummary()

    def _offerGroups(self, groups):
        """Let the table be filtered by the groups of the case's structures; the one chosen so far stays if it is one of them."""
        selector = self._ui.groupFilter
        chosen = self._groups[selector.currentIndex]
        self._groups = (None, *(group.key for group in groups))
        with signalsBlocked(selector):
            selector.clear()
            for name in (_("All groups"), *(_(group.name) for group in groups)):
                selector.addItem(name)
            selector.setCurrentIndex(self._groups.index(chosen) if chosen in self._groups else 0)

    def _showAllRows(self):
        ui = self._ui
        with signalsBlocked(ui.flaggedOnlyCheckBox, ui.groupFilter, ui.sideFilter, ui.searchEdit):
            ui.flaggedOnlyCheckBox.setChecked(False)
            ui.groupFilter.setCurrentIndex(0)
            ui.sideFilter.setCurrentIndex(0)
            ui.searchEdit.setText("")
        self._filter()

    def _showSummary(self):
        ui = self._ui
        rows = self._case.session.rows() if self._case else ()
        flagged = sum(row.needs_review for row in rows)
        ui.nextFlaggedButton.setText(_("Next flagged ({count})").format(count=flagged) if flagged else _("Next flagged"))
        ui.nextFlaggedButton.setEnabled(flagged > 0)
        if not rows:
            ui.summaryLabel.setText(_("No result yet. Choose a CT and click Segment."))
            ui.shownLabel.setText("")
            return
        found = [row.mark for row in rows if row.found]
        counts = ((found.count(mark), _(word)) for mark, word in MARKS if mark in found)
        lights = _(", ").join(_("{count} {light}").format(count=count, light=word) for count, word in counts)
        summary = _("{found} of {all} structures found: {lights}.").format(
            found=len(found), all=len(rows), lights=lights or _("none")
        )
        missed = sum(row.missed for row in rows)
        if missed:
            summary += " " + _("{count} perhaps missed.").format(count=missed)
        ui.summaryLabel.setText(summary)
        ui.shownLabel.setText(_("{shown} of {all} rows").format(shown=len(self._table.shown), all=len(rows)))


def _editEvents():
    return slicer.vtkSegmentation.SourceRepresentationModified, slicer.vtkSegmentation.SegmentRemoved
