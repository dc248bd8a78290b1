"""Sending results until the archive has them. Their identifiers follow from the result, so that sending twice adds nothing."""

from __future__ import annotations

import logging
import time

from ..errors import InputError
from .archive import ArchiveError, send
from .config import Config
from .files import WorkFolder, short
from .jobs import pause_s, read_note
from .queue import DONE, FAILED, READY_TO_SEGMENT, SENDING, Study, StudyQueue

_LOG = logging.getLogger(__name__)


class Sender:
    """Sends the results of one study after the other; `trouble` is what the archive last failed at, empty after a success."""

    def __init__(self, config: Config, folder: WorkFolder, queue: StudyQueue) -> None:
        self._config, self._folder, self._queue = config, folder, queue
        self.trouble = ""

    def step(self) -> bool:
        """Send the results that wait longest; whether there were any."""
        study = self._queue.next(SENDING)
        if study is None:
            return False
        try:
            place = self._folder.current_job(study.id)
            job = read_note(place)
            files = sorted((place / "dicom").glob("*.dcm"))
        except (OSError, ValueError, KeyError):
            files = []
        if not files:
            # Somebody removed them: they are made anew from the images.
            self._queue.move(study, READY_TO_SEGMENT)
            return True
        if not self._folder.was_sent(study.id, job.images):
            try:
                send(files, self._config.send, self._config.node.ae_title)
                self._folder.note_sent(study.id, place.name, job.images)
            except (ArchiveError, InputError) as error:
                self._fail(study, str(error))
                return True
        self._end(study)
        return True

    def _end(self, study: Study) -> None:
        self.trouble = ""
        _LOG.info("Study %s: the archive has its results", short(study.id))
        self._queue.move(study, DONE)

    def _fail(self, study: Study, reason: str) -> None:
        if reason != self.trouble:
            _LOG.warning("%s", reason)
        self.trouble = reason
        if time.time() - study.since > 3600 * self._config.send.give_up_hours:
            _LOG.error("Study %s: its results could not be sent and are kept", short(study.id))
            self._queue.move(study, FAILED, reason)
            return
        self._queue.move(study, SENDING, reason, pause_s(self._config, study.attempts))
