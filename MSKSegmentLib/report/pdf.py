"""A report's page as PDF, by WeasyPrint."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import DependencyError, InputError
from ..language.catalogue import ENGLISH, catalogue_of, noted
from ..packages import FOR_PDF, require

_LOG = logging.getLogger(__name__)
_NAMED = 5
# What shows whether the signs of a language are there: every report says it.
_SAMPLE = noted("Research use only, not a medical device.")


def write_page_pdf(html: str, path: Path) -> None:
    """Write the pages of a report; nothing that the page might name is fetched but what it holds itself.

    Signs that no font of this computer has, of a name for example, are boxes there; a warning names them.

    Raises:
        DependencyError: WeasyPrint or a library of the system that it needs is missing.
    """
    check_pdf()
    with _signs_without_font() as missing:
        _document(html).write_pdf(path)
    if missing:
        some = ", ".join(list(missing)[:_NAMED]) + (", ..." if len(missing) > _NAMED else "")
        _LOG.warning(
            "The PDF shows boxes in place of signs that no font of this computer has (%s); install a font with them.", some
        )


def check_pdf(language: str = ENGLISH) -> None:
    """Find out whether a PDF can be written here, in a language that there is a catalogue for.

    Raises:
        DependencyError: WeasyPrint or a library of the system that it needs is missing.
        InputError: no font of this computer has the signs of the language.
    """
    require(*FOR_PDF, purpose="The report as PDF", extra="report")
    try:
        import weasyprint  # noqa: F401
    except (OSError, ImportError) as error:
        raise DependencyError(
            "The report as PDF needs Pango, which cannot be loaded; install it (on Debian: apt-get install libpango-1.0-0 "
            "libpangoft2-1.0-0), or write the page alone with -o report.html."
        ) from error
    if language == ENGLISH:
        return
    with _signs_without_font() as missing:
        _document(f'<html lang="{language}"><p>{catalogue_of(language).gettext(_SAMPLE)}</p></html>').write_pdf()
    if missing:
        raise InputError(
            f"No font of this computer has the signs of the language {language!r}, so that the PDF would show boxes in place of "
            "words; install a font for it (for Japanese on Debian: apt-get install fonts-ipafont-gothic), or write the page alone "
            "with -o report.html."
        )


def _document(html: str) -> Any:
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    return HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=("data",)))


@contextmanager
def _signs_without_font() -> Iterator[dict[str, None]]:
    """The signs of a document written meanwhile that no font has, in order: WeasyPrint logs each where it draws a box."""
    signs: dict[str, None] = {}

    def keep(record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith(".notdef glyph") or not isinstance(record.args, tuple):
            return True
        signs[str(record.args[0])] = None
        return False

    logger = logging.getLogger("weasyprint")
    logger.addFilter(keep)
    try:
        yield signs
    finally:
        logger.removeFilter(keep)
