"""The 22 structures of Soufi et al. 2025 (Table 2): names, groups, colours, codes and label numbers.

This is the one place where label numbers are defined. In a label map with sides the right side of a structure
has its class index (1..22), the left side that index + 100, and the sacrum, which is not paired, is 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache

LEFT_OFFSET = 100

RGB = tuple[int, int, int]


class Side(str, Enum):
    """The patient's side of a segment; `MIDLINE` for the sacrum, which is not split."""

    RIGHT = "right"
    LEFT = "left"
    MIDLINE = "midline"


@dataclass(frozen=True)
class Code:
    """A coded meaning as in DICOM: coding scheme designator, code value, code meaning."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Structure:
    """One bone or muscle.

    `index` is the network's class (1..22), `group` one of "bone", "hip", "thigh"; colours are 0-255 RGB.
    """

    index: int
    abbreviation: str
    name: str
    group: str
    paired: bool
    color_right: RGB
    color_left: RGB
    code: Code

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides on which the structure exists."""
        return (Side.RIGHT, Side.LEFT) if self.paired else (Side.MIDLINE,)

    @property
    def has_composition(self) -> bool:
        """Whether shares of fat, composite and lean tissue mean anything: of muscles, not of bones with their marrow."""
        return self.group != "bone"


@dataclass(frozen=True)
class Segment:
    """A structure on one side: what has a label value, a row in the table and a segment in Slicer."""

    structure: Structure
    side: Side

    @property
    def label(self) -> int:
        """Value in a label map with sides."""
        return self.structure.index + (LEFT_OFFSET if self.side is Side.LEFT else 0)

    @property
    def key(self) -> str:
        """Short unique identifier, for example ``GMAX_right``; the sacrum is ``SACRUM``."""
        abbreviation = self.structure.abbreviation
        return abbreviation if self.side is Side.MIDLINE else f"{abbreviation}_{self.side.value}"

    @property
    def name(self) -> str:
        """Name for people, for example ``Gluteus maximus, right``."""
        return self.structure.name if self.side is Side.MIDLINE else f"{self.structure.name}, {self.side.value}"

    @property
    def color(self) -> RGB:
        """0-255 RGB; left and right are two shades of one hue."""
        return self.structure.color_left if self.side is Side.LEFT else self.structure.color_right


def _sct(value: str, meaning: str) -> Code:
    return Code("SCT", value, meaning)


def _own(value: str, meaning: str) -> Code:
    # No published SNOMED CT code was found for these; a code of the project's own scheme is honest, a guess is not.
    return Code("99MSKSEG", value, meaning)


def _row(index: int, abbreviation: str, name: str, group: str, right: RGB, left: RGB, code: Code, paired: bool = True) -> Structure:
    return Structure(index, abbreviation, name, group, paired, right, left, code)


STRUCTURES: tuple[Structure, ...] = (
    _row(1, "PELVIS", "Hip bone", "bone", (241, 233, 210), (222, 211, 180), _sct("118645006", "Bone structure of pelvis")),
    _row(2, "FEMUR", "Femur", "bone", (233, 220, 190), (208, 193, 158), _sct("71341001", "Femur")),
    _row(3, "SACRUM", "Sacrum", "bone", (216, 199, 160), (216, 199, 160), _sct("54735007", "Sacrum"), paired=False),
    _row(4, "GMAX", "Gluteus maximus", "hip", (214, 69, 65), (160, 42, 40), _sct("181674001", "Gluteus maximus muscle")),
    _row(5, "GMED", "Gluteus medius", "hip", (66, 133, 214), (36, 91, 160), _sct("78333006", "Gluteus medius muscle")),
    _row(6, "GMIN", "Gluteus minimus", "hip", (255, 159, 64), (205, 116, 24), _sct("75297007", "Gluteus minimus muscle")),
    _row(7, "ILI", "Iliacus", "hip", (255, 205, 86), (209, 158, 35), _own("ILI", "Iliacus muscle")),
    _row(8, "OE", "Obturator externus", "hip", (46, 160, 92), (24, 115, 62), _own("OE", "Obturator externus muscle")),
    _row(9, "OI", "Obturator internus", "hip", (140, 214, 126), (92, 168, 79), _own("OI", "Obturator internus muscle")),
    _row(10, "PE", "Pectineus", "hip", (199, 21, 133), (146, 12, 96), _own("PE", "Pectineus muscle")),
    _row(11, "PI", "Piriformis", "hip", (255, 145, 164), (207, 95, 117), _own("PI", "Piriformis muscle")),
    _row(12, "PSOAS", "Psoas major", "hip", (148, 103, 189), (106, 68, 143), _sct("64038003", "Psoas major muscle")),
    _row(13, "AD", "Adductors", "thigh", (190, 170, 226), (146, 124, 188), _sct("303803003", "Adductor muscle of hip joint")),
    _row(14, "BF", "Biceps femoris", "thigh", (150, 90, 66), (108, 60, 42), _own("BF", "Biceps femoris muscle")),
    _row(15, "GRAC", "Gracilis", "thigh", (0, 184, 184), (0, 133, 138), _sct("2577006", "Gracilis muscle")),
    _row(16, "RF", "Rectus femoris", "thigh", (236, 112, 190), (186, 71, 143), _sct("72226001", "Rectus femoris muscle")),
    _row(17, "SART", "Sartorius", "thigh", (120, 144, 40), (86, 106, 22), _sct("12595009", "Sartorius muscle")),
    _row(18, "SM", "Semimembranosus", "thigh", (112, 128, 160), (76, 91, 120), _own("SM", "Semimembranosus muscle")),
    _row(19, "ST", "Semitendinosus", "thigh", (178, 190, 204), (134, 147, 163), _own("ST", "Semitendinosus muscle")),
    _row(20, "TFL", "Tensor fasciae latae", "thigh", (196, 200, 52), (150, 154, 28), _own("TFL", "Tensor fasciae latae muscle")),
    _row(
        21,
        "VLVI",
        "Vastus lateralis and intermedius",
        "thigh",
        (92, 190, 232),
        (52, 145, 188),
        _own("VLVI", "Vastus lateralis and vastus intermedius muscles"),
    ),
    _row(22, "VM", "Vastus medialis", "thigh", (72, 84, 190), (48, 56, 140), _sct("3478008", "Vastus medialis muscle")),
)


@cache
def segments() -> tuple[Segment, ...]:
    """The 43 segments in table order: structure by structure, right before left."""
    return tuple(Segment(structure, side) for structure in STRUCTURES for side in structure.sides)


@cache
def _by_abbreviation() -> dict[str, Structure]:
    return {structure.abbreviation: structure for structure in STRUCTURES}


@cache
def _by_label() -> dict[int, Segment]:
    return {segment.label: segment for segment in segments()}


def structure_of(abbreviation: str) -> Structure:
    """The structure with that abbreviation, for example ``GMAX``.

    Raises:
        KeyError: no structure has that abbreviation.
    """
    return _by_abbreviation()[abbreviation]


@cache
def _by_key() -> dict[str, Segment]:
    return {segment.key: segment for segment in segments()}


def segment_of_key(key: str) -> Segment:
    """The segment with that key, for example ``GMAX_right``.

    Raises:
        KeyError: no segment has that key.
    """
    return _by_key()[key]


def segment_of_label(label: int) -> Segment | None:
    """The segment with that value in a label map with sides, or None for background and foreign values."""
    return _by_label().get(label)
