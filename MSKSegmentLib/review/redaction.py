"""Text that may be shown to others: without paths, DICOM identifiers, names of people and of this computer.

It removes too much rather than too little: a word of a path is removed wherever else it occurs.
"""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath

PATH, UID, NAME, PRIVATE = "<path>", "<UID>", "<name>", "<private>"

_IMAGE = r"(?:nii\.gz|nii|seg\.nrrd|nrrd|nhdr|mha|mhd|dcm|ima|mrb|mrml|hdr|img|zip|tar\.gz|npz|raw)\b"
_START = r"(?:file://|\\\\|[A-Za-z]:[\\/]|~[\\/]|\.{0,2}/(?=[^\s/]))"
_NO_PATH = r"\s\"'`<>|*?"
# In this order: an address of the web stays, quotes tell where a path with blanks ends, then a known ending does, then the
# first blank; an image's name alone may be a patient's.
_TOKEN = re.compile(
    rf"""(?P<url>https?://[^{_NO_PATH}]+)
    | (?P<quote>["'`])(?P<quoted>(?:{_START})[^"'`\n]*|[^"'`\n]*\.{_IMAGE}|[^"'`\n]*[\\/][^"'`\n]*)(?P=quote)
    | (?<![\w<./\\])(?P<path>{_START}[^\n"'`<>|*?:]*?\.{_IMAGE})
    | (?<![\w<./\\])(?P<open>{_START}[^{_NO_PATH},;()\[\]]*[^{_NO_PATH},;:.()\[\]])
    | (?P<image>[^{_NO_PATH}:;,(){{}}=\[\]]+\.{_IMAGE})
    | (?<![\w.])(?P<uid>[0-2](?:\.\d+){{4,}})(?!\w)
    | (?P<person>[^\W\d_][\w\-]*\^[\w\-^]*)""",
    re.VERBOSE | re.IGNORECASE,
)
_FIELD = re.compile(
    r"(\b(?:patient|institution|accession|study|series|referring ?physician)(?:'s)?[ _]?"
    r"(?:name|id|birth ?date|number|description|address|date)\b\s*[:=]\s*)([^\n;]+)",
    re.IGNORECASE,
)
_CODE = re.compile(r"[\w\-]+\.(?:py|pyd|so|dll|dylib|ui|exe)(?::\d+)?$", re.IGNORECASE)
_ENDING = re.compile(rf"\.{_IMAGE}$", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\\/]+")
# Folder names that identify nobody, and words that the sentences of a log need.
_COMMON = frozenset(
    """file home users user data desktop documents downloads temp local library share volumes private root media windows program
    files slicer python roaming appdata images image scans scan result results output segmentation uncertainty dicom path name
    with from that this sample test tests model models bundle resources label labels measurements""".split()  # noqa: SIM905
)
_SHORTEST = 3


def redacted(text: str, private: Iterable[str | Path] = ()) -> str:
    """The text without file paths and names of images, DICOM UIDs and patient fields, and user, host and folder names.

    `private` are further names to hide, such as the CT's path or the name of its volume. The names of program files stay: they
    tell where an error arose.
    """
    words = {str(entry) for entry in private} | _computer_names()
    for entry in tuple(words):
        words |= _words_of_path(entry)
    text = _FIELD.sub(lambda match: _emptied(match, words), text)
    text = _TOKEN.sub(lambda match: _replacement(match, words), text)
    telling_words = sorted((word for word in words if _tells(word)), key=len, reverse=True)
    if not telling_words:
        return text
    anywhere = "|".join(re.escape(word) for word in telling_words)
    return re.sub(rf"(?<![^\W_])(?:{anywhere})(?![^\W_])", PRIVATE, text, flags=re.IGNORECASE)


def _emptied(match: re.Match[str], words: set[str]) -> str:
    words.update(re.split(r"[\s^,]+", match[2]))
    return f"{match[1]}{PRIVATE}"


def _replacement(match: re.Match[str], words: set[str]) -> str:
    kind = match.lastgroup
    whole = match.group()
    if kind == "url":
        return whole
    if kind == "uid":
        return UID
    if kind == "person":
        words.add(whole)
        words.update(part for part in whole.split("^") if part)
        return NAME
    path = match["quoted"] or whole
    quote = match["quote"] or ""
    if code := _CODE.search(path):
        return f"{quote}{PATH}/{code.group()}{quote}"
    words |= _words_of_path(path)
    ending = _ENDING.search(path)
    return f"{quote}{PATH}{ending.group() if ending else ''}{quote}"


def _words_of_path(path: str) -> set[str]:
    parts = (_ENDING.sub("", part) for part in _SEPARATORS.split(path.removeprefix("file://")))
    return {part for part in parts if part and not part.endswith(":")}


def _tells(word: str) -> bool:
    return len(word) >= _SHORTEST and word.casefold() not in _COMMON and not set("<>") & set(word)


def _computer_names() -> set[str]:
    names = {platform.node(), platform.node().partition(".")[0], PureWindowsPath(Path.home()).name}
    try:
        names.add(getpass.getuser())
    except (KeyError, OSError, ImportError):
        # A container may run under a number without a name.
        names.discard("")
    return names
