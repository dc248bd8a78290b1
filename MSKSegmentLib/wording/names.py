"""What structures, segments and sides are called in a language."""

from __future__ import annotations

from ..anatomy import Segment, Side, Structure
from ..language.catalogue import Words


def structure_name(words: Words, structure: Structure) -> str:
    """The name of a structure; English where the catalogue lacks it."""
    return words.gettext(structure.name)


def segment_name(words: Words, segment: Segment) -> str:
    """The name of a structure with its side."""
    name = structure_name(words, segment.structure)
    return name if segment.side is Side.MIDLINE else words.gettext("{structure}, {side}").format(
        structure=name, side=words.gettext(segment.side.value)
    )  # fmt: skip


def side_letter(words: Words, side: Side) -> str:
    """R or L as on a film; nothing for the midline."""
    return {Side.RIGHT: words.gettext("R"), Side.LEFT: words.gettext("L")}.get(side, "")
