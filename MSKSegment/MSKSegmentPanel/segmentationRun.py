"""A run of the engine on a volume node: from the file that is written for it to the result that is read back. No qt."""

import os
import platform
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import slicer
import vtk

from MSKSegmentLib import __version__
from MSKSegmentLib.ct.bounds import bounds_of_points, corners_of, lps_and_ras
from MSKSegmentLib.ct.region import Region
from MSKSegmentLib.engine import EngineRun, SegmentRequest
from MSKSegmentLib.errors import InputError, MSKSegmentError
from MSKSegmentLib.settings import Settings

from .dicomSeries import seriesOfVolume


def settingsOf(heightCm=None, samples=None, **others):
    """`Settings` from the user's words for a height, in cm, and for passes, a number or "auto"; others go by their own names."""
    if heightCm is not None:
        others["height_m"] = heightCm / 100
    if samples is not None:
        others |= {"auto_passes": True} if samples == "auto" else {"passes": samples}
    return Settings(**others)


class EngineChild:
    """The engine at work, on files in a temporary folder; poll it until it has ended. The folder vanishes with `close`.

    A subclass sets `_engine` and, where it has one, `_folder`; one that works on a CT `ctNode`; one that makes a result also
    `_output`, where the engine writes it, and `_series`, that of the CT; one that judges a segmentation node `judgedNode`, too.
    """

    judgedNode = None
    _folder = None

    @property
    def ended(self):
        """Whether the engine has stopped, for whatever reason."""
        return self._engine.exit_code is not None

    def poll(self):
        """Progress since the last call, a list of `EngineEvent`."""
        return self._engine.poll()

    def check(self):
        """Go on only after an engine that ended well.

        Raises:
            RunFailed: it did not.
        """
        if self._engine.exit_code != 0:
            raise RunFailed(self._engine.message, f"{self._engine.details.strip()}\n\n{_circumstances(self._engine.exit_code)}")

    def result(self):
        """The `CaseResult` of work that has ended.

        Raises:
            RunFailed: it did not end well.
        """
        from MSKSegmentLib.results.result_reading import read_result

        self.check()
        result = read_result(self._output)[0]
        # The engine read a copy in another format, which says nothing of the series.
        return replace(result, facts=replace(result.facts, series=self._series)) if self._series else result

    def cancel(self):
        """Stop the engine with all it started, and clean up."""
        if not self.ended:
            self._engine.cancel()
        self.close()

    def close(self):
        """Remove the temporary files."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class SegmentationRun(EngineChild):
    """A run under way; poll it, then take its result."""

    def __init__(self, ctNode, settings=None, roiNode=None):
        """Write the CT to a temporary file and start the engine on it; a markups ROI takes the place of the settings' region.

        Raises:
            InputError: the node holds no CT, its file cannot be written, or the region cannot be used.
        """
        from MSKSegmentLib.bundle import asked_task
        from MSKSegmentLib.scene import volume_of_node

        settings = settings or Settings()
        self.ctNode = ctNode
        self.volume = volume_of_node(ctNode, asked_task(settings.bundle, settings.task).modality)
        self._series = seriesOfVolume(ctNode)
        self._folder = Path(tempfile.mkdtemp(prefix="msk-"))
        self._output = self._folder / "result"
        try:
            if roiNode is not None:
                settings = replace(settings, region=_region(roiNode, ctNode))
            request = SegmentRequest(writtenCt(self.volume, self._folder / "ct.nrrd"), self._output, settings)
            self._engine = EngineRun.segment(request, pythonProgram(), childEnvironment())
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise


class RunFailed(MSKSegmentError):
    """A run that ended without a result; `log` is what the engine printed."""

    def __init__(self, sentence, log=""):
        super().__init__(sentence)
        self.log = log


def _circumstances(exitCode):
    """What whoever reads a log asks for first."""
    versions = f"MSKSegment {__version__}, Slicer {slicer.app.applicationVersion}, {platform.platform()}"
    return f"Exit code {exitCode}. {versions}."


def pythonProgram():
    """The Python that runs the engine: Slicer's own launcher, which knows Slicer's packages; else the one running now."""
    return shutil.which("PythonSlicer") or sys.executable


def childEnvironment():
    """The environment for a child process.

    PythonSlicer sets Slicer's own paths up again, but a plain Python needs those that are set now.
    """
    return None if shutil.which("PythonSlicer") is None else slicer.util.startupEnvironment()


def writtenCt(volume, path):
    """Write a `CTVolume` to an image file for the engine; returns its path.

    Raises:
        InputError: the file cannot be written.
    """
    import SimpleITK as sitk

    try:
        # Not compressed: the file lives for minutes and compressing a whole CT takes ten seconds.
        sitk.WriteImage(volume.geometry.image_of(volume.hu), os.fspath(path), False)
    except RuntimeError as error:
        raise InputError("The CT could not be written to the temporary folder; free space on this disk and try again.") from error
    return path


def _region(roiNode, ctNode):
    """The `Region` of a markups ROI, along the axes of the CT's own frame."""
    bounds = [0.0] * 6
    roiNode.GetRASBounds(bounds)
    if bounds[0] >= bounds[1]:
        raise InputError("The region of interest is empty; draw it around the part to segment, or choose the whole scan.")
    toLocal = vtk.vtkMatrix4x4()
    if not slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(None, ctNode.GetParentTransformNode(), toLocal):
        raise InputError("The CT is under a warping transform; harden or remove it to use a region of interest.")
    corners = [toLocal.MultiplyPoint([*corner, 1.0])[:3] for corner in corners_of(bounds)]
    return Region(lps_and_ras(bounds_of_points(corners)))
