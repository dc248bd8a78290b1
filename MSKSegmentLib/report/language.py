"""The words of a report: one gettext catalogue per language, the English text of the program being the key of each entry."""

from __future__ import annotations

import gettext
from pathlib import Path

from ..errors import InputError

DOMAIN = "report"
FOLDER = Path(__file__).resolve().parent / "locale"
ENGLISH = "en"

Words = gettext.NullTranslations


def languages() -> tuple[str, ...]:
    """The codes of the languages that there is a catalogue for, such as "en" and "ja"."""
    return tuple(sorted(path.parents[1].name for path in FOLDER.glob(f"*/LC_MESSAGES/{DOMAIN}.mo")))


def catalogue_of(language: str) -> Words:
    """The catalogue of a language; what it lacks stays English.

    Raises:
        InputError: there is none.
    """
    try:
        return gettext.translation(DOMAIN, FOLDER, [language]) if language in languages() else _unknown(language)
    except (OSError, ValueError) as error:
        raise InputError(f"The words of the language {language!r} cannot be read; install MSKSegment again.") from error


def _unknown(language: str) -> Words:
    raise InputError(f"There is no report in the language {language!r}; choose {' or '.join(languages())}.")


def noted(text: str) -> str:
    """The text itself; marks one that is translated where it is used, so that `Tools/report_words.py` finds it."""
    return text
