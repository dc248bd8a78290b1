"""The sentences of the warnings on two results: forms with places for what differs, so that they can be said in any language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..anatomy import Segment
from ..findings import Finding

OTHER_PATIENT, CONTRAST, KVP, NOISE = "other_patient", "contrast", "kvp", "noise"

# By code, and after a colon by which form of it.
DOUBT_FORMS: Mapping[str, str] = {
    OTHER_PATIENT: "The headers of the scans differ in the patient's identifier, date of birth or sex: nothing is called a change.",
    "order": "The result that counts as the earlier one was scanned after the other: exchange both.",
    "kernel": "The scans were reconstructed with different kernels ({one}, {two}); shares of fat depend on it.",
    KVP: "The tube voltages differ ({one} and {two} kV), and HU with them: changes of HU and fat are not rated.",
    f"{CONTRAST}:first": (
        "Only the earlier scan has a contrast medium, which raises the HU of muscle: changes of HU and fat are not rated."
    ),
    f"{CONTRAST}:second": (
        "Only the later scan has a contrast medium, which raises the HU of muscle: changes of HU and fat are not rated."
    ),
    "thickness": "The slices differ in thickness ({one} and {two} mm).",
    "voxel_size": "The voxels differ in size ({one} and {two} mm); borders are drawn otherwise on coarser ones.",
    f"{NOISE}:more": (
        "HU scatter more in {count} of {all} muscles of the later scan, as with another dose or kernel; shares of fat follow "
        "the noise, and their changes are not rated."
    ),
    f"{NOISE}:less": (
        "HU scatter less in {count} of {all} muscles of the later scan, as with another dose or kernel; shares of fat follow "
        "the noise, and their changes are not rated."
    ),
    "height": "The heights differ ({one} and {two} cm): volumes per height² cannot be compared unless the patient grew.",
    "region": "Only one of the scans was segmented within a region of interest.",
    "run:bundle": (
        "The runs differ in the model bundle ({one} and {two}): segment both scans with the same, or a change of model looks "
        "like one of muscle."
    ),
    "run:passes": "The runs differ in the number of dropout passes ({one} and {two}): segment both scans with the same.",
    "run:lights": "The runs differ in the rule of the lights ({one} and {two}): segment both scans with the same.",
    "run:version": (
        "The runs differ in the version of the software ({one} and {two}): segment both scans with the same, or a change of "
        "software looks like one of muscle."
    ),
    "side:right": "Only one of the scans shows the right side.",
    "side:left": "Only one of the scans shows the left side.",
    "side:both": "One of the scans shows the right side only, the other the left side only.",
    "side_doubt": "Right and left are in doubt in one of the scans: check that a muscle is compared with itself.",
    "pose:right": "The right femur lies differently (by {right}°): the pose moves muscles and may change how they are segmented.",
    "pose:left": "The left femur lies differently (by {left}°): the pose moves muscles and may change how they are segmented.",
    "pose:both": (
        "The femora lie differently (right by {right}°, left by {left}°): the pose moves muscles and may change how they are "
        "segmented."
    ),
    "bones_changed": (
        "The volume of bones changed by more than the error ({bones}), which those of adults hardly do: check that both are "
        "scans of the same patient, and the lights of these bones."
    ),
}

DoubtValue = str | tuple[Segment, ...]


@dataclass(frozen=True)
class ComparisonDoubt(Finding):
    """A warning on two results. `form` is its entry in `DOUBT_FORMS`, `values` what goes into its places: numbers, or segments."""

    form: str = ""
    values: Mapping[str, DoubtValue] = field(default_factory=dict)

    def said(self, translated: Callable[[str], str], named: Callable[[tuple[Segment, ...]], str]) -> str:
        """The sentence in another language: `translated` gives that of a form, `named` the names of segments."""
        values = {name: value if isinstance(value, str) else named(value) for name, value in self.values.items()}
        return translated(self.form).format(**values)


def doubt(name: str, **values: DoubtValue) -> ComparisonDoubt:
    """The warning of that name in `DOUBT_FORMS`; its code is the part before the colon."""
    form = DOUBT_FORMS[name]
    in_english = {key: value if isinstance(value, str) else _names(value) for key, value in values.items()}
    return ComparisonDoubt("warning", name.partition(":")[0], form.format(**in_english), form=form, values=values)


def _names(segments: tuple[Segment, ...]) -> str:
    return ", ".join(segment.name for segment in segments)
