"""The uncertainty of a structure for people: a number that can be read, and a word and a place that say what it means.

It is a variance, about 0.001 for one structure and 0.0001 for another. Front ends and reports give it in thousandths with two
digits, beside what is usual for the structure; files keep the number itself.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from ..case_result import SegmentReport
from ..language.catalogue import Words
from ..language.catalogue import noted as N_
from ..quality.usual_uncertainty import HIGH, LOW, USUAL, uncertainty_level

_LEVELS = {LOW: N_("low"), USUAL: N_("usual"), HIGH: N_("high")}
_UNIT = "\N{NO-BREAK SPACE}\N{PER MILLE SIGN}"
_DIGITS = 2
# As the reasons of lights write it into files, with as many digits as tell it from its limit.
_IN_FILES = re.compile(r"\d\.(\d+)e[-+]\d\d")


@dataclass(frozen=True)
class ToldUncertainty:
    """The mean voxel uncertainty of a structure.

    `text` is the number in thousandths, `exact` as in the files. Where the calibration tells what is usual for the structure,
    `word` is "low", "usual" or "high" in a language, `usual` the range in thousandths, and `place` (0..1) a place on a bar whose
    middle third is that range; else they are "", "" and None.
    """

    text: str
    exact: str
    word: str = ""
    usual: str = ""
    place: float | None = None

    def sentence(self, words: Words) -> str:
        """The number, and how it compares, as a part of a sentence."""
        if not self.word:
            return self.text
        form = words.gettext("{value}, {word} for this structure (usual: {usual})")
        return form.format(value=self.text, word=self.word, usual=self.usual)

    def explanation(self, words: Words) -> str:
        """What the number is, exactly, and what is usual, in lines."""
        said = words.gettext("Mean variance over the segment's voxels: {value}").format(value=self.exact)
        if not self.word:
            return said
        usual = words.gettext("Usual for this structure, the middle third of the bar: {usual}").format(usual=self.usual)
        return f"{said}\n{usual}"


def uncertainty_text(value: float, digits: int = _DIGITS) -> str:
    """An uncertainty in thousandths with so many significant digits; a dash for what is no number.

    >>> [uncertainty_text(value).replace(chr(160), " ") for value in (9.32e-4, 1.11e-4, 0.0123, 4e-6, 0.0)]
    ['0.93 ‰', '0.11 ‰', '12 ‰', '0.0040 ‰', '0 ‰']
    """
    if not math.isfinite(value):
        return "–"
    thousandths = 1000 * value
    decimals = 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(abs(thousandths))))
    return f"{thousandths:.{decimals}f}{_UNIT}"


def told_number(text: str) -> str:
    """An uncertainty as the reasons of lights write it, such as 9.00e-04, in thousandths with its digits; else the text itself."""
    found = _IN_FILES.fullmatch(text)
    return text if found is None else uncertainty_text(float(text), 1 + len(found[1]))


def told_uncertainty(words: Words, report: SegmentReport) -> ToldUncertainty | None:
    """The uncertainty of a segment in a language; None where it is not known."""
    value, usual = report.uncertainty, report.usual_uncertainty
    if value is None:
        return None
    exact = f"{value:.2e}"
    if usual is None:
        return ToldUncertainty(uncertainty_text(value), exact)
    low, high = usual
    span = high - low
    place = (value - low) / (3 * span) + 1 / 3 if span > 0 and math.isfinite(value) else 1.0
    form = words.gettext("{low} to {high}")
    return ToldUncertainty(
        uncertainty_text(value),
        exact,
        words.gettext(_LEVELS[uncertainty_level(value, usual)]),
        form.format(low=uncertainty_text(low).removesuffix(_UNIT), high=uncertainty_text(high)),
        min(max(place, 0.0), 1.0),
    )
