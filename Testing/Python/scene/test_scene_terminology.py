from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.anatomy.terminology import context_name, terminology_entry, terminology_text

FILE = Path(__file__).parents[3] / "MSKSegmentLib" / "Resources" / "Terminology" / "MSKSegment.term.json"


def test_file_equals_the_anatomy_table():
    assert FILE.read_text(encoding="utf-8") == terminology_text(HIP_AND_THIGH), (
        f"write it anew: python -m MSKSegmentLib.anatomy.terminology MSKSegmentLib/Resources/Terminology/{FILE.name}"
    )


def test_codes_are_unique():
    codes = Counter((structure.code.scheme, structure.code.value) for structure in HIP_AND_THIGH.structures)
    assert max(codes.values()) == 1
    entries = Counter(terminology_entry(segment, HIP_AND_THIGH) for segment in HIP_AND_THIGH.segments)
    assert len(entries) == 43


@pytest.mark.parametrize("segment", HIP_AND_THIGH.segments, ids=lambda segment: segment.key)
def test_entry_carries_structure_and_side(segment):
    parts = terminology_entry(segment, HIP_AND_THIGH).split("~")
    assert len(parts) == 7
    assert parts[1].startswith("SCT^123037004^")
    assert parts[2].split("^")[1] == segment.structure.code.value
    expected = {Side.RIGHT: "SCT^24028007^Right", Side.LEFT: "SCT^7771000^Left", Side.MIDLINE: "^^"}
    assert parts[3] == expected[segment.side]


def test_no_code_breaks_the_separators():
    for segment in HIP_AND_THIGH.segments:
        code = segment.structure.code
        assert not set("~^|") & set(code.scheme + code.value + code.meaning)


def test_slicer_loads_the_file_and_knows_every_segment():
    slicer = pytest.importorskip("slicer")
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    assert logic.LoadTerminologyFromFile(str(FILE)) == context_name(HIP_AND_THIGH)
    for segment in HIP_AND_THIGH.segments:
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(terminology_entry(segment, HIP_AND_THIGH), entry)
        loaded = slicer.vtkSlicerTerminologyType()
        found = slicer.vtkSlicerTerminologyCategory()
        assert logic.GetNthCategoryInTerminology(context_name(HIP_AND_THIGH), 0, found)
        assert found.GetCodeValue() == entry.GetCategoryObject().GetCodeValue()
        assert not found.GetShowAnatomy()
        number = segment.structure.index - 1
        assert logic.GetNthTypeInTerminologyCategory(context_name(HIP_AND_THIGH), found, number, loaded)
        assert loaded.GetCodeValue() == entry.GetTypeObject().GetCodeValue() == segment.structure.code.value
        modifiers = logic.GetNumberOfTypeModifiersInTerminologyType(context_name(HIP_AND_THIGH), found, loaded)
        assert modifiers == (2 if segment.structure.paired else 0)
        if modifiers:
            modifier = slicer.vtkSlicerTerminologyType()
            logic.GetNthTypeModifierInTerminologyType(
                context_name(HIP_AND_THIGH), found, loaded, segment.structure.sides.index(segment.side), modifier
            )
            assert modifier.GetCodeValue() == entry.GetTypeModifierObject().GetCodeValue()
            loaded = modifier
        assert tuple(loaded.GetRecommendedDisplayRGBValue()) == segment.color
