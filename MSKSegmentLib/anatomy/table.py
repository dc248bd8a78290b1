"""A table of structures as a value: names, groups, colours, codes and label numbers of all that a network segments.

In a label map with sides the right side of a structure has the structure's index (1..n, the network's class), the left side that
index + 100, and a structure that is not paired, such as the sacrum, its index.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

LEFT_OFFSET = 100
# Labels of the right side end where those of the left begin.
MOST_STRUCTURES = LEFT_OFFSET - 1

RGB = tuple[int, int, int]


class Side(str, Enum):
    """The patient's side of a segment; `MIDLINE` for a structure that is not split, such as the sacrum."""

    RIGHT = "right"
    LEFT = "left"
    MIDLINE = "midline"


class Tissue(str, Enum):
    """What a group consists of: which HU are plausible in it, and what is drawn as the skeleton around a muscle."""

    BONE = "bone"
    MUSCLE = "muscle"
    OTHER = "other"


class Landmark(str, Enum):
    """Bones that tell right from left, and beside which volumes and places are judged."""

    HIP_BONE = "hip bone"
    FEMUR = "femur"
    SACRUM = "sacrum"


@dataclass(frozen=True)
class Code:
    """A coded meaning as in DICOM: coding scheme designator, code value, code meaning."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Group:
    """Structures that are shown and measured alike.

    `composition` says whether shares of fat, composite and lean tissue mean anything (of muscles they do, of bones with their
    marrow they do not), `height_normalised` whether volumes are also given divided by the square of the patient's height.
    """

    key: str
    name: str
    tissue: Tissue
    composition: bool
    height_normalised: bool


@dataclass(frozen=True)
class Structure:
    """One bone or muscle.

    `index` is the network's class (1..n); colours are 0-255 RGB. `landmark` is what it serves as, None for most. `largest_cc` is a
    volume in cc of one side that no living adult's exceeds, with which given label maps are judged (for muscles about three
    times, for bones about twice that of an average adult); None: not judged. `place_cm` is where it lies in a cross-section of the
    limb, seen from the femur: ``(to medial, to anterior)`` in rough centimetres; None: it has no say in which leg is which.
    """

    index: int
    abbreviation: str
    name: str
    group: Group
    paired: bool
    color_right: RGB
    color_left: RGB
    code: Code
    landmark: Landmark | None = None
    largest_cc: float | None = None
    place_cm: tuple[float, float] | None = None

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides on which the structure exists."""
        return (Side.RIGHT, Side.LEFT) if self.paired else (Side.MIDLINE,)

    @property
    def has_composition(self) -> bool:
        """Whether shares of fat, composite and lean tissue mean anything, see `Group`."""
        return self.group.composition

    @property
    def is_bone(self) -> bool:
        """Whether it is bone."""
        return self.group.tissue is Tissue.BONE


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


@dataclass(frozen=True)
class StructureTable:
    """What a network segments: the structures in the order of its classes, and the groups that they are in.

    `table_json.table_from_json` makes one and checks it. A result carries its table; all that names, measures, rates or draws
    segments takes it from there.
    """

    name: str
    groups: tuple[Group, ...]
    structures: tuple[Structure, ...]

    @property
    def classes(self) -> int:
        """How many classes a network of this table has, background (0) included."""
        return len(self.structures) + 1

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The segments in table order: structure by structure, right before left."""
        return tuple(Segment(structure, side) for structure in self.structures for side in structure.sides)

    @property
    def unpaired(self) -> tuple[int, ...]:
        """The indices of the structures that have no sides."""
        return tuple(structure.index for structure in self.structures if not structure.paired)

    def structure(self, abbreviation: str) -> Structure:
        """The structure with that abbreviation, for example ``GMAX``.

        Raises:
            KeyError: no structure has that abbreviation.
        """
        return self._by_abbreviation[abbreviation]

    def segment(self, key: str) -> Segment:
        """The segment with that key, for example ``GMAX_right``.

        >>> from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
        >>> HIP_AND_THIGH.segment("FEMUR_right").label, HIP_AND_THIGH.segment("FEMUR_left").label
        (2, 102)

        Raises:
            KeyError: no segment has that key.
        """
        return self._by_key[key]

    def segment_of_label(self, label: int) -> Segment | None:
        """The segment with that value in a label map with sides, or None for background and foreign values.

        >>> from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
        >>> HIP_AND_THIGH.segment_of_label(104).name
        'Gluteus maximus, left'
        """
        return self._by_label.get(label)

    def landmark(self, landmark: Landmark) -> Structure | None:
        """The structure that serves as that landmark; None where the table has none."""
        return next((structure for structure in self.structures if structure.landmark is landmark), None)

    @cached_property
    def _by_abbreviation(self) -> dict[str, Structure]:
        return {structure.abbreviation: structure for structure in self.structures}

    @cached_property
    def _by_key(self) -> dict[str, Segment]:
        return {segment.key: segment for segment in self.segments}

    @cached_property
    def _by_label(self) -> dict[int, Segment]:
        return {segment.label: segment for segment in self.segments}
