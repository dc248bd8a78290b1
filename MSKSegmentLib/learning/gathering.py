"""Reviewed results found in folders: whose they are, what is known in them, and what is missing."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..anatomy.built_in import HIP_AND_THIGH
from ..errors import InputError, MSKSegmentError, shown
from ..language.catalogue import stated
from ..results.result_folder import RESULT
from ..review.source_ct import find_ct
from .corrections import KnownKind, ReviewedResult, read_reviewed


@dataclass(frozen=True)
class Gathered:
    """Reviewed results of one patient each (several may be of the same), and what was left out with the reason.

    `patients` maps the folder of a result to a name such as ``p01``: no name of a person, and none of a folder.
    """

    results: tuple[ReviewedResult, ...]
    patients: Mapping[Path, str]
    left_out: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The patients, each once."""
        return tuple(sorted(set(self.patients.values())))

    @property
    def corrected(self) -> tuple[str, ...]:
        """The patients in whom something was changed."""
        return tuple(sorted({self.patients[one.folder] for one in self.results if one.is_corrected}))


def gather(reviews: Sequence[Path], patients: Path | None = None, checkpoint: Callable[[], None] = lambda: None) -> Gathered:
    """Read the results in `reviews`, each a result folder or a folder of them.

    Two results are of one patient where they are of the same CT or of the same DICOM study, or where the CSV file `patients`
    (columns ``result``, the folder's name, and ``patient``) says so.

    Raises:
        InputError: a folder holds no result, two results have one name in `patients`, or nothing was reviewed at all.
    """
    given = {} if patients is None else _given_patients(patients)
    results: list[ReviewedResult] = []
    left_out = []
    for folder in result_folders(reviews):
        checkpoint()
        try:
            one = read_reviewed(folder)
            if one.corrections:
                find_ct(folder, None)
        except MSKSegmentError as error:
            left_out.append(str(error))
            continue
        if one.corrections:
            results.append(one)
        else:
            left_out.append(f"In the result {shown(folder)!r} nothing is corrected or accepted yet.")
    if not results:
        raise InputError(
            "None of the results holds a correction to learn from; review them first with 'mskseg review', and name folders that "
            f"hold them. {' '.join(left_out[:3])}".rstrip()
        )
    return Gathered(tuple(results), _patients(results, given), tuple(left_out))


def known_table(gathered: Gathered) -> list[tuple[str, dict[KnownKind, int], int]]:
    """For each structure of hip and thigh: its abbreviation, the patients by `KnownKind`, and the patients with any of them."""
    rows = []
    for structure in HIP_AND_THIGH.structures:
        keys = {segment.key for segment in HIP_AND_THIGH.segments if segment.structure == structure}
        by_kind: dict[KnownKind, set[str]] = {kind: set() for kind in KnownKind}
        for one in gathered.results:
            for key, correction in one.corrections.items():
                if key in keys:
                    by_kind[correction.kind].add(gathered.patients[one.folder])
        anyone = set().union(*by_kind.values())
        rows.append((structure.abbreviation, {kind: len(who) for kind, who in by_kind.items()}, len(anyone)))
    return rows


def known_lines(gathered: Gathered) -> list[str]:
    """What is there and what is missing, as lines for people."""
    head = ["structure", *(kind.value for kind in KnownKind), "patients"]
    lines = ["  ".join(head)]
    for name, counts, patients in known_table(gathered):
        cells = [name, *(str(counts[kind]) for kind in KnownKind), str(patients)]
        lines.append("  ".join(cell.ljust(len(title)) for cell, title in zip(cells, head, strict=True)).rstrip())
    return [*lines, *known_sentences(gathered)]


def known_sentences(gathered: Gathered) -> list[str]:
    """What is there on the whole, which structures nobody has, and what was left out and why."""
    corrected = len(gathered.corrected)
    said = [stated(f"{len(gathered.results)} reviewed results of {len(gathered.names)} patients, {corrected} of them corrected.")]
    missing = ", ".join(name for name, _, patients in known_table(gathered) if not patients)
    if missing:
        said.append(stated(f"Known in nobody: {missing}."))
    return [*said, *gathered.left_out]


def result_folders(reviews: Sequence[Path]) -> list[Path]:
    """The result folders named, or directly in the folders named, each once.

    Raises:
        InputError: a folder is missing or holds none.
    """
    found: dict[Path, Path] = {}
    for place in reviews:
        if not place.is_dir():
            raise InputError(f"There is no folder {shown(place)!r}; name result folders, or folders that hold them.")
        below = [place] if (place / RESULT).is_file() else sorted(path.parent for path in place.glob(f"*/{RESULT}"))
        if not below:
            raise InputError(f"The folder {shown(place)!r} holds no result; name result folders, or folders that hold them.")
        found.update((folder.resolve(), folder) for folder in below)
    return list(found.values())


def _patients(results: Iterable[ReviewedResult], given: Mapping[str, str]) -> dict[Path, str]:
    """Results that share a scan, a study or a stated patient get one name; names follow the order of the results."""
    groups: list[tuple[set[str], list[Path]]] = []
    for one in results:
        marks = {
            mark
            for mark in (
                one.digest and f"scan {one.digest}",
                one.study and f"study {one.study}",
                one.folder.name in given and f"patient {given[one.folder.name]}",
            )
            if mark
        }
        folders = [one.folder]
        for group in [group for group in groups if group[0] & marks]:
            groups.remove(group)
            marks |= group[0]
            folders = group[1] + folders
        groups.append((marks, folders))
    digits = max(2, len(str(len(groups))))
    return {folder: f"p{number:0{digits}d}" for number, (_, folders) in enumerate(groups, 1) for folder in folders}


def _given_patients(path: Path) -> dict[str, str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        found = {row["result"]: row["patient"] for row in rows}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise InputError(f"The file {shown(path)!r} must be a CSV table with the columns result and patient.") from error
    if len(found) < len(rows):
        raise InputError(f"The file {shown(path)!r} names a result twice; name each once.")
    return found
