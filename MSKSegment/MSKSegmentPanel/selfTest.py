"""The module's own test, which Slicer's test machines and its button Reload and Test run."""

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from .caseLogic import MSKSegmentLogic
from .dependencies import missingRequirements
from .sampleData import SAMPLE_NAME, registerSampleData


class MSKSegmentTest(ScriptedLoadableModuleTest):
    """The bundled sample CT inside Slicer and, where the packages for a run are installed, a run on its hips: half a minute."""

    # Patient coordinates in mm, left, posterior, superior.
    HIPS_LPS = (-1000.0, 1000.0, -1000.0, 1000.0, 450.0, 550.0)

    def runTest(self):
        """Load, segment, look at the table, accept."""
        from MSKSegmentLib.ct.region import Region
        from MSKSegmentLib.scene import volume_of_node

        slicer.mrmlScene.Clear()
        import SampleData

        registerSampleData()
        ctNode = SampleData.SampleDataLogic().downloadSample(SAMPLE_NAME)
        hu = volume_of_node(ctNode).hu
        self.assertLess(hu.min(), -900)
        self.assertGreater(hu.max(), 500)
        logic = MSKSegmentLogic()
        self.assertIsNone(logic.caseOfCt(ctNode))
        missing = missingRequirements()
        if missing:
            # A machine that builds extensions has no PyTorch, and tests install nothing.
            self.delayDisplay("Not tested: a run, as it needs " + ", ".join(missing))
            self.skipTest("a run needs " + ", ".join(missing))
        self.delayDisplay("Segmenting the sample CT")
        case = logic.segment(ctNode, samples=1, seed=1, region=Region(self.HIPS_LPS))
        self.assertEqual(len(case.session.rows()), 43)
        found = [row.key for row in case.session.rows() if row.found]
        self.assertTrue(found)
        case.session.accept(found[0])
        segment = case.nodes.segmentation.GetSegmentation().GetSegment(found[0])
        completed = slicer.vtkSlicerSegmentationsModuleLogic.Completed
        self.assertEqual(slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatus(segment), completed)
        self.delayDisplay("Test passed")
