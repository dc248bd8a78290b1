"""The SQLite file of the queue: made, opened, tried, and set aside where it is damaged."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS study (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0,
  due REAL NOT NULL DEFAULT 0, arrived REAL NOT NULL, since REAL NOT NULL, revision INTEGER NOT NULL DEFAULT 0,
  fetching INTEGER NOT NULL DEFAULT 0, announced TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS image (
  study TEXT NOT NULL, series TEXT NOT NULL, id TEXT NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (study, series, id));
CREATE INDEX IF NOT EXISTS by_state ON study (state, due);
"""


def open_database(path: Path) -> sqlite3.Connection:
    """Open or make the file; what is committed is on the drive.

    Raises:
        sqlite3.DatabaseError: it is damaged, or another kind of file.
    """
    database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
    try:
        if os.name == "posix":
            path.chmod(0o600)
        database.execute("PRAGMA journal_mode = WAL")
        # A power cut must not take back what a sender was told.
        database.execute("PRAGMA synchronous = FULL")
        answer = database.execute("PRAGMA integrity_check").fetchone()
        if answer != ("ok",):
            raise sqlite3.DatabaseError("integrity")
        database.executescript(_SCHEMA)
        # A cut that left a valid file of another kind shows here.
        database.execute(
            "SELECT id, state, reason, attempts, due, arrived, since, revision, fetching, announced FROM study LIMIT 1"
        )
    except BaseException:
        database.close()
        raise
    return database


def set_aside(path: Path) -> None:
    """Keep one damaged queue for whoever wants to look into it; its journals must not be taken for the new one's."""
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    if path.exists():
        os.replace(path, path.with_name(path.name + ".damaged"))
