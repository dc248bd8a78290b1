"""Files from a case: the buttons, the questions for a place, and what was written in words."""

import os
from pathlib import Path

import slicer

from MSKSegmentLib.language.catalogue import spoken
from MSKSegmentLib.language.catalogue import tr as _

from .caseLogic import seriesPlace
from .dependencies import DICOM_REQUIREMENTS, PDF_REQUIREMENTS, REPORT_REQUIREMENTS, ensureExportRequirements
from .widgets import askFileToSave, askFolder


class ExportActions:
    """The section Export. `currentCase` gives the case that is shown, or None.

    What takes long is shown by `runControl`, one at a time and not beside a segmentation; `onRun` is called when it starts or ends.
    """

    def __init__(self, ui, logic, messages, currentCase, runControl, onRun):
        self._ui = ui
        self._logic = logic
        self._messages = messages
        self._currentCase = currentCase
        self._runControl = runControl
        self._onRun = onRun
        ui.exportCsvButton.connect("clicked(bool)", self._exportCsv)
        ui.exportSegmentationButton.connect("clicked(bool)", self._exportSegmentation)
        ui.exportFolderButton.connect("clicked(bool)", self._exportFolder)
        ui.exportReportButton.connect("clicked(bool)", self._exportReport)
        ui.exportDicomButton.connect("clicked(bool)", self._exportDicom)
        self.refresh()

    def refresh(self):
        """Allow what the case shown allows."""
        for button in (self._ui.exportCsvButton, self._ui.exportSegmentationButton, self._ui.exportFolderButton):
            button.setEnabled(self._currentCase() is not None)
        for button in (self._ui.exportReportButton, self._ui.exportDicomButton):
            button.setEnabled(self._currentCase() is not None and not self._runControl.running)

    def _exportCsv(self, *args):
        path = self._askFile(_("Save the table"), "_measurements.csv", "CSV (*.csv)", ".csv")
        self._write(self._logic.exportCsv, path)

    def _exportSegmentation(self, *args):
        path = self._askFile(_("Save the segmentation"), ".seg.nrrd", "Segmentation (*.seg.nrrd)", ".seg.nrrd")
        self._write(self._logic.exportSegmentation, path)

    def _exportFolder(self, *args):
        self._write(self._logic.exportFolder, self._askNewFolder("_MSKSegment"))

    def _exportReport(self, *args):
        kinds = "PDF (*.pdf);;HTML (*.html)"
        path = self._askFile(_("Save the report"), "_report.pdf", kinds, ".pdf", ".html")
        if not path:
            return
        with self._messages.reported():
            ofPdf = PDF_REQUIREMENTS if path.lower().endswith(".pdf") else ()
            ensureExportRequirements((*REPORT_REQUIREMENTS, *ofPdf))
            self._start(_("Making the report"), self._logic.startReport, path, spoken())

    def _exportDicom(self, *args):
        with self._messages.reported():
            # Said before a folder is asked for.
            seriesPlace(self._currentCase())
            folder = self._askNewFolder("_DICOM")
            if folder:
                ensureExportRequirements(DICOM_REQUIREMENTS)
                self._start(_("Making the DICOM results"), self._logic.startDicom, folder)

    def _start(self, task, start, *options):
        self._messages.clear()
        # The copy for the engine takes a moment, the work itself is the engine's.
        with slicer.util.WaitCursor():
            run = start(self._currentCase(), *options)
        self._runControl.watch(run, self._ended, task)
        self._onRun()

    def _ended(self, run):
        with self._messages.reported():
            try:
                path = run.finish()
            finally:
                run.close()
            name, folder = path.name, os.path.dirname(os.path.abspath(path))
            self._messages.showInfo(_("{name} was written; it lies in {folder}.").format(name=name, folder=folder))
        self._onRun()

    def _askNewFolder(self, ending):
        """A new folder in the one that the user chose; empty when the dialog was cancelled."""
        from MSKSegmentLib.output.names import fresh_path

        parent = askFolder(self._ui.exportSection, _("Folder to put the result folder into"), "")
        # What lies there may be a review or somebody's notes: nothing that exists is replaced.
        return fresh_path(Path(parent, self._stem() + ending)) if parent else ""

    def _askFile(self, title, ending, kinds, *suffixes):
        """The path that the user chose, with the first of the suffixes unless it ends with one; empty when cancelled."""
        path = askFileToSave(self._ui.exportSection, title, self._stem() + ending, kinds)
        return path if not path or path.lower().endswith(suffixes) else path + suffixes[0]

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
