"""The results in a folder, worst first; what is shown of each is read from its ``result.json`` alone."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...case_result import SUSPECT_WORD, UNCONFIRMED_WORD, Light, ReviewState, is_suspect, is_unconfirmed
from ...errors import InputError, shown
from ...language.catalogue import noted as N_
from ...language.catalogue import stated, tr
from ...language.forms import told
from ...output.filling import recover
from ...output.names import safe_name
from ...results.result_folder import RESULT, RESULT_FORMAT
from ...review.rows import SUSPECT_MARK, UNCONFIRMED_MARK
from ...run_facts import facts_from_json

# A very long list must not take minutes to make.
MOST_RESULTS = 2000
# A result.json holds 43 segments with histograms and a history of edits; nothing of this size is one.
_MOST_BYTES = 64 << 20
_UNREADABLE = stated("The file result.json of this folder cannot be read; segment the CT again or restore the file.")


@dataclass(frozen=True)
class ListedResult:
    """One result in a list. The lights count segments that are found and not accepted yet.

    `name` is its path below the listed folder (``.`` for that folder itself), `title` what to show, `text` the counts in
    words, `problem` a sentence when it cannot be opened.
    """

    name: str
    title: str
    red: int = 0
    yellow: int = 0
    green: int = 0
    grey: int = 0
    suspect: int = 0
    unconfirmed: int = 0
    edited: int = 0
    accepted: int = 0
    date: str = ""
    problem: str = ""

    @property
    def mark(self) -> str:
        """The icon of the worst that is still open (see `review.rows.SegmentRow`)."""
        counts = {
            Light.RED.value: self.red,
            Light.YELLOW.value: self.yellow,
            SUSPECT_MARK: self.suspect,
            UNCONFIRMED_MARK: self.unconfirmed,
            Light.GREEN.value: self.green + self.accepted,
        }
        return next((mark for mark, count in counts.items() if count), Light.GREY.value)

    @property
    def text(self) -> str:
        """The counts in words, for example ``3 failed, 5 inaccurate, 20 accepted``."""
        if self.problem:
            return told(self.problem)
        counts = [
            (self.red, Light.RED.word),
            (self.yellow, Light.YELLOW.word),
            (self.suspect, SUSPECT_WORD),
            (self.unconfirmed, UNCONFIRMED_WORD),
            (self.edited, N_("edited")),
            (self.green, Light.GREEN.word),
            (self.grey, Light.GREY.word),
            (self.accepted, N_("accepted")),
        ]
        told_counts = (tr("{count} {light}").format(count=count, light=tr(word)) for count, word in counts if count)
        return tr(", ").join(told_counts) or tr("nothing found")


def is_result(folder: Path) -> bool:
    """Whether a folder holds a result, whole or not; an exchange of results that a crash interrupted is ended."""
    with contextlib.suppress(InputError):
        recover(folder)
    return (folder / RESULT).is_file()


def list_results(root: Path, order: Sequence[str] = ()) -> tuple[ListedResult, ...]:
    """The results in `root` and directly below it, worst first: most failed, inaccurate, likely wrong, not confirmed and edited.

    With an `order` of names, those alone and in that order. Hidden folders and links that lead out of `root` are passed over.
    """
    listed = {name: _listed(folder, name) for name, folder in _folders(root) if not order or name in order}
    return tuple(listed[name] for name in order if name in listed) if order else tuple(sorted(listed.values(), key=_worst_first))


def find_result(root: Path, name: str) -> Path | None:
    """The folder of a listed result, or None when `root` has no result of that name: nothing outside of it is ever given."""
    return next((folder for listed, folder in _folders(root) if listed == name), None)


def claim_folder(root: Path, name: str) -> Path:
    """Make an empty folder below `root`, named after `name` as closely as file systems allow; never one that is there.

    Raises:
        InputError: nothing can be written there.
    """
    base = safe_name(name)
    writable_folder(root)
    for number in itertools.count(1):
        folder = root / (base if number == 1 else f"{base}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("counting has no end")


def writable_folder(folder: Path) -> Path:
    """The folder, made if need be.

    Raises:
        InputError: it cannot be made, or nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"The folder {shown(folder)!r} cannot be made; choose another place with --results.") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"Nothing can be written to the folder {shown(folder)!r}; choose another place with --results.")
    return folder


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """(name, folder) of what looks like a result."""
    if is_result(root):
        yield ".", root
    inside = root.resolve()
    try:
        below = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except OSError:
        return
    found = 0
    for path in below:
        if path.is_dir() and is_result(path) and path.resolve().parent == inside:
            yield path.name, path
            found += 1
            if found >= MOST_RESULTS:
                return


def _listed(folder: Path, name: str) -> ListedResult:
    title = folder.resolve().name if name == "." else name
    try:
        path = folder / RESULT
        if path.stat().st_size > _MOST_BYTES:
            return ListedResult(name, title, problem=_UNREADABLE)
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != RESULT_FORMAT:
            return ListedResult(name, title, problem=_UNREADABLE)
        date = (facts_from_json(data["provenance"]).date or "")[:10]
        return replace(ListedResult(name, title, date=date), **_counts(data["segments"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ListedResult(name, title, problem=_UNREADABLE)


def _counts(segments: list[dict[str, Any]]) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    for segment in segments:
        state = ReviewState(segment["state"])
        if segment["measurements"] is None and state is ReviewState.AUTOMATIC:
            continue
        if state is ReviewState.ACCEPTED:
            counts["accepted"] += 1
        elif state is ReviewState.EDITED:
            counts["edited"] += 1
        else:
            light, part = Light(segment["light"]), segment.get("part_light")
            probability, scores = segment.get("failure_probability"), segment.get("scores") or {}
            suspect = is_suspect(light, probability, None if part is None else Light(part))
            unconfirmed = is_unconfirmed(light, probability, scores.get("agreement"))
            counts["suspect" if suspect else "unconfirmed" if unconfirmed else light.value] += 1
    return dict(counts)


def _worst_first(result: ListedResult) -> tuple[bool, int, int, int, int, int, str]:
    counts = (-result.red, -result.yellow, -result.suspect, -result.unconfirmed, -result.edited)
    return (bool(result.problem), *counts, result.title.casefold())
