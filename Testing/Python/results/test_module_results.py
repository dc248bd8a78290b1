"""What is left of a review in the panel: exports, saved scenes, several results side by side."""

import csv
import json
import os

import numpy as np
import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import slicer
from Host import host
from module_cases import cell, choose, click, paint, show_case, smaller, wait
from review_cases import LABEL

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import ReviewState
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.review import COLUMNS

pytest_plugins = ("module_fixtures",)


@pytest.fixture
def case(panel):
    return show_case(panel)


def test_exports_hold_the_review(panel, case, tmp_path):
    key = "TFL_right"
    drawn = smaller(case, key)
    choose(panel, key)
    paint(case, key, drawn)
    wait(lambda: cell(panel, key, "state") == "edited", 5)
    host.answer(str(tmp_path / "table"))
    click(panel.ui.exportCsvButton)
    rows = {(row["structure"], row["side"]): row for row in csv.DictReader((tmp_path / "table.csv").open(encoding="utf-8"))}
    row = next(row for row in rows.values() if row["state"] == "edited")
    assert row["side"] == "right" and float(row["dice_to_automatic"]) < 1
    assert panel.ui.messageLabel.text == "table.csv was written."
    host.answer(str(tmp_path / "labels.seg.nrrd"))
    click(panel.ui.exportSegmentationButton)
    host.answer(str(tmp_path))
    click(panel.ui.exportFolderButton)
    content = json.loads((tmp_path / "CT_hip_MSKSegment" / "result.json").read_text(encoding="utf-8"))
    assert [event["key"] for event in content["history"] if event["what"] == "edited"]
    from MSKSegmentLib.ct import read_labels

    labels, _ = read_labels(tmp_path / "labels.seg.nrrd", HIP_AND_THIGH)
    assert np.count_nonzero(labels == LABEL[key]) == np.count_nonzero(drawn)


def test_a_result_folder_that_is_there_is_never_replaced(panel, case, tmp_path):
    names = ("CT_hip_MSKSegment", "CT_hip_MSKSegment-2", "CT_hip_MSKSegment-3")
    for name in names:
        host.answer(str(tmp_path))
        click(panel.ui.exportFolderButton)
        assert panel.ui.messageLabel.text == f"{name} was written."
        (tmp_path / name / "notes.txt").write_text(name)
        case.session.accept(next(row.key for row in case.session.rows() if row.state is ReviewState.AUTOMATIC))
    assert sorted(path.name for path in tmp_path.iterdir()) == list(names)
    assert [(tmp_path / name / "notes.txt").read_text() for name in names] == list(names)
    # A script that names the folder itself is refused, as the folder holds a review.
    with pytest.raises(InputError, match="has been reviewed"):
        panel.logic.exportFolder(case, tmp_path / names[0])


@pytest.mark.parametrize("name", ["股" * 120, "CT: left/right?", "CON", "a" * 300])
def test_any_name_of_a_ct_makes_a_folder(panel, case, tmp_path, name):
    case.nodes.ct.SetName(name)
    host.answer(str(tmp_path))
    click(panel.ui.exportFolderButton)
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("_MSKSegment") and (folder / "result.json").is_file()


def test_a_table_that_is_open_in_another_program_stays_and_another_name_is_offered(panel, case, tmp_path, monkeypatch):
    (tmp_path / "table.csv").write_text("open in a spreadsheet program")

    def locked(source, target):
        raise PermissionError(13, "The process cannot access the file because it is being used by another process")

    monkeypatch.setattr(os, "replace", locked)
    host.answer(str(tmp_path / "table.csv"))
    click(panel.ui.exportCsvButton)
    text = panel.ui.messageLabel.text
    assert text.startswith("table.csv could not be written") and "close it there" in text and "table-2.csv" in text
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
    monkeypatch.undo()
    host.answer(str(tmp_path / "table-2.csv"))
    click(panel.ui.exportCsvButton)
    assert panel.ui.messageLabel.text == "table-2.csv was written."


def test_export_to_an_impossible_place_says_so(panel, case, tmp_path):
    host.answer(str(tmp_path / "missing" / "table.csv"))
    click(panel.ui.exportCsvButton)
    assert panel.ui.messageLabel.text.startswith("table.csv could not be written")
    host.answer("")
    panel.messages.clear()
    click(panel.ui.exportCsvButton)
    assert not panel.ui.messageFrame.visible, "cancelling the file dialog is no message"


def test_a_saved_scene_brings_back_table_states_and_history(panel, case, tmp_path):
    choose(panel, "GMAX_right")
    click(panel.ui.acceptButton)
    paint(case, "TFL_right", smaller(case, "TFL_right"))
    wait(lambda: cell(panel, "TFL_right", "state") == "edited", 5)
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    before = {key: [cell(panel, key, column.name) for column in COLUMNS] for key in panel.review._table.shown}
    history = case.session.history
    slicer.mrmlScene.Clear(False)
    assert panel.review.case is None and panel.ui.resultsTable.rowCount == 0
    slicer.util.loadScene(str(path))
    host.processEvents(0.1)
    again = panel.review.case
    assert again is not None and again is not case
    assert {key: [cell(panel, key, column.name) for column in COLUMNS] for key in panel.review._table.shown} == before
    assert again.session.history == history and again.session.report("TFL_right").state is ReviewState.EDITED
    assert panel.inputs.ctNode is again.nodes.ct
    # The automatic version came along.
    choose(panel, "TFL_right")
    click(panel.ui.revertButton)
    assert cell(panel, "TFL_right", "state") == "automatic"


def test_a_stroke_right_before_saving_is_measured_when_the_scene_opens(panel, case, tmp_path):
    paint(case, "TFL_right", smaller(case, "TFL_right"))
    slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    host.processEvents(0.1)
    assert cell(panel, "TFL_right", "state") == "edited"


def test_removing_the_nodes_takes_the_case_out_of_the_panel(panel, case):
    slicer.mrmlScene.RemoveNode(case.nodes.segmentation)
    assert panel.review.case is None and panel.logic.cases == () and not panel.ui.exportCsvButton.enabled


def test_several_results_are_told_apart(panel, case):
    other = show_case(panel)
    assert panel.ui.resultSelector.visible and panel.review.case is other
    panel.ui.resultSelector.activated.emit(0)
    assert panel.review.case is case and panel.inputs.ctNode is case.nodes.ct
    panel.inputs.chooseCt(other.nodes.ct)
    assert panel.review.case is other
