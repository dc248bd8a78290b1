"""Measures of the proximal femora in a scan: volumes, bone mineral density and content by region and kind of bone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..anatomy import Segment, StructureTable
from ..anatomy.table import Landmark
from ..ct.boxes import Box
from ..ct.orientation import AxisOrder, axis_order
from ..ct.volume import CTVolume, Geometry
from ..errors import InputError
from ..findings import Finding, warning
from ..measurement.extent import face_voxels
from ..measurement.femoral_landmarks import BoneInScan, bone_in_scan
from ..measurement.volume import volume_cc
from .calibration import DensityCalibration
from .cut import FemurFrame, femur_frame
from .regions import (
    COMPARTMENT_VALUES,
    REGION_VALUES,
    USUAL_RULE,
    Compartment,
    CompartmentRule,
    FemurRegion,
    compartment_map,
    region_map,
    surface_depth,
)

# Of the proximal femur's box, on either side, for a look at what is around it.
_MARGIN_VOXELS = (3, 3, 3)
MG_PER_G = 1000.0
# A proximal femur whose mean lies outside is not bone, or the line is wrong.
_PLAUSIBLE_INTEGRAL_MG = (50.0, 900.0)
_THICK_SLICES_MM = 3.0
# Codes of findings.
NO_FEMUR, NO_PROXIMAL_FEMUR = "no_femur", "no_proximal_femur"
SHORT_FEMUR, IMPLAUSIBLE_DENSITY, THICK_SLICES = "short_femur", "implausible_density", "thick_slices"


@dataclass(frozen=True)
class BoneMeasure:
    """A kind of bone in a region: its volume, its mean bone mineral density, and its bone mineral content (both multiplied).

    The last two are None where there is no such bone.
    """

    region: FemurRegion
    compartment: Compartment
    volume_cc: float
    bmd_mg_cm3: float | None
    bmc_g: float | None


@dataclass(frozen=True)
class FemurMeasures:
    """One proximal femur. `regions` and `compartments` are uint8 ``[z, y, x]`` over `box` of the ordered scan.

    `is_complete` says that the scan reaches the plane of the cut; where it does not, total and shaft are too small.
    """

    segment: Segment
    frame: FemurFrame
    box: Box
    regions: np.ndarray
    compartments: np.ndarray
    measures: tuple[BoneMeasure, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing at the lower end."""
        return self.frame.is_complete

    def measure(self, region: FemurRegion, compartment: Compartment) -> BoneMeasure:
        """One of the measures."""
        return next(one for one in self.measures if (one.region, one.compartment) == (region, compartment))


@dataclass(frozen=True)
class ProximalFemora:
    """What was measured in a scan: the femora that it shows, the line to mg/cm3, and what was found.

    `order` brings the scan's arrays to the axes that the femora's boxes count in, `grid` is the grid of those.
    """

    femora: tuple[FemurMeasures, ...]
    calibration: DensityCalibration
    rule: CompartmentRule
    order: AxisOrder
    grid: Geometry
    findings: tuple[Finding, ...] = ()


def measure_femora(
    labels: np.ndarray,
    volume: CTVolume,
    table: StructureTable,
    calibration: DensityCalibration,
    rule: CompartmentRule = USUAL_RULE,
) -> ProximalFemora:
    """Cut and measure the proximal femora of a label map.

    Args:
        labels: uint8 ``[z, y, x]`` with sides on the grid of `volume`; whole femora or proximal ones.
        volume: the CT.
        table: what the labels stand for; femora are known by their `Landmark`.
        calibration: the line from HU to mg/cm3.
        rule: what counts as cortical and trabecular.

    Raises:
        InputError: there is no femur, or none that shows head and lesser trochanter.
    """
    geometry = volume.geometry
    if labels.shape != geometry.shape:
        raise ValueError(f"labels must have the grid's shape {geometry.shape}")
    order = axis_order(geometry.direction)
    ordered, hu, grid = order.apply(labels), order.apply(volume.hu), order.geometry(geometry)
    faces = face_voxels(ordered)
    findings = list(_scan_findings(grid))
    femora = []
    wanted = [segment for segment in table.segments if segment.structure.landmark is Landmark.FEMUR]
    for segment in wanted:
        bone = bone_in_scan(ordered, grid, segment.label, faces[segment.label])
        if bone is None:
            findings.append(warning(NO_FEMUR, f"{segment.name}: the segmentation does not hold it.", segment.key))
            continue
        frame = femur_frame(bone, grid, segment.side)
        if frame is None:
            findings.append(
                warning(
                    NO_PROXIMAL_FEMUR,
                    f"{segment.name}: not measured, because head and lesser trochanter with about 25 mm of shaft below it are not "
                    "found; the scan must show them, and the segmentation follow them.",
                    segment.key,
                )
            )
            continue
        found = _measured(segment, bone, frame, hu, grid, calibration, rule)
        findings += _femur_findings(found)
        femora.append(found)
    if not femora:
        raise InputError(
            "No proximal femur can be measured: "
            + " ".join(finding.sentence for finding in findings if finding.code in (NO_FEMUR, NO_PROXIMAL_FEMUR))
            if wanted
            else f"The segmentation's structures ({table.name!r}) hold no femur; give a result that has one."
        )
    return ProximalFemora(tuple(femora), calibration, rule, order, grid, tuple(findings))


def _measured(
    segment: Segment,
    bone: BoneInScan,
    frame: FemurFrame,
    hu: np.ndarray,
    grid: Geometry,
    calibration: DensityCalibration,
    rule: CompartmentRule,
) -> FemurMeasures:
    bone = _upper_part(bone, frame, grid)
    regions = region_map(bone, frame, grid)
    density = calibration.density(np.ascontiguousarray(hu[bone.box.slices]))
    compartments = compartment_map(surface_depth(bone, frame, grid), density, regions, rule)
    measures = tuple(_measures(regions, compartments, density, grid))
    return FemurMeasures(segment, frame, bone.box, regions, compartments, measures)


def _upper_part(bone: BoneInScan, frame: FemurFrame, grid: Geometry) -> BoneInScan:
    """The bone down to where the cut and all that matters to it ends; a whole femur is four times as long."""
    lowest = frame.trochanter_mm[2] - frame.cut_below_mm - 20.0
    first = min(max(0, int(lowest / grid.spacing[2]) - bone.box.start_xyz[2]), bone.mask.shape[0] - 1)
    box = bone.box.slab(bone.box.start_xyz[2] + first, bone.box.stop_xyz[2])
    wide = box.grown(_MARGIN_VOXELS, grid.size)
    mask = np.zeros(wide.shape, bool)
    mask[box.relative_to(wide).slices] = bone.mask[first:]
    return replace(bone, mask=mask, box=wide)


def _measures(regions: np.ndarray, compartments: np.ndarray, density: np.ndarray, grid: Geometry) -> Iterator[BoneMeasure]:
    for region in FemurRegion:
        in_region = regions > 0 if region is FemurRegion.TOTAL else regions == REGION_VALUES[region]
        for compartment in Compartment:
            chosen = (
                in_region if compartment is Compartment.INTEGRAL else in_region & (compartments == COMPARTMENT_VALUES[compartment])
            )
            voxels = int(np.count_nonzero(chosen))
            cc = volume_cc(voxels, grid)
            bmd = float(density[chosen].mean(dtype=np.float64)) if voxels else None
            yield BoneMeasure(region, compartment, cc, bmd, None if bmd is None else bmd * cc / MG_PER_G)


def _scan_findings(grid: Geometry) -> Iterable[Finding]:
    thickest = max(grid.spacing)
    if thickest > _THICK_SLICES_MM:
        yield warning(
            THICK_SLICES,
            f"Voxels are {thickest:.1f} mm long: cortex is thinner than that almost everywhere, so that cortical and trabecular "
            "values are mixtures; only integral values can be used.",
        )


def _femur_findings(femur: FemurMeasures) -> Iterable[Finding]:
    name = femur.segment.name
    if not femur.is_complete:
        yield warning(
            SHORT_FEMUR,
            f"{name}: the scan shows {femur.frame.shown_mm:.0f} mm of the shaft below the lesser trochanter, the cut lies at "
            f"{femur.frame.cut_below_mm:.0f} mm; total and shaft are too small, compare head, neck and trochanteric region only.",
            femur.segment.key,
        )
    mean = femur.measure(FemurRegion.TOTAL, Compartment.INTEGRAL).bmd_mg_cm3
    if mean is not None and not _PLAUSIBLE_INTEGRAL_MG[0] <= mean <= _PLAUSIBLE_INTEGRAL_MG[1]:
        yield warning(
            IMPLAUSIBLE_DENSITY,
            f"{name}: a mean density of {mean:.0f} mg/cm3 is not that of a proximal femur; check calibration, segmentation, "
            "contrast medium and metal.",
            femur.segment.key,
        )
