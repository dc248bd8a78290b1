"""The series of a DICOM folder, and the choice of the scan to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from ....errors import InputError
from ....findings import Finding, warning
from ...modality import CT_MODALITY, MR_MODALITY
from .archives import as_folder
from .foreign import LeftOut, completed_findings, is_scout, left_out_findings, without_foreign
from .headers import scan_headers
from .slice_header import SliceHeader
from .values import clean

FEWEST_SLICES = 8
_A_SCAN = {CT_MODALITY: "a CT scan", MR_MODALITY: "an MR scan"}
_A_SERIES = {CT_MODALITY: "a CT series", MR_MODALITY: "an MR series"}


@dataclass(frozen=True)
class Series:
    """The files of one series: its slices, the images that were left out, and findings on what was repaired."""

    slices: tuple[SliceHeader, ...]
    left_out: tuple[LeftOut, ...]
    findings: tuple[Finding, ...]
    uids: frozenset[str]


@dataclass(frozen=True)
class SeriesInfo:
    """One image series. `spacing` is (x, y, slice interval), `thickness` that of a slice; in mm, None where unknown."""

    number: str
    uid: str
    description: str
    modality: str
    slices: int
    spacing: tuple[float, float, float] | None
    problem: str | None
    thickness: float | None = None

    @property
    def usable(self) -> bool:
        """Whether it can be read as a scan of the requested modality; `problem` says why not."""
        return self.problem is None

    @property
    def title(self) -> str:
        """The series in words, for lists in messages."""
        name = f'{self.number or "without number"} "{self.description}"' if self.description else self.number
        spacing = "" if self.spacing is None else f" of {self.spacing[0]:.2f} x {self.spacing[1]:.2f} x {self.spacing[2]:.2f} mm"
        thick = "" if self.thickness is None else f", {self.thickness:.2f} mm thick"
        return f"{name} ({self.modality or 'unknown modality'}, {self.slices} slices{spacing}{thick})"


def list_series(folder: str | Path, modality: str = CT_MODALITY) -> tuple[SeriesInfo, ...]:
    """All image series of a DICOM folder with its subfolders, or of a zip of one, by number; only those of `modality` are usable.

    Raises:
        InputError: the folder is missing, cannot be unpacked, or holds more files than a scan does.
    """
    with as_folder(Path(folder)) as place:
        return tuple(describe(series, modality) for series in group_series(scan_headers(place)))


def choose_series(headers: list[SliceHeader], place: str, wanted: str | None, modality: str = CT_MODALITY) -> Series:
    """The series of a modality, "CT" or "MR", to read: the `wanted` one (number or UID), or the only usable one.

    `place` names the source of the headers in messages, as in "folder scan" or "zip scan.zip".
    Localizers, other modalities, colour images and series of fewer than 8 slices do not count.

    Raises:
        InputError: there is none, there are several and none is `wanted`, or the wanted one is absent, ambiguous or not usable.
    """
    groups = group_series(headers)
    infos = [describe(group, modality) for group in groups]
    if not groups:
        raise InputError(f"The {place} holds no DICOM images; choose the folder of the {modality} series.")
    if wanted is not None:
        key = wanted.strip()
        matching = [i for i, info in enumerate(infos) if key == info.number or key in groups[i].uids]
        if not matching:
            raise InputError(f"There is no series {clean(key)} here; the series are {_list(infos)}.")
        # Two series may share a number, for example a scan and its localizer.
        candidates = [i for i in matching if infos[i].usable] or matching[:1]
    else:
        candidates = [i for i, info in enumerate(infos) if info.usable]
        if not candidates:
            problems = Counter(info.problem for info in infos if info.problem)
            problem = problems.most_common(1)[0][0] if len(infos) == 1 else "; ".join(sorted(problems)[:4])
            raise InputError(f"The {place} holds no {modality} series that can be used: {problem}; choose {_A_SCAN[modality]}.")
    if len(candidates) > 1:
        same_number = len({infos[i].number for i in candidates}) < len(candidates)
        listed = _list([infos[i] for i in candidates], with_uid=same_number)
        how = "its UID" if same_number else "its number"
        raise InputError(
            f"The {place.partition(' ')[0]} holds {len(candidates)} {modality} series; choose one by {how} with the option "
            f"--series: "
            f"{listed}."
        )
    info = infos[candidates[0]]
    if not info.usable:
        raise InputError(
            f"The series {clean(info.number or info.uid)} cannot be used: {info.problem}; choose {_A_SERIES[modality]}."
        )
    return groups[candidates[0]]


def group_series(headers: list[SliceHeader]) -> list[Series]:
    """The headers by series, ordered by series number.

    Files without a series UID are grouped by number and description. If each UID has only one or two files and their other
    attributes agree, the files are one series in which every file got its own UID.
    """
    groups = _grouped(headers, lambda h: h.series_uid or (h.study_uid, h.series_number, h.description))
    whole = [group for group in groups if len(group) > 2]
    small = [group for group in groups if len(group) <= 2]
    joined: list[list[SliceHeader]] = []
    for key in (_close_kin, _distant_kin):
        kin = [g for g in _grouped([h for g in small for h in g], key) if len(g) >= FEWEST_SLICES]
        taken = {(h.path, h.frame) for group in kin for h in group}
        joined += kin
        small = [rest for group in small if (rest := [h for h in group if (h.path, h.frame) not in taken])]
    whole += small
    series = [_series(group, False) for group in whole] + [_series(group, True) for group in joined]
    return sorted(series, key=lambda s: (int(s.slices[0].series_number or 0), s.slices[0].series_uid))


def _grouped(headers: list[SliceHeader], key: Callable[[SliceHeader], Hashable]) -> list[list[SliceHeader]]:
    groups: dict[Hashable, list[SliceHeader]] = {}
    for header in headers:
        groups.setdefault(key(header), []).append(header)
    return list(groups.values())


def _distant_kin(header: SliceHeader) -> Hashable:
    """Attributes that slices of one scan share, whatever their UIDs and numbers: kind, grid and direction."""
    direction = tuple(round(c, 2) for c in header.orientation or ())
    spacing = tuple(round(s, 3) for s in header.pixel_spacing or ())
    shape = header.rows, header.columns, header.samples, header.bits, header.frames
    return (
        header.modality,
        header.sop_class,
        is_scout(header),
        shape,
        direction,
        spacing,
        header.description,
        header.kernel,
    )


def _close_kin(header: SliceHeader) -> Hashable:
    return header.study_uid, header.frame_uid, header.series_number, _distant_kin(header)


def _series(group: list[SliceHeader], joined: bool) -> Series:
    kept, left = without_foreign(group)
    findings = [*left_out_findings(left), *completed_findings(group, kept)]
    if joined:
        sentence = (
            f"Each of the {len(group)} images carries a series UID of its own; they were taken for one series since they "
            "agree in all else."
        )
        findings.append(warning("joined_series", sentence))
    return Series(tuple(kept), left, tuple(findings), frozenset(h.series_uid for h in group))


def describe(series: Series, modality: str = CT_MODALITY) -> SeriesInfo:
    """Describe one series from its headers."""
    images = series.slices
    first = images[0]
    spacing = None
    if first.pixel_spacing is not None and len(images) > 1 and all(h.position for h in (images[0], images[-1])):
        spacing = (first.pixel_spacing[1], first.pixel_spacing[0], _median_interval(images))
    slices = sum(h.frames for h in images)
    problem = _problem(images, modality)
    return SeriesInfo(
        first.series_number, first.series_uid, first.description, first.modality, slices, spacing, problem, first.thickness
    )


def _median_interval(images: tuple[SliceHeader, ...]) -> float:
    """The median slice interval in mm, measured along the axis on which the positions spread most."""
    positions = [h.position for h in images if h.position is not None]
    axis = max(range(3), key=lambda a: max(p[a] for p in positions) - min(p[a] for p in positions))
    levels = sorted({p[axis] for p in positions})
    gaps = sorted(b - a for a, b in zip(levels, levels[1:], strict=False))
    return gaps[len(gaps) // 2] if gaps else 0.0


def _problem(images: tuple[SliceHeader, ...], modality: str) -> str | None:
    first = images[0]
    if first.modality != modality:
        return f"it is {first.modality} and not {modality}" if first.modality else f"its headers do not say that it is {modality}"
    if is_scout(first):
        return "it is only a localizer (scout view)"
    if first.samples != 1:
        return "it holds colour pictures"
    if any(h.frames > 1 for h in images):
        return "it is a multi-frame DICOM file whose frames do not say where they lie; it has to be exported as single slices first"
    if len(images) < FEWEST_SLICES:
        return f"it has only {len(images)} slice{'s' if len(images) > 1 else ''} where at least {FEWEST_SLICES} are needed"
    return None


def _list(infos: list[SeriesInfo], with_uid: bool = False) -> str:
    shown = [f"{info.title} UID {info.uid}" if with_uid else info.title for info in infos[:12]]
    return ", ".join(shown) + (f" and {len(infos) - 12} more" if len(infos) > 12 else "")
