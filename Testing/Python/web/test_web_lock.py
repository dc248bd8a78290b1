"""One reviewer at a time, between processes that may be killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from MSKSegmentLib.web.case.lock import LOCK, ReviewLock

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from MSKSegmentLib.web.case.lock import ReviewLock
lock = ReviewLock(Path(sys.argv[1]), sys.argv[2])
print("held" if lock.held else lock.reason, flush=True)
time.sleep(60)
"""


@pytest.fixture
def hold():
    """Start processes that take the lock; gives (process, what it said)."""
    started = []

    def start(folder, who=""):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder), who],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, encoding="utf-8", env={**os.environ, "PYTHONUTF8": "1"},
        )  # fmt: skip
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_the_second_process_reads_and_is_told_who_writes(tmp_path, hold):
    _, first = hold(tmp_path, "Dr. 佐藤")
    assert first == "held"
    second = ReviewLock(tmp_path)
    assert not second.held
    assert second.reason.startswith("Read-only: Dr. 佐藤 has had this result open on this computer since ")
    assert second.reason.endswith("; open it again when they have closed it to make changes.")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path, hold, number):
    process, _ = hold(tmp_path)
    process.send_signal(number)
    process.wait()
    lock = ReviewLock(tmp_path)
    assert lock.held and lock.reason == ""


def test_a_released_lock_is_free_for_others(tmp_path, hold):
    lock = ReviewLock(tmp_path)
    assert lock.held
    _, said = hold(tmp_path)
    assert said.startswith("Read-only: ")
    lock.release()
    lock.release()
    _, said = hold(tmp_path)
    assert said == "held"


def test_a_file_left_by_an_older_version_or_damaged_does_not_lock(tmp_path):
    (tmp_path / LOCK).write_text("not json", encoding="utf-8")
    lock = ReviewLock(tmp_path)
    assert lock.held
    assert json.loads((tmp_path / LOCK).read_text(encoding="utf-8"))["who"]


def test_somebody_without_a_name_holds_it_too(tmp_path):
    first = ReviewLock(tmp_path)
    (tmp_path / LOCK).write_text("[]", encoding="utf-8")
    assert "somebody else has this result open" in ReviewLock(tmp_path).reason
    first.release()


def test_a_folder_that_cannot_be_written_is_read_only(tmp_path):
    missing = ReviewLock(tmp_path / "gone")
    assert not missing.held and "nothing can be written to the folder 'gone'" in missing.reason


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="utf-8")
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / LOCK).symlink_to(victim)
    assert not ReviewLock(folder).held
    assert victim.read_text(encoding="utf-8") == "precious"
