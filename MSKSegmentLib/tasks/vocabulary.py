"""What a task may name: checks and measurements, each with what it means for people and which scans it needs.

A task runs the checks that it names and no others. Its measurements decide which columns tables, panel, page and report show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..ct.modality import CT_MODALITY, MR_MODALITY
from ..language.catalogue import noted as N_


@dataclass(frozen=True)
class CheckKind:
    """A check by what it finds; `modalities` are those of the scans that it can judge."""

    says: str
    modalities: tuple[str, ...] = (CT_MODALITY, MR_MODALITY)


@dataclass(frozen=True)
class FurtherColumn:
    """A column of numbers that not every result has: its name in code, title and unit for people, format and explanation."""

    name: str
    title: str
    unit: str
    form: str
    tooltip: str


@dataclass(frozen=True)
class MeasurementKind:
    """A measurement: what it is, the columns that it fills, and the scans that it can be taken in.

    `columns` names columns that all results know, `further` describes those that only tasks with this measurement have; their
    values are in `case_result.Measurements.further`.
    """

    says: str
    columns: tuple[str, ...] = ()
    modalities: tuple[str, ...] = (CT_MODALITY, MR_MODALITY)
    further: tuple[FurtherColumn, ...] = ()


# Those that look at the scan itself run in `ct.checks.volume`; the others are asked for where what they look at is made: labels
# with sides in `pipeline`, given label maps in `quality.given_labels`.
KNOWN_CHECKS: Mapping[str, CheckKind] = {
    "spacing": CheckKind("voxel spacing that the method cannot work on, or seldom saw"),
    "hounsfield_scale": CheckKind("values that are no Hounsfield units, shifted or cut off", (CT_MODALITY,)),
    "mr_scale": CheckKind("values that are constant, labels, or those of a CT", (MR_MODALITY,)),
    "cut_in_plane": CheckKind("a body that the field of view cuts in plane"),
    "hip_or_thigh": CheckKind("a scan that shows neither hips nor thighs, or only few of their slices", (CT_MODALITY,)),
    "metal": CheckKind("metal in the body, and the structures near it", (CT_MODALITY,)),
    "interpolated_slices": CheckKind("slices that were interpolated between others", (CT_MODALITY,)),
    "axes_turned": CheckKind("muscles in the order of the other leg, from a table with places around the femur"),
    "below_knee": CheckKind("a scan that reaches below the knee, and what is labelled there, from a table with a femur"),
    "pieces_beside": CheckKind("pieces beside a muscle at its own level, which no muscle has"),
    "noise": CheckKind("noise that makes fat of lean muscle", (CT_MODALITY,)),
    "plausible_volume": CheckKind("given structures larger than in any adult, or far smaller than on the other side"),
    "plausible_density": CheckKind("given structures whose density is not that of their tissue", (CT_MODALITY,)),
}
KNOWN_MEASUREMENTS: Mapping[str, MeasurementKind] = {
    "volume": MeasurementKind("volume of the label", ("volume_cc",)),
    "height_normalised_volume": MeasurementKind("volume over the square of the patient's height", ("volume_cc_per_m2",)),
    "mean_hu": MeasurementKind(
        "mean, median and standard deviation of the Hounsfield units",
        ("mean_hu", "sd_hu", "median_hu", "mean_hu_low", "mean_hu_high", "sd_mean_hu", "density_deviation"),
        (CT_MODALITY,),
    ),
    "composition": MeasurementKind(
        "shares of fat, composite and lean tissue by their Hounsfield units",
        ("fat_percent", "composite_percent", "lean_percent", "sd_fat_fraction"),
        (CT_MODALITY,),
    ),
    "fat_fraction": MeasurementKind(
        "share of fat from the fat and water images of a Dixon sequence, where they are given",
        modalities=(MR_MODALITY,),
        further=(
            FurtherColumn(
                "dixon_fat_percent",
                N_("Fat (Dixon)"),
                "%",
                ".1f",
                N_("mean of fat / (fat + water) in the images given; not corrected for relaxation"),
            ),
        ),
    ),
    "bone_density": MeasurementKind(
        "bone mineral density and content of bones by a phantom or a stated line, where one is given; not DXA",
        modalities=(CT_MODALITY,),
        further=(
            FurtherColumn(
                "bmd_mg_cm3",
                N_("BMD"),
                "mg/cm³",
                ".0f",
                N_("volumetric bone mineral density, mean over the whole label; not DXA, no T-score"),
            ),
            FurtherColumn("bmc_g", N_("BMC"), "g", ".1f", N_("bone mineral content: density times volume; not DXA")),
        ),
    ),
}
# Columns that some measurement fills; a task shows those of its measurements and all columns of no measurement.
MEASURED_COLUMNS = frozenset(column for kind in KNOWN_MEASUREMENTS.values() for column in kind.columns)
