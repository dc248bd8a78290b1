"""The host's share of Slicer: selectors, dialogs, views, editors and data do what the module relies on."""

import numpy as np
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)

from Host import host

pytest_plugins = ("host_fixtures",)


def test_node_selector_follows_the_scene(app):
    import slicer

    selector, seen, valid = slicer.qMRMLNodeComboBox(), [], []
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.setNoneEnabled(True)
    selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: seen.append(node and node.GetName()))
    selector.connect("currentNodeChanged(bool)", valid.append)
    assert not selector.enabled
    selector.setMRMLScene(slicer.mrmlScene)
    first = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "first")
    hidden = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hidden")
    hidden.SetHideFromEditors(True)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    assert (selector.enabled, selector.nodeCount(), selector.currentNode()) == (True, 1, None)
    selector.setCurrentNode(first)
    selector.setCurrentNode(None)
    selector.setCurrentNodeID(first.GetID())
    slicer.mrmlScene.RemoveNode(first)
    assert seen == ["first", None, "first", None]
    assert valid == [True, False, True, False]


def test_node_selector_without_none_takes_the_first_node(app):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.setNodeTypes(["vtkMRMLScalarVolumeNode"])
    selector.addAttribute("vtkMRMLScalarVolumeNode", "kind", "ct")
    selector.setMRMLScene(slicer.mrmlScene)
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "unmarked")
    assert selector.currentNode() is None
    marked = slicer.vtkMRMLScalarVolumeNode()
    marked.SetAttribute("kind", "ct")
    slicer.mrmlScene.AddNode(marked)
    assert selector.currentNode() is marked
    slicer.mrmlScene.Clear(False)
    assert selector.currentNode() is None


def test_dialogs_are_kept_and_answered(app):
    import qt
    import slicer

    slicer.util.errorDisplay("No CT.", detailedText="log")
    host.answer(qt.QMessageBox.Cancel)
    assert not slicer.util.confirmOkCancelDisplay("Sure?")
    # Without an answer, what Enter would press.
    assert slicer.util.confirmOkCancelDisplay("Still sure?")
    assert [(shown.kind, shown.text, shown.details) for shown in host.messages()] == [
        ("error", "No CT.", "log"),
        ("question", "Sure?", ""),
        ("question", "Still sure?", ""),
    ]


def test_file_dialogs_answer_with_a_path_alone(app):
    import qt

    host.answer("/somewhere/table.csv")
    assert qt.QFileDialog.getSaveFileName(None, "Save", "", "CSV (*.csv)") == "/somewhere/table.csv"
    assert qt.QFileDialog.getExistingDirectory(None, "Folder", "") == ""
    assert [shown.text for shown in host.messages()] == ["Save", "Folder"]


def test_testing_mode_shows_no_dialog(app):
    import slicer

    app.setTestingEnabled(True)
    slicer.util.errorDisplay("No CT.")
    assert host.messages() == ()


def test_volumes_are_loaded_into_the_views_and_scenes_reopened(app, phantom_file, tmp_path):
    import slicer

    node = slicer.util.loadVolume(str(phantom_file))
    red = app.layoutManager().sliceWidget("Red")
    assert red.mrmlSliceCompositeNode().GetBackgroundVolumeID() == node.GetID()
    before = slicer.util.arrayFromVolume(node).copy()
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(slicer.util.getNode("phantom")), before)
    with pytest.raises(RuntimeError):
        slicer.util.loadVolume(str(tmp_path / "absent.nrrd"))


def test_layouts_bring_their_views(app):
    import slicer

    manager = app.layoutManager()
    assert set(manager.sliceViewNames()) == {"Red", "Yellow", "Green"}
    assert (manager.threeDViewCount, manager.plotViewCount, manager.plotWidget(0)) == (1, 0, None)
    chart = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotChartNode")
    slicer.modules.plots.logic().ShowChartInLayout(chart)
    assert manager.plotWidget(0).mrmlPlotViewNode().GetPlotChartNodeID() == chart.GetID()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
    assert manager.sliceViewNames() == ("Red",)


def test_segment_editor_takes_over_and_lets_go(app):
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segments = [node.GetSegmentation().AddEmptySegment(name) for name in ("a", "b")]
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(node)
    assert editor.currentSegmentID() == segments[0]
    editor.setCurrentSegmentID(segments[1])
    editor.setCurrentSegmentID("no such segment")
    assert editor.mrmlSegmentEditorNode().GetSelectedSegmentID() == segments[1]
    slicer.mrmlScene.Clear(False)
    assert (editor.segmentationNode(), host.errors()) == (None, ())


def test_missing_packages_are_asked_for(app):
    import slicer

    requirements = ["safetensors>=0.4", "numpy>=1.26"]
    assert slicer.packaging.pip_check(requirements)
    host.setMissing("safetensors")
    assert not slicer.packaging.pip_check(requirements)
    host.answer(0)
    with pytest.raises(RuntimeError, match="declined"):
        slicer.packaging.pip_ensure(requirements, requester="MSKSegment")
    host.failInstallations(OSError("no network"))
    with pytest.raises(OSError, match="no network"):
        slicer.packaging.pip_ensure(requirements, requester="MSKSegment")
    slicer.packaging.pip_ensure(requirements, requester="MSKSegment")
    assert slicer.packaging.pip_check(requirements)
    assert host.installations() == (("pip_ensure", ("safetensors>=0.4",), "MSKSegment"),) * 2


def test_an_older_slicer_without_packaging_and_the_extension():
    host.start(packaging=False, pytorchExtension=False)
    try:
        import slicer

        with pytest.raises(ImportError):
            from slicer import packaging  # noqa: F401
        with pytest.raises(ImportError):
            import PyTorchUtils  # noqa: F401
        host.setMissing("scipy")
        slicer.util.pip_install("scipy>=1.11")
        assert host.installations() == (("pip_install", ("scipy>=1.11",), None),)
    finally:
        host.close()


def test_sample_data_comes_from_this_computer(app, phantom_file):
    import SampleData

    logic = SampleData.SampleDataLogic()
    for name, uri in (("Here", phantom_file.as_uri()), ("There", "https://example.org/ct.nii.gz")):
        logic.registerCustomSampleDataSource(category="c", sampleName=name, uris=uri, fileNames="f", nodeNames=name)
    assert logic.downloadSample("Here").GetName() == "Here"
    with pytest.raises(ValueError, match="network"):
        logic.downloadSample("There")


def test_dicom_database_reads_headers(app, tmp_path):
    import pydicom
    import slicer

    header = pydicom.Dataset()
    header.SOPClassUID, header.SOPInstanceUID, header.PatientSize = "1.2.840.10008.5.1.4.1.1.2", "1.2.3", 1.62
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    header.save_as(tmp_path / "slice.dcm", enforce_file_format=True)
    database = slicer.dicomDatabase
    uid = database.addFile(tmp_path / "slice.dcm")
    assert database.fileValue(database.fileForInstance(uid), "0010,1020") == "1.62"
    assert database.instanceValue(uid, "0010,0010") == database.fileForInstance("9") == ""
