"""What the module does without any widget: run the engine, keep cases under review, measure edits, export. No qt."""

import getpass
import time
from dataclasses import dataclass
from pathlib import Path

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from MSKSegmentLib.errors import InputError, MSKSegmentError
from MSKSegmentLib.language.catalogue import tr as _

from .dicomSeries import folderOfSeries
from .segmentationRun import SegmentationRun, settingsOf

_WAIT_S = 0.1


@dataclass(frozen=True)
class ReviewCase:
    """A result under review: its nodes in the scene (`CaseNodes`) and its `ReviewSession`."""

    nodes: object
    session: object


class MSKSegmentLogic(ScriptedLoadableModuleLogic):
    """Segment CT volumes and review the results, with or without the panel.

    From the Python console::

        from MSKSegment import MSKSegmentLogic
        logic = MSKSegmentLogic()
        case = logic.segment(slicer.util.getNode("CT"), heightCm=168)
        for row in case.session.rows():
            print(row.key, row.light.word, row.texts["volume_cc"])
        case.session.accept("GMAX_right")
        logic.exportCsv(case, "measurements.csv")
    """

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        self._cases = []

    @property
    def cases(self):
        """The cases of the scene, oldest first."""
        return tuple(self._cases)

    def segment(self, ctNode, progress=None, roiNode=None, **options):
        """Segment a volume node and wait for the end.

        `progress` is called with each `EngineEvent`. `roiNode` is a markups ROI; nothing outside it is segmented. Options are
        `heightCm`, `samples` (a number or "auto") and all further fields of `MSKSegmentLib.settings.Settings`.

        Raises:
            MSKSegmentError: its sentence says what is wrong and what to do.
        """
        return self._finished(self.startSegmentation(ctNode, settingsOf(**options), roiNode), progress)

    def _finished(self, run, progress):
        """The case of a run, after waiting for its end."""
        try:
            while not run.ended:
                for event in run.poll():
                    if progress:
                        progress(event)
                slicer.app.processEvents()
                time.sleep(_WAIT_S)
            return self.finishSegmentation(run)
        finally:
            run.cancel()

    def startSegmentation(self, ctNode, settings=None, roiNode=None):
        """Start a run with `Settings` without waiting; poll what is returned until it has ended, then call `finishSegmentation`."""
        return SegmentationRun(ctNode, settings, roiNode)

    def judge(self, segmentationNode, ctNode, progress=None, **options):
        """Measure and judge a segmentation of another module on its CT, and wait for the end; returns the new case.

        Options are those of `segment` that a judgement knows: `bundle`, `device`, `seed`, `heightCm`.

        Raises:
            MSKSegmentError: its sentence says what is wrong and what to do.
        """
        return self._finished(self.startJudgement(ctNode, segmentationNode, settingsOf(**options)), progress)

    def startJudgement(self, ctNode, segmentationNode, settings):
        """Start judging a segmentation of another module; go on as after `startSegmentation`."""
        from .judgeRun import JudgeRun

        return JudgeRun(ctNode, segmentationNode, settings)

    def startImport(self, case, segmentationNode):
        """Start reading a segmentation of another module as a result of a case's CT; its `result` is of that kind."""
        from .judgeRun import JudgeRun

        return JudgeRun(case.nodes.ct, segmentationNode, settingsOf(task=case.session.task.name), rate=False)

    def finishSegmentation(self, run):
        """Put the result of a run that has ended into the scene, and return the new case.

        A segmentation that was judged stays in the scene, hidden behind the case made of it.

        Raises:
            RunFailed: the run ended without a result.
        """
        from MSKSegmentLib.review import ReviewSession
        from MSKSegmentLib.scene import add_case, hide_segmentation

        try:
            result = run.result()
        finally:
            run.close()
        nodes = add_case(slicer.mrmlScene, result, run.ctNode)
        if run.judgedNode is not None:
            hide_segmentation(run.judgedNode)
        return self._keep(nodes, ReviewSession(result, run.volume, userName()))

    def caseOfCt(self, ctNode):
        """The latest case made from a CT, or None."""
        return next((case for case in reversed(self.cases) if case.nodes.ct is ctNode), None)

    def remeasure(self, case):
        """Measure again what was edited in the segmentation node; returns the keys whose numbers changed."""
        from MSKSegmentLib.scene import take_edit

        edit = take_edit(case.nodes.segmentation, case.session)
        return edit.rows if edit else ()

    def prepareEdit(self, case, key):
        """Give the segmentation node an empty segment for a structure that was not found, so that it can be drawn."""
        from MSKSegmentLib.scene import ensure_segment

        ensure_segment(case.nodes.segmentation, key)

    def revert(self, case, key):
        """Put the automatic version of a structure back, in the session and in the segmentation node."""
        from MSKSegmentLib.scene import put_mask

        put_mask(case.nodes.segmentation, key, case.session.revert(key))

    def takeFrom(self, case, key, mask, source):
        """Give a structure the voxels that another result, `source`, gives it; returns what `takeBack` undoes."""
        from MSKSegmentLib.scene.edits import take_from

        return take_from(case.nodes.segmentation, case.session, key, mask, source)

    def takeBack(self, case, edit):
        """Undo what `takeFrom` did, except where something was drawn since; returns whether anything changed."""
        from MSKSegmentLib.scene.edits import take_back

        return take_back(case.nodes.segmentation, case.session, edit) is not None

    def restoreCases(self):
        """Take up the cases of a scene that was loaded; returns the new ones, and an error for each that cannot be read."""
        from MSKSegmentLib.scene import find_case_nodes, restore_session, stored_modality, volume_of_node

        openSegmentations = {case.nodes.segmentation for case in self.cases}
        restored, errors = [], []
        for nodes in find_case_nodes(slicer.mrmlScene):
            if nodes.ct is None or nodes.segmentation in openSegmentations:
                continue
            try:
                restored.append(
                    self._keep(nodes, restore_session(nodes, volume_of_node(nodes.ct, stored_modality(nodes)), userName()))
                )
            except MSKSegmentError as error:
                errors.append(error)
        return tuple(restored), tuple(errors)

    def forget(self, case):
        """Drop a case whose nodes left the scene."""
        self._cases.remove(case)

    def forgetAll(self):
        """Drop all cases, because the scene is being closed."""
        self._cases.clear()

    def exportCsv(self, case, path):
        """Write the table of all numbers."""
        from MSKSegmentLib.output.files import whole_file
        from MSKSegmentLib.results.tables import write_measurements

        with whole_file(path, ".csv") as temporary:
            write_measurements(temporary, case.session.result)

    def exportSegmentation(self, case, path):
        """Write the segments as they are now to a ``.seg.nrrd``."""
        from MSKSegmentLib.scene import write_seg_nrrd

        write_seg_nrrd(case.nodes.segmentation, path)

    def exportFolder(self, case, folder):
        """Write a result folder with segmentation, uncertainty, table, states and history.

        An earlier result there is replaced unless it was reviewed; everything else in the folder stays.

        Raises:
            InputError: the folder holds a review or other files, or cannot be written.
        """
        from MSKSegmentLib.results.result_folder import write_result

        session = case.session
        write_result(Path(folder), session.result, history=session.history, automatic=session.automatic)

    def startReport(self, case, path, language="en"):
        """Start the report of a case as it is now, a ``.pdf`` or ``.html``, without waiting.

        Poll what is returned until it has ended, then call its `finish`, and its `close` in any case.

        Raises:
            InputError: the case cannot be handed over.
        """
        from .exportRun import ReportRun

        self.remeasure(case)
        return ReportRun(case, path, language)

    def startDicom(self, case, folder):
        """Start writing a case as it is now as DICOM objects to a new folder; go on as after `startReport`.

        Raises:
            InputError: the case was not made from a DICOM series, or its images are not at hand.
        """
        from .exportRun import DicomRun

        source = seriesPlace(case)
        self.remeasure(case)
        return DicomRun(case, folder, source)

    def _keep(self, nodes, session):
        from MSKSegmentLib.scene import store_session, update_tags

        def follow(keys):
            # The scene may be saved at any moment, by Slicer or by a script, and tells nobody before it is.
            store_session(nodes, session)
            # The segments carry light, state and Slicer's own review status wherever the change comes from.
            update_tags(nodes.segmentation, tuple(session.report(key) for key in keys))

        session.subscribe(follow)
        case = ReviewCase(nodes, session)
        self._cases.append(case)
        return case


def seriesPlace(case):
    """Where the DICOM series of a case lies.

    Raises:
        InputError: the case was not made from one, or its images are not at hand.
    """
    series = case.session.result.facts.series
    if series is None:
        raise InputError(
            _(
                "DICOM results belong to a scanned study, and this result was not made from a CT out of Slicer's DICOM database; "
                "import the series with Slicer's DICOM module, load it there and segment it again."
            )
        )
    return folderOfSeries(series)


def userName():
    """Who reviews: the name in Slicer's user information, else the account's."""
    information = slicer.app.applicationLogic().GetUserInformation()
    return (information.GetName() if information else "") or getpass.getuser()
