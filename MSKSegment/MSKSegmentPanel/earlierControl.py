"""The section that says what changed since the result of an earlier scan of the patient."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import slicer

from MSKSegmentLib.comparison import change_words as words
from MSKSegmentLib.comparison.change_table import change_cautions, change_rows_of, change_summary, quantities_of
from MSKSegmentLib.comparison.examination import examination_of, read_examination
from MSKSegmentLib.comparison.follow_up import compare_examinations
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.language.catalogue import tr as _

from .changesTable import ChangesTable
from .comparedCase import ComparedCase
from .dicomSeries import folderOfSeries, seriesOfVolume
from .earlierViews import EarlierViews
from .widgets import askFolder, signalsBlocked


class EarlierControl:
    """Holds one earlier result against the case that is shown; `onChosen` is called with the key of a structure that is clicked."""

    def __init__(self, ui, messages, layouts, onChosen):
        self._ui = ui
        self._onChosen = onChosen
        self._folder = None
        self._views = EarlierViews(ui, layouts, messages, lambda: self._table.firstKey)
        self._messages = messages
        outdating = (ui.changesTable, ui.changesLabel, ui.quantitySelector)
        self._compared = ComparedCase(ui.earlierSection, ui.earlierAgainButton, outdating, words.OUTDATED, self._corrected)
        self._pair = None
        self._quantities = ()
        self._table = ChangesTable(ui.changesTable, self._chosen)
        ui.earlierButton.connect("clicked(bool)", self._choose)
        ui.earlierAgainButton.connect("clicked(bool)", self._again)
        ui.quantitySelector.connect("currentIndexChanged(int)", self._showRows)
        self.showCase(None)

    def showCase(self, case):
        """Another case is shown, or with None none: what was held against the one before is put away."""
        self._compared.setCase(case)
        self._show(None)

    def showTexts(self):
        """The panel has another language; what was compared stays as it is."""
        outdated, place = self._compared.outdated, self._ui.quantitySelector.currentIndex
        self._show(self._pair)
        if self._pair is not None:
            self._ui.quantitySelector.setCurrentIndex(place)
        self._compared.setOutdated(outdated)

    def close(self):
        """The panel goes away."""
        self.showCase(None)
        self._table.close()

    def _choose(self, *args):
        folder = askFolder(self._ui.earlierSection, _("Result folder of the patient's earlier scan"), "")
        if not folder:
            return
        self._messages.clear()
        with self._messages.reported(), slicer.util.WaitCursor():
            before = read_examination(Path(folder))
            self._folder = Path(folder)
            self._compare(before)

    def _again(self, *args):
        with self._messages.reported(), slicer.util.WaitCursor():
            self._compare(self._pair.before)

    def _compare(self, before):
        node, result = self._compared.case.nodes.ct, self._compared.case.session.result
        # The labels of the session follow every stroke.
        after = replace(result, labels=result.labels.copy())
        series, folder = seriesOfVolume(node), None
        if series is not None:
            # Without the headers' word on date and protocol the numbers are compared all the same.
            with suppress(InputError):
                folder = Path(folderOfSeries(series))
        self._show(
            compare_examinations(before, examination_of(node.GetName(), after, folder, series.series_uid if folder else None))
        )

    def _show(self, pair):
        ui = self._ui
        self._pair = pair
        self._quantities = () if pair is None else quantities_of(pair)
        with signalsBlocked(ui.quantitySelector):
            ui.quantitySelector.clear()
            for quantity in self._quantities:
                ui.quantitySelector.addItem(_(words.CHANGED_QUANTITIES[quantity]))
        ui.earlierDatesLabel.setText(_(words.CHOOSE_EARLIER) if pair is None else words.dates(pair.before, pair.after))
        ui.cautionsLabel.setText("" if pair is None else "\n".join(f"\u2022 {one}" for one in change_cautions(pair)))
        for widget in (ui.cautionsLabel, ui.quantitySelector, ui.changesLabel, ui.changesTable, ui.changesNoteLabel):
            widget.setVisible(pair is not None)
        ui.changesNoteLabel.setText(_(words.INTERVAL_NOTE))
        self._views.setPair(self._compared.case, pair, self._folder)
        self._compared.setOutdated(False)
        self._showRows()

    def _showRows(self, *args):
        ui = self._ui
        if self._pair is None or not self._quantities:
            self._table.setRows(())
            return
        rows = change_rows_of(self._pair, self._quantities[ui.quantitySelector.currentIndex])
        ui.changesLabel.setText(change_summary(rows))
        self._table.setRows(rows)

    def _chosen(self, key):
        self._onChosen(key)
        self._views.follow(key)

    def _corrected(self, keys):
        if self._pair is not None:
            self._compared.setOutdated(True)
