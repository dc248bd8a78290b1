"""Files from a case: the buttons, the questions for a place, and what was written in words."""

import os
from pathlib import Path

from slicer.i18n import tr as _

from .widgets import askFileToSave, askFolder


class ExportActions:
    """The section Export. `currentCase` gives the case that is shown, or None."""

    def __init__(self, ui, logic, messages, currentCase):
        self._ui = ui
        self._logic = logic
        self._messages = messages
        self._currentCase = currentCase
        ui.exportCsvButton.connect("clicked(bool)", self._exportCsv)
        ui.exportSegmentationButton.connect("clicked(bool)", self._exportSegmentation)
        ui.exportFolderButton.connect("clicked(bool)", self._exportFolder)
        self.refresh()

    def refresh(self):
        """Allow what the case shown allows."""
        for button in (self._ui.exportCsvButton, self._ui.exportSegmentationButton, self._ui.exportFolderButton):
            button.setEnabled(self._currentCase() is not None)

    def _exportCsv(self, *args):
        path = self._askFile(_("Save the table"), "_measurements.csv", "CSV (*.csv)", ".csv")
        self._write(self._logic.exportCsv, path)

    def _exportSegmentation(self, *args):
        path = self._askFile(_("Save the segmentation"), ".seg.nrrd", "Segmentation (*.seg.nrrd)", ".seg.nrrd")
        self._write(self._logic.exportSegmentation, path)

    def _exportFolder(self, *args):
        from MSKSegmentLib.output.names import fresh_path

        parent = askFolder(self._ui.exportFolderButton, _("Folder to put the result folder into"), "")
        # What lies there may be a review or somebody's notes: nothing that exists is replaced.
        path = fresh_path(Path(parent, self._stem() + "_MSKSegment")) if parent else ""
        self._write(self._logic.exportFolder, path)

    def _askFile(self, title, ending, kinds, suffix):
        path = askFileToSave(self._ui.exportSection, title, self._stem() + ending, kinds)
        return path if not path or path.lower().endswith(suffix) else path + suffix

    def _stem(self):
        """The CT's name, fit for a file's name."""
        from MSKSegmentLib.output.names import safe_name

        return safe_name(self._currentCase().nodes.ct.GetName() or "CT")

    def _write(self, export, path):
        if not path:
            return
        with self._messages.reported():
            export(self._currentCase(), path)
            self._messages.showInfo(_("{name} was written.").format(name=os.path.basename(path)))
