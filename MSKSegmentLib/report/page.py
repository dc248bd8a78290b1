"""A report as one HTML page that holds its pictures and its style: every text goes through the template's escaping."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from .. import __version__
from ..language.catalogue import Words, catalogue_of
from ..output.templates import template_environment
from ..packages import FOR_REPORT, require
from ..wording.names import structure_name
from . import facts, histograms, structures, summary
from .before_after import change_section
from .case import ReportCase
from .density import RENDERED_MUSCLES, DensityPictures, density_pictures
from .femora import femur_section
from .names import MARK_NAMES, mark
from .pictures import data_address
from .radiographs import radiographs
from .slices import SlicePicture, overview

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_LONGEST_TITLE = 48
# With no more than this to say the first page has room for larger pictures and lines.
_ROOMY_GROUPS, _ROOMY_LETTERS, _ROOMY_STEPS = 4, 500, 4


def html_of(case: ReportCase, language: str = "en", with_3d: bool = True, now: datetime | None = None) -> str:
    """The page; `now` is the date that stands on it (default: this moment).

    Raises:
        InputError: there is no such language.
        DependencyError: a package is missing.
    """
    words = catalogue_of(language)
    require(*FOR_REPORT, purpose="The report", extra="report")
    density = density_pictures(case, words) if with_3d else DensityPictures({}, words.gettext("The density was not asked for."))
    steps, earlier = facts.summary_of_review(case, words)
    doubts = summary.doubts(case, words)
    return (
        _environment(words)
        .get_template("report.html")
        .render(
            language=language,
            task=case.result.task,
            title=case.title if len(case.title) <= _LONGEST_TITLE else case.title[: _LONGEST_TITLE - 1] + "…",
            whole_title=case.title,
            date=facts.moment((now or datetime.now(timezone.utc)).isoformat()),
            version=__version__,
            facts=case.result.facts,
            run_date=facts.moment(case.result.facts.date or ""),
            counts=summary.counts(case, words),
            lines=summary.table(case, words),
            further=[(words.gettext(column.english_title), column.unit) for column in summary.further_columns(case)],
            doubts=doubts,
            roomy=_is_roomy(doubts, steps),
            scan_doubts=summary.scan_doubts(case, words),
            findings=facts.findings(case, words),
            review_steps=steps,
            earlier_steps=earlier,
            events=facts.events(case, words),
            overviews=_overviews(case, words),
            radiographs=[(data_address(jpeg), caption) for jpeg, caption in radiographs(case, words)],
            density=_density(case, words, density),
            density_missing=density.missing,
            tissues=_tissues(words),
            training=facts.training_line(case, words),
            parts=structures.parts(case, words),
            absent=structures.absent(case, words),
            changes=None if case.changes is None else change_section(case.changes, words),
            femora=femur_section(case, words),
            run_lines=facts.run_lines(case, words),
            cohort_lines=[
                *facts.site_lines(case, words),
                *(facts.cohort_lines(words) if case.result.task.measures("mean_hu") else []),
            ],
            marks=[mark(words, name) for name in MARK_NAMES],
            ct_missing=case.volume is None,
            plot_size=(histograms.WIDTH, histograms.HEIGHT),
        )
    )


def _is_roomy(doubts: list[summary.DoubtGroup], steps: list[facts.Event]) -> bool:
    """Whether little stands on the first page. Letters of Chinese and Japanese are as wide as two others."""
    letters = "".join(doubt.segments for doubt in doubts)
    width = sum(2 if east_asian_width(letter) in "FW" else 1 for letter in letters)
    return len(doubts) <= _ROOMY_GROUPS and width < _ROOMY_LETTERS and len(steps) <= _ROOMY_STEPS


def _environment(words: Words) -> Environment:
    environment = template_environment(_TEMPLATES, extensions=["jinja2.ext.i18n"])
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    return environment


def _overviews(case: ReportCase, words: Words) -> list[tuple[str, str, str]]:
    """Kind, address and caption of the coronal and the axial picture."""
    _ = words.gettext
    found = (("coronal", overview(case, 1), _("Coronal slice")), ("axial", overview(case, 0), _("Axial slice")))
    return [(kind, data_address(picture.jpeg), _caption(text, picture)) for kind, picture, text in found if picture]


def _caption(text: str, picture: SlicePicture) -> str:
    return f"{text}, {picture.level_mm:.0f} mm"


def _density(case: ReportCase, words: Words, density: DensityPictures) -> list[tuple[str, str]]:
    """Names of muscles and addresses of their pictures."""
    by_name = {report.segment.structure.abbreviation: report.segment.structure for report in case.result.reports}
    return [
        (structure_name(words, by_name[name]), data_address(density.pngs[name], "png"))
        for name in RENDERED_MUSCLES
        if name in density.pngs
    ]


def _tissues(words: Words) -> list[tuple[str, str]]:
    """The tissue classes with their colours."""
    from ..scene.density import density_look

    look = density_look()
    return [(words.gettext(name), histograms.hex_of(getattr(look, key).color)) for key, name in structures.BAND_NAMES.items()]
