"""A case of a cohort as it was found: where its scan lies, what its headers say, and why it is refused if it is."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..ct import FORMATS
from ..ct.reading.dicom.headers import open_dataset
from ..ct.reading.dicom.values import number_of, text_of
from ..ct.reading.files import ScanHeader
from ..output.digests import sha256_of_file
from ..output.names import cause, safe_name

_SCANNER_TAGS = ("Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "KVP")
_PLAIN = re.compile(r"[\w-][\w.-]*")


@dataclass(frozen=True)
class FoundCase:
    """One case. `case` is its name and that of its folder; `facts` are further columns of the list that named it.

    `size` and `spacing` (mm) are ``(x, y, z)`` of the scan's grid, None where it is refused. `images` tells the same images under
    two paths: a digest of the UIDs of a DICOM series, or the size of an image file. `stamp` changes with the scan's files.
    `problem` is the sentence with which it is refused, `same_as` the case whose images it repeats. `mask` is a segmentation of
    another program, which is imported and judged in place of a run; `labels` says what its labels are, empty where they tell.
    """

    case: str
    path: str
    series: str | None = None
    height_cm: float | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int, int] | None = None
    spacing: tuple[float, float, float] | None = None
    scanner: str = ""
    images: str = ""
    stamp: str = ""
    problem: str = ""
    same_as: str = ""
    mask: str = ""
    labels: str = ""

    @property
    def signature(self) -> str:
        """Changes when the case has to be run again."""
        # A case without a mask keeps the signature that it had before there were any.
        masked = (self.mask, self.labels) if self.mask else ()
        return hashlib.sha256(repr((self.path, self.series, self.height_cm, self.stamp, *masked)).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; `found_case_from_json` reads it."""
        return asdict(self)


def found_case_from_json(data: Mapping[str, Any]) -> FoundCase:
    """What `FoundCase.to_json` made."""
    size, spacing = data["size"], data["spacing"]
    return FoundCase(**{**data, "size": size and tuple(size), "spacing": spacing and tuple(spacing)})


def with_header(case: FoundCase, header: ScanHeader) -> FoundCase:
    """The case with what the headers of its scan say."""
    first = header.files[0]
    if header.instances:
        images = "dicom " + hashlib.sha256("\n".join(sorted(header.instances)).encode()).hexdigest()
        scanner, stamp = _scanner(first), images
    else:
        facts = first.stat()
        images, scanner, stamp = f"file {facts.st_size}", "", f"{facts.st_size} {facts.st_mtime_ns}"
    return replace(case, size=header.geometry.size, spacing=header.geometry.spacing, images=images, scanner=scanner, stamp=stamp)


def with_mask(case: FoundCase) -> FoundCase:
    """The case with the state of its segmentation, file or folder; refused where there is none. Without one it stays as it is."""
    if not case.mask or case.problem:
        return case
    mask = Path(case.mask)
    table = Path(case.labels) if case.labels.lower().endswith((".csv", ".tsv", ".txt")) else None
    try:
        files = sorted(path for path in mask.iterdir() if path.is_file()) if mask.is_dir() else [mask]
        facts = [path.stat() for path in (*files, *((table,) if table else ()))]
    except OSError as error:
        problem = f"The segmentation or its table of labels cannot be read ({cause(error)}); check the columns mask and labels."
        return replace(case, problem=problem)
    stamp = hashlib.sha256(repr([(one.st_size, one.st_mtime_ns) for one in facts]).encode()).hexdigest()[:16]
    return replace(case, stamp=f"{case.stamp} {stamp}")


def case_name(relative: str) -> str:
    """A name for a scan from its path below the source, without its ending; different paths have different names."""
    parts = Path(relative).parts
    ending = next((e for e in sorted(FORMATS, key=len, reverse=True) if parts and parts[-1].lower().endswith(e)), "")
    stem = parts[-1][: -len(ending)] if ending else parts[-1] if parts else ""
    # A file called ct in a folder of its own is known by the folder.
    kept = parts[:-1] if ending and stem == "ct" and len(parts) > 1 else (*parts[:-1], stem)
    name = "__".join(kept)
    short = safe_name(name)
    if short == name and all(_PLAIN.fullmatch(part) and "__" not in part for part in kept):
        return name
    return f"{short}-{hashlib.sha256(relative.encode(errors='surrogateescape')).hexdigest()[:6]}"


def with_duplicates(cases: Iterable[FoundCase]) -> list[FoundCase]:
    """The cases, of which those that repeat the images of an earlier one say so. Only files of one size are read through."""
    cases = list(cases)
    sizes: dict[str, int] = {}
    for case in cases:
        if not case.problem:
            sizes[case.images] = sizes.get(case.images, 0) + 1
    first: dict[str, str] = {}
    found = []
    for case in cases:
        if case.problem:
            found.append(case)
            continue
        images = case.images
        if images.startswith("file") and sizes[images] > 1:
            images = _digest(Path(case.path))
        # Segmentations of one scan by several programs are cases of their own.
        earlier = first.setdefault(f"{images} {case.mask}", case.case)
        found.append(case if earlier == case.case else replace(case, same_as=earlier))
    return found


def _scanner(path: Path) -> str:
    """Manufacturer, model, kernel and tube voltage as a DICOM file states them; nothing that could name a patient."""
    try:
        data = open_dataset(path, _SCANNER_TAGS)
        words = [text_of(data, name) for name in _SCANNER_TAGS[:3]]
        kilovolts = number_of(data, "KVP")
    # A damaged header may raise nearly anything; the scanner is then not known.
    except Exception:
        return ""
    return " ".join([word for word in words if word] + ([f"{kilovolts:g} kV"] if kilovolts else []))


def _digest(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError:
        # It is no repetition as far as anybody can tell, and its run will say what is wrong with it.
        return str(path)
