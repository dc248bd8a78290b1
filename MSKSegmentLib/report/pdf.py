"""A report's page as PDF, by WeasyPrint."""

from __future__ import annotations

from pathlib import Path

from ..errors import DependencyError
from ..packages import FOR_PDF, require


def write_page_pdf(html: str, path: Path) -> None:
    """Write the pages of a report; nothing that the page might name is fetched but what it holds itself.

    Raises:
        DependencyError: WeasyPrint or a library of the system that it needs is missing.
    """
    check_pdf()
    from weasyprint import HTML
    from weasyprint.urls import URLFetcher

    HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=("data",))).write_pdf(path)


def check_pdf() -> None:
    """Find out whether a PDF can be written here.

    Raises:
        DependencyError: WeasyPrint or a library of the system that it needs is missing.
    """
    require(*FOR_PDF, purpose="The report as PDF", extra="report")
    try:
        import weasyprint  # noqa: F401
    except (OSError, ImportError) as error:
        raise DependencyError(
            "The report as PDF needs Pango, which cannot be loaded; install it (on Debian: apt-get install libpango-1.0-0 "
            "libpangoft2-1.0-0), or write the page alone with -o report.html."
        ) from error
