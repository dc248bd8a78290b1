"""DICOM folders: which series they hold and which of them is the CT to read."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError

FEWEST_SLICES = 8
# A wrong folder (a home folder, a whole archive) should end in a sentence, not in minutes of reading.
MOST_FILES = 20_000

_TAGS = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality", "ImageType",
    "Rows", "Columns", "SamplesPerPixel", "NumberOfFrames", "PixelSpacing", "ImageOrientationPatient",
    "ImagePositionPatient", "PatientSize", "GantryDetectorTilt",
)  # fmt: skip


@dataclass(frozen=True)
class SliceHeader:
    """What is needed of one DICOM image's header. Vectors are in DICOM's order: `pixel_spacing` is (row, column) mm."""

    path: Path
    syntax: str
    instance_uid: str
    series_uid: str
    series_number: str
    description: str
    modality: str
    localizer: bool
    rows: int
    columns: int
    samples: int
    frames: int
    pixel_spacing: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    height: float | None
    gantry_tilt: float


@dataclass(frozen=True)
class SeriesInfo:
    """One image series of a folder. `spacing` is (x, y, slice interval) in mm, None when the headers do not give it."""

    number: str
    uid: str
    description: str
    modality: str
    slices: int
    spacing: tuple[float, float, float] | None
    problem: str | None

    @property
    def usable(self) -> bool:
        """Whether it can be read as a CT; `problem` says why not."""
        return self.problem is None

    @property
    def title(self) -> str:
        """The series in words, for lists in messages."""
        name = f'{self.number or "without number"} "{self.description}"' if self.description else self.number
        spacing = (
            ""
            if self.spacing is None
            else f" of {self.spacing[0]:.2f} x {self.spacing[1]:.2f} x {self.spacing[2]:.2f} mm"
        )
        return f"{name} ({self.modality or 'unknown modality'}, {self.slices} slices{spacing})"


def list_series(folder: str | Path) -> tuple[SeriesInfo, ...]:
    """All image series of a DICOM folder and its subfolders, ordered by number.

    Raises:
        InputError: the folder is missing or holds more files than a scan does.
    """
    return tuple(describe(headers) for headers in group_series(scan_headers(Path(folder))))


def choose_series(headers: list[SliceHeader], folder: str, wanted: str | None) -> list[SliceHeader]:
    """The headers of the CT series to read: the `wanted` one (number or UID), or the only usable one.

    Localizers, other modalities, colour images and series of fewer than 8 slices do not count.

    Raises:
        InputError: there is none, several without a choice, or the wanted one is absent, ambiguous or not usable.
    """
    groups = group_series(headers)
    infos = [describe(group) for group in groups]
    if not groups:
        raise InputError(f"The folder {folder} holds no DICOM images; choose the folder of the CT series.")
    if wanted is not None:
        key = wanted.strip()
        matching = [i for i, info in enumerate(infos) if key in (info.number, info.uid)]
        if not matching:
            raise InputError(f"There is no series {_clean(key)} here; the series are {_list(infos)}.")
        # A number may be given twice, for example to a scan and its localizer.
        candidates = [i for i in matching if infos[i].usable] or matching[:1]
    else:
        candidates = [i for i, info in enumerate(infos) if info.usable]
        if not candidates:
            problems = Counter(info.problem for info in infos if info.problem)
            problem = problems.most_common(1)[0][0] if len(infos) == 1 else "; ".join(sorted(problems)[:4])
            raise InputError(f"The folder {folder} holds no CT series that can be used: {problem}; choose a CT scan.")
    if len(candidates) > 1:
        same_number = len({infos[i].number for i in candidates}) < len(candidates)
        listed = _list([infos[i] for i in candidates], with_uid=same_number)
        how = "its UID" if same_number else "its number"
        raise InputError(
            f"The folder holds {len(candidates)} CT series; choose one by {how} with the option --series: {listed}."
        )
    info = infos[candidates[0]]
    if not info.usable:
        raise InputError(
            f"The series {_clean(info.number or info.uid)} cannot be used: {info.problem}; choose a CT series."
        )
    return _images(groups[candidates[0]])


def scan_headers(folder: Path) -> list[SliceHeader]:
    """The headers of all DICOM images in a folder and its subfolders; other files are passed over.

    Raises:
        InputError: the folder is missing or holds more files than a scan does.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder.name}; check the path.")
    paths: list[Path] = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        paths.extend(Path(root, name) for name in sorted(files))
        if len(paths) > MOST_FILES:
            raise InputError(
                f"The folder {folder.name} holds more than {MOST_FILES} files; choose the folder of the one scan."
            )
    headers = (read_header(path) for path in paths)
    return [header for header in headers if header is not None]


def read_header(path: Path) -> SliceHeader | None:
    """The header of one DICOM image, or None when the file is not one."""
    import pydicom

    try:
        with path.open("rb") as stream:
            start = stream.read(132)
        # Files without preamble begin with a low group number at once.
        if start[128:] != b"DICM" and start[:4] not in (b"\x08\x00\x05\x00", b"\x08\x00\x00\x00", b"\x08\x00\x08\x00"):
            return None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
            return _header(path, data)
    # A damaged header may raise nearly anything while it is parsed; the file is then no readable image.
    except Exception:
        return None


def _header(path: Path, data: Any) -> SliceHeader | None:
    rows, columns = _value(data, "Rows", int), _value(data, "Columns", int)
    if not rows or not columns:
        return None
    image_type = _value(data, "ImageType", lambda value: [str(part).upper() for part in value]) or []
    meta = getattr(data, "file_meta", None)
    syntax = getattr(meta, "TransferSyntaxUID", None)
    return SliceHeader(
        path=path,
        syntax="" if syntax is None else str(syntax.name),
        instance_uid=_value(data, "SOPInstanceUID", str) or path.name,
        series_uid=_value(data, "SeriesInstanceUID", str) or "",
        series_number=_value(data, "SeriesNumber", lambda value: str(int(value))) or "",
        description=_clean(_value(data, "SeriesDescription", str) or ""),
        modality=_clean(_value(data, "Modality", str) or ""),
        localizer="LOCALIZER" in image_type,
        rows=rows,
        columns=columns,
        samples=_value(data, "SamplesPerPixel", int) or 1,
        frames=_value(data, "NumberOfFrames", int) or 1,
        pixel_spacing=_numbers(data, "PixelSpacing", 2),
        orientation=_numbers(data, "ImageOrientationPatient", 6),
        position=_numbers(data, "ImagePositionPatient", 3),
        height=_value(data, "PatientSize", float),
        gantry_tilt=_value(data, "GantryDetectorTilt", float) or 0.0,
    )


def _value(data: Any, name: str, convert: Callable[[Any], Any]) -> Any:
    """A converted element, or None where it is absent, empty or malformed."""
    try:
        value = getattr(data, name, None)
        return None if value is None or value == "" else convert(value)
    except Exception:
        return None


def _numbers(data: Any, name: str, count: int) -> tuple[float, ...] | None:
    values = _value(data, name, lambda value: tuple(float(part) for part in value))
    return values if values is not None and len(values) == count else None


def _clean(text: str) -> str:
    """One short line without control characters or quotes."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).replace('"', "'").split())[:60].rstrip(" .")


def group_series(headers: list[SliceHeader]) -> list[list[SliceHeader]]:
    """The headers by series UID, ordered by series number."""
    groups: dict[str, list[SliceHeader]] = {}
    for header in headers:
        groups.setdefault(header.series_uid, []).append(header)
    return sorted(groups.values(), key=lambda g: (int(g[0].series_number or 0), g[0].series_uid))


def _images(group: list[SliceHeader]) -> list[SliceHeader]:
    """The slices proper: some scanners file the localizer or a dose page under the same series."""
    return [h for h in group if not h.localizer and h.samples == 1] or group


def describe(group: list[SliceHeader]) -> SeriesInfo:
    """What is known of one series from its headers."""
    images = _images(group)
    first = images[0]
    spacing = None
    if first.pixel_spacing is not None and len(images) > 1 and all(h.position for h in (images[0], images[-1])):
        spacing = (first.pixel_spacing[1], first.pixel_spacing[0], _median_interval(images))
    slices = sum(h.frames for h in images)
    return SeriesInfo(
        first.series_number, first.series_uid, first.description, first.modality, slices, spacing, _problem(images)
    )


def _median_interval(images: list[SliceHeader]) -> float:
    """Half of all neighbouring slices lie nearer, measured along the axis on which the positions spread most."""
    positions = [h.position for h in images if h.position is not None]
    axis = max(range(3), key=lambda a: max(p[a] for p in positions) - min(p[a] for p in positions))
    levels = sorted(p[axis] for p in positions)
    gaps = sorted(b - a for a, b in zip(levels, levels[1:], strict=False))
    return gaps[len(gaps) // 2]


def _problem(images: list[SliceHeader]) -> str | None:
    first = images[0]
    if first.modality != "CT":
        return f"it is {first.modality} and not CT" if first.modality else "its headers do not say that it is CT"
    if first.localizer:
        return "it is only a localizer (scout view)"
    if first.samples != 1:
        return "it holds colour pictures"
    if any(h.frames > 1 for h in images):
        return "it is a multi-frame DICOM file, which has to be converted to NIfTI or to single slices first"
    if len(images) < FEWEST_SLICES:
        return (
            f"it has only {len(images)} slice{'s' if len(images) > 1 else ''} where at least {FEWEST_SLICES} are needed"
        )
    return None


def _list(infos: list[SeriesInfo], with_uid: bool = False) -> str:
    shown = [f"{info.title} UID {info.uid}" if with_uid else info.title for info in infos[:12]]
    return ", ".join(shown) + (f" and {len(infos) - 12} more" if len(infos) > 12 else "")
