"""Coded concepts of DICOM results: SNOMED CT, DICOM and UCUM where a code is published, else the project's own scheme.

``Docs/user/dicom_results.md`` lists the codes of the own scheme; `own_codes` is that list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..anatomy import Code, StructureTable
from ..case_result import SUSPECT_WORD, UNCONFIRMED_WORD, Light, ReviewState, SegmentReport

OWN_SCHEME = "99MSKSEG"
OWN_SCHEME_NAME = "MSKSegment private codes"
ORGANIZATION = "MSKSegment contributors"


def _own(value: str, meaning: str) -> Code:
    return Code(OWN_SCHEME, value, meaning)


def _sct(value: str, meaning: str) -> Code:
    return Code("SCT", value, meaning)


def _unit(value: str, meaning: str) -> Code:
    return Code("UCUM", value, meaning)


CC = _unit("cm3", "cubic centimeter")
CC_PER_M2 = _unit("cm3/m2", "cubic centimeter per square meter")
CM2 = _unit("cm2", "square centimeter")
MM = _unit("mm", "millimeter")
HU = _unit("[hnsf'U]", "Hounsfield unit")
PERCENT = _unit("%", "Percent")
ONE = _unit("1", "no units")

_MEAN, _MEDIAN = _sct("373098007", "Mean"), _sct("373099004", "Median")
_DEVIATION, _MAXIMUM = _sct("386136009", "Standard Deviation"), _sct("56851009", "Maximum")
_VOLUME, _AREA = _sct("118565006", "Volume"), _sct("42798000", "Area")
_ATTENUATION = Code("DCM", "112031", "Attenuation Coefficient")


@dataclass(frozen=True)
class CodedNumber:
    """A number of a structure: its column in ``measurements.csv``, what it is, its unit, and how it was derived.

    Tasks differ in their columns; a column that a task does not have gives no number.
    """

    column: str
    name: Code
    unit: Code
    derivation: Code | None = None


CODED_NUMBERS: tuple[CodedNumber, ...] = (
    CodedNumber("volume_cc", _VOLUME, CC),
    CodedNumber("volume_low_cc", _own("VOLLOW", "Volume, lower bound of the likely true value"), CC),
    CodedNumber("volume_high_cc", _own("VOLHIGH", "Volume, upper bound of the likely true value"), CC),
    CodedNumber("volume_cc_per_m2", _own("VOLHT2", "Volume divided by the square of body height"), CC_PER_M2),
    CodedNumber("mean_hu", _ATTENUATION, HU, _MEAN),
    CodedNumber("mean_hu_low", _own("HULOW", "Mean attenuation, lower bound of the likely true value"), HU),
    CodedNumber("mean_hu_high", _own("HUHIGH", "Mean attenuation, upper bound of the likely true value"), HU),
    CodedNumber("sd_hu", _ATTENUATION, HU, _DEVIATION),
    CodedNumber("median_hu", _ATTENUATION, HU, _MEDIAN),
    CodedNumber("fat_percent", _own("FAT", "Share of muscle voxels below -30 HU (fat)"), PERCENT),
    CodedNumber("composite_percent", _own("COMPOSITE", "Share of muscle voxels from -30 to 30 HU (composite)"), PERCENT),
    CodedNumber("lean_percent", _own("LEAN", "Share of muscle voxels above 30 HU (lean)"), PERCENT),
    CodedNumber("dixon_fat_percent", _own("DIXONFAT", "Share of fat in fat and water images (Dixon)"), PERCENT),
    CodedNumber("max_area_cm2", _AREA, CM2, _MAXIMUM),
    CodedNumber("max_area_level_mm", _own("AREALEVEL", "Patient z of the largest axial cross-section"), MM),
    CodedNumber("asymmetry_percent", _own("ASYM", "Right minus left volume in percent of their mean"), PERCENT),
    CodedNumber("predicted_dice", _own("DICE", "Predicted Dice coefficient"), ONE),
    CodedNumber("dice_low", _own("DICELOW", "Predicted Dice coefficient, lower bound"), ONE),
    CodedNumber("dice_high", _own("DICEHIGH", "Predicted Dice coefficient, upper bound"), ONE),
    CodedNumber("dice_good_from", _own("DICEGOOD", "Dice coefficient from which on the structure is good"), ONE),
    CodedNumber("dice_failed_below", _own("DICEFAILED", "Dice coefficient below which the structure failed"), ONE),
    CodedNumber("failure_probability", _own("PFAIL", "Probability that it is inaccurate or failed"), ONE),
    CodedNumber("uncertainty", _own("UNCERTAINTY", "Mean variance of the class probabilities"), ONE),
    CodedNumber("dice_to_automatic", _own("DICEAUTO", "Dice coefficient of the correction to the automatic version"), ONE),
)

LIGHT = _own("LIGHT", "Traffic light: can the numbers be trusted?")
PAPER_LIGHT = _own("LIGHTPAPER", "Traffic light by voxel uncertainty alone (Soufi 2025)")
PART_LIGHT = _own("LIGHTPART", "Traffic light of the part inside the scan")
STATE = _own("STATE", "State of review")
FOUND = _own("FOUND", "Found in the scan")
LIGHT_REASON = _own("REASON", "Reason for the traffic light")
CUT_BY = _own("CUTBY", "Cut by the limits of the scan at")
NOTICE = _own("NOTICE", "Restriction of use")
WARNING = _own("WARNING", "Warning about the scan or the run")
HISTORY = _own("HISTORY", "Step of the review")
METHOD = _own("METHOD", "How the result came about")
UNCERTAINTY_MAP = _own("UNCMAP", "Variance of the class probabilities over dropout passes")
PRESENT, ABSENT = _sct("52101004", "Present"), _sct("2667000", "Absent")

_LIKELY_WRONG = _own("GREYWRONG", f"Grey: {Light.GREY.word}, {SUSPECT_WORD}")
_UNCONFIRMED = _own("YELLOWUNCONF", f"Yellow: {UNCONFIRMED_WORD}")
_LIGHTS: Mapping[Light, Code] = {light: _own(light.name, f"{light.value.capitalize()}: {light.word}") for light in Light}
_STATES: Mapping[ReviewState, Code] = {
    ReviewState.AUTOMATIC: _own("AUTOMATIC", "Automatic, not reviewed"),
    ReviewState.EDITED: _own("EDITED", "Edited by hand"),
    ReviewState.ACCEPTED: _own("ACCEPTED", "Accepted by a reviewer"),
}
_GIVEN = _own("GIVEN", "Given label map, not reviewed")


def light_code(light: Light) -> Code:
    """A light as a coded value."""
    return _LIGHTS[light]


def verdict_code(report: SegmentReport) -> Code:
    """A segment's light as a coded value; a grey one of what is likely wrong and a yellow one of a mask that is likely right have
    codes of their own."""
    if report.unconfirmed:
        return _UNCONFIRMED
    return _LIKELY_WRONG if report.suspect else _LIGHTS[report.light]


def state_code(state: ReviewState, given: bool = False) -> Code:
    """A state of review as a coded value; what nobody touched may be `given` instead of drawn by the network."""
    return _GIVEN if given and state is ReviewState.AUTOMATIC else _STATES[state]


def own_codes(table: StructureTable) -> tuple[Code, ...]:
    """Every code of the own scheme that DICOM results with these structures may hold, in the order in which they are documented."""
    names = (LIGHT, PAPER_LIGHT, PART_LIGHT, STATE, FOUND, LIGHT_REASON, CUT_BY, NOTICE, WARNING, HISTORY, METHOD, UNCERTAINTY_MAP)
    values = (*_LIGHTS.values(), _LIKELY_WRONG, _UNCONFIRMED, *_STATES.values(), _GIVEN)
    every = (*(s.code for s in table.structures), *(m.name for m in CODED_NUMBERS), *names, *values)
    return tuple(code for code in every if code.scheme == OWN_SCHEME)
