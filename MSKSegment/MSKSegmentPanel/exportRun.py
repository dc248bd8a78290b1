"""What takes long to make of a case, made by the engine from a copy: the report, the DICOM results. No qt."""

import shutil
import tempfile
from pathlib import Path

from MSKSegmentLib.engine import EngineRun

from .segmentationRun import EngineChild, childEnvironment, pythonProgram, writtenCt


class ExportRun(EngineChild):
    """A copy of a case, corrections included, and the engine at work on it; what is edited meanwhile does not count."""

    def __init__(self, case):
        """Write the copy, a result folder with its CT.

        Raises:
            InputError: it cannot be written.
        """
        from MSKSegmentLib.results.result_folder import CT, write_result

        self.ctNode = case.nodes.ct
        self._folder = Path(tempfile.mkdtemp(prefix="msk-"))
        self._copy = self._folder / "result"
        session = case.session

        def addCt(folder):
            writtenCt(session.volume, folder / CT)

        try:
            write_result(self._copy, session.result, extra=addCt, history=session.history, automatic=session.automatic)
        except BaseException:
            self.close()
            raise

    def _start(self, command, *options, output=None):
        words = [command, str(self._copy), *map(str, options), "--progress", "json"]
        try:
            self._engine = EngineRun(words, output, pythonProgram(), childEnvironment())
        except BaseException:
            self.close()
            raise


class ReportRun(ExportRun):
    """A report under way; `path` ends with .pdf or .html."""

    def __init__(self, case, path, language):
        """Start it in a language that there is a report in, such as "ja"."""
        super().__init__(case)
        self._path = Path(path)
        self._made = self._folder / f"report{self._path.suffix.lower()}"
        # Pictures in three dimensions take most of the time; the views of Slicer show them.
        self._start("report", "-o", self._made, "--language", language, "--title", self.ctNode.GetName() or "CT", "--no-3d")

    def finish(self):
        """Put the report of a run that has ended where it belongs; returns its path.

        Raises:
            RunFailed: the run did not end well.
            InputError: the report cannot be written there.
        """
        from MSKSegmentLib.output.files import whole_file

        self.check()
        with whole_file(self._path, self._path.suffix.lower()) as temporary:
            shutil.copyfile(self._made, temporary)
        return self._path


class DicomRun(ExportRun):
    """DICOM results under way, into a new folder; `source` is where the scanned series lies."""

    def __init__(self, case, folder, source):
        """Start it."""
        super().__init__(case)
        self._results = Path(folder)
        self._start("export", "--dicom", self._results, "--source", source, output=self._results)

    def finish(self):
        """The folder of a run that has ended.

        Raises:
            RunFailed: the run did not end well.
        """
        self.check()
        return self._results
