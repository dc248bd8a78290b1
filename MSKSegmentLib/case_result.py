"""The one object that tables, files, MRML nodes and reviews read: what a run found in one CT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import Enum
from typing import Any

import numpy as np

from .anatomy import Segment, StructureTable
from .anatomy.built_in import HIP_AND_THIGH
from .ct.volume import Geometry
from .findings import Finding, sentences
from .run_facts import RunFacts
from .tasks import HIP_THIGH_CT, Task, with_table


class Light(str, Enum):
    """Whether to trust a segment's numbers; grey means that nothing is known, never that all is well."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    GREY = "grey"

    @property
    def word(self) -> str:
        """The light in words, shown wherever its colour is.

        >>> [light.word for light in Light]
        ['good', 'inaccurate', 'failed', 'not rated']
        """
        return {"green": "good", "yellow": "inaccurate", "red": "failed", "grey": "not rated"}[self.value]


# From here on a segment is more likely wrong than right.
FLAGGED_FROM = 0.5
# What a grey light is called beside such evidence, wherever lights are named.
SUSPECT_WORD = "likely wrong"
# What a yellow light is called on a mask that others made and that is more likely accurate than not: nothing confirms it.
UNCONFIRMED_WORD = "not confirmed"


def is_suspect(light: Light, failure_probability: float | None, part_light: Light | None = None) -> bool:
    """Whether a grey light stands beside evidence that the segment is more likely wrong than right.

    `part_light` is the light of the part inside the scan. Without a probability that part need only be yellow.

    >>> is_suspect(Light.GREY, failure_probability=0.7)
    True
    >>> is_suspect(Light.GREY, failure_probability=0.2, part_light=Light.GREEN)
    False
    """
    if light is not Light.GREY:
        return False
    if failure_probability is None:
        return part_light in (Light.YELLOW, Light.RED)
    return failure_probability >= FLAGGED_FROM or part_light is Light.RED


def is_unconfirmed(light: Light, failure_probability: float | None, agreement: float | None) -> bool:
    """Whether yellow only says that nothing confirms a judged mask (`agreement`), which is more likely accurate than not."""
    return light is Light.YELLOW and None not in (failure_probability, agreement) and (failure_probability or 0.0) < FLAGGED_FROM


def asks_for_a_look(light: Light, failure_probability: float | None, part_light: Light | None = None) -> bool:
    """Whether somebody should look at the segment: yellow, red, or grey but likely wrong (see `is_suspect`)."""
    return light in (Light.YELLOW, Light.RED) or is_suspect(light, failure_probability, part_light)


class ReviewState(str, Enum):
    """Who stands behind a segment: the network, an annotator's edit, or an annotator's acceptance."""

    AUTOMATIC = "automatic"
    EDITED = "edited"
    ACCEPTED = "accepted"


@dataclass(frozen=True)
class Measurements:
    """Numbers of one segment, all taken on the CT's own grid inside the label.

    Fractions are shares (0..1) of a muscle's voxels below -30 HU (fat), from -30 to 30 HU (composite) and above 30 HU
    (lean); None for bones, see `anatomy.Group`. `histogram` counts voxels in bins of 10 HU from -200 to 300
    HU, the first and last bin holding everything beyond. `max_area_level_mm` is the LPS z of the axial slice of largest
    cross-section.
    `volume_cc_per_m2` is None when the height is unknown or means nothing for the structure. `truncated_by` names the faces of
    the field of view that cut the segment (for example "superior"); empty when it lies inside.

    Of scans without Hounsfield units `mean_hu`, `sd_hu` and `median_hu` are None and `histogram` is empty; `mean_intensity`, the
    mean of the stored values, then tells a scan from others on its grid, and is no measure. `further` holds what a task measures
    beyond these, by the names of its columns (`tasks.vocabulary`).
    """

    voxels: int
    volume_cc: float
    volume_cc_per_m2: float | None
    mean_hu: float | None
    sd_hu: float | None
    median_hu: float | None
    fat_fraction: float | None
    composite_fraction: float | None
    lean_fraction: float | None
    histogram: tuple[int, ...]
    max_area_cm2: float
    max_area_level_mm: float
    truncated_by: tuple[str, ...] = ()
    mean_intensity: float | None = None
    further: Mapping[str, float] = field(default_factory=dict)


# The fields that only structures with a composition have, and the score that speaks of it. The score is evidence for bones, too,
# as the spread of what lies below -30 HU, but nothing to be shown.
COMPOSITION = ("fat_fraction", "composite_fraction", "lean_fraction")
FAT_SPREAD = "sd_fat_fraction"


@dataclass(frozen=True)
class Scores:
    """Evidence of how far a segment can be trusted, from the dropout passes and from what lies around it.

    Every field is None where it does not exist. `mean_variance` is the mean voxel uncertainty inside the label (Soufi et al.
    2025), `mean_entropy` that of the entropy of the mean probability in nats. `soft_dice` is 2 sum(p y) / (sum p + sum y) of the
    mean probability p and the label y. `pairwise_dice` and `pairwise_iou` compare passes with each other, over all pairs, as ratios
    of sums; `low_slice_dice` is the pairwise Dice coefficient of single slices that 10 % of the segment's area stay below.
    `volume_cv` is the coefficient of variation of the volume (Roy et al. 2019), `sd_mean_hu` (HU) and `sd_fat_fraction` (0..1) are
    standard deviations, all three over the passes. `stray_components` counts the components that were removed, `stray_share` is
    their share of what was predicted. `metal_distance_mm` is the distance to the nearest metal, None also without metal.
    `volume_deviation` and `position_deviation` are robust z scores of volume and place among the bones against the calibration
    cases.

    The rest is known of segments that `rating` judged, which the network did not draw. `agreement` is the mean Dice coefficient
    with the network's passes, `agreement_sd` its standard deviation over them, `low_slice_agreement` that of single slices which
    10 % of the segment's area stay below, `disagreeing_share` the share of its area in slices where mask and network disagree,
    `volume_to_network` its volume over the passes' mean one. `sure_agreement` is the agreement, or less where the passes disagree
    with each other (`rating.mask_evidence`). `hole_share` and `jump_share` say how much of it is holes, and contradicts the
    neighbouring slices (`rating.mask_shape`); `shape_deviation` and `density_deviation` are robust z scores of surface and length,
    and of the mean HU among the muscles. Of these segments `mean_variance` is the mean inside the given mask, and `pairwise_dice`
    and `low_slice_dice` tell how far the network's passes agree with each other, 0 where they found nothing.
    """

    mean_variance: float | None = None
    mean_entropy: float | None = None
    soft_dice: float | None = None
    pairwise_dice: float | None = None
    pairwise_iou: float | None = None
    low_slice_dice: float | None = None
    volume_cv: float | None = None
    sd_mean_hu: float | None = None
    sd_fat_fraction: float | None = None
    stray_components: int | None = None
    stray_share: float | None = None
    metal_distance_mm: float | None = None
    volume_deviation: float | None = None
    position_deviation: float | None = None
    agreement: float | None = None
    agreement_sd: float | None = None
    low_slice_agreement: float | None = None
    disagreeing_share: float | None = None
    volume_to_network: float | None = None
    sure_agreement: float | None = None
    hole_share: float | None = None
    jump_share: float | None = None
    shape_deviation: float | None = None
    density_deviation: float | None = None


SCORE_NAMES = tuple(entry.name for entry in fields(Scores))


@dataclass(frozen=True)
class DiceLimits:
    """What the light of a segment holds its predicted Dice coefficient against.

    It is good from `good_from` on, if nothing else speaks against it (None: no segment of this structure is), and failed below
    `failed_below`.
    """

    good_from: float | None
    failed_below: float


@dataclass(frozen=True)
class SegmentReport:
    """All that is known of one structure on one side. `measurements` is None when it was not found.

    `asymmetry_percent` is 200 * (right - left) / (right + left) of the volumes, the same on both rows, None when a side
    is absent or truncated. `uncertainty` is the mean voxel uncertainty inside the label (Soufi et al. 2025), the same as
    ``scores.mean_variance``; `paper_light` is what that alone says. `failure_probability` is that of a Dice coefficient below
    the structure's threshold for "inaccurate", which is 0.95 at most. `dice_limits` are what `predicted_dice` is held against; None
    where the light does not follow from it. `part_light` is the light of the part inside the scan, where a segment is grey because
    the scan cuts it. Intervals are those of the calibration, with its coverage. `usual_uncertainty` is the range in which the
    `uncertainty` of most calibration segments of this structure lies (see `quality.usual_uncertainty`).
    `dice_to_automatic` is the overlap of a corrected segment with what the network drew; None for an uncorrected one.
    """

    segment: Segment
    light: Light
    reasons: tuple[str, ...]
    measurements: Measurements | None = None
    uncertainty: float | None = None
    usual_uncertainty: tuple[float, float] | None = None
    asymmetry_percent: float | None = None
    predicted_dice: float | None = None
    dice_limits: DiceLimits | None = None
    dice_interval: tuple[float, float] | None = None
    volume_interval_cc: tuple[float, float] | None = None
    mean_hu_interval: tuple[float, float] | None = None
    failure_probability: float | None = None
    scores: Scores | None = None
    paper_light: Light | None = None
    part_light: Light | None = None
    state: ReviewState = ReviewState.AUTOMATIC
    dice_to_automatic: float | None = None

    @property
    def suspect(self) -> bool:
        """Whether the light is grey although the segment is more likely wrong than right."""
        return is_suspect(self.light, self.failure_probability, self.part_light)

    @property
    def asks_for_a_look(self) -> bool:
        """Whether somebody should look at the segment."""
        return asks_for_a_look(self.light, self.failure_probability, self.part_light)

    @property
    def verdict(self) -> str:
        """The light in words, and beside a grey one that the segment is likely wrong."""
        return f"{self.light_word}, {SUSPECT_WORD}" if self.suspect else self.light_word

    @property
    def unconfirmed(self) -> bool:
        """See `is_unconfirmed`."""
        return is_unconfirmed(self.light, self.failure_probability, self.scores.agreement if self.scores else None)

    @property
    def light_word(self) -> str:
        """What the light of this segment is called."""
        return UNCONFIRMED_WORD if self.unconfirmed else self.light.word

    @property
    def told_scores(self) -> dict[str, float]:
        """The scores that exist, by name, as people are shown them: of bones, without the spread of a share of fat."""
        present_scores = {name: value for name, value in asdict(self.scores or Scores()).items() if value is not None}
        if not self.segment.structure.has_composition:
            present_scores.pop(FAT_SPREAD, None)
        return present_scores


@dataclass(frozen=True)
class HistoryEvent:
    """One step from the automatic result to the reviewed one.

    `when` is ISO 8601 in UTC, `who` the name that the reviewer gave, `what` one of "edited", "accepted", "reopened",
    "reverted", "height", "rated"; `key` the segment's, None for height and rating. `details` is JSON-ready.
    """

    when: str
    who: str
    what: str
    key: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseResult:
    """What was found in one CT, on the CT's own grid.

    `labels` is uint8 ``[z, y, x]`` with sides (see `anatomy`), `uncertainty` float32 ``[z, y, x]``: the mean over the classes
    of the variance over the dropout passes, 0 where the network was not run, or None when labels were only measured.
    `reports` holds all segments of `table` in its order, `findings` what was found about the scan and the run as a whole,
    `facts` how the result came about, `task` what was asked of the scan. A report of a segment that is not in the table is a
    `ValueError`.
    """

    labels: np.ndarray
    geometry: Geometry
    reports: tuple[SegmentReport, ...]
    uncertainty: np.ndarray | None = None
    findings: tuple[Finding, ...] = ()
    facts: RunFacts = RunFacts()
    table: StructureTable = HIP_AND_THIGH
    task: Task = HIP_THIGH_CT

    def __post_init__(self) -> None:
        # The structures are those of the bundle or the label map; the task that goes with a result has the same ones.
        object.__setattr__(self, "task", with_table(self.task, self.table))
        foreign = {
            report.segment.key for report in self.reports if self.table.segment_of_label(report.segment.label) != report.segment
        }
        if foreign:
            raise ValueError(f"reports of {', '.join(sorted(foreign))}, which the table {self.table.name!r} does not hold")

    @property
    def warnings(self) -> tuple[str, ...]:
        """The findings in words."""
        return sentences(self.findings)
