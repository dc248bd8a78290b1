"""One gettext catalogue per language, the English text of the program being the key of each entry.

A report is written in the language that it is given. A front end (the Slicer module, the browser page) has one language at a time:
`speak` chooses it, `tr` looks words up in it. Everything else of a process stays English: results, tables in files, logs.
"""

from __future__ import annotations

import gettext
import struct
from functools import cache
from pathlib import Path

from ..errors import InputError

DOMAIN = "mskseg"
FOLDER = Path(__file__).resolve().parent / "locale"
ENGLISH = "en"
# What languages call themselves, for whoever chooses one.
OWN_NAMES = {"en": "English", "ja": "日本語"}
# Entries of whole sentences with placeholders, which `forms` tells; gettext parts context and text by this character.
SENTENCE, _CONTEXT_END = "sentence", "\x04"
_MO_MAGIC = 0x950412DE

Words = gettext.NullTranslations

_front_end: list[tuple[str, Words]] = [(ENGLISH, gettext.NullTranslations())]


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


def nearest_language(wanted: str) -> str:
    """The language of a locale's name, such as "ja" for "ja_JP" or "ja-JP"; English where there is no catalogue for it."""
    code = wanted.replace("-", "_").partition("_")[0].lower()
    return code if code in languages() else ENGLISH


def speak(language: str) -> None:
    """Choose the language of this process's front end.

    Raises:
        InputError: there is no catalogue for it.
    """
    _front_end[0] = (language, catalogue_of(language))


def spoken() -> str:
    """The code of the front end's language."""
    return _front_end[0][0]


def spoken_words() -> Words:
    """The catalogue of the front end's language."""
    return _front_end[0][1]


def tr(text: str) -> str:
    """The text in the front end's language; marks it for `Tools/words.py`, too."""
    return spoken_words().gettext(text) if text else ""


def noted(text: str) -> str:
    """The text itself; marks one that is translated where it is used, so that `Tools/words.py` finds it."""
    return text


def stated(sentence: str) -> str:
    """The sentence itself; marks one whose form belongs to the catalogue although no error is raised with it on the spot."""
    return sentence


@cache
def sentences_of(language: str) -> tuple[tuple[str, str], ...]:
    """The whole sentences of a catalogue, with placeholders, and their translations."""
    if language not in languages():
        return ()
    data = (FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.mo").read_bytes()
    order = "<" if struct.unpack_from("<I", data)[0] == _MO_MAGIC else ">"
    count, keys, texts = struct.unpack_from(f"{order}3I", data, 8)
    entries = []
    for number in range(count):
        key, text = (_text_at(data, order, table + 8 * number) for table in (keys, texts))
        context, end, sentence = key.partition(_CONTEXT_END)
        if end and context == SENTENCE and text:
            entries.append((sentence, text))
    return tuple(entries)


def _text_at(data: bytes, order: str, place: int) -> str:
    length, start = struct.unpack_from(f"{order}2I", data, place)
    return data[start : start + length].decode("utf-8")


def _unknown(language: str) -> Words:
    raise InputError(f"There is no catalogue of the language {language!r}; choose {' or '.join(languages())}.")
