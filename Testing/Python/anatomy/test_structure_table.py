"""Tables of structures as JSON: they come back as they were, and each fault is said in words."""

import json

import pytest
from structure_tables import toy_json, toy_table

from MSKSegmentLib.anatomy import Landmark, Side, table_from_json, table_json
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH, stored_table, table_of_stored


@pytest.mark.parametrize("table", [toy_table(), HIP_AND_THIGH], ids=lambda table: table.name)
def test_comes_back_from_json(table):
    assert table_from_json(json.loads(json.dumps(table_json(table)))) == table


def test_what_needs_no_note_is_the_built_in_table():
    assert stored_table(HIP_AND_THIGH) is None and table_of_stored(None) is HIP_AND_THIGH
    assert table_of_stored(json.loads(json.dumps(stored_table(toy_table())))) == toy_table()


def test_segments_follow_from_the_table():
    table = toy_table()
    assert table.classes == 6 and table.unpaired == (2, 5)
    assert [segment.key for segment in table.segments] == [
        "SHANK_right", "SHANK_left", "TAIL", "HAM_right", "HAM_left", "KNEECAP_right", "KNEECAP_left", "BLADDER",
    ]  # fmt: skip
    left = table.segment_of_label(104)
    assert left == table.segment("KNEECAP_left") and left.side is Side.LEFT
    assert (left.name, left.color) == ("Kneecap, left", (120, 120, 10))
    assert table.segment_of_label(0) is None and table.segment_of_label(102) is None and table.segment_of_label(6) is None
    assert table.landmark(Landmark.FEMUR) == table.structure("SHANK") and table.landmark(Landmark.HIP_BONE) is None


def changed(place, field, value):
    def change(data):
        kind, number = place
        data[kind][number][field] = value

    return change


def without(place, field):
    def change(data):
        kind, number = place
        del data[kind][number][field]

    return change


FIRST, SECOND, HAM = ("structures", 0), ("structures", 1), ("structures", 2)
GROUP = ("groups", 1)
FAULTS = [
    (lambda data: data.update(format="x"), "no table of structures"),
    (lambda data: data.update(format_version=2), "format version 2, and this software reads 1"),
    (lambda data: data.update(extra=1), "the table has the unknown entry 'extra'"),
    (lambda data: data.pop("name"), "the table lacks the entry 'name'"),
    (lambda data: data.update(name="a|b"), "the table's name is 'a|b'"),
    (lambda data: data.update(structures={}), "its structures are not a list"),
    (lambda data: data.update(structures=[]), "it has 0 structures, and 1 to 99 are possible"),
    (lambda data: data.update(structures=20 * data["structures"]), "it has 100 structures"),
    (lambda data: data["structures"].append(3), "a structure is not an object"),
    (changed(SECOND, "key", "HAM"), "two structures have the key HAM"),
    (changed(SECOND, "key", "A_left"), "a structure has the key 'A_left'; keys are letters and digits"),
    (changed(SECOND, "label", 1), "two structures have the label 1"),
    (changed(SECOND, "label", 0), "TAIL has the label 0, which is background"),
    (changed(SECOND, "label", True), "TAIL has the label True, which is no whole number"),
    (changed(SECOND, "label", 9), "TAIL has the label 9 but is number 2 in the list"),
    (changed(SECOND, "name", "Kneecap, left"), "TAIL and KNEECAP are both called 'kneecap, left'"),
    (changed(SECOND, "name", " "), "the name of TAIL is ' '"),
    (changed(SECOND, "name", "a\nb"), "the name of TAIL is"),
    (changed(SECOND, "color", [0, 0, 256]), "the color of TAIL is [0, 0, 256]; a color is three whole numbers from 0 to 255"),
    (changed(SECOND, "color", "red"), "the color of TAIL is 'red'"),
    (changed(SECOND, "color_left", [0, 0, 0]), "TAIL is not paired and cannot have a color_left"),
    (without(HAM, "color_left"), "HAM is paired and needs a color_left"),
    (changed(HAM, "paired", 1), "paired of HAM is 1 instead of true or false"),
    (without(HAM, "code"), "a structure (HAM) lacks the entry 'code'"),
    (changed(HAM, "code", ["SCT", "1"]), "the code of HAM is ['SCT', '1']"),
    (changed(HAM, "code", ["SCT", "1", "a^b"]), "a part of the code of HAM is 'a^b'"),
    (changed(HAM, "group", "front"), "HAM is in the group 'front', which the table does not describe"),
    (changed(HAM, "landmark", "nose"), "the landmark of HAM is 'nose'; possible are hip bone, femur, sacrum"),
    (changed(HAM, "landmark", "femur"), "two structures have the landmark femur"),
    (changed(FIRST, "landmark", "sacrum"), "two structures have the landmark sacrum"),
    (changed(SECOND, "landmark", "hip bone"), "TAIL is not paired and cannot be the landmark hip bone"),
    (changed(HAM, "largest_cc", -1), "largest_cc of HAM is -1 instead of a number above 0"),
    (changed(HAM, "place_cm", [1]), "place_cm of HAM is [1]"),
    (changed(HAM, "volume", 1), "a structure (HAM) has the unknown entry 'volume'"),
    (changed(GROUP, "key", "skeleton"), "two groups have the key skeleton"),
    (changed(GROUP, "tissue", "fat"), "the tissue of the group back is 'fat'; possible are bone, muscle, other"),
    (changed(GROUP, "composition", "yes"), "composition of the group back is 'yes'"),
]


@pytest.mark.parametrize(("change", "sentence"), FAULTS, ids=[sentence for _, sentence in FAULTS])
def test_faults_are_said(change, sentence):
    data = toy_json()
    change(data)
    with pytest.raises(ValueError) as found:
        table_from_json(data)
    assert sentence in str(found.value)
