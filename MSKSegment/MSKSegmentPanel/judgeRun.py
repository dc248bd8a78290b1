"""The engine importing a segmentation of another module, as it lies in the scene, and judging it. No qt."""

import shutil
import tempfile
from pathlib import Path

from MSKSegmentLib.engine import EngineRun, ImportRequest

from .dicomSeries import seriesOfVolume
from .segmentationRun import EngineChild, childEnvironment, pythonProgram, writtenCt


class JudgeRun(EngineChild):
    """An import under way, with a judgement unless not `rate`; poll it, then take its result."""

    def __init__(self, ctNode, segmentationNode, settings, rate=True):
        """Write CT and segmentation to temporary files and start the engine on them.

        Of the `Settings` the task, the bundle, the device, the seed and the patient's height count.

        Raises:
            InputError: a node cannot be used, or a file cannot be written.
        """
        from MSKSegmentLib.bundle import asked_task
        from MSKSegmentLib.scene import volume_of_node, write_foreign_segmentation

        self.ctNode, self.judgedNode = ctNode, segmentationNode
        self.volume = volume_of_node(ctNode, asked_task(settings.bundle, settings.task).modality)
        self._series = seriesOfVolume(ctNode)
        self._folder = Path(tempfile.mkdtemp(prefix="msk-"))
        self._output = self._folder / "result"
        try:
            mask, ct = self._folder / "segmentation.seg.nrrd", writtenCt(self.volume, self._folder / "ct.nrrd")
            write_foreign_segmentation(segmentationNode, ctNode, mask)
            request = ImportRequest(ct, mask, self._output, settings, rate=rate)
            self._engine = EngineRun(request.arguments(), self._output, pythonProgram(), childEnvironment())
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
