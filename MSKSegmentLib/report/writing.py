"""The files of a report: ``report.html`` and ``report.pdf`` beside the result, or one of them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from ..errors import InputError, shown
from ..language.catalogue import ENGLISH, catalogue_of
from ..output.files import whole_file
from ..packages import FOR_REPORT, require
from ..results.result_folder import REPORT_HTML, REPORT_PDF
from ..site_reference.applying import Placing
from .before_after import read_change_pair
from .case import read_report_case
from .page import html_of
from .pdf import check_pdf, write_page_pdf


@dataclass(frozen=True)
class ReportRequest:
    """What to report on and how.

    `title` is what the reader calls the case (default: the folder's name). `ct`, `series` and `assume_orientation` say what the CT
    is and how to read it where the folder does not hold it. `with_3d` renders the density of the large hip muscles, which takes
    most of the time. `placing` places the numbers among the curves of a site. `previous` is the folder of an earlier result of the
    patient, since which the report says what changed.
    `now` is the date that stands on the report (default: this moment).
    """

    folder: Path
    language: str = ENGLISH
    title: str | None = None
    ct: Path | None = None
    series: str | None = None
    assume_orientation: str | None = None
    with_3d: bool = True
    previous: Path | None = None
    placing: Placing | None = None
    now: datetime | None = None


def write_report_files(request: ReportRequest, output: Path | None = None) -> tuple[Path, ...]:
    """Write a report and return its files: both kinds into the result folder, or the one that the ending of `output` names.

    Raises:
        InputError: the folder holds no result, the ending is another one, there is no such language or, for a PDF, no font of it,
            or nothing can be written.
        DependencyError: a package is missing.
    """
    targets = _targets(request.folder, output)
    catalogue_of(request.language)
    wants_pdf = any(path.suffix.lower() == ".pdf" for path in targets)
    require(*FOR_REPORT, purpose="The report", extra="report")
    if wants_pdf:
        check_pdf(request.language)
    html = html_of_folder(request)
    for path in targets:
        with whole_file(path, path.suffix.lower()) as temporary:
            if path.suffix.lower() == ".pdf":
                write_page_pdf(html, temporary)
            else:
                temporary.write_text(html, encoding="utf-8")
    return targets


def html_of_folder(request: ReportRequest) -> str:
    """The report's page; see `write_report_files`."""
    how = request.ct, request.series, request.assume_orientation
    case = read_report_case(request.folder, request.title, *how, placing=request.placing)
    if request.previous is not None:
        case = replace(case, changes=read_change_pair(request.previous, request.folder, request.ct))
    return html_of(case, request.language, request.with_3d, request.now)


def _targets(folder: Path, output: Path | None) -> tuple[Path, ...]:
    if output is None:
        return folder / REPORT_HTML, folder / REPORT_PDF
    if output.suffix.lower() not in (".html", ".pdf"):
        raise InputError(f"The file {shown(output)!r} is neither .html nor .pdf; name one of these with -o.")
    if output.is_dir():
        raise InputError(f"{shown(output)!r} is a folder; name a file that ends with .html or .pdf with -o.")
    return (output,)
