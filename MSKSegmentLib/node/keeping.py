"""Taking an image into folder and queue, and removing what is finished; the one way in for C-STORE and DICOMweb."""

from __future__ import annotations

import logging
import threading
import time
import warnings
from io import BytesIO
from typing import Any

from ..ct.modality import CT_MODALITY, SCAN_WORDS
from ..ct.storage_classes import image_classes
from .config import DiskTable
from .files import FolderFull, WorkFolder, name_of, short
from .queue import FINISHED, Image, StudyQueue

_LOG = logging.getLogger(__name__)
_LONGEST_UID = 64
# How long a study is remembered whose files are gone.
_REMEMBERED_S = 180 * 86_400.0
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


class Refused(Exception):
    """An image that is not taken: `status` for a C-STORE response, `reason` for log and status page."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Keeper:
    """Takes images and makes room for them."""

    def __init__(self, folder: WorkFolder, queue: StudyQueue, disk: DiskTable, modality: str = CT_MODALITY) -> None:
        self._folder, self._queue, self._disk = folder, queue, disk
        self._classes = image_classes(modality)
        scan = SCAN_WORDS[modality]
        self._foreign = f"It is no {scan}; this node segments {scan if modality == CT_MODALITY else f'{scan}s'} alone."
        self._turned_away = ""
        # A study must not be removed between the writing of an image and its entry in the queue.
        self._one_at_a_time = threading.RLock()

    def take(self, content: bytes, class_uid: str | None = None, instance_uid: str | None = None) -> Image:
        """Keep an image, given as a whole DICOM file; `class_uid` and `instance_uid` are what the sender called it.

        When this returns the image is on the drive and in the queue. One that is there already is not written again.

        Raises:
            Refused: it is no image of the node's modality, its headers contradict the sender or each other, or there is no room.
        """
        study, series, instance, kind = _uids(content)
        image = Image(name_of(study), name_of(series), name_of(instance), len(content))
        if (class_uid or kind) not in self._classes or kind not in self._classes:
            if image.study != self._turned_away:
                _LOG.info("Study %s: images are refused. %s", short(image.study), self._foreign)
            self._turned_away = image.study
            self._queue.refuse(image.study, self._foreign)
            raise Refused(0x0122 if class_uid not in self._classes else 0xA900, self._foreign)
        if instance_uid is not None and instance_uid != instance:
            raise Refused(0xA900, "The image's own identifier differs from the one that its sender gave it.")
        with self._one_at_a_time:
            if not self._queue.has(image):
                self._write(image, content)
            if self._queue.add(image):
                _LOG.debug("Study %s: image %s", short(image.study), short(image.id))
        return image

    def _write(self, image: Image, content: bytes) -> None:
        for full_before in (False, True):
            try:
                return self._folder.keep(image, content)
            except FolderFull:
                if full_before or not self.make_room(len(content)):
                    break
        if image.study != self._turned_away:
            # Once for a study, however often its sender tries.
            _LOG.warning("Study %s: images are refused, because the node's folder is full", short(image.study))
        self._turned_away = image.study
        raise Refused(0xA700, "The node's folder is full.")

    def make_room(self, needed_bytes: int = 0) -> int:
        """Remove finished studies that are too old, and younger ones, the oldest first, while there is no room; how many."""
        removed = 0
        with self._one_at_a_time:
            counts = self._queue.image_counts()
            for study in reversed(self._queue.studies(FINISHED)):
                if time.time() - study.since < self._disk.keep_days * 86_400 and self._folder.has_room(needed_bytes):
                    break
                if counts.get(study.id) and self._queue.forget_images(study):
                    self._folder.remove(study.id)
                    _LOG.info("Study %s: its files were removed (%s)", short(study.id), study.state)
                    removed += 1
        return removed

    def tidy(self) -> None:
        """What is to be done now and then: sizes, old studies, old notes."""
        self._folder.measure()
        self.make_room()
        before = time.time() - _REMEMBERED_S
        self._queue.forget(before)
        self._folder.forget_sent(before)


def _uids(content: bytes) -> tuple[str, str, str, str]:
    from pydicom import dcmread

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header: Any = dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=list(_UIDS))
            values = tuple(str(header.get(keyword) or "").strip() for keyword in _UIDS)
    except Exception as error:
        # pydicom raises errors of many kinds on damaged elements, among them RecursionError and NotImplementedError.
        raise Refused(0xC000, "Its headers cannot be read.") from error
    if not all(0 < len(value) <= _LONGEST_UID and set(value) <= set("0123456789.") for value in values):
        raise Refused(0xA900, "It lacks a valid identifier of study, series or image.")
    study, series, instance, kind = values
    return study, series, instance, kind
