"""``mskseg export``: a result for other systems, as DICOM objects of the scanned study."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import DependencyError
from ..packages import FOR_REPORT, require
from .base import PLACE, Command, Invocation, pass_invocation, progress_option

if TYPE_CHECKING:
    from ..dicom_results.source import SourceSeries


@click.command(cls=Command)
@click.argument("result", type=PLACE, metavar="OUT")
@click.option(
    "--dicom",
    type=PLACE,
    required=True,
    metavar="DIR",
    help="new or empty folder for segmentation, structured report, uncertainty map and report",
)
@click.option(
    "--source",
    type=PLACE,
    metavar="SERIES",
    help="folder or zip of the scanned DICOM series (default: where the result says it was, if --record-path noted that)",
)
@click.option("--pdf/--no-pdf", default=None, help="with the report as a PDF (default: where its packages are installed)")
@click.option(
    "--deflate", is_flag=True, help="compress segmentation and uncertainty map without loss; not every archive takes that"
)
@progress_option
@pass_invocation
def command(
    invocation: Invocation, /, result: Path, dicom: Path, source: Path | None, pdf: bool | None, deflate: bool, progress: str
) -> None:
    """Write the result folder OUT, corrections included, as DICOM objects of the study that was scanned."""
    from ..dicom_results.export import export_dicom

    def write() -> str:
        names = export_dicom(result, dicom, source, report_maker(result, pdf), invocation.checkpoint, deflate)
        return f"Written to {dicom}: {', '.join(names)}."

    invocation.write_with_progress(progress, write)


def report_maker(folder: Path, asked: bool | None) -> Callable[[SourceSeries], bytes] | None:
    """What gives the report of a result folder as PDF: the one that lies there if nothing changed since, else a new one.

    None where it is not wanted. Where nobody asked for it, what a new one lacks is no error.

    Raises:
        DependencyError: it is asked for, and a package is missing.
    """
    from ..report.pdf import check_pdf

    if asked is False:
        return None
    stored = _stored_report(folder)
    if stored is not None:
        return lambda series: stored
    try:
        require(*FOR_REPORT, purpose="The report", extra="report")
        check_pdf()
    except DependencyError:
        if asked:
            raise
        return None
    return lambda series: _new_report(folder, series)


def _stored_report(folder: Path) -> bytes | None:
    from ..results.result_folder import REPORT_PDF, RESULT, REVIEW, SEGMENTATION

    written = folder / REPORT_PDF
    changed = [(folder / name).stat().st_mtime for name in (RESULT, REVIEW, SEGMENTATION) if (folder / name).is_file()]
    return written.read_bytes() if written.is_file() and written.stat().st_mtime >= max(changed, default=0.0) else None


def _new_report(folder: Path, series: SourceSeries) -> bytes:
    """Without pictures in three dimensions, which take most of the time."""
    from ..report.writing import ReportRequest, write_report_files

    day = str(series.first.get("StudyDate") or "")
    request = ReportRequest(
        folder,
        title=f"{series.first.Modality} {day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 else None,
        ct=series.place,
        series=str(series.first.SeriesInstanceUID),
        with_3d=False,
    )
    with tempfile.TemporaryDirectory() as place:
        (path,) = write_report_files(request, Path(place, "report.pdf"))
        return path.read_bytes()
