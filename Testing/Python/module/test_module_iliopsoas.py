"""What another program drew, in the panel: an iliopsoas in one piece is corrected, a mask that is likely right is said so."""

from dataclasses import replace

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")

import numpy as np
import slicer
from foreign_masks import TABLES, drawn_by
from given_labels import body
from Host import host
from module_cases import add_phantom, cell, choose, click, paint, show_result, wait

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import Light, ReviewState, Scores
from MSKSegmentLib.foreign import import_case, mask_of_array

pytest_plugins = ("module_fixtures",)


def test_an_iliopsoas_in_one_piece_is_corrected(panel, tmp_path):
    labels, volume = body()
    mask = mask_of_array(drawn_by("totalsegmentator", labels), volume.geometry)
    result = import_case(volume, mask, HIP_AND_THIGH, TABLES["totalsegmentator"]).result
    # Judged, and more likely accurate than not.
    judged = {"light": Light.YELLOW, "failure_probability": 0.2, "scores": Scores(agreement=0.9)}
    reports = tuple(replace(one, **judged) if one.segment.key == "FEMUR_left" else one for one in result.reports)
    case = show_result(panel, replace(result, reports=reports), add_phantom(volume, "CT hip"))
    assert cell(panel, "FEMUR_left", "light") == "not confirmed" and "1 not confirmed, 12 not rated" in panel.ui.summaryLabel.text
    assert panel.ui.resultsTable.rowCount == 45 and cell(panel, "ILPS_left", "structure") == "Iliopsoas"
    before = float(cell(panel, "ILPS_left", "volume_cc"))
    choose(panel, "ILPS_left")
    click(panel.ui.editButton)
    inside = case.session.result.labels == result.table.segment("ILPS_left").label
    levels = np.flatnonzero(inside.any(axis=(1, 2)))
    inside[levels[len(levels) // 2] :] = False
    paint(case, "ILPS_left", inside)
    slicer.util.selectModule("MSKSegment")
    wait(lambda: case.session.report("ILPS_left").state is ReviewState.EDITED)
    assert 0 < float(cell(panel, "ILPS_left", "volume_cc")) < before
    assert np.array_equal(case.session.result.labels == result.table.segment("ILPS_left").label, inside)
    host.grab(slicer.util.mainWindow(), tmp_path / "panel.png", 500, 900)
    click(panel.ui.revertButton)
    assert float(cell(panel, "ILPS_left", "volume_cc")) == before
