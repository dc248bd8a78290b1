"""Borders that atlases draw differently: where they lie, what they leave open, and Dice without them."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_hu
from training_cases import SPACING, labels_of

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.evaluation.disputed import PAIRS, disputed, open_classes, with_undisputed
from MSKSegmentLib.evaluation.metrics import Scope, overlap_rows

FEMUR, GMED, GMIN, ILI, OI, PSOAS, SM = (
    HIP_AND_THIGH.structure(key).index for key in ("FEMUR", "GMED", "GMIN", "ILI", "OI", "PSOAS", "SM")
)
SPACING_ZYX = (5.0, 2.0, 2.0)


def _number(*classes):
    return 1 + PAIRS.index(classes)


def _labels():
    """A left femur up to slice 20 of 40, and about it muscles that touch or stand alone."""
    labels = np.zeros((40, 40, 60), np.uint8)
    labels[0:20, 10:14, 10:14] = FEMUR + 100
    labels[2:30, 20:24, 10:14] = ILI + 100
    labels[4:36, 20:24, 14:18] = PSOAS + 100
    labels[10:30, 30:34, 10:20] = GMED + 100
    labels[10:30, 30:34, 20:30] = GMIN + 100
    labels[10:30, 5:15, 40:50] = OI
    labels[0:30, 20:30, 40:50] = SM
    return labels


def test_iliacus_and_psoas_are_open_up_to_the_acetabular_roof():
    found = disputed(_labels(), SPACING_ZYX)
    roof = 20 + 2
    assert (found[6:roof, 20:24, 10:18] == _number(ILI, PSOAS)).all()
    assert not found[roof:26, 20:24, 10:18].any()


def test_an_end_is_open_inside_and_beyond_but_not_where_the_scan_cuts():
    found, end = disputed(_labels(), SPACING_ZYX), _number(0, SM)
    assert (found[28:32, 20:30, 40:50] == end).all()
    assert not found[0:28, 20:30, 40:50].any() and not found[32:, 20:30, 40:50].any()
    beyond_psoas = found[36:, 20:24, 14:18]
    assert (beyond_psoas[:2] == _number(0, PSOAS)).all() and not beyond_psoas[2:].any()


def test_the_glutei_are_open_near_each_other_alone():
    found = disputed(_labels(), SPACING_ZYX)[15, 30:34]
    # 4 mm are two pixels on each side.
    assert (found[:, 18:22] == _number(GMED, GMIN)).all()
    assert not found[:, 10:18].any() and not found[:, 22:30].any()


def test_the_obturator_is_open_along_its_border_to_no_structure():
    labels = _labels()
    labels[10:30, 5:15, 50:54] = GMED
    found = disputed(labels, SPACING_ZYX)[20]
    assert (found[5:15, 39:41] == _number(0, OI)).all() and not found[7:13, 42:49].any()
    # Towards the other muscle the border is settled.
    assert not found[7:13, 49:53].any()


def test_a_map_without_muscles_has_no_disputed_voxel():
    labels = np.zeros((10, 12, 14), np.uint8)
    labels[2:8, 4:8, 4:8] = FEMUR
    assert not disputed(labels, SPACING_ZYX).any()
    assert not disputed(np.zeros((10, 12, 14), np.uint8), SPACING_ZYX).any()


def test_each_pair_leaves_two_classes_open():
    table = open_classes()
    assert table.shape == (len(PAIRS), HIP_AND_THIGH.classes) and (table.sum(axis=1) == 2).all()
    assert table[_number(GMED, GMIN) - 1, [GMED, GMIN]].all()


def test_dice_without_disputed_borders_forgives_exactly_those():
    labels = _labels()
    found = labels.copy()
    # The psoas called iliacus below the roof, and half of the semimembranosus missed in its middle.
    below = found[6:22]
    below[below == PSOAS + 100] = ILI + 100
    found[5:15, 20:30, 40:50] = 0
    geometry, hu = Geometry((60, 40, 40), SPACING_ZYX[::-1]), np.zeros(labels.shape, np.int16)
    scope = Scope.everything(HIP_AND_THIGH, len(labels))
    rows = with_undisputed(overlap_rows(labels, found, geometry, hu, scope), labels, found, geometry, hu, scope)
    by_key = {row.segment.key: row for row in rows}
    assert by_key["PSOAS_left"].dice < 0.7 and by_key["PSOAS_left"].dice_undisputed == 1
    # 28 of 30 slices count, 10 of which were missed.
    assert by_key["SM_right"].dice_undisputed == pytest.approx(2 * 18 / (28 + 18))


def test_the_scans_orientation_does_not_matter():
    labels, found = _labels(), np.roll(_labels(), 2, axis=0)
    hu, scope = np.zeros(labels.shape, np.int16), Scope.everything(HIP_AND_THIGH, len(labels))
    upright = Geometry((60, 40, 40), SPACING_ZYX[::-1])
    direction = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    turned = Geometry((60, 40, 40), SPACING_ZYX[::-1], (0.0, 0.0, 195.0), direction)

    def scores(truth, predicted, geometry):
        truth, predicted = np.ascontiguousarray(truth), np.ascontiguousarray(predicted)
        rows = overlap_rows(truth, predicted, geometry, hu, scope)
        return {row.segment.key: row.dice_undisputed for row in with_undisputed(rows, truth, predicted, geometry, hu, scope)}

    assert scores(labels, found, upright) == scores(labels[::-1], found[::-1], turned)


def test_the_command_states_it_when_asked(tmp_path):
    case, labels = tmp_path / "data" / "one", labels_of(phantom_hu(seed=0))
    case.mkdir(parents=True)
    (tmp_path / "stored").mkdir()
    for path, array in (
        (case / "ct.nrrd", phantom_hu(seed=0)),
        (case / "labels.nrrd", labels),
        (tmp_path / "stored/one.nrrd", labels),
    ):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(SPACING)
        sitk.WriteImage(image, str(path))
    arguments = ["evaluate", str(tmp_path / "data"), "--segmentations", str(tmp_path / "stored"), "-o", str(tmp_path / "out")]
    assert main(arguments) == 0
    assert "atlases" not in (tmp_path / "out/summary.md").read_text()
    assert main([*arguments, "--undisputed"]) == 0
    assert "Without borders that atlases draw differently Dice is 1.000" in (tmp_path / "out/summary.md").read_text()
    rows = json.loads((tmp_path / "out/cases/one.json").read_text())["rows"]
    assert {row["dice_undisputed"] for row in rows} == {1.0}
