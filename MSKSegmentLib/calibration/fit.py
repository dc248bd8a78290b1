"""Both rules of a calibration, fitted to observations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..anatomy import StructureTable
from ..anatomy.built_in import HIP_AND_THIGH
from ..quality.calibration import Calibration
from ..quality.paper_rule import DiceThresholds, StructureCalibration
from .fit_paper_rule import fit_structure
from .fit_quality_model import fit_quality_model
from .missing import Missing
from .observations import Observation


def calibrate(
    observations: Iterable[Observation],
    date: str,
    source: str,
    passes: int,
    reference: Mapping[str, Any] | None = None,
    networks: tuple[str, ...] = (),
    table: StructureTable = HIP_AND_THIGH,
    thresholds: Mapping[str, DiceThresholds] | None = None,
) -> Calibration:
    """Fit both rules for every structure for which the observations suffice; say why for the others, and for those of `table`.

    `thresholds` say by abbreviation from which Dice coefficient on a structure is inaccurate and failed; None: it follows from the
    ordinary observations.
    """
    items = list(observations)
    structures: dict[str, StructureCalibration] = {}
    missing: dict[str, str] = {}
    listed = (structure.abbreviation for structure in table.structures)
    for name in dict.fromkeys((*listed, *(item.abbreviation for item in items))):
        found = fit_structure([item for item in items if item.abbreviation == name])
        if isinstance(found, Missing):
            missing[name] = found.reason
        else:
            structures[name] = found
    model = fit_quality_model(items, thresholds)
    fitted, why = (None, model.reason) if isinstance(model, Missing) else (model, None)
    return Calibration(date, source, passes, structures, missing, fitted, why, reference or {}, networks)
