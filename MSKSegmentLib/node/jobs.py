"""The work on a study that is ready: choose its series, segment it, make DICOM objects of the result. Each step is in the files
when it is done, so that after a kill the next start goes on there. The child of a killed node lives on for a second or so and may
still end its step, whole as ever: that counts, also where it is in the way of the child that was to do the step again."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from ..ct.modality import SCAN_WORDS
from ..engine import SegmentRequest
from ..errors import InputError
from ..results.result_folder import REPORT_PDF
from ..review.redaction import redacted
from ..settings import Settings
from .child import ChildEnding, Limits, run_child
from .choosing import facts_of, fitting_series
from .config import GIB, Config
from .files import WorkFolder, job_of, short
from .queue import DONE, FAILED, READY_TO_SEGMENT, REFUSED, RESULTS, SEGMENTING, SENDING, Study, StudyQueue

_LOG = logging.getLogger(__name__)
_BAD_INPUT, _CANCELLED = 2, 3
_NOTE = "job.json"
_MOST_BYTES = 4096
_NO_ROOM_PAUSE_S = 60.0
# A result's uncertainty and labels, and DICOM objects of them, take at most this many bytes for each byte of the CT.
_RESULT_SHARE = 4
_PERSONAL = (
    "PatientName", "PatientID", "OtherPatientIDs", "PatientBirthDate", "AccessionNumber", "ReferringPhysicianName",
    "InstitutionName", "StudyID", "StudyDescription", "SeriesDescription",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A series of a study, by name, with the images that are worked on."""

    series: str
    images: tuple[str, ...]


class Worker:
    """Works on one study after the other. `python` runs the children."""

    def __init__(self, config: Config, folder: WorkFolder, queue: StudyQueue, stop: Event, python: str = sys.executable) -> None:
        self._config, self._folder, self._queue, self._stop, self._python = config, folder, queue, stop, python
        self._limits = Limits(60 * config.segment.minutes, config.segment.memory_gb * GIB)
        self._modality = config.modality
        # Slices done and to do, for the status page.
        self.progress = (0, 0)

    def step(self) -> bool:
        """Work on the study that waits longest; whether there was one."""
        study = self._queue.next(READY_TO_SEGMENT)
        if study is None:
            return False
        self.progress = (0, 0)
        job, reason = self._chosen(study.id)
        if job is None:
            self._finish(study, REFUSED, reason)
        elif self._folder.was_sent(study.id, job.images):
            self._finish(study, DONE, "Results of these images are in the archive.")
        else:
            self._try(study, job)
        return True

    def _try(self, study: Study, job: Job) -> None:
        try:
            self._work(study, job)
        except (OSError, InputError) as error:
            # Of the node's own folder: not the study's fault, and no attempt.
            reason = f"The node's folder cannot be written or read ({getattr(error, 'strerror', None) or type(error).__name__})."
            _LOG.error("Study %s: waits. %s", short(study.id), reason)
            self._queue.move(study, READY_TO_SEGMENT)
            self._queue.postpone(study, _NO_ROOM_PAUSE_S, reason)

    def _chosen(self, study: str) -> tuple[Job | None, str]:
        series = self._queue.images(study)
        facts = {}
        for name, images in series.items():
            try:
                facts[name] = facts_of(self._folder.images(study, name) / f"{images[0]}.dcm", len(images))
            except ValueError:
                _LOG.warning("Study %s: the headers of a series cannot be read", short(study))
        if not facts:
            return None, f"No {SCAN_WORDS[self._modality]} that can be read came with it."
        chosen, reason = fitting_series(facts, self._config.choose, self._modality)
        return (Job(chosen, tuple(series[chosen])), "") if chosen else (None, reason)

    def _work(self, study: Study, job: Job) -> None:
        size = sum((self._folder.images(study.id, job.series) / f"{image}.dcm").stat().st_size for image in job.images)
        if not self._folder.has_room(_RESULT_SHARE * size, for_results=True):
            # Not the study's fault, and no attempt: it waits until something is removed.
            self._queue.postpone(study, _NO_ROOM_PAUSE_S, "There is no room for its results.")
            _LOG.warning("Study %s: waits, because there is no room for its results", short(study.id))
            return
        place = self._folder.begin_job(study.id, job.series, job.images)
        result, objects = place / "result", place / "dicom"
        if not self._queue.move(study, SEGMENTING):
            return
        if not (result / "result.json").is_file():
            _LOG.info("Study %s: segmenting %d images", short(study.id), len(job.images))
            segment = self._config.segment
            seed, bundle, task = int(job_of(job.images)[:7], 16), segment.bundle or None, segment.task or None
            settings = Settings(segment.device, seed=seed, bundle=bundle, task=task)
            ending = self._run(SegmentRequest(place / "ct", result, settings).arguments(), result)
            if ending.code and not (result / "result.json").is_file():
                return self._fail(study, ending, place / "ct")
        if not self._queue.move(study, RESULTS):
            return
        if not objects.is_dir():
            _LOG.info("Study %s: making DICOM results", short(study.id))
            with_pdf = self._report(study, place)
            ending = self._run(results_command(result, place / "ct", objects, with_pdf), objects)
            if ending.code and not objects.is_dir():
                return self._fail(study, ending, place / "ct")
        _note(place, job)
        self._folder.measure()
        if not self._queue.move(study, SENDING):
            _LOG.info("Study %s: more images came; it is looked at again", short(study.id))

    def _report(self, study: Study, place: Path) -> bool:
        """Put the report as a PDF into the result folder; False where none is wanted or it cannot be made.

        That must not keep the numbers back.
        """
        language, pdf = self._config.segment.report, place / "result" / REPORT_PDF
        if not language:
            return False
        # A computer without graphics makes all of it but the rendering.
        for more in ([], ["--no-3d"]):
            command = ["report", str(place / "result"), "-o", str(pdf), "--ct", str(place / "ct"), "--language", language]
            if pdf.is_file():
                return True
            ending = self._run([*command, "--title", f"Study {short(study.id)}", *more], pdf)
            if not ending.code:
                return True
            if ending.stopped:
                return False
        reason = redacted(ending.message, _personal_words(place / "ct"))
        _LOG.warning("Study %s: its report cannot be made; the results go without a PDF. %s", short(study.id), reason)
        return False

    def _run(self, arguments: list[str], output: Path) -> ChildEnding:
        def on_progress(done: int, total: int) -> None:
            self.progress = (done, total)

        return run_child(arguments, output, self._limits, self._stop, self._python, on_progress)

    def _fail(self, study: Study, ending: ChildEnding, ct: Path) -> None:
        if ending.stopped or ending.code == _CANCELLED:
            self._queue.move(study, READY_TO_SEGMENT)
            return
        reason = redacted(ending.message, _personal_words(ct))
        if ending.over_limit or study.attempts + 1 >= self._config.segment.attempts:
            self._finish(study, REFUSED if ending.code == _BAD_INPUT else FAILED, reason)
            return
        pause = pause_s(self._config, study.attempts)
        _LOG.warning("Study %s: %s It is tried again in %.0f s.", short(study.id), reason, pause)
        self._queue.move(study, READY_TO_SEGMENT, reason, pause)

    def _finish(self, study: Study, state: str, reason: str) -> None:
        if self._queue.move(study, state, reason):
            log = _LOG.info if state == DONE else _LOG.warning
            log("Study %s: %s. %s", short(study.id), state, reason)


def results_command(result: Path, ct: Path, output: Path, with_pdf: bool) -> list[str]:
    """The command that makes DICOM objects of a result folder and the series it was made from, in a folder of their own."""
    choice = "--pdf" if with_pdf else "--no-pdf"
    return ["export", str(result), "--dicom", str(output), "--source", str(ct), choice, "--progress", "json"]


def pause_s(config: Config, attempts: int) -> float:
    """How long to wait after so many failures: twice as long each time, up to a limit."""
    return min(config.send.longest_pause_s, config.send.pause_s * 2.0 ** min(attempts, 30))


def read_note(place: Path) -> Job:
    """What the job in a folder worked on.

    Raises:
        OSError, ValueError, KeyError: it is not noted there.
    """
    data = json.loads((place / _NOTE).read_text(encoding="utf-8"))
    return Job(str(data["series"]), tuple(map(str, data["images"])))


def _note(place: Path, job: Job) -> None:
    from ..output.files import whole_file

    with whole_file(place / _NOTE, ".json") as path:
        path.write_text(json.dumps({"series": job.series, "images": job.images}), encoding="utf-8")


def _personal_words(ct: Path) -> list[str]:
    """Words of the headers that a sentence must not quote."""
    from pydicom import dcmread

    words: list[str] = []
    for path in sorted(ct.iterdir())[:1]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                header = dcmread(path, stop_before_pixels=True, specific_tags=list(_PERSONAL))
                values = [str(header.get(keyword) or "") for keyword in _PERSONAL]
        except Exception:
            # What cannot be read was not quoted either.
            continue
        for value in values:
            words += [value, *value.replace("^", " ").replace("=", " ").split()]
    return [word for word in words if word]
