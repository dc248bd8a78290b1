"""The reasons of a light in the reader's language, and in a few words for the first page.

Results hold reasons as English sentences. Each has one of the forms below, whose placeholders take numbers, or words that are
translated in turn. A reason of no known form, as one of a later version, is told as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ..language.catalogue import Words
from ..language.catalogue import noted as N_
from ..language.forms import SentenceForm
from ..quality.guards import SCAN_CAUTIONS
from .uncertainty import told_number


class ReasonKind(str, Enum):
    """What a reason is about. `GOOD` speaks for the segment, `SCAN` of the scan as a whole."""

    GOOD = "good"
    OVERLAP = "overlap"
    AGREEMENT = "agreement"
    CUT = "cut"
    UNCALIBRATED = "uncalibrated"
    NEAR_METAL = "metal"
    IMPLAUSIBLE = "implausible"
    EDITED = "edited"
    ABSENT = "absent"
    NOT_ASKED = "not_asked"
    PREVIEW = "preview"
    GIVEN = "given"
    SCAN = "scan"
    OTHER = "other"


# What each kind means in a few words; a good segment needs none.
SHORT = {
    ReasonKind.OVERLAP: N_("the predicted overlap with an expert's outline is too low"),
    ReasonKind.AGREEMENT: N_("the network is not sure of it"),
    ReasonKind.CUT: N_("the scan does not show all of it"),
    ReasonKind.UNCALIBRATED: N_("nothing can be predicted of it"),
    ReasonKind.NEAR_METAL: N_("metal is near"),
    ReasonKind.IMPLAUSIBLE: N_("its volume, place or density is not plausible"),
    ReasonKind.EDITED: N_("corrected by hand; the light was that of the automatic version"),
    ReasonKind.ABSENT: N_("not found in this scan"),
    ReasonKind.NOT_ASKED: N_("not in the imported segmentation, or only as a part of a larger structure"),
    ReasonKind.PREVIEW: N_("a preview is not rated"),
    ReasonKind.GIVEN: N_("measured from a given segmentation, whose uncertainty is not known"),
    ReasonKind.SCAN: N_("the scan as a whole is in doubt"),
    ReasonKind.OTHER: N_("see its own part of this report"),
}


@dataclass(frozen=True)
class Form(SentenceForm):
    """The form of a reason, and what kind of reason it is."""

    kind: ReasonKind


def _forms(kind: ReasonKind, *texts: str) -> tuple[Form, ...]:
    return tuple(Form(text, kind) for text in texts)


FORMS = (
    *_forms(
        ReasonKind.GOOD,
        N_("predicted Dice {dice} ({low} to {high}) reaches {limit}, from which on every structure counts as good, although its "
           "calibration alone would ask for {own}"),
        N_("predicted Dice {dice} ({low} to {high}) reaches {limit}, from which on this structure counts as good"),
        N_("uncertainty {value} is within the calibrated range (up to {limit})"),
    ),
    *_forms(
        ReasonKind.OVERLAP,
        N_("predicted Dice {dice} ({low} to {high}) is below {limit}, where this structure counts as failed"),
        N_("predicted Dice {dice} ({low} to {high}) is below {limit}, from which on this structure counts as good"),
        N_("predicted Dice {dice} ({low} to {high}) would be good, but the lower end of its range, {end}, is below {limit}"),
        N_("predicted Dice {dice} ({low} to {high}) does not count as failed, but the calibration found no value from which on "
           "this structure is good"),
        N_("predicted Dice {dice} is below {limit}, where every structure counts as failed"),
        N_("predicted Dice {dice} is below {limit}, where no structure counts as good"),
        N_("uncertainty {value} is above {limit}, where segments were inaccurate"),
        N_("uncertainty {value} is above {limit}, where segments had failed"),
        N_("its uncertainty is not a number"),
    ),
    *_forms(
        ReasonKind.AGREEMENT,
        N_("the network's passes disagree about its outline ({value})"),
        N_("the network's passes disagree in its worst slices ({value})"),
        N_("the network's passes vary inside it ({value})"),
        N_("the network is undecided inside it ({value})"),
        N_("the network is unsure where it ends ({value})"),
        N_("its volume varies between the network's passes ({value})"),
        N_("its mean density varies between the network's passes ({value})"),
        N_("its share of fat varies between passes ({value})"),
        N_("pieces of it were removed ({value})"),
        N_("it disagrees with the network ({value})"),
        N_("it disagrees with the network in some slices ({value})"),
        N_("it disagrees with the network in the slices {slices}"),
        N_("the network's passes agree with it unequally ({value})"),
        N_("it is larger or smaller than the network's ({value})"),
        N_("its border lies inside the network's all around (volume ratio {value})"),
        N_("the network itself is unsure here, so neither agreement nor disagreement with it says much"),
    ),
    *_forms(
        ReasonKind.CUT,
        N_("cut by the field of view ({faces}) and by the edge of the segmentation, which ends inside the CT"),
        N_("cut by the field of view ({faces})"),
        N_("cut by the edge of the segmentation, which ends inside the CT"),
        N_("its part inside the scan is rated {light}"),
        N_("{share} of it lies outside the CT, and only the rest was measured"),
        N_("all of it lies outside the CT, so it was not measured"),
    ),
    *_forms(
        ReasonKind.UNCALIBRATED,
        N_("uncalibrated: {why}"),
        N_("the network ran {passes}, fewer than the {number} that its calibration rests on, so nothing is predicted"),
        N_("the network said nothing of its uncertainty"),
        N_("judged by the limits of all structures, because {why}"),
        N_("judged by its uncertainty alone, because the model's calibration is an old one"),
        N_("cannot judge: uncalibrated, the model has no calibration for masks that others made"),
        N_("cannot judge: the network does not know this structure"),
        N_("cannot judge: the network has this structure in parts, and its calibration does not know the whole"),
    ),
    *_forms(ReasonKind.NEAR_METAL, N_("metal lies within {distance} mm of it"), N_("metal is near ({value})")),
    *_forms(
        ReasonKind.IMPLAUSIBLE,
        N_("its volume is too small for the bone beside it ({number} standard deviations from the usual)"),
        N_("its volume is too large for the bone beside it ({number} standard deviations from the usual)"),
        N_("it does not lie where it should among the bones ({number} standard deviations from the usual)"),
        N_("its surface or its length is unusual for its volume ({number} standard deviations from the usual)"),
        N_("its mean density is low beside that of the other structures ({number} standard deviations from the usual)"),
        N_("its mean density is high beside that of the other structures ({number} standard deviations from the usual)"),
        N_("a part of it may belong to the other side"),
        N_("a piece beside it was labelled as the same muscle"),
        N_("its volume is unusual for the bone beside it ({value})"),
        N_("its place among the bones is unusual ({value})"),
        N_("it has holes ({value})"),
        N_("its outline jumps between slices ({value})"),
        N_("it is missing or jumps in the slices {slices}"),
        N_("its shape is unusual ({value})"),
        N_("its density is unusual ({value})"),
        N_("its volume of {volume} cc is too large for it (at most {limit} cc)"),
        N_("its volume of {volume} cc is too small for all of it"),
        N_("{share} of it lies in air or gas"),
        N_("{share} of it is as dense as bone"),
        N_("its mean of {hu} HU is too low for bone"),
        N_("its mean of {hu} HU without a dense shell is not that of bone"),
        N_("its mean of {hu} HU is too low for muscle"),
        N_("its mean of {hu} HU is too high for muscle"),
        N_("the segmentation as a whole does not fit this CT: {why}"),
        N_("the right one lies to the patient's left of the left one: the sides are exchanged"),
        N_("its place in the body is on the other side: it is not the {side} one"),
        N_("it lies on both sides of the body under the number of the {side} one; labels on the patient's left are its number plus "
           "100"),
        N_("it lies on both sides of the body under the number of the {side} one"),
    ),
    *_forms(
        ReasonKind.EDITED,
        N_("drawn by hand; the automatic version had not found it"),
        N_("edited by hand; the automatic version was {verdict}"),
        N_("erased by hand; the automatic version was {verdict}"),
        N_("taken from another result ({source}), and not judged"),
    ),
    *_forms(
        ReasonKind.ABSENT,
        N_("not found in this scan"),
        N_("not found in this preview"),
        N_("the segmentation lacks it, but the network finds {volume} cc of it in this scan"),
        N_("the other side was found: this one may have been missed"),
        N_("nothing of it was found, but the bones beside it suggest about {volume} cc: probably missed, or not there"),
    ),
    *_forms(
        ReasonKind.NOT_ASKED,
        N_("the imported segmentation does not have this structure"),
        N_("measured as a part of a larger structure, which is one in this segmentation"),
    ),
    *_forms(ReasonKind.PREVIEW, N_("a preview is not rated; run the full segmentation for a light")),
    *_forms(ReasonKind.GIVEN, N_("measured from a given segmentation, whose uncertainty is not known")),
    *_forms(ReasonKind.SCAN, N_("{number} of {all} structures in this scan are predicted to have failed"), *SCAN_CAUTIONS.values()),
)  # fmt: skip

# What placeholders may take beside numbers.
_PARTS = _forms(
    ReasonKind.OTHER,
    N_("the model has no calibration"),
    N_("this run lacks evidence that the calibration needs"),
    N_("too few calibration patients show it"),
    N_("the model's calibration lacks it"),
    N_("none of its calibration segments was inaccurate"),
    N_("only {number} of its calibration segments was inaccurate"),
    N_("only {number} of its calibration segments were inaccurate"),
    N_("the calibration rests on {patients}, {needed} are needed"),
    N_("the calibration cases hold no evidence to learn from"),
    N_("no calibration patient shows it, {needed} are needed"),
    N_("only {number} calibration patient shows it, {needed} are needed"),
    N_("only {number} calibration patients show it, {needed} are needed"),
    N_("no calibration segment was inaccurate, {needed} are needed"),
    N_("only {number} calibration segment was inaccurate, {needed} are needed"),
    N_("only {number} calibration segments were inaccurate, {needed} are needed"),
    N_("its calibration cases do not differ"),
    N_("its uncertainty did not fall with better segmentations in the calibration cases"),
    N_("{number} dropout passes"),
    N_("{number} dropout pass"),
    N_("{number} patients"),
    N_("{number} patient"),
    N_("{number} of its {all} structures are in doubt"),
    N_("{number} of its {all} bones are implausible"),
    N_("{share} of what is as dense as bone in it is called muscle"),
    N_("rated {light}, but likely wrong"),
    N_("rated {light}"),
    N_("not rated, but likely wrong"),
    N_("{value}, usually {usual}"),
    N_("Dice {value}"),
    N_("by {value}"),
    N_("entropy {value}"),
    N_("soft Dice {value}"),
    N_("overlap {value}"),
    N_("{value} mm away"),
    N_("{value} points"),
)
# Single words: lights, sides, limits of the scan.
_WORDS = frozenset(
    (
        N_("good"), N_("inaccurate"), N_("failed"), N_("not rated"), N_("likely wrong"), N_("not confirmed"),
        N_("right"), N_("left"), N_("inferior"),
        N_("superior"), N_("anterior"), N_("posterior"), N_("field of view"), N_("beyond the CT"),
        N_("not found"), N_("probably missed"),
    )
)  # fmt: skip


def as_sentence(words: Words, reason: str) -> str:
    """A reason in the language of the words with a capital and a full stop."""
    text = told_reason(words, reason)
    return words.gettext("{sentence}.").format(sentence=f"{text[:1].upper()}{text[1:]}")


def told_words(words: Words, text: str) -> str:
    """A light or several words with commas between them, such as "not rated, likely wrong"."""
    return _value(words, text)


def told_reason(words: Words, reason: str) -> str:
    """A reason in the language of the words, as a sentence's part without a full stop."""
    return _told(words, reason, FORMS)


def reason_kind(reason: str) -> ReasonKind:
    """What a reason is about."""
    return next((form.kind for form in FORMS if form.values(reason) is not None), ReasonKind.OTHER)


def _told(words: Words, text: str, forms: tuple[Form, ...]) -> str:
    if text in _WORDS:
        return words.gettext(text)
    for form in forms:
        values = form.values(text)
        if values is not None:
            told = words.gettext(form.text).format(**{name: _value(words, value) for name, value in values.items()})
            return told.replace("CT", "MR") if "MR scan" in text and "CT" in form.text else told
    return text


def _value(words: Words, text: str) -> str:
    parts = text.split(", ")
    if all(part in _WORDS for part in parts):
        return words.gettext(", ").join(words.gettext(part) for part in parts)
    return told_number(_told(words, text, _PARTS))
