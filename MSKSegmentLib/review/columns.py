"""The columns of the results table, those of each task, the same on the desktop and in the browser, and how numbers are written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..language.catalogue import noted as N_
from ..language.catalogue import tr
from ..quality.conformal import COVERAGE
from ..site_reference.cohort_table import COHORT_QUANTITIES
from ..tasks import Task
from ..tasks.vocabulary import KNOWN_MEASUREMENTS

NO_VALUE = "–"


@dataclass(frozen=True)
class Column:
    """One column: its name in code, its title and unit for people, an explanation, and whether it holds numbers.

    `form` writes a number, as `format` takes it. `title`, `tooltip` and `heading` are in the front end's language.
    """

    name: str
    english_title: str
    unit: str
    english_tooltip: str
    numeric: bool
    form: str = ""

    @property
    def title(self) -> str:
        """What stands above the column."""
        return tr(self.english_title)

    @property
    def tooltip(self) -> str:
        """What the column holds, in sentences."""
        return tr(self.english_tooltip).replace("{coverage}", f"{COVERAGE:.0%}")

    @property
    def heading(self) -> str:
        """Title with unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def text(self, value: float | None) -> str:
        """A number as the table shows it; a dash where there is none."""
        if value is None:
            return NO_VALUE
        text = format(value, self.form)
        # Avoids "-0.0".
        return text if float(text) else format(0.0, self.form)


def _text(name: str, title: str, tooltip: str) -> Column:
    return Column(name, title, "", tooltip, False)


def _number(name: str, title: str, unit: str, form: str, tooltip: str) -> Column:
    return Column(name, title, unit, tooltip, True, form)


COLUMNS: tuple[Column, ...] = (
    _text(
        "light", N_("Light"),
        N_("Whether to trust the numbers: good, inaccurate, failed, or not rated (nothing is known). Likely wrong: not rated, but "
        "more likely wrong than right."),
    ),
    _text("structure", N_("Structure"), N_("Bone or muscle.")),
    _text("side", N_("Side"), N_("The patient's side.")),
    _number("volume_cc", N_("Volume"), "cc", ".1f", N_("Volume of the label; of the part inside the scan where it is truncated.")),
    _number(
        "predicted_dice", N_("Predicted Dice"), "", ".2f",
        N_("Overlap with an expert's label that the calibration predicts; in brackets the range that holds it with a probability "
        "of {coverage}."),
    ),
    _number(
        "dice_good_from", N_("Good from"), "", ".2f",
        N_("The predicted Dice from which on the structure counts as good, if nothing else speaks against it. Structures differ: "
        "it follows from how well each of them is usually segmented, and is 0.95 at most."),
    ),
    _number(
        "dice_failed_below", N_("Failed below"), "", ".2f",
        N_("The predicted Dice below which the structure counts as failed."),
    ),
    _number(
        "volume_cc_per_m2", N_("Volume / height²"), "cc/m²", ".1f",
        N_("Volume divided by the square of the patient's height."),
    ),
    _number("mean_hu", N_("Mean density"), "HU", ".1f", N_("Mean of the Hounsfield units inside the label.")),
    _number("fat_percent", N_("Fat"), "%", ".1f", N_("Share of voxels below -30 HU; of muscles only.")),
    _number("composite_percent", N_("Composite"), "%", ".1f", N_("Share of voxels from -30 to 30 HU; of muscles only.")),
    _number("lean_percent", N_("Lean"), "%", ".1f", N_("Share of voxels above 30 HU; of muscles only.")),
    _number(
        "asymmetry_percent", N_("Asymmetry"), "%", "+.1f",
        N_("Difference of right and left volume in percent of their mean; positive where the right side is larger."),
    ),
    _text("state", N_("State"), N_("Automatic, edited or accepted; truncated where the limits of the scan cut it.")),
)  # fmt: skip


def without_range(text: str) -> str:
    """The number of a cell without the range in brackets.

    >>> without_range("0.66 (0.43–0.78)")
    '0.66'
    """
    return text.partition(" (")[0]


# Columns of measurements that only some tasks take.
FURTHER_COLUMNS: tuple[Column, ...] = tuple(
    _number(one.name, one.title, one.unit, one.form, one.tooltip) for kind in KNOWN_MEASUREMENTS.values() for one in kind.further
)
# Of rows that are placed among the reference curves of a site: what the percentile is of, by name.
SITE_COLUMNS: dict[str, Column] = {
    quantity: _number(
        f"site_{quantity}", title, "", ".0f",
        N_("Percentile among the site's own cohort of the same sex and age, with z score and number of persons. A "
        "cohort is no norm."),
    )
    for quantity, title in zip(
        COHORT_QUANTITIES,
        (N_("Volume / height² percentile"), N_("Volume percentile"), N_("Density percentile"), N_("Fat percentile")),
        strict=True,
    )
}  # fmt: skip
COLUMN_OF: dict[str, Column] = {column.name: column for column in (*COLUMNS, *FURTHER_COLUMNS, *SITE_COLUMNS.values())}
_FURTHER_FROM = next(number for number, column in enumerate(COLUMNS) if column.name == "asymmetry_percent")
# Every column of any task, in the order of the tables.
ALL_COLUMNS: tuple[Column, ...] = (*COLUMNS[:_FURTHER_FROM], *SITE_COLUMNS.values(), *FURTHER_COLUMNS, *COLUMNS[_FURTHER_FROM:])


def columns_of(task: Task, placed: Collection[str] = ()) -> tuple[Column, ...]:
    """The columns that the table of a task has, in order: those that its measurements fill, and those of every task.

    `placed` are the quantities that are placed among the curves of a site: each has a column of its own.
    """
    own = {one.name for name in task.measurements for one in KNOWN_MEASUREMENTS[name].further}
    optional = {*(column.name for column in FURTHER_COLUMNS), *(column.name for column in SITE_COLUMNS.values())}
    own |= {SITE_COLUMNS[quantity].name for quantity in placed if task.shows(quantity)}
    return tuple(
        column for column in ALL_COLUMNS if (column.name not in optional or column.name in own) and task.shows(column.name)
    )
