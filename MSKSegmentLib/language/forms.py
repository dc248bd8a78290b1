"""Sentences that the program put together, told in another language: each is known by its form, whose placeholders hold values.

Errors and findings reach a front end as English sentences, often from another process or from a file. `Tools/words.py` takes the
form of each from the place in the source where it is raised; here the sentence is matched with these forms, so that none is written
twice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property

from .catalogue import ENGLISH, catalogue_of, sentences_of, spoken

_PLACEHOLDER = re.compile(r"{(\w+)}")
# Placeholders that only ever hold words of the program; what others hold may be a name of the user's, which stays as it is.
_OWN_WORDS = ("message",)


@dataclass(frozen=True)
class SentenceForm:
    """A sentence, or a part of one, with placeholders in braces."""

    text: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the sentences of this form look like; of MR they say so where those of CT say CT."""
        parts = _PLACEHOLDER.split(self.text)
        form = "".join(f"(?P<v_{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
        return re.compile(re.sub(r"\bCT\b", "(?:CT|MR scan)", form), re.DOTALL)

    @property
    def fixed_letters(self) -> int:
        """How many characters are not placeholders: of two forms that match, the one with more of them says more."""
        return len(_PLACEHOLDER.sub("", self.text))

    def values(self, sentence: str) -> dict[str, str] | None:
        """What the placeholders hold in a sentence; None for one of another form."""
        found = self.pattern.fullmatch(sentence)
        return None if found is None else {name.removeprefix("v_"): value for name, value in found.groupdict().items()}


def told(sentence: str, language: str | None = None) -> str:
    """An error or a finding in a language, that of the front end unless one is named; several lines are told one by one.

    What has no form in the catalogue, as a sentence of another version, stays as it is.
    """
    language = language or spoken()
    if language == ENGLISH or not sentence:
        return sentence
    plain = catalogue_of(language).gettext(sentence)
    if plain != sentence:
        return plain
    whole = _told(sentence, language)
    return whole if whole is not None else "\n".join(_told(line, language) or line for line in sentence.split("\n"))


def _told(sentence: str, language: str) -> str | None:
    for form, translation in _forms(language):
        values = form.values(sentence)
        if values is not None:
            parts = {name: _told_value(name, value, language) for name, value in values.items()}
            text = translation.format(**parts)
            return text.replace("CT", "MR") if "MR scan" in sentence and "CT" in form.text else text
    return None


def _told_value(name: str, value: str, language: str) -> str:
    return told(value, language) if name in _OWN_WORDS else _told(value, language) or value


@cache
def _forms(language: str) -> tuple[tuple[SentenceForm, str], ...]:
    """The forms with their translations, those with most fixed words first. A form of placeholders alone would match anything."""
    forms = [(SentenceForm(key), text) for key, text in sentences_of(language)]
    return tuple(sorted((one for one in forms if one[0].fixed_letters > 1), key=lambda one: -one[0].fixed_letters))
