"""Names of structures as people and programs write them, brought to one form."""

from __future__ import annotations

import re
import unicodedata

from ..anatomy import Side

_SIDES = {
    "left": Side.LEFT, "l": Side.LEFT, "lt": Side.LEFT, "sinister": Side.LEFT, "sinistra": Side.LEFT, "sinistrum": Side.LEFT,
    "right": Side.RIGHT, "r": Side.RIGHT, "rt": Side.RIGHT, "dexter": Side.RIGHT, "dextra": Side.RIGHT, "dextrum": Side.RIGHT,
}  # fmt: skip
# They say nothing about which structure it is.
_IDLE = {"muscle", "muscles", "musculus", "m", "mm", "bone", "bones", "segment", "mask", "label", "seg", "of", "the"}

# What 3D Slicer calls the segments of a label map without names, and its identifiers of segments made by programs.
_NUMBERED = re.compile(r"(?:label|segment)[ _]?(\d+)", re.IGNORECASE)
_RANDOM = re.compile(r"S_[0-9A-Za-z]{12,}")


def number_in(text: str) -> int | None:
    """The value in a name that 3D Slicer made of it, such as "Label_6101"; None for other names."""
    found = _NUMBERED.fullmatch(text.strip())
    return int(found[1]) if found else None


def is_generated(text: str) -> bool:
    """Whether a name was made by 3D Slicer and says nothing of the structure."""
    return number_in(text) is not None or _RANDOM.fullmatch(text.strip()) is not None


def side_of_word(word: str) -> Side | None:
    """The side that a word such as "Left" or "R" names."""
    return _SIDES.get(word.strip().casefold())


def split_name(text: str) -> tuple[str, Side | None]:
    """The name of a structure without its side, in lower case and without idle words, and the side (None: it names none, or both).

    >>> split_name("Left Gluteus Maximus muscle")
    ('gluteus maximus', <Side.LEFT: 'left'>)
    >>> split_name("gluteus_maximus_right.nii.gz"[:-7])
    ('gluteus maximus', <Side.RIGHT: 'right'>)
    """
    plain = unicodedata.normalize("NFKC", text)
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    words = re.findall(r"\w+", apart.replace("_", " ").casefold())
    sides = {_SIDES[word] for word in words if word in _SIDES}
    kept = [word for word in words if word not in _SIDES and word not in _IDLE]
    return " ".join(kept), sides.pop() if len(sides) == 1 else None
