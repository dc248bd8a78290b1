"""The further pages: of every structure the slice to look at, its histogram, its numbers, and why its light is what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..anatomy import Structure
from ..case_result import SegmentReport
from ..language.catalogue import Words
from ..language.catalogue import noted as N_
from ..review import SegmentRow
from ..review.columns import COLUMN_OF, FURTHER_COLUMNS, NO_VALUE, SITE_COLUMNS
from ..review.evidence import probability_text
from ..review.histogram import Histogram, histogram_of
from ..review.reference import published_means
from ..wording.names import segment_name, structure_name
from ..wording.reasons import as_sentence
from ..wording.uncertainty import told_uncertainty
from .case import ReportCase
from .histograms import Plot, plot_of
from .names import Mark, mark, mark_of
from .pictures import data_address
from .slices import segment_slice
from .summary import hex_color, is_usable

# Columns of the results table that a structure's own part shows.
SHOWN = ("volume_cc", "volume_cc_per_m2", "mean_hu", "predicted_dice")
_TITLES = {
    "volume_cc": N_("Volume"),
    "volume_cc_per_m2": N_("Volume / height²"),
    "mean_hu": N_("Mean density"),
    "predicted_dice": N_("Predicted Dice"),
}
SITE_TITLES = {
    "volume_cc_per_m2": N_("Volume / height², percentile"),
    "volume_cc": N_("Volume, percentile"),
    "mean_hu": N_("Mean density, percentile"),
    "fat_percent": N_("Fat, percentile"),
}
BAND_NAMES = {"fat": N_("fat"), "composite": N_("composite"), "lean": N_("lean")}


@dataclass(frozen=True)
class Card:
    """One segment; `picture` is an address that holds it, `plot` None without Hounsfield units.

    `numbers` are titles with values; `lines` are sentences.
    """

    name: str
    color: str
    mark: Mark
    usable: bool
    picture: str
    caption: str
    plot: Plot | None
    numbers: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


@dataclass(frozen=True)
class StructurePart:
    """A structure with a card for each side on which it was found, and its context."""

    name: str
    cards: tuple[Card, ...]
    context: str


def parts(case: ReportCase, words: Words) -> Iterator[StructurePart]:
    """The structures that were found, one after the other, because pictures take time.

    Table order, but for unpaired ones, which come last: two paired structures fill a page.
    """
    for rows in sorted(case.pairs, key=lambda rows: len(rows) == 1):
        found = [row for row in rows if row.found]
        if found:
            structure = case.segment(rows[0]).structure
            context = _context(words, structure) if case.result.task.measures("mean_hu") else ""
            cards = tuple(_card(case, words, row) for row in found)
            yield StructurePart(structure_name(words, structure), cards, context)


def absent(case: ReportCase, words: Words) -> list[str]:
    """The names of what was not found."""
    return [segment_name(words, case.segment(row)) for row in case.rows if not row.found]


def _card(case: ReportCase, words: Words, row: SegmentRow) -> Card:
    report = case.reports[row.key]
    picture, histogram = segment_slice(case, row.key), histogram_of(report)
    assert picture is not None, "it was found"
    _ = words.gettext
    caption = _("Slice at {level} mm, where it is most uncertain").format(level=f"{picture.level_mm:.0f}")
    if picture.uncertainty is None:
        caption = _("Slice at {level} mm, where its area changes most").format(level=f"{picture.level_mm:.0f}")
    return Card(
        name=segment_name(words, report.segment),
        color=hex_color(report.segment),
        mark=mark(words, mark_of(row)),
        usable=is_usable(row),
        picture=data_address(picture.jpeg),
        caption=caption,
        plot=plot_of(histogram, _band_texts(words, histogram)) if histogram else None,
        numbers=card_numbers(words, row, report),
        lines=(*(as_sentence(words, reason) for reason in row.reasons), *_expected(words, report)),
    )


def _band_texts(words: Words, histogram: Histogram) -> tuple[str, ...]:
    return tuple(f"{words.gettext(BAND_NAMES[band.name])} {band.percent:.0f} %" for band in histogram.bands)


def card_numbers(words: Words, row: SegmentRow, report: SegmentReport) -> tuple[tuple[str, str], ...]:
    """The numbers of a segment, each with its title."""
    found = []
    for name in SHOWN:
        if row.texts[name] != NO_VALUE:
            unit = COLUMN_OF[name].unit
            found.append((words.gettext(_TITLES[name]), f"{row.texts[name]} {unit}".strip()))
    found += [
        (words.gettext(column.english_title), f"{row.texts[column.name]} {column.unit}".strip())
        for column in FURTHER_COLUMNS
        if column.name in row.texts
    ]
    found += [
        (words.gettext(SITE_TITLES[quantity]), row.texts[column.name])
        for quantity, column in SITE_COLUMNS.items()
        if row.texts.get(column.name, NO_VALUE) != NO_VALUE
    ]
    intervals = {"volume_cc": report.volume_interval_cc, "mean_hu": report.mean_hu_interval}
    for name, interval in intervals.items():
        if interval is not None:
            likely = words.gettext("{quantity}, likely").format(quantity=words.gettext(_TITLES[name]))
            low, high = (COLUMN_OF[name].text(bound) for bound in interval)
            found.append((likely, words.gettext("{low} to {high}").format(low=low, high=high) + f" {COLUMN_OF[name].unit}"))
    uncertainty = told_uncertainty(words, report)
    if uncertainty is not None:
        found.append((words.gettext("Uncertainty"), uncertainty.sentence(words)))
    return tuple(found)


def _expected(words: Words, report: SegmentReport) -> tuple[str, ...]:
    _ = words.gettext
    lines = []
    if report.failure_probability is not None:
        chance = probability_text(report.failure_probability).replace("below ", "< ").replace("above ", "> ")
        lines.append(_("Probability that it is inaccurate or failed: {chance}.").format(chance=chance))
    if report.dice_to_automatic is not None:
        lines.append(_("Dice between this and the automatic version: {dice}.").format(dice=f"{report.dice_to_automatic:.2f}"))
    return tuple(lines)


def _context(words: Words, structure: Structure) -> str:
    """The means of the published cohort; nothing where it has none."""
    reference = published_means(structure)
    if reference is None:
        return ""
    _ = words.gettext
    where = {"affected": _("affected side"), "unaffected": _("unaffected side"), "whole": _("both sides together")}
    means = _("; ").join(
        f"{where[side]} {volume:.1f} cc/m², {reference.mean_hu[side]:.1f} HU" for side, volume in reference.volume_cc_per_m2.items()
    )
    return _("One published cohort as context, no norm: {means}.").format(means=means)
