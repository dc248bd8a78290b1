"""What the commands of the proximal femur work on: labels with their table, the CT that they are of, and the line to mg/cm3."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..anatomy import StructureTable
from ..ct import place_labels, read_ct, read_label_map
from ..ct.volume import CTVolume, Geometry
from ..errors import InputError, shown
from ..results.result_folder import RESULT
from ..results.result_reading import read_result
from ..review.source_ct import read_own_ct
from ..tasks import load_task
from .calibration import DensityCalibration, fitted_calibration, stated_calibration
from .femur_folder import labels_digest
from .phantom import read_phantom
from .rods import find_rods, given_rods


@dataclass(frozen=True)
class FemurInput:
    """Labels uint8 ``[z, y, x]`` on the grid of `volume`, and what they stand for.

    `lights` say how far the segments can be trusted, by key, and `digest` is the `labels_digest`, where it is a result.
    """

    name: str
    labels: np.ndarray
    volume: CTVolume
    table: StructureTable
    lights: dict[str, str] = field(default_factory=dict)
    digest: str | None = None


@dataclass(frozen=True)
class DensityChoice:
    """Where the line to mg/cm3 comes from: a phantom's description, with its rods marked in a label map or not, or two numbers."""

    phantom: Path | None = None
    rods: Path | None = None
    slope: float | None = None
    intercept: float | None = None

    def check(self) -> None:
        """Refuse what is no choice, before anything is read.

        Raises:
            InputError: none or both of the ways are given, or half of one.
        """
        stated = (self.slope is not None, self.intercept is not None)
        if (
            all(stated) == (self.phantom is not None)
            or any(stated) != all(stated)
            or (self.rods is not None and self.phantom is None)
        ):
            raise InputError(
                "Densities need a calibration: give --phantom (and --rods where its rods are marked), or --slope and --intercept."
            )

    def calibration(self, volume: CTVolume) -> DensityCalibration:
        """The line.

        Raises:
            InputError: a file cannot be read, the phantom is not found, or the line is implausible.
        """
        if self.phantom is None:
            assert self.slope is not None and self.intercept is not None
            return stated_calibration(self.slope, self.intercept)
        phantom = read_phantom(self.phantom)
        if self.rods is None:
            return fitted_calibration(find_rods(volume, phantom), phantom.equivalent, f"{phantom.name}, rods found")
        labels = _rod_labels(self.rods, volume)
        readings = given_rods(volume, labels, phantom.densities_mg_cm3)
        return fitted_calibration(readings, phantom.equivalent, f"{phantom.name}, rods as marked")


def read_femur_input(
    segmentation: Path, ct: Path | None, task: str | None, series: str | None, assume_orientation: str | None
) -> FemurInput:
    """Read a result folder, or a label map with the labels of a task (default: hip and thigh).

    Raises:
        InputError: something cannot be read, does not fit the CT, or there is no CT.
    """
    if (segmentation / RESULT).is_file():
        if task is not None:
            raise InputError("A result knows its task; leave --task out.")
        result, _ = read_result(segmentation)
        volume = read_own_ct(segmentation, ct, series, assume_orientation)
        labels = place_labels(result.labels, result.geometry, volume.geometry).labels
        lights = {report.segment.key: report.light.value for report in result.reports}
        digest = labels_digest(result.labels, result.table)
        return FemurInput(segmentation.resolve().name, labels, volume, result.table, lights, digest)
    if ct is None:
        raise InputError(f"{shown(segmentation)} is no result folder, so that nothing says which CT it is of; name it with --ct.")
    table = (load_task() if task is None else load_task(task)).table
    volume = read_ct(ct, series, assume_orientation)
    found = read_label_map(segmentation, table, assume_orientation)
    volume = replace(volume, findings=(*volume.findings, *found.findings))
    labels = place_labels(found.labels, found.geometry, volume.geometry).labels
    return FemurInput(segmentation.resolve().name.split(".")[0], labels, volume, table)


def _rod_labels(path: Path, volume: CTVolume) -> np.ndarray:
    import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"The rods {shown(path)} cannot be read; give a label map such as .nii.gz or .nrrd.") from error
    labels = sitk.GetArrayFromImage(image)
    if labels.ndim != 3 or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() > 255:
        raise InputError(f"The rods {shown(path)} are no label map; give whole numbers, 1 for the first rod of the description.")
    return place_labels(labels.astype(np.uint8), Geometry.of_image(image), volume.geometry, "label map of the rods").labels
