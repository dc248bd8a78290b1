"""The table of structures: pure data, unique and complete."""

import colorsys

from MSKSegmentLib.anatomy import STRUCTURES, Side, segment_of_label, segments, structure_of

# Table 2 of Soufi et al. 2025.
PAPER_ORDER = [
    "PELVIS", "FEMUR", "SACRUM", "GMAX", "GMED", "GMIN", "ILI", "OE", "OI", "PE", "PI", "PSOAS",
    "AD", "BF", "GRAC", "RF", "SART", "SM", "ST", "TFL", "VLVI", "VM",
]  # fmt: skip


def test_order_and_count_are_the_papers():
    assert [s.abbreviation for s in STRUCTURES] == PAPER_ORDER
    assert [s.index for s in STRUCTURES] == list(range(1, 23))
    assert sum(s.is_bone for s in STRUCTURES) == 3
    assert sum(s.group.key == "hip" for s in STRUCTURES) == 9
    assert sum(s.group.key == "thigh" for s in STRUCTURES) == 10


def test_labels_names_keys_colours_and_codes_are_unique():
    all_segments = segments()
    assert len(all_segments) == 43
    for values in (
        [s.label for s in all_segments],
        [s.key for s in all_segments],
        [s.name for s in all_segments],
        [s.color for s in all_segments],
    ):
        assert len(set(values)) == 43
    codes = [(s.code.scheme, s.code.value) for s in STRUCTURES]
    assert len(set(codes)) == 22
    assert len({s.code.meaning for s in STRUCTURES}) == 22


def test_numbering():
    assert segment_of_label(3).side is Side.MIDLINE and segment_of_label(103) is None
    assert segment_of_label(4).key == "GMAX_right" and segment_of_label(104).key == "GMAX_left"
    assert segment_of_label(0) is None and segment_of_label(23) is None
    assert {s.label for s in segments()} == {*range(1, 23), *(100 + k for k in range(1, 23) if k != 3)}


def test_known_codes():
    # A published table gives gluteus minimus the code of medius; ours must not.
    assert structure_of("GMIN").code.value == "75297007" and structure_of("GMED").code.value == "78333006"
    assert all(s.code.scheme in ("SCT", "99MSKSEG") for s in STRUCTURES)
    assert all(s.code.value.isdigit() for s in STRUCTURES if s.code.scheme == "SCT")


def test_left_and_right_are_two_shades_of_one_hue_and_bones_are_ivory():
    for structure in STRUCTURES:
        right, left = (colorsys.rgb_to_hls(*(c / 255 for c in rgb)) for rgb in (structure.color_right, structure.color_left))
        assert abs((right[0] - left[0] + 0.5) % 1 - 0.5) < 0.04
        if structure.paired:
            assert right[1] > left[1] + 0.03
        if structure.is_bone:
            assert 0.08 < right[0] < 0.17 and right[1] > 0.6
