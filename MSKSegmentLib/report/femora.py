"""The part of a report on the proximal femora: density, mineral content and volume by region, how density was calibrated, doubts.

It stands in a report whose result folder holds what ``mskseg femur measure`` wrote. Numbers of femora that were corrected since are
not shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..anatomy.table import Landmark
from ..case_result import Light
from ..findings import Finding
from ..language.catalogue import Words
from ..language.catalogue import noted as N_
from ..proximal_femur.measures import IMPLAUSIBLE_DENSITY, NO_FEMUR, NO_PROXIMAL_FEMUR, SHORT_FEMUR, THICK_SLICES
from ..proximal_femur.pictures import COMPARTMENT_COLOURS, REGION_COLOURS
from ..proximal_femur.regions import Compartment, FemurRegion
from ..proximal_femur.stored_femora import StoredFemora, StoredFemur, StoredMeasure
from ..wording.findings import ToldFinding
from ..wording.names import segment_name
from .case import ReportCase
from .names import Mark, mark, mark_of
from .pictures import data_address
from .summary import NOT_TO_USE

_REGION_NAMES = {
    FemurRegion.TOTAL: N_("whole proximal femur"),
    FemurRegion.HEAD: N_("femoral head"),
    FemurRegion.NECK: N_("femoral neck"),
    FemurRegion.TROCHANTERIC: N_("trochanteric region"),
    FemurRegion.SHAFT: N_("proximal shaft"),
}
_KIND_NAMES = {
    Compartment.INTEGRAL: N_("integral"),
    Compartment.CORTICAL: N_("cortical"),
    Compartment.TRABECULAR: N_("trabecular"),
}
# What the findings of a measurement mean.
_MEANINGS = {
    THICK_SLICES: N_("slices are thicker than cortex: use integral values only"),
    SHORT_FEMUR: N_("the scan ends above the cut: total and shaft are too small"),
    IMPLAUSIBLE_DENSITY: N_("the mean density is not that of a proximal femur"),
    NO_FEMUR: N_("the segmentation lacks a femur"),
    NO_PROXIMAL_FEMUR: N_("a femur was not measured, because its head or lesser trochanter was not found"),
}

Legend = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RegionLine:
    """A region: of each kind of bone volume, density and mineral content as texts; `in_brackets` where they are of a part only."""

    name: str
    cells: tuple[tuple[str, str, str], ...]
    in_brackets: bool


@dataclass(frozen=True)
class FemurPart:
    """One femur: its light as it stands now, whether its numbers may be used, its picture's address (or "") and its regions."""

    name: str
    mark: Mark
    usable: bool
    picture: str
    lines: tuple[RegionLine, ...]


@dataclass(frozen=True)
class RodLine:
    """A rod of the phantom: stated density, HU, and how far it lies off the line in mg/cm3."""

    stated: str
    hu: str
    residual: str


@dataclass(frozen=True)
class FemurSection:
    """What the report says of the femora; without `parts` they were corrected since. Legends are names with colours."""

    parts: tuple[FemurPart, ...]
    line: str
    rods: tuple[RodLine, ...]
    rules: str
    doubts: tuple[str, ...]
    findings: tuple[ToldFinding, ...]
    kinds: tuple[str, ...]
    regions: Legend
    compartments: Legend


def femur_section(case: ReportCase, words: Words) -> FemurSection | None:
    """The part on the femora; None where nothing was measured."""
    found = case.femora
    if found is None:
        return None
    _ = words.gettext
    parts = tuple(_parts(case, found, words)) if found.is_current else ()
    return FemurSection(
        parts=parts,
        line=_line(found, words),
        rods=tuple(_rods(found)),
        rules=_(
            "Cortical: at least {density} mg/cm³ and near the surface. Trabecular: more than {depth} mm below the surface, without "
            "cortical bone. Integral: everything inside."
        ).format(density=f"{found.cortical_from_mg_cm3:g}", depth=f"{found.erosion_mm:g}"),
        doubts=tuple(_doubts(found, parts, words)),
        findings=tuple(_told(words, finding) for finding in found.findings),
        kinds=tuple(_(name) for name in _KIND_NAMES.values()),
        regions=tuple((_(_REGION_NAMES[region]), colour) for region, colour in REGION_COLOURS.items()),
        compartments=tuple((_(_KIND_NAMES[kind]), colour) for kind, colour in COMPARTMENT_COLOURS.items()),
    )


def _parts(case: ReportCase, found: StoredFemora, words: Words) -> Iterator[FemurPart]:
    rows = {
        case.segment(row).side: row for row in case.rows if case.segment(row).structure.landmark is Landmark.FEMUR and row.found
    }
    for femur in found.femora:
        row = rows[femur.side]
        yield FemurPart(
            name=segment_name(words, case.segment(row)),
            mark=mark(words, mark_of(row)),
            # A femur is cut by the lower border of most scans: whether its regions are whole is told with them.
            usable=mark_of(row) not in NOT_TO_USE,
            picture="" if femur.picture is None else data_address(femur.picture, "png"),
            lines=tuple(_region(femur, region, words) for region in FemurRegion),
        )


def _region(femur: StoredFemur, region: FemurRegion, words: Words) -> RegionLine:
    cells = tuple(_cells(femur.measures.get((region, kind))) for kind in Compartment)
    partial = not femur.is_complete and region in (FemurRegion.TOTAL, FemurRegion.SHAFT)
    return RegionLine(words.gettext(_REGION_NAMES[region]), cells, partial)


def _cells(measure: StoredMeasure | None) -> tuple[str, str, str]:
    if measure is None or measure.bmd_mg_cm3 is None or measure.bmc_g is None:
        return "–", "–", "–"
    return f"{measure.volume_cc:.1f}", f"{measure.bmd_mg_cm3:.0f}", f"{measure.bmc_g:.2f}"


def _line(found: StoredFemora, words: Words) -> str:
    calibration = found.calibration
    line = "mg/cm³ = {:.4f} × HU {:+.1f}".format(calibration["slope_mg_cm3_per_hu"], calibration["intercept_mg_cm3"])
    if not calibration["rods"]:
        return words.gettext("{line}, a line that was given and not checked in this scan.").format(line=line)
    return words.gettext("{line}, by the phantom in this scan ({source}; {equivalent}), R² {r}.").format(
        line=line,
        source=calibration["source"],
        equivalent=calibration["equivalent"],
        r=f"{calibration['r_squared']:.4f}",
    )


def _rods(found: StoredFemora) -> Iterator[RodLine]:
    for rod in found.calibration["rods"]:
        yield RodLine(f"{rod['stated_mg_cm3']:g}", f"{rod['hu']:.1f}", f"{rod['residual_mg_cm3']:+.1f}")


def _doubts(found: StoredFemora, parts: tuple[FemurPart, ...], words: Words) -> Iterator[str]:
    _ = words.gettext
    if not found.is_current:
        yield _(
            "The femora were segmented anew or corrected after they were measured, so that no number is shown here; run "
            "'mskseg femur measure' again."
        )
        return
    for part in parts:
        if part.mark.name != Light.GREEN.value:
            yield _("{segment}: the light of its segmentation is not green ({light}); look at it first.").format(
                segment=part.name, light=part.mark.word
            )
    highest = found.calibration.get("highest_rod_mg_cm3")
    if highest is not None:
        yield _("Densities above {highest} mg/cm³, that of the densest rod, are extrapolated.").format(highest=f"{highest:g}")
    else:
        yield _("Nothing in this scan was held against the line that was given.")
    yield _(
        "On virtual femora of known density integral values came out 5 to 7 % too low and cortical ones about 19 % too low, "
        "because thin cortex is blurred: compare scans of one protocol only."
    )


def _told(words: Words, finding: Finding) -> ToldFinding:
    meaning = _MEANINGS.get(finding.code)
    text = words.gettext(meaning) if meaning else ""
    if not meaning or text == meaning:
        return ToldFinding(finding.sentence)
    return ToldFinding(words.gettext("{sentence}.").format(sentence=text), finding.sentence)
