"""Pictures of measured proximal femora: where the cut and the regions lie, what counts as cortical, and the line of the phantom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import RESEARCH_USE_ONLY
from ..ct.volume import CTVolume
from ..evaluation.plots import DOTS_PER_INCH, STYLES, new_figure
from .calibration import DensityCalibration
from .cut import FemurFrame
from .measures import FemurMeasures, ProximalFemora
from .planes import PlaneView, coronal_view, neck_view
from .regions import COMPARTMENT_VALUES, REGION_VALUES, Compartment, FemurRegion

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CALIBRATION_PICTURE = "calibration.png"
REGION_COLOURS = {
    FemurRegion.HEAD: STYLES[4][0],
    FemurRegion.NECK: STYLES[5][0],
    FemurRegion.TROCHANTERIC: STYLES[1][0],
    FemurRegion.SHAFT: STYLES[3][0],
}
COMPARTMENT_COLOURS = {Compartment.CORTICAL: STYLES[2][0], Compartment.TRABECULAR: STYLES[1][0]}
_WINDOW_HU = (-150, 1400)


def femur_picture(femur: FemurMeasures) -> str:
    """The name of the picture of a femur."""
    return f"femur_{femur.segment.side.value}.png"


def planes_picture(side: str) -> str:
    """The name of the picture of a femur without words, for readers of any language."""
    return f"planes_{side}.png"


def draw_planes(volume: CTVolume, femora: ProximalFemora, femur: FemurMeasures) -> tuple[Figure, Sequence[Axes]]:
    """The plane of shaft and neck with regions, the same with the kinds of bone, the narrowest section of the neck; no words."""
    hu = femora.order.apply(volume.hu)
    coronal, neck = coronal_view(hu, femora, femur), neck_view(hu, femora, femur)
    figure, panels = new_figure(11.0, 4.4, 3)
    for axes, view in zip(panels, (coronal, coronal, neck), strict=True):
        axes.imshow(view.hu, cmap="gray", vmin=_WINDOW_HU[0], vmax=_WINDOW_HU[1], extent=view.extent)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
    _outline(panels[0], coronal, coronal.regions, {REGION_VALUES[one]: colour for one, colour in REGION_COLOURS.items()})
    _draw_axes(panels[0], coronal, femur.frame)
    marks = {COMPARTMENT_VALUES[one]: colour for one, colour in COMPARTMENT_COLOURS.items()}
    for axes, view in ((panels[1], coronal), (panels[2], neck)):
        _outline(axes, view, np.where(view.regions > 0, view.compartments, 0), marks)
    return figure, panels


def draw_femur(volume: CTVolume, femora: ProximalFemora, femur: FemurMeasures) -> Figure:
    """The picture of `draw_planes` with its words and the femur's main numbers."""
    figure, panels = draw_planes(volume, femora, femur)
    kinds: tuple[tuple[str, dict[str, str]], ...] = (
        ("Regions", {one.value: colour for one, colour in REGION_COLOURS.items()}),
        ("Kinds of bone", {one.value: colour for one, colour in COMPARTMENT_COLOURS.items()}),
        ("Narrowest section of the neck", {}),
    )
    for axes, (title, colours) in zip(panels, kinds, strict=True):
        axes.set_title(title, fontsize=9)
        for place, (name, colour) in enumerate(colours.items()):
            axes.text(0.02, 0.98 - 0.05 * place, name, color=colour, fontsize=8, va="top", transform=axes.transAxes)
    panels[2].set_xlabel(f"{femur.frame.narrowest_cm2:.1f} cm²")
    panels[0].text(0.98, 0.02, "white line: cut", color="white", fontsize=7, ha="right", transform=panels[0].transAxes)
    figure.suptitle(f"{femur.segment.name}: {_text(femur)}\n{RESEARCH_USE_ONLY}", fontsize=8.5)
    return figure


def draw_calibration(calibration: DensityCalibration) -> Figure:
    """The rods and the line through them, and how far each rod lies off it."""
    figure, (line, residuals) = new_figure(7.0, 3.2, 2)
    hu = np.array([rod.hu for rod in calibration.rods])
    stated = np.array([rod.density_mg_cm3 for rod in calibration.rods])
    ends = np.array([hu.min(), hu.max()])
    line.plot(ends, calibration.slope * ends + calibration.intercept, color=STYLES[0][0], linewidth=1)
    line.errorbar(hu, stated, xerr=[rod.sd_hu for rod in calibration.rods], fmt="o", color=STYLES[1][0], markersize=4, capsize=2)
    line.set_xlabel("HU (mean, SD of voxels)")
    line.set_ylabel("mg/cm³ " + calibration.equivalent)
    line.set_title(f"{calibration.slope:.4f} mg/cm³ per HU {calibration.intercept:+.1f} mg/cm³", fontsize=9)
    residuals.axhline(0, color=STYLES[0][0], linewidth=0.8)
    residuals.plot(stated, calibration.residuals_mg_cm3, "o", color=STYLES[1][0], markersize=4)
    residuals.set_xlabel("stated mg/cm³")
    residuals.set_ylabel("stated - fitted, mg/cm³")
    residuals.set_title(f"R² {calibration.r_squared:.5f}", fontsize=9)
    return figure


def write_pictures(folder: Path, volume: CTVolume, femora: ProximalFemora) -> None:
    """Write the pictures of each femur, and of the phantom where there is one, into a folder that exists."""
    for femur in femora.femora:
        plain, _ = draw_planes(volume, femora, femur)
        plain.savefig(folder / planes_picture(femur.segment.side.value), dpi=DOTS_PER_INCH)
        draw_femur(volume, femora, femur).savefig(folder / femur_picture(femur), dpi=DOTS_PER_INCH)
    if femora.calibration.rods:
        draw_calibration(femora.calibration).savefig(folder / CALIBRATION_PICTURE, dpi=DOTS_PER_INCH)


def _outline(axes: Axes, view: PlaneView, values: np.ndarray, colours: dict[int, str]) -> None:
    for value, colour in colours.items():
        mask = values == value
        if mask.any():
            axes.contour(mask[::-1].astype(float), [0.5], colors=[colour], linewidths=1.0, extent=view.extent)


def _draw_axes(axes: Axes, view: PlaneView, frame: FemurFrame) -> None:
    """The axes of neck and shaft, and the plane of the cut."""
    style: dict[str, Any] = {"color": "white", "linewidth": 0.7, "linestyle": (0, (4, 3))}
    ends = np.array([view.at(frame.head_mm + share * frame.radius_mm * frame.neck) for share in (-0.9, 2.6)])
    axes.plot(*ends.T, **style)
    above = float(frame.along_shaft(frame.head_mm))
    ends = np.array([view.at(frame.trochanter_mm + height * frame.shaft) for height in (-frame.cut_below_mm, above)])
    axes.plot(*ends.T, **style)
    x, y = view.at(frame.trochanter_mm - frame.cut_below_mm * frame.shaft)
    axes.plot([x - 1.2 * frame.radius_mm, x + 1.2 * frame.radius_mm], [y, y], color="white", linewidth=1.1)


def _text(femur: FemurMeasures) -> str:
    parts = []
    for region in (FemurRegion.TOTAL, FemurRegion.NECK, FemurRegion.TROCHANTERIC):
        one = femur.measure(region, Compartment.INTEGRAL)
        if one.bmd_mg_cm3 is not None:
            parts.append(f"{region.value} {one.volume_cc:.0f} cc, {one.bmd_mg_cm3:.0f} mg/cm³")
    return "; ".join(parts)
