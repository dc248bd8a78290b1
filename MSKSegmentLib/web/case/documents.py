"""Documents of an open result for other people and programs, each made when it is asked for, by a child process on a copy."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...ct.reading.images.file import is_image_file
from ...dicom_results.source import recorded_series
from ...engine import EngineRun
from ...errors import Cancelled, InputError, MSKSegmentError
from ...language.catalogue import noted as N_
from ...language.catalogue import stated
from ...proximal_femur.femur_folder import FEMUR_FOLDER, OWNED_FILES
from ...results.result_folder import AUTOMATIC, CT, REPORT_HTML, REPORT_PDF, RESULT, REVIEW, SEGMENTATION, UNCERTAINTY
from ...review.source_ct import locate_ct
from .opening import Opened
from .options import ReviewOptions, Target
from .run import POLL_S

_LOG = logging.getLogger(__name__)
NOTHING_OPEN = stated("No result is open; open one first.")
DICOM_RESULTS = "dicom.zip"
# File name -> what the page calls the document.
DOCUMENTS = {REPORT_PDF: N_("Report (PDF)"), REPORT_HTML: N_("Report (HTML)"), DICOM_RESULTS: N_("DICOM results (zip)")}
# The review goes last: whatever is saved meanwhile, it fits the labels that were copied before it.
_COPIED = (*(f"{FEMUR_FOLDER}/{name}" for name in OWNED_FILES), SEGMENTATION, AUTOMATIC, UNCERTAINTY, CT, RESULT, REVIEW)
_HOW = stated(
    "end the review and start it again as 'mskseg review OUT --ct SERIES', where SERIES is the original series' folder or zip, "
    "or write them with 'mskseg export OUT --dicom DIR --source SERIES'."
)
_CT_GONE = stated(
    "The CT of this result is no longer where it was when the result was opened; put it back, or end the review and start it again "
    "as 'mskseg review OUT --ct CT'."
)
_NO_SERIES = stated(f"DICOM results need the scanned DICOM series, and this page does not know where it lies; {_HOW}")
_SERIES_GONE = stated(f"The scanned DICOM series is no longer where this result was made from it; put it back, or {_HOW}")


@dataclass(frozen=True)
class Document:
    """A finished document: a file or, of DICOM results, a folder; `title` is the name of its result."""

    name: str
    title: str
    path: Path


class DocumentMaker:
    """Makes documents, one at a time, and keeps each until it is fetched or the program ends. `making` names the one under way."""

    def __init__(self, options: ReviewOptions, on_change: Callable[[], None]) -> None:
        self.making = ""
        self._options, self._on_change = options, on_change
        self._place: tempfile.TemporaryDirectory[str] | None = None

    async def make(self, name: str, opened: Opened | None) -> Document:
        """Make the document `name` of `DOCUMENTS` from a result as it stands; the page goes on meanwhile.

        Raises:
            InputError: no result is open, another one is being made, or something that it needs is missing.
            MSKSegmentError: it could not be made.
        """
        if opened is None:
            raise InputError(NOTHING_OPEN)
        if self.making:
            raise InputError(f"{DOCUMENTS[self.making]} is being made; wait until it has arrived, then ask for the next file.")
        self._show(name)
        try:
            return await self._make(name, opened)
        except OSError as error:
            raise InputError(
                f"{DOCUMENTS[name]} could not be made ({error.strerror}); free space on the drive of temporary files and try again."
            ) from error
        finally:
            self._show("")

    def _show(self, name: str) -> None:
        self.making = name
        self._on_change()

    async def _make(self, name: str, opened: Opened) -> Document:
        await opened.write_segmentation()
        loop = asyncio.get_running_loop()
        # What was asked for before anything is copied: most refusals need no work.
        extra = self._series_arguments(opened) if name == DICOM_RESULTS else self._ct_arguments(opened.folder)
        if self._place is None:
            self._place = tempfile.TemporaryDirectory(prefix="msk-")
        target = Path(tempfile.mkdtemp(dir=self._place.name), name)
        with tempfile.TemporaryDirectory(prefix="msk-") as work:
            await loop.run_in_executor(None, _copy_result, opened.folder, Path(work))
            if name == DICOM_RESULTS:
                arguments = ["export", work, "--dicom", str(target)]
            else:
                arguments = ["report", work, "-o", str(target), f"--title={opened.name}"]
            try:
                await _run([*arguments, *extra, "--progress", "json"])
            except BaseException:
                shutil.rmtree(target.parent, ignore_errors=True)
                raise
        return Document(name, opened.name, target)

    def _ct_arguments(self, folder: Path) -> list[str]:
        """How the child finds and reads the CT that the page shows; a CT in the folder is copied with it."""
        given, settings = self._options.ct, self._options.settings
        try:
            ct = locate_ct(folder, given)
        except InputError as error:
            raise InputError(_CT_GONE) from error
        if ct is None:
            raise InputError(_CT_GONE)
        how = {"--series": settings.series, "--assume-orientation": settings.assume_orientation}
        reading = [word for pair in how.items() if pair[1] is not None for word in pair if word]
        return [*([] if ct == folder / CT else ["--ct", str(ct.resolve())]), *reading]

    def _series_arguments(self, opened: Opened) -> list[str]:
        """Where the child finds the scanned series: where the command line or the result says."""
        result, options = opened.session.result, self._options
        recorded_series(result)
        named = [options.ct, options.target if options.kind is Target.CT else None]
        if result.facts.source is not None:
            named.append(Path(result.facts.source))
        places = [place for place in named if place is not None and not (place.is_file() and is_image_file(place))]
        found = next((place for place in places if place.exists()), None)
        if found is None:
            raise InputError(_SERIES_GONE if places else _NO_SERIES)
        return ["--source", str(found.resolve())]


def _copy_result(folder: Path, target: Path) -> None:
    """Copy what a document is made from; links suffice on one drive, as these files are replaced and never changed."""
    for name in _COPIED:
        if not (folder / name).is_file():
            continue
        real = os.path.realpath(folder / name)
        (target / name).parent.mkdir(exist_ok=True)
        try:
            os.link(real, target / name)
        except OSError:
            shutil.copyfile(real, target / name)


async def _run(arguments: Sequence[str]) -> None:
    """Run a command to its end; when this task is cancelled it is stopped, too.

    Raises:
        MSKSegmentError: it failed.
    """
    engine = EngineRun(arguments)
    try:
        while engine.exit_code is None:
            await asyncio.sleep(POLL_S)
    finally:
        if engine.exit_code is None:
            engine.cancel()
    if engine.exit_code == 0:
        return
    _LOG.info("A document could not be made: code %s", engine.exit_code)
    if engine.exit_code == Cancelled.exit_code:
        raise Cancelled(engine.message)
    # The command's own option means something to its callers only.
    sentence = f"{engine.message} On this page: {_HOW}" if "--source" in engine.message else engine.message
    raise MSKSegmentError(sentence)
