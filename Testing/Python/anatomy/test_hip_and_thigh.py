"""The table of structures: pure data, unique and complete."""

import colorsys

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH

# Table 2 of Soufi et al. 2025.
PAPER_ORDER = [
    "PELVIS", "FEMUR", "SACRUM", "GMAX", "GMED", "GMIN", "ILI", "OE", "OI", "PE", "PI", "PSOAS",
    "AD", "BF", "GRAC", "RF", "SART", "SM", "ST", "TFL", "VLVI", "VM",
]  # fmt: skip


def test_order_and_count_are_the_papers():
    assert [s.abbreviation for s in HIP_AND_THIGH.structures] == PAPER_ORDER
    assert [s.index for s in HIP_AND_THIGH.structures] == list(range(1, 23))
    assert sum(s.is_bone for s in HIP_AND_THIGH.structures) == 3
    assert sum(s.group.key == "hip" for s in HIP_AND_THIGH.structures) == 9
    assert sum(s.group.key == "thigh" for s in HIP_AND_THIGH.structures) == 10


def test_labels_names_keys_colours_and_codes_are_unique():
    all_segments = HIP_AND_THIGH.segments
    assert len(all_segments) == 43
    for values in (
        [s.label for s in all_segments],
        [s.key for s in all_segments],
        [s.name for s in all_segments],
        [s.color for s in all_segments],
    ):
        assert len(set(values)) == 43
    codes = [(s.code.scheme, s.code.value) for s in HIP_AND_THIGH.structures]
    assert len(set(codes)) == 22
    assert len({s.code.meaning for s in HIP_AND_THIGH.structures}) == 22


def test_numbering():
    assert HIP_AND_THIGH.segment_of_label(3).side is Side.MIDLINE and HIP_AND_THIGH.segment_of_label(103) is None
    assert HIP_AND_THIGH.segment_of_label(4).key == "GMAX_right" and HIP_AND_THIGH.segment_of_label(104).key == "GMAX_left"
    assert HIP_AND_THIGH.segment_of_label(0) is None and HIP_AND_THIGH.segment_of_label(23) is None
    assert {s.label for s in HIP_AND_THIGH.segments} == {*range(1, 23), *(100 + k for k in range(1, 23) if k != 3)}


def test_known_codes():
    # A published table gives gluteus minimus the code of medius; ours must not.
    assert HIP_AND_THIGH.structure("GMIN").code.value == "75297007" and HIP_AND_THIGH.structure("GMED").code.value == "78333006"
    assert all(s.code.scheme in ("SCT", "99MSKSEG") for s in HIP_AND_THIGH.structures)
    assert all(s.code.value.isdigit() for s in HIP_AND_THIGH.structures if s.code.scheme == "SCT")


def test_left_and_right_are_two_shades_of_one_hue_and_bones_stand_out_from_white():
    for structure in HIP_AND_THIGH.structures:
        right, left = (colorsys.rgb_to_hls(*(c / 255 for c in rgb)) for rgb in (structure.color_right, structure.color_left))
        assert abs((right[0] - left[0] + 0.5) % 1 - 0.5) < 0.04
        if structure.paired:
            assert right[1] > left[1] + 0.03
        if structure.is_bone:
            # Cortical bone is white in the usual window: a pale outline would vanish on it.
            assert all(max(rgb) - min(rgb) > 160 for rgb in (structure.color_right, structure.color_left))
