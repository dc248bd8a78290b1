"""What the command line prints: the table of a result, the lights in colour and in words."""

from __future__ import annotations

from pathlib import Path

from .. import RESEARCH_USE_ONLY
from ..case_result import SUSPECT_WORD, UNCONFIRMED_WORD, CaseResult, Light, SegmentReport
from ..quality.conformal import COVERAGE
from ..quality.wording import dice_texts
from ..review.columns import FURTHER_COLUMNS

_FIRST = 5
_SUSPECT_STYLE = "yellow"
# The columns of the table behind structure and side, by the names by which a task shows them.
_COLUMNS = {
    "volume_cc": "cc",
    "volume_cc_per_m2": "cc/m²",
    "mean_hu": "mean HU",
    "fat_percent": "fat %",
    "composite_percent": "comp. %",
    "lean_percent": "lean %",
    "asymmetry_percent": "asym. %",
    "predicted_dice": "Dice*",
    "limits": "limits**",
}
_STYLES = {Light.GREEN: "green", Light.YELLOW: "yellow", Light.RED: "bold red", Light.GREY: "dim"}


def print_result(result: CaseResult, folder: Path | None) -> None:
    """Print table, warnings and where the files are."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(width=None if Console().is_terminal else 140)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("light", no_wrap=True)
    table.add_column("structure", no_wrap=True)
    table.add_column("side", no_wrap=True)
    columns = [name for name in _COLUMNS if result.task.shows(name)]
    for name in columns:
        table.add_column(_COLUMNS[name], justify="right", no_wrap=True)
    held = {name for report in result.reports if report.measurements for name in report.measurements.further}
    further = [column for column in FURTHER_COLUMNS if column.name in held]
    for column in further:
        table.add_column(column.heading, justify="right", no_wrap=True)
    for report in result.reports:
        named, cells = _cells(report)
        values = report.measurements.further if report.measurements else {}
        own = (column.text(values.get(column.name)) for column in further)
        table.add_row(_light(report), *(escape(cell) for cell in (*named, *(cells.get(name, "") for name in columns), *own)))
    console.print(table)
    console.print(
        f"* Dice coefficient that the calibration predicts, in brackets the range that holds it with {COVERAGE:.0%} probability.\n"
        "** The predicted Dice from which on the structure counts as good, and below which it counts as failed.\n"
        "  Asymmetry: right minus left, in percent of their mean.\n"
        "  (cut): the field of view does not show the whole structure, its volume is too small.",
        style="dim",
    )
    for warning in result.warnings:
        console.print(f"[yellow]Warning:[/] {escape(warning)}")
    console.print("Lights: " + ", ".join(_counts(result.reports)))
    first = _first_to_review(result)
    if first:
        console.print(f"To look at first: {escape('; '.join(first))}")
    console.print(f"[bold]{RESEARCH_USE_ONLY}[/]")
    if folder is not None:
        console.print(f"Files in {escape(str(folder))}: {', '.join(sorted(file.name for file in folder.iterdir()))}")


def _cells(report: SegmentReport) -> tuple[tuple[str, str], dict[str, str]]:
    """Name and side, and the cells by column."""
    name, side, found = report.segment.structure.name, report.segment.side.value, report.measurements
    if found is None:
        return (name, side), {"volume_cc": "absent"}
    shares = (found.fat_fraction, found.composite_fraction, found.lean_fraction)
    cells = (
        f"{found.volume_cc:.1f}",
        _number(found.volume_cc_per_m2, ".1f"),
        _number(found.mean_hu, ".0f"),
        *(_number(None if share is None else 100 * share, ".0f") for share in shares),
        _number(report.asymmetry_percent, "+.0f"),
        *_dice_cells(report),
    )
    return (name + (" (cut)" if found.truncated_by else ""), side), dict(zip(_COLUMNS, cells, strict=True))


def _dice_cells(report: SegmentReport) -> list[str]:
    """The predicted Dice coefficient with its range, and what it is held against."""
    dice, limits, interval = report.predicted_dice, report.dice_limits, _range(report.dice_interval)
    if dice is None or limits is None:
        return [_number(dice, ".2f") + interval, ""]
    value, *held = dice_texts(dice, limits.good_from, limits.failed_below)
    return [value + interval, "/".join(held if len(held) > 1 else ("-", *held))]


def _light(report: SegmentReport) -> str:
    """The light in colour and in words; a grey one beside evidence of an error is half filled."""
    if report.suspect:
        return f"[{_SUSPECT_STYLE}]◐ {SUSPECT_WORD}[/]"
    return f"[{_STYLES[report.light]}]● {report.light_word}[/]"


def _counts(reports: tuple[SegmentReport, ...]) -> list[str]:
    suspect, unconfirmed = (sum(getattr(report, name) for report in reports) for name in ("suspect", "unconfirmed"))
    apart = {Light.GREY: suspect, Light.YELLOW: unconfirmed}
    texts = []
    for light in Light:
        if light is Light.YELLOW and unconfirmed:
            texts.append(f"[{_STYLES[light]}]{unconfirmed} {UNCONFIRMED_WORD}[/]")
        number = sum(report.light is light for report in reports) - apart.get(light, 0)
        texts.append(f"[{_STYLES[light]}]{number} {light.word}[/]")
    if suspect:
        texts.insert(-1, f"[{_SUSPECT_STYLE}]{suspect} not rated but {SUSPECT_WORD}[/]")
    return texts


def _first_to_review(result: CaseResult) -> list[str]:
    """The flagged segments at the head of the review queue, the rest as a number."""
    from ..review.rows import make_rows, worst_first

    flagged = [row for row in worst_first(make_rows(result.reports)) if row.needs_review]
    names = {report.segment.key: report.segment.name for report in result.reports}
    more = [f"and {len(flagged) - _FIRST} more"] if len(flagged) > _FIRST else []
    return [*(names[row.key] for row in flagged[:_FIRST]), *more]


def _range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else " ({:.2f}-{:.2f})".format(*interval)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
