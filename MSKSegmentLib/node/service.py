"""The node as a whole: its threads, its status, its end. A thread that fails ends the node, so that a supervisor starts it anew."""

from __future__ import annotations

import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .. import __version__
from ..engine.cancelling import Checkpoint
from ..errors import MSKSegmentError
from .config import MIB, Config
from .files import WorkFolder, short
from .jobs import Worker
from .keeping import Keeper
from .polling import Poller
from .queue import SEGMENTING, Study, StudyQueue
from .receiving import Receiver
from .sending import Sender
from .status_page import NodeStatus, StatusPage, age

_LOG = logging.getLogger(__name__)
_TICK_S = 0.2
_TIDY_S = 300.0
_MOST_ROWS = 100


class NodeFailed(MSKSegmentError):
    """A part of the node failed; start it again: nothing is lost."""


class Node:
    """A running node. `python` runs the segmentation's child processes."""

    def __init__(self, config: Config, python: str = sys.executable) -> None:
        """Open folder and queue, go on where a kill interrupted, and listen.

        Raises:
            InputError: the folder, a port or a file cannot be used.
        """
        self._config, self._began = config, time.time()
        self._stop = threading.Event()
        self._failed = ""
        self._folder = WorkFolder(config.node.folder, config.disk.most_bytes, config.disk.reserve_bytes)
        self._queue = StudyQueue(self._folder.queue_file)
        if self._queue.damaged:
            _LOG.error("The queue was damaged; it is set aside, and built again from the files")
        self._queue.begin(self._folder.known_images())
        self._keeper = Keeper(self._folder, self._queue, config.disk, config.modality)
        self._worker = Worker(config, self._folder, self._queue, self._stop, python)
        self._sender = Sender(config, self._folder, self._queue)
        self._poller = Poller(config, config.poll, self._keeper, self._queue, self._stop.is_set) if config.poll else None
        self._receiver: Receiver | None = None
        self._page: StatusPage | None = None
        self._threads: list[threading.Thread] = []
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        config = self._config
        if config.node.status_port:
            self._page = StatusPage(config.node.status_port, self.status)
            _LOG.info("Status page: %s", self._page.address)
        self._thread("segmenting", lambda: self._steadily(self._worker.step))
        self._thread("sending", lambda: self._steadily(self._sender.step))
        if self._poller:
            self._thread("polling", self._poll)
        if config.receive:
            self._receiver = Receiver(config.receive, config.node.ae_title, self._keeper)
            _LOG.info("%s listens on %s:%d", config.node.ae_title, config.receive.host, config.receive.port)

    def run(self, checkpoint: Checkpoint) -> None:
        """Work until `checkpoint` raises.

        Raises:
            NodeFailed: a part of it failed.
        """
        tidy_at = 0.0
        while True:
            checkpoint()
            if self._failed or (self._receiver and not self._receiver.alive):
                raise NodeFailed(f"The node stops, because a part of it failed ({self._failed or 'receiver'}); start it again.")
            self._queue.settle(self._config.node.quiet_s, self._receiver.open_studies() if self._receiver else ())
            if time.monotonic() >= tidy_at:
                self._keeper.tidy()
                tidy_at = time.monotonic() + _TIDY_S
            self._stop.wait(_TICK_S)

    def close(self) -> None:
        """Stop: a segmentation that runs is ended and begins again at the next start."""
        self._stop.set()
        for part in (self._receiver, self._page):
            if part:
                part.close()
        for thread in self._threads:
            thread.join()
        self._queue.close()
        self._folder.close()

    def status(self) -> NodeStatus:
        """What the status page shows; JSON-ready, without header text."""
        images = self._queue.image_counts()
        peers = {"Results to the archive": self._sender.trouble} | (
            {"Studies from the archive": self._poller.trouble} if self._poller else {}
        )
        return {
            "ae_title": self._config.node.ae_title,
            "version": __version__,
            "running_s": age(self._began),
            "studies": self._queue.counts(),
            "peers": peers,
            "received": dict(self._receiver.counts) if self._receiver else {},
            "disk": {
                "used_mb": self._folder.used_bytes / MIB,
                "most_mb": self._config.disk.most_bytes / MIB,
                "has_room": self._folder.has_room(),
            },
            "last": [self._row(study, images.get(study.id, 0)) for study in self._queue.studies(most=_MOST_ROWS)],
        }

    def _row(self, study: Study, images: int) -> dict[str, Any]:
        progress = self._worker.progress if study.state == SEGMENTING and self._worker.progress[1] else None
        return {
            "study": short(study.id),
            "state": study.state,
            "age_s": age(study.since),
            "images": images,
            "attempts": study.attempts,
            "next_s": max(0.0, -age(study.due)),
            "reason": study.reason,
            "progress": progress,
        }

    def _thread(self, name: str, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as error:
                # Its text may quote a header.
                self._failed = f"{name}: {type(error).__name__}"

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _steadily(self, step: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            if not step():
                self._stop.wait(_TICK_S)

    def _poll(self) -> None:
        assert self._poller and self._config.poll
        while not self._stop.is_set():
            self._poller.step()
            self._stop.wait(self._config.poll.every_s)


def run_node(config: Config, checkpoint: Checkpoint, python: str = sys.executable) -> None:
    """Run a node until `checkpoint` raises, which it is called for often.

    Raises:
        InputError: the configuration names what cannot be used.
        NodeFailed: a part of it failed.
    """
    keep_headers_out_of_the_log()
    node = Node(config, python)
    try:
        node.run(checkpoint)
    finally:
        node.close()


def keep_headers_out_of_the_log() -> None:
    """Libraries log and warn of values that they find odd, and quote them; threads that fail print what they had in hand."""
    for library in ("pynetdicom", "pydicom", "dicomweb_client", "urllib3"):
        logger = logging.getLogger(library)
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    warnings.simplefilter("ignore")
    threading.excepthook = _thread_failed
    logger = logging.getLogger(__package__)
    if logger.getEffectiveLevel() == logging.WARNING:
        # What becomes of each study is what a service's log is for.
        logger.setLevel(logging.INFO)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    with suppress(Exception):
        _LOG.error("A connection's thread failed (%s)", failure.exc_type.__name__)
