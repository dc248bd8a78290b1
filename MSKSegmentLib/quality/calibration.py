"""The calibration of a bundle: the paper's single-score rule, the rule from all evidence, and what both rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BundleError
from .paper_rule import StructureCalibration, rule_to_json
from .quality_model import QualityModel

FORMAT = 2


@dataclass(frozen=True)
class Calibration:
    """What turns scores into lights.

    `structures` maps abbreviations to the paper's calibrations, `missing` to the reasons why a structure has none. `passes` is the
    number of dropout passes of the calibration cases. `model` is the rule from all evidence; it is None in calibrations of older
    versions, and where `no_model` gives the reason. `plausibility` compares a case with `reference`. `networks` are the digests of
    the bundles whose network was calibrated: an evaluation of any of them also holds for this one.
    """

    date: str
    source: str
    passes: int
    structures: Mapping[str, StructureCalibration]
    missing: Mapping[str, str]
    model: QualityModel | None = None
    no_model: str | None = None
    reference: Mapping[str, Any] = field(default_factory=dict)
    networks: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary, the content of a bundle's ``calibration.json``."""
        return {
            "format": FORMAT,
            "date": self.date,
            "source": self.source,
            "passes": self.passes,
            "networks": list(self.networks),
            "paper": rule_to_json(self.structures, self.missing),
            "model": None if self.model is None else self.model.to_json(),
            "no_model": self.no_model,
            "reference": dict(self.reference),
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Calibration:
        """Read what `to_json` wrote; a calibration of an older version holds the paper's rule alone.

        Raises:
            BundleError: entries are missing or not numbers, or the format is a later one.
        """
        if data.get("format", 1) not in (1, FORMAT):
            raise BundleError("The bundle's calibration.json was made by a later version; update MSKSegment, or calibrate again.")
        try:
            paper = data["paper"] if "format" in data else data
            structures = {str(key): StructureCalibration(**value) for key, value in paper["structures"].items()}
            missing = {str(key): str(value) for key, value in paper["missing"].items()}
            model = data.get("model")
            return Calibration(
                date=str(data["date"]),
                source=str(data["source"]),
                passes=int(data["passes"]),
                structures=structures,
                missing=missing,
                model=None if model is None else QualityModel.from_json(model),
                no_model=data.get("no_model"),
                reference=dict(data.get("reference", {})),
                networks=tuple(str(digest) for digest in data.get("networks", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError("The bundle's calibration.json cannot be read; calibrate the bundle again.") from error
