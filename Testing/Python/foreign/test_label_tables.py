"""The tables of other programs' labels hold together with the structures; those of users are read, or refused in one sentence."""

from __future__ import annotations

import pytest
from foreign_masks import TABLES

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.foreign.label_tables import find_label_table, known_tables
from MSKSegmentLib.foreign.merged import merged_structures, with_merged
from MSKSegmentLib.foreign.segment_names import split_name

MERGED = {merged.structure.abbreviation: merged for merged in merged_structures()}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_line_is_a_structure_on_a_side_that_it_has(table):
    known = {s.abbreviation: s for s in (*HIP_AND_THIGH.structures, *(m.structure for m in MERGED.values()))}
    for entry in table.entries:
        if entry.structure is None:
            assert not entry.part
            continue
        structure = known[entry.structure]
        if entry.value is not None:
            assert (entry.side is not None) == structure.paired, entry
        # The side that the name itself tells is the one in its column.
        assert split_name(entry.names[0])[1] in (None, entry.side)
    values = [entry.value for entry in table.entries if entry.value is not None]
    names = [name.casefold() for entry in table.entries for name in entry.names]
    assert len(set(values)) == len(values) and len(set(names)) == len(names)
    assert table.source and table.version and {c.structure for c in table.conventions} <= {None, *table.structures}


@pytest.mark.parametrize(("name", "missing"), [("musclemap", set()), ("names", set())])
def test_these_programs_have_all_structures(name, missing):
    assert {s.abbreviation for s in HIP_AND_THIGH.structures} - TABLES[name].structures == missing


def test_parts_are_those_of_both_sides_and_of_all_tables():
    for table in TABLES.values():
        for side in Side:
            for structure in table.structures:
                other = {e.part for e in table.entries if e.structure == structure and e.side not in (None, side)}
                same = {e.part for e in table.entries if e.structure == structure and e.side is side}
                assert not same or not other or same == other
    for key in ("AD", "BF", "VLVI"):
        parts = [{e.part for e in TABLES[name].entries if e.structure == key and e.part} for name in ("musclemap", "names")]
        assert parts[0] == parts[1] and len(parts[0]) >= 2


def test_totalsegmentator_has_bones_glutei_and_the_iliopsoas_as_one():
    keys = {"PELVIS", "FEMUR", "SACRUM", "GMAX", "GMED", "GMIN", "ILPS"}
    assert TABLES["totalsegmentator"].structures == keys
    table = with_merged(HIP_AND_THIGH, keys)
    assert table.structures[:-1] == HIP_AND_THIGH.structures and table.structure("ILPS").index == 23
    assert with_merged(HIP_AND_THIGH, {"GMAX"}) is HIP_AND_THIGH
    parts = [HIP_AND_THIGH.structure(key).largest_cc for key in MERGED["ILPS"].parts]
    assert MERGED["ILPS"].structure.largest_cc == sum(parts)


@pytest.mark.parametrize(
    ("text", "key", "side"),
    [
        ("Left Gluteus Maximus", "GMAX", Side.LEFT),
        ("gluteus_maximus_right", "GMAX", Side.RIGHT),
        ("M. gluteus maximus L", "GMAX", Side.LEFT),
        ("GMAX_right", "GMAX", Side.RIGHT),
        ("RectusFemorisRight", "RF", Side.RIGHT),
        ("right hip bone", "PELVIS", Side.RIGHT),
        ("Iliopsoas muscle (left)", "ILPS", Side.LEFT),
        ("vastus lateralis", "VLVI", None),
        ("sacrum", "SACRUM", None),
        ("spleen", None, None),
    ],
)
def test_names_are_known_however_they_are_written(text, key, side):
    tables = {table.name: table for table in known_tables(HIP_AND_THIGH)}
    entry = tables["names"].of_name(text) or tables["ours"].of_name(text)
    assert (entry and entry.structure, entry and entry.side) == (key, side)


def test_a_users_table_by_value_or_name_with_or_without_sides(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("\ufeffName;Structure;side;value\nbig one;gmax;L;5\n;Femur;;6\nliver;;;7\n", encoding="utf-8")
    table = find_label_table(str(path), HIP_AND_THIGH)
    assert (table.of_value(5).structure, table.of_literal("BIG ONE").side) == ("GMAX", Side.LEFT)
    assert (table.of_value(6).structure, table.of_value(6).side, table.of_value(7).structure) == ("FEMUR", None, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("value,side\n1,left\n", "lacks a column"),
        ("value,structure,sides\n1,GMAX,left\n", "unknown column 'sides'"),
        ("value,structure\n1,GLUTE\n", "Line 2 of t.csv has the unknown structure 'GLUTE'; known are PELVIS"),
        ("value,structure\nx,GMAX\n", "no whole number"),
        ("value,name,structure\n,,GMAX\n", "neither a value nor a name"),
        ("value,structure,side\n1,GMAX,middle\n", "the side 'middle'"),
        ("value,structure\n1,GMAX\n1,GMED\n", "the value 1 twice"),
        ("value,structure\n1,\n", "names no structure"),
        ("", "lacks a column"),
    ],
)
def test_a_faulty_table_is_refused_in_one_sentence(text, told, tmp_path):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told.replace("(", r"\(")):
        find_label_table(str(tmp_path / "t.csv"), HIP_AND_THIGH)


def test_a_table_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputError, match="say ours, musclemap, totalsegmentator, names, or name a .csv file"):
        find_label_table("slicer", HIP_AND_THIGH)
    with pytest.raises(InputError, match="There is no table gone.csv"):
        find_label_table(str(tmp_path / "gone.csv"), HIP_AND_THIGH)
