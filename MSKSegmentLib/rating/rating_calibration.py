"""The calibration of a bundle for masks that others made: ``rating.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..bundle import ModelBundle
from ..errors import BundleError
from ..quality.calibration import Calibration
from .mask_evidence import Usual

FORMAT, FORMAT_VERSION = "mskseg-rating", 1
# Dropout passes of a run that judges; fewer than for a segmentation, as only the agreement with a mask is asked for.
JUDGING_PASSES = 3


@dataclass(frozen=True)
class RatingCalibration:
    """What turns the evidence on a mask into lights: `calibration` as for our own, and the usual `forms` (`reference`)."""

    calibration: Calibration
    forms: Mapping[str, Any]

    @property
    def usual(self) -> Usual:
        """What is usual for volume, place, shape and density."""
        return Usual(self.calibration.reference, self.forms)

    def to_json(self) -> dict[str, Any]:
        """The content of ``rating.json``."""
        content = {"format": FORMAT, "format_version": FORMAT_VERSION, "calibration": self.calibration.to_json()}
        return {**content, "forms": dict(self.forms)}


def rating_of(bundle: ModelBundle) -> RatingCalibration | None:
    """The bundle's calibration for masks that others made; None where it has none.

    Raises:
        BundleError: it cannot be read.
    """
    data = bundle.rating
    if data is None:
        return None
    if data.get("format") != FORMAT or data.get("format_version") != FORMAT_VERSION:
        raise BundleError("The bundle's rating.json was made by another version; update MSKSegment, or calibrate again.")
    try:
        return RatingCalibration(Calibration.from_json(data["calibration"]), dict(data["forms"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError("The bundle's rating.json cannot be read; calibrate the bundle for masks again.") from error
