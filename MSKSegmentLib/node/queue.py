"""The queue of studies in an SQLite file: what arrived, how far each study is, why it stopped. No header text, no names.

Studies, series and images are named by hashes of their UIDs (`files.name_of`). The files are the truth and this an index of them:
a damaged queue is set aside and built again from the files (`files.WorkFolder.known_images`).
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .queue_file import open_database, set_aside

RECEIVING, READY_TO_SEGMENT, SEGMENTING, RESULTS, SENDING = "receiving", "ready", "segmenting", "results", "sending"
DONE, REFUSED, FAILED = "done", "refused", "failed"
STATES = (RECEIVING, READY_TO_SEGMENT, SEGMENTING, RESULTS, SENDING, DONE, REFUSED, FAILED)
FINISHED = (DONE, REFUSED, FAILED)
_MOST_REFUSALS = 500


@dataclass(frozen=True)
class Image:
    """A received image by the hashes of its UIDs."""

    study: str
    series: str
    id: str
    bytes: int = 0


@dataclass(frozen=True)
class Study:
    """A row of the queue; times are seconds since 1970. `since` is when the state began, `due` when it may be worked on."""

    id: str
    state: str
    reason: str
    attempts: int
    due: float
    arrived: float
    since: float
    revision: int
    fetching: bool
    announced: str


class StudyQueue:
    """The queue; may be used from any thread. Every change is on the drive when its method returns."""

    def __init__(self, path: Path, keep_damaged: bool = False) -> None:
        """Open the queue, or a new one where it is damaged; `damaged` tells that it was set aside.

        Raises:
            sqlite3.DatabaseError: it is damaged and `keep_damaged`.
        """
        self._lock = threading.RLock()
        self.damaged = False
        try:
            self._database = open_database(path)
        except sqlite3.DatabaseError:
            if keep_damaged:
                raise
            self.damaged = True
            set_aside(path)
            self._database = open_database(path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def add(self, image: Image) -> bool:
        """Note an image; whether it is a new one. It makes a finished study that it is new to, or that failed, be taken again."""
        now = time.time()
        with self._change() as database:
            new = database.execute(
                "INSERT OR IGNORE INTO image VALUES (?, ?, ?, ?)", (image.study, image.series, image.id, image.bytes)
            ).rowcount
            database.execute(
                "INSERT OR IGNORE INTO study (id, state, arrived, since) VALUES (?, ?, ?, ?)", (image.study, RECEIVING, now, now)
            )
            # What was done stays done when its images are sent once more; what failed was sent again to be tried again.
            again = (READY_TO_SEGMENT, *FINISHED) if new else (REFUSED, FAILED)
            database.execute(
                f"UPDATE study SET state = ?, reason = '', attempts = 0, due = 0, since = ? WHERE id = ? "
                f"AND state IN ({_marks(again)})",
                (RECEIVING, now, image.study, *again),
            )
            database.execute("UPDATE study SET arrived = ?, revision = revision + ? WHERE id = ?", (now, new, image.study))
        return bool(new)

    def has(self, image: Image) -> bool:
        """Whether the image is in the queue."""
        query = "SELECT 1 FROM image WHERE study = ? AND series = ? AND id = ?"
        with self._lock:
            return self._database.execute(query, (image.study, image.series, image.id)).fetchone() is not None

    def images(self, study: str) -> dict[str, list[str]]:
        """The images of a study by series, in order of their names."""
        with self._lock:
            rows = self._database.execute("SELECT series, id FROM image WHERE study = ? ORDER BY series, id", (study,)).fetchall()
        found: dict[str, list[str]] = {}
        for series, image in rows:
            found.setdefault(series, []).append(image)
        return found

    def settle(self, quiet_s: float, open_studies: Collection[str] = ()) -> None:
        """Make those studies ready of which nothing came for so long, but for those whose sender is still connected."""
        now = time.time()
        with self._change() as database:
            # A clock that was put back must not make a study wait for it.
            database.execute("UPDATE study SET arrived = ? WHERE state = ? AND arrived > ?", (now, RECEIVING, now))
            database.execute(
                "UPDATE study SET state = ?, since = ?, due = 0 WHERE state = ? AND fetching = 0 AND arrived <= ? "
                f"AND id NOT IN ({_marks(open_studies)})",
                (READY_TO_SEGMENT, now, RECEIVING, now - quiet_s, *open_studies),
            )

    def next(self, state: str) -> Study | None:
        """The study that waits longest in a state and may be worked on."""
        with self._lock:
            row = self._database.execute(
                "SELECT * FROM study WHERE state = ? AND due <= ? ORDER BY due, arrived, id LIMIT 1", (state, time.time())
            ).fetchone()
        return _study(row) if row else None

    def move(self, study: Study, state: str, reason: str = "", pause_s: float | None = None) -> bool:
        """Put a study into a state, as long as no image came since it was read; if one did, it is received again: then False.

        With `pause_s` this counts as an attempt that failed, and the next one waits so long.
        """
        now = time.time()
        attempts, due = (0, 0.0) if pause_s is None else (study.attempts + 1, now + pause_s)
        same = state == study.state
        with self._change() as database:
            moved = database.execute(
                "UPDATE study SET state = ?, reason = ?, attempts = ?, due = ?, since = CASE WHEN ? THEN since ELSE ? END "
                "WHERE id = ? AND revision = ?",
                (state, reason, attempts, due, same, now, study.id, study.revision),
            ).rowcount
            if not moved:
                self._receive_again(study.id, now)
        return bool(moved)

    def postpone(self, study: Study, pause_s: float, reason: str) -> None:
        """Let a study wait where it is; this is no attempt."""
        with self._change() as database:
            database.execute("UPDATE study SET due = ?, reason = ? WHERE id = ?", (time.time() + pause_s, reason, study.id))

    def _receive_again(self, study: str, now: float) -> None:
        self._database.execute(
            "UPDATE study SET state = ?, reason = '', attempts = 0, due = 0, since = ? WHERE id = ?", (RECEIVING, now, study)
        )

    def refuse(self, study: str, reason: str) -> None:
        """Note a study of which nothing is kept; one of which something is, stays as it is."""
        now = time.time()
        with self._change() as database:
            database.execute(
                "INSERT INTO study (id, state, reason, arrived, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
                "SET reason = excluded.reason, arrived = excluded.arrived WHERE state = ?",
                (study, REFUSED, reason, now, now, REFUSED),
            )
            # Whoever sends a million of them fills neither the drive nor the page.
            database.execute(
                "DELETE FROM study WHERE state = ? AND id NOT IN (SELECT study FROM image) AND id NOT IN (SELECT id FROM study "
                "WHERE state = ? ORDER BY arrived DESC LIMIT ?)",
                (REFUSED, REFUSED, _MOST_REFUSALS),
            )

    def announce(self, study: str, announced: str, fetching: bool) -> None:
        """Note what an archive says a study holds, and whether it is still being fetched (it does not become ready meanwhile)."""
        now = time.time()
        with self._change() as database:
            database.execute(
                "INSERT INTO study (id, state, arrived, since, announced, fetching) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO "
                "UPDATE SET announced = excluded.announced, fetching = excluded.fetching",
                (study, RECEIVING, now, now, announced, fetching),
            )

    def again(self) -> int:
        """Have refused and failed studies of which images are there tried again; returns how many."""
        with self._change() as database:
            return database.execute(
                "UPDATE study SET state = ?, reason = '', attempts = 0, due = 0, since = ? WHERE state IN (?, ?) AND id IN "
                "(SELECT study FROM image)",
                (RECEIVING, time.time(), REFUSED, FAILED),
            ).rowcount

    def find(self, study: str) -> Study | None:
        """The row of a study."""
        with self._lock:
            row = self._database.execute("SELECT * FROM study WHERE id = ?", (study,)).fetchone()
        return _study(row) if row else None

    def studies(self, states: Iterable[str] = STATES, most: int = -1) -> list[Study]:
        """Studies in these states, the one that changed last first."""
        states = tuple(states)
        query = f"SELECT * FROM study WHERE state IN ({_marks(states)}) ORDER BY since DESC, id LIMIT ?"
        with self._lock:
            return [_study(row) for row in self._database.execute(query, (*states, most)).fetchall()]

    def counts(self) -> dict[str, int]:
        """How many studies are in each state."""
        with self._lock:
            found = dict(self._database.execute("SELECT state, COUNT(*) FROM study GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in STATES}

    def image_counts(self) -> dict[str, int]:
        """How many images are there of each study."""
        with self._lock:
            return dict(self._database.execute("SELECT study, COUNT(*) FROM image GROUP BY study").fetchall())

    def forget_images(self, study: Study) -> bool:
        """Before the files of a finished study are removed: False where it is no longer finished."""
        with self._change() as database:
            finished = database.execute(
                f"UPDATE study SET revision = revision + 1 WHERE id = ? AND revision = ? AND state IN ({_marks(FINISHED)})",
                (study.id, study.revision, *FINISHED),
            ).rowcount
            if finished:
                database.execute("DELETE FROM image WHERE study = ?", (study.id,))
        return bool(finished)

    def forget(self, before: float) -> None:
        """Remove rows of finished studies without files that did not change since."""
        with self._change() as database:
            database.execute(
                f"DELETE FROM study WHERE since < ? AND state IN ({_marks(FINISHED)}) AND id NOT IN (SELECT study FROM image)",
                (before, *FINISHED),
            )

    def begin(self, images: Iterable[Image]) -> None:
        """At the start: work that was interrupted waits again, and the queue holds exactly the images that are there."""
        found = {(one.study, one.series, one.id): one.bytes for one in images}
        with self._change() as database:
            rows = set(database.execute("SELECT study, series, id FROM image").fetchall())
            database.executemany("DELETE FROM image WHERE study = ? AND series = ? AND id = ?", rows - found.keys())
        for study, series, image in found.keys() - rows:
            self.add(Image(study, series, image, found[study, series, image]))
        with self._change() as database:
            database.execute("UPDATE study SET state = ? WHERE state IN (?, ?)", (READY_TO_SEGMENT, SEGMENTING, RESULTS))
            # Nothing could come while no node was there.
            database.execute("UPDATE study SET arrived = ? WHERE state = ?", (time.time(), RECEIVING))
            database.execute("UPDATE study SET due = 0 WHERE state IN (?, ?)", (READY_TO_SEGMENT, SENDING))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise


def _study(row: tuple[object, ...]) -> Study:
    values: list[Any] = list(row)
    values[8] = bool(values[8])
    return Study(*values)


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)
