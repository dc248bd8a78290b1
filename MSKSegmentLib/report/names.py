"""What lights are called in a report, and the shape and letter by which a light is known without colour."""

from __future__ import annotations

from dataclasses import dataclass

from ..case_result import SUSPECT_WORD, UNCONFIRMED_WORD, Light
from ..language.catalogue import Words
from ..language.catalogue import noted as N_
from ..review.rows import MISSED_MARK, NOT_FOUND, SUSPECT_MARK, UNCONFIRMED_MARK, SegmentRow

# Not found on either side, or on a side that the scan does not show.
ABSENT_MARK = "absent"
# Worst first. The letters stand in the marks, where a printer or an eye knows no colour.
MARK_NAMES = (
    Light.RED.value, SUSPECT_MARK, Light.YELLOW.value, MISSED_MARK, UNCONFIRMED_MARK, Light.GREY.value, Light.GREEN.value,
    ABSENT_MARK,
)  # fmt: skip
_LETTERS = {
    Light.RED.value: N_("F"),
    SUSPECT_MARK: N_("W"),
    Light.YELLOW.value: N_("I"),
    UNCONFIRMED_MARK: N_("U"),
    MISSED_MARK: N_("M"),
    Light.GREY.value: N_("N"),
    Light.GREEN.value: N_("G"),
    ABSENT_MARK: N_("–"),
}
_WORDS = {
    **{light.value: light.word for light in Light},
    SUSPECT_MARK: SUSPECT_WORD,
    UNCONFIRMED_MARK: UNCONFIRMED_WORD,
    MISSED_MARK: N_("perhaps missed"),
    ABSENT_MARK: NOT_FOUND,
}
_MEANINGS = {
    Light.RED.value: N_("the predicted overlap is so low that the number must not be used"),
    SUSPECT_MARK: N_("not rated, but more likely wrong than right: do not use the number before you have looked"),
    Light.YELLOW.value: N_("look at it, and expect to correct it"),
    UNCONFIRMED_MARK: N_("a given outline that is more likely right than wrong, but nothing confirms it: look at it"),
    MISSED_MARK: N_("not found, although the other side was: look for it"),
    Light.GREY.value: N_("nothing can be said of it; this is no all-clear"),
    Light.GREEN.value: N_("nothing speaks against it; this is no proof"),
    ABSENT_MARK: N_("not found, and nothing says that it should be"),
}


@dataclass(frozen=True)
class Mark:
    """A light as it is drawn: its name in the style sheet, its letter, its word, and what it means."""

    name: str
    letter: str
    word: str
    meaning: str


def mark(words: Words, name: str) -> Mark:
    """The mark of that name, one of `MARK_NAMES`."""
    _ = words.gettext
    return Mark(name, _(_LETTERS[name]), _(_WORDS[name]), _(_MEANINGS[name]))


def mark_of(row: SegmentRow) -> str:
    """The name of a row's mark."""
    return ABSENT_MARK if not row.found and not row.missed else row.mark
