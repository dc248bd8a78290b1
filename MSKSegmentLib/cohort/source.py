"""What a cohort consists of: scans found in a folder, or named in a CSV file; refusals are found from headers, without voxels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..ct import FORMATS
from ..ct.reading.dicom.headers import read_slice_headers
from ..ct.reading.dicom.series import Series, describe, group_series
from ..ct.reading.dicom.slice_header import SliceHeader
from ..ct.reading.files import inspect_ct, inspect_series
from ..errors import InputError, shown
from ..output.names import cause, safe_name
from .case_list import HEIGHT_COLUMN, affected_side, height_in_cm, read_case_list
from .found_cases import FoundCase, case_name, with_duplicates, with_header, with_mask

CASE, PATH, SERIES, MASK, LABELS = "case", "path", "series", "mask", "labels"
# Columns of the CSV that the tables of a study have in any case.
KNOWN_FACTS = ("patient", "group", "side_affected", "date")
# Told of every so many folders or lines.
Tell = Callable[[int], None]


def find_cases(
    source: Path, assume_orientation: str | None = None, skip: Path | None = None, tell: Tell | None = None
) -> list[FoundCase]:
    """The cases of a folder or of a CSV file, those that will be refused and repetitions included, in a lasting order.

    Args:
        source: a folder, searched with its subfolders, or a ``.csv`` file.
        assume_orientation: as `read_ct` takes it.
        skip: a folder that is passed over, such as the study's own.
        tell: called with the number of cases found so far.

    Raises:
        InputError: there is no such source, no scan in it, or the CSV file is faulty.
    """
    if source.is_dir():
        found = _in_folder(source, assume_orientation, skip)
    elif source.suffix.lower() == ".csv" and source.is_file():
        found = _in_list(source, assume_orientation)
    elif source.exists():
        raise InputError(
            f"The source {shown(source)!r} is neither a folder nor a .csv file; name a folder of scans or a list of them."
        )
    else:
        raise InputError(f"There is no folder or file {shown(source)!r}; check the path.")
    cases = []
    for case in found:
        cases.append(case)
        if tell is not None:
            tell(len(cases))
    if not cases:
        raise InputError(
            f"No scan was found in {shown(source)!r}; it must hold DICOM folders or files of type {', '.join(FORMATS)}."
        )
    return with_duplicates(cases)


def _in_folder(source: Path, assume_orientation: str | None, skip: Path | None) -> Iterator[FoundCase]:
    """Every image file is a case, and so is every usable CT series; a series may lie in several folders."""
    scattered: dict[str, list[_Part]] = {}
    for root, folders, names in os.walk(source):
        folder = Path(root)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and folder / name != skip)
        visible = sorted(name for name in names if not name.startswith("."))
        images = [name for name in visible if name.lower().endswith(FORMATS)]
        if any(name.lower().startswith("ct.") for name in images):
            # The layout of labelled cases: labels are no scans.
            images = [name for name in images if not name.lower().startswith("labels.")]
        for name in images:
            path = folder / name
            yield _inspected(FoundCase(case_name(str(path.relative_to(source))), str(path.absolute())), assume_orientation)
        taken = set(images)
        headers = [h for name in visible if name not in taken for h in read_slice_headers(folder / name)]
        for part in _parts(folder, headers):
            scattered.setdefault(part.uid or str(folder), []).append(part)
    yield from _series_cases(source, scattered, assume_orientation)


@dataclass(frozen=True)
class _Part:
    """A series as far as it lies in one folder: one header of it for its name, its images as a set, and what it can be used for."""

    folder: Path
    uid: str
    number: str
    case: FoundCase
    beside_usable: bool = False


def _parts(folder: Path, headers: list[SliceHeader]) -> list[_Part]:
    parts = []
    for series in group_series(headers):
        info = describe(series)
        case = FoundCase("", str(folder.absolute()), info.uid or None)
        if info.problem:
            title = f'"{info.description}"' if info.description else info.number or "without number"
            case = replace(case, problem=f"The series {title} cannot be used: {info.problem}; choose a CT scan.")
        else:
            case = _of_series(case, series)
        parts.append(_Part(folder, info.uid, info.number, case))
    usable = any(not part.case.problem for part in parts)
    return [replace(part, beside_usable=usable) for part in parts]


def _of_series(case: FoundCase, series: Series) -> FoundCase:
    try:
        return with_header(case, inspect_series(series))
    except InputError as error:
        return replace(case, problem=str(error))


def _series_cases(source: Path, scattered: dict[str, list[_Part]], assume_orientation: str | None) -> Iterator[FoundCase]:
    chosen: list[_Part] = []
    for found in scattered.values():
        # Localizers and the like beside a scan are no cases.
        parts = [part for part in found if not (part.case.problem and part.beside_usable)]
        whole = [part.case.images for part in parts if not part.case.problem]
        if len(parts) > 1 and parts[0].uid and len(set(whole)) == len(whole):
            # One series in several folders is read from the folder above them.
            above = Path(os.path.commonpath([part.folder for part in parts]))
            case = _inspected(replace(parts[0].case, path=str(above.absolute()), problem=""), assume_orientation)
            chosen.append(replace(parts[0], folder=above, case=case))
        else:
            chosen += parts
    several = [part.folder for part in chosen]
    for part in sorted(chosen, key=lambda part: (str(part.folder), part.number, part.uid)):
        relative = os.path.relpath(part.folder, source)
        name = case_name(source.resolve().name if relative == "." else relative)
        yield replace(part.case, case=f"{name}-series{part.number}" if several.count(part.folder) > 1 else name)


def _inspected(case: FoundCase, assume_orientation: str | None) -> FoundCase:
    try:
        return with_header(case, inspect_ct(case.path, case.series, assume_orientation))
    except InputError as error:
        return replace(case, problem=str(error))
    except OSError as error:
        return replace(case, problem=f"The scan cannot be read ({cause(error)}); allow reading it, or copy it again.")


def _in_list(source: Path, assume_orientation: str | None) -> Iterator[FoundCase]:
    met: dict[str, int] = {}
    for line, row in read_case_list(source, PATH):
        where = f"in line {line} of {source.name}"
        path = Path(os.path.abspath(source.parent / row.pop(PATH)))
        mask, labels = _mask_of(row, source, where)
        name = row.pop(CASE, "") or case_name(path.name)
        if safe_name(name) != name:
            raise InputError(f"The case {name!r} {where} is no name for a folder; use letters, digits, - and _.")
        if name.casefold() in met:
            raise InputError(f"The case {name!r} {where} stands in line {met[name.casefold()]} already; give each its own name.")
        met[name.casefold()] = line
        height, series = row.pop(HEIGHT_COLUMN, ""), row.pop(SERIES, "") or None
        affected_side(row, where)
        case = FoundCase(name, str(path), series, height_in_cm(height, where), row, mask=mask, labels=labels)
        yield with_mask(_inspected(case, assume_orientation))


def _mask_of(row: dict[str, str], source: Path, where: str) -> tuple[str, str]:
    """The segmentation of a line and what its labels are, taken out of it; files are relative to the list."""
    mask, labels = row.pop(MASK, ""), row.pop(LABELS, "")
    if labels and not mask:
        raise InputError(f"Labels are stated {where}, but no segmentation; fill the column {MASK!r}, or leave {LABELS!r} empty.")
    if Path(labels).suffix:
        labels = os.path.abspath(source.parent / labels)
    return mask and os.path.abspath(source.parent / mask), labels
