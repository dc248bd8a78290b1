"""The columns of the results table, those of each task, the same on the desktop and in the browser, and how numbers are written."""

from __future__ import annotations

from dataclasses import dataclass

from ..quality.conformal import COVERAGE
from ..tasks import Task
from ..tasks.vocabulary import KNOWN_MEASUREMENTS

NO_VALUE = "–"


@dataclass(frozen=True)
class Column:
    """One column: its name in code, its title and unit for people, an explanation, and whether it holds numbers.

    `form` writes a number, as `format` takes it.
    """

    name: str
    title: str
    unit: str
    tooltip: str
    numeric: bool
    form: str = ""

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
        "light", "Light",
        "Whether to trust the numbers: good, inaccurate, failed, or not rated (nothing is known). Likely wrong: not rated, but "
        "more likely wrong than right.",
    ),
    _text("structure", "Structure", "Bone or muscle."),
    _text("side", "Side", "The patient's side."),
    _number("volume_cc", "Volume", "cc", ".1f", "Volume of the label; of the part inside the scan where it is truncated."),
    _number(
        "predicted_dice", "Predicted Dice", "", ".2f",
        "Overlap with an expert's label that the calibration predicts; in brackets the range that holds it with a probability of "
        f"{COVERAGE:.0%}.",
    ),
    _number(
        "dice_good_from", "Good from", "", ".2f",
        "The predicted Dice from which on the structure counts as good, if nothing else speaks against it. Structures differ: it "
        "follows from how well each of them is usually segmented, and is 0.95 at most.",
    ),
    _number("dice_failed_below", "Failed below", "", ".2f", "The predicted Dice below which the structure counts as failed."),
    _number("volume_cc_per_m2", "Volume / height²", "cc/m²", ".1f", "Volume divided by the square of the patient's height."),
    _number("mean_hu", "Mean density", "HU", ".1f", "Mean of the Hounsfield units inside the label."),
    _number("fat_percent", "Fat", "%", ".1f", "Share of voxels below -30 HU; of muscles only."),
    _number("composite_percent", "Composite", "%", ".1f", "Share of voxels from -30 to 30 HU; of muscles only."),
    _number("lean_percent", "Lean", "%", ".1f", "Share of voxels above 30 HU; of muscles only."),
    _number(
        "asymmetry_percent", "Asymmetry", "%", "+.1f",
        "Difference of right and left volume in percent of their mean; positive where the right side is larger.",
    ),
    _text("state", "State", "Automatic, edited or accepted; truncated where the limits of the scan cut it."),
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
COLUMN_OF: dict[str, Column] = {column.name: column for column in (*COLUMNS, *FURTHER_COLUMNS)}
_FURTHER_FROM = next(number for number, column in enumerate(COLUMNS) if column.name == "asymmetry_percent")
# Every column of any task, in the order of the tables.
ALL_COLUMNS: tuple[Column, ...] = (*COLUMNS[:_FURTHER_FROM], *FURTHER_COLUMNS, *COLUMNS[_FURTHER_FROM:])


def columns_of(task: Task) -> tuple[Column, ...]:
    """The columns that the table of a task has, in order: those that its measurements fill, and those of every task."""
    own = {one.name for name in task.measurements for one in KNOWN_MEASUREMENTS[name].further}
    return tuple(
        column for column in ALL_COLUMNS if (column not in FURTHER_COLUMNS or column.name in own) and task.shows(column.name)
    )
