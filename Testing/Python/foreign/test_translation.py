"""Masks of other programs become our numbers: merged, with sides, with what is unknown kept and what is in doubt said."""

from __future__ import annotations

import numpy as np
import pytest
from foreign_masks import codes, drawn_by, names_of
from given_labels import told

from MSKSegmentLib import foreign
from MSKSegmentLib.anatomy import LEFT_OFFSET, Side
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.foreign import LabelEntry, LabelTable, find_label_table, mask_of_array
from MSKSegmentLib.foreign.mask import ForeignMask, ForeignSegment, Layer
from MSKSegmentLib.pipeline import measure_case

pytest_plugins = ("given_labels",)


@pytest.fixture(scope="module")
def own(case):
    labels, volume = case
    return measure_case(labels, volume.geometry, volume)


def translate(mask, label_table=None, sides="given"):
    return foreign.translate(mask, HIP_AND_THIGH, label_table, sides)


def import_case(volume, mask, label_table=None):
    return foreign.import_case(volume, mask, HIP_AND_THIGH, label_table)


def measured(result):
    return {report.segment.key: report.measurements for report in result.reports}


def table(name):
    return find_label_table(name, HIP_AND_THIGH)


def test_a_map_of_musclemap_is_recognised_and_gives_the_same_numbers(case, own):
    labels, volume = case
    mask = mask_of_array(drawn_by("musclemap", labels), volume.geometry)
    imported = import_case(volume, mask)
    assert measured(imported.result) == measured(own) and not imported.kept.labels
    np.testing.assert_array_equal(imported.result.labels, labels)
    record = imported.result.facts.record["imported"]
    assert (record["labels"], record["recognised_by"], record["resampled"]) == ("musclemap", "its values", False)
    assert len(record["segments"]) == 51
    eroded, ilium = told(imported.result, "other_convention")
    assert "erodes the borders" in eroded and "ischium" in ilium
    assert "labels: MuscleMap, recognised by its values" in told(imported.result, "imported")[0]
    assert not {"incomplete_structure", "unknown_labels", "labels_overlap", "sides_exchanged"} & codes(imported.result.findings)
    assert {report.light.value for report in imported.result.reports} == {"grey"}


def test_a_map_of_totalsegmentator_has_the_iliopsoas_as_one_structure(case, own):
    labels, volume = case
    mask = mask_of_array(drawn_by("totalsegmentator", labels), volume.geometry)
    result = import_case(volume, mask, table("totalsegmentator")).result
    found, before = measured(result), measured(own)
    for key in ("PELVIS_left", "FEMUR_right", "SACRUM", "GMAX_left", "GMED_right", "GMIN_right"):
        assert found[key] == before[key]
    for side in ("left", "right"):
        assert found[f"ILPS_{side}"].voxels == before[f"ILI_{side}"].voxels + before[f"PSOAS_{side}"].voxels
    assert "Iliopsoas is one structure" in told(result, "merged_structure")[0]
    reasons = {report.segment.key: report.reasons for report in result.reports}
    assert reasons["PSOAS_left"] == ("measured as a part of a larger structure, which is one in this segmentation",)
    assert reasons["VM_left"] == ("the imported segmentation does not have this structure",)
    assert result.table.name == "hip and thigh, with iliopsoas" and result.table.segment("GMAX_left").label == 104


def test_values_that_several_programs_have_are_asked_for(case):
    labels, volume = case
    with pytest.raises(InputError, match="say whose they are: --labels totalsegmentator, or a table.csv") as raised:
        translate(mask_of_array(drawn_by("totalsegmentator", labels), volume.geometry))
    assert str(raised.value).count(".") <= 2
    one_leg = np.where(labels < LEFT_OFFSET, labels, 0)
    with pytest.raises(InputError, match="--labels totalsegmentator, ours, or a table.csv"):
        translate(mask_of_array(one_leg, volume.geometry))
    with pytest.raises(InputError, match="--labels table.csv, with the columns value, structure and side"):
        translate(mask_of_array(np.where(labels > 0, np.int32(4711), 0), volume.geometry))


def test_our_own_numbers_are_recognised_by_their_pairs(case):
    labels, volume = case
    found = translate(mask_of_array(labels.astype(np.float32), volume.geometry))
    np.testing.assert_array_equal(found.labels, labels)
    assert found.label_table.name == "ours" and not found.findings


def test_names_show_totalsegmentator(case):
    labels, volume = case
    mask = mask_of_array(drawn_by("totalsegmentator", labels), volume.geometry, names_of("totalsegmentator"))
    found = translate(mask)
    assert (found.label_table.name, found.recognised_by) == ("totalsegmentator", "its names")


def test_names_in_any_form_are_understood_and_others_kept(case):
    labels, volume = case
    names = {
        4: "GluteusMaximus R",
        104: "left gluteus maximus muscle",
        2: "Femur right",
        102: "femur_left",
        3: "Os sacrum",
        9: "Uterus",
    }
    found = translate(mask_of_array(np.where(np.isin(labels, list(names)), labels, 0), volume.geometry, names))
    np.testing.assert_array_equal(found.labels, np.where(np.isin(labels, [2, 3, 4, 102, 104]), labels, 0))
    (kept,) = found.kept.labels
    assert (kept.name, kept.stored_value, kept.voxels) == ("Uterus", 9, np.sum(labels == 9))
    np.testing.assert_array_equal(found.kept.layers[0] == kept.value, labels == 9)
    (sentence,) = told(found, "unknown_labels")
    assert f"Uterus ({np.sum(labels == 9) * 0.064:.3g} cc)" in sentence and "other_labels.seg.nrrd" in sentence


def test_sides_that_a_program_does_not_tell_come_from_the_anatomy(case):
    labels, volume = case
    entries = tuple(LabelEntry(s.index, (s.name,), s.abbreviation) for s in HIP_AND_THIGH.structures)
    sideless = LabelTable("sideless", "a program without sides", entries)
    found = translate(mask_of_array(labels % LEFT_OFFSET, volume.geometry), sideless)
    assert np.mean(found.labels[labels > 0] == labels[labels > 0]) > 0.999
    assert "Right and left were taken from the anatomy" in told(found, "sides_from_anatomy")[0]


def exchanged(labels):
    paired = [s.label for s in HIP_AND_THIGH.segments if s.structure.paired]
    lut = np.arange(256, dtype=np.uint8)
    for label in paired:
        lut[label] = label - LEFT_OFFSET if label > LEFT_OFFSET else label + LEFT_OFFSET
    return lut[labels]


def test_exchanged_sides_are_said_and_not_exchanged_back_unless_asked(case):
    labels, volume = case
    mask = mask_of_array(drawn_by("musclemap", exchanged(labels)), volume.geometry)
    result = import_case(volume, mask).result
    np.testing.assert_array_equal(result.labels, exchanged(labels))
    (sentence,) = told(result, "sides_exchanged")
    assert "nothing was exchanged back" in sentence and "--sides anatomy" in sentence
    assert {report.light.value for report in result.reports if report.segment.structure.paired} == {"red"}
    again = translate(mask, sides="anatomy")
    assert np.mean(again.labels[labels > 0] == labels[labels > 0]) > 0.999


def test_a_structure_without_one_of_its_parts_is_said_to_be_incomplete(case):
    labels, volume = case
    drawn = drawn_by("musclemap", labels)
    drawn[drawn == 7112] = 0
    found = translate(mask_of_array(drawn, volume.geometry))
    (finding,) = [finding for finding in found.findings if finding.code == "incomplete_structure"]
    assert finding.where == "VLVI_right" and "has no vastus intermedius" in finding.sentence


def layered(labels, geometry, names):
    layers = [Layer((ForeignSegment(1, (name,)),), lambda mask=mask: mask.astype(np.uint8)) for name, mask in names.items()]
    return ForeignMask("The segmentation", "a segmentation", tuple(layers), geometry)


def test_overlaps_are_said_and_the_later_segment_has_them(case):
    labels, volume = case
    gmed = labels == 5
    both = gmed | (labels == 6)
    parts = {"gluteus medius right": both, "gluteus minimus right": labels == 6, "bladder": both, "rectum": gmed}
    found = translate(layered(labels, volume.geometry, parts))
    np.testing.assert_array_equal(found.labels, np.where(np.isin(labels, (5, 6)), labels, 0))
    assert "Gluteus medius, right and Gluteus minimus, right by" in told(found, "labels_overlap")[0]
    # Both foreign ones are whole, in layers of their own.
    bladder, rectum = found.kept.labels
    assert (bladder.layer, rectum.layer) == (0, 1)
    np.testing.assert_array_equal(found.kept.layers[0] == bladder.value, both)
    np.testing.assert_array_equal(found.kept.layers[1] == rectum.value, gmed)


def test_sides_stated_apart_from_the_name_count(case):
    labels, volume = case
    segment = ForeignSegment(1, ("Gluteus maximus",), side=Side.LEFT)
    mask = ForeignMask("M", "a segmentation", (Layer((segment,), lambda: (labels == 104).astype(np.uint8)),), volume.geometry)
    np.testing.assert_array_equal(translate(mask).labels, np.where(labels == 104, 104, 0))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda labels: labels * 0, "is empty, no voxel belongs to a structure"),
        (lambda labels: labels * 0.3, "holds the value .*, and labels are whole numbers"),
        (lambda labels: np.where(labels, np.nan, 0), "values that are not numbers"),
        (lambda labels: np.arange(labels.size).reshape(labels.shape), "it is an image and no label map"),
    ],
)
def test_what_is_no_label_map_is_refused(make, sentence, case):
    labels, volume = case
    with pytest.raises(InputError, match=sentence):
        mask_of_array(make(labels), volume.geometry)


def test_a_table_that_has_none_of_the_labels_is_refused(case):
    labels, volume = case
    with pytest.raises(InputError, match="is a structure that is measured here, read with the table 'totalsegmentator'"):
        translate(mask_of_array(np.where(labels > 0, 1000, 0), volume.geometry), table("totalsegmentator"))
