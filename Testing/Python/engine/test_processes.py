"""Ending a child and all that it started, and telling the living from the dead, with nothing but Python itself."""

import builtins
import os
import signal
import subprocess
import sys
import time

import pytest

from MSKSegmentLib import memory, processes
from MSKSegmentLib.processes import end_tree, lives, start_options

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has taskkill, which needs Windows")

# A launcher, the program it starts, and a helper of that; `deaf` ones ignore being asked to stop.
TREE = """
import signal, subprocess, sys, time
level, deaf = int(sys.argv[1]), sys.argv[2] == "deaf"
if deaf:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if level:
    child = subprocess.Popen([sys.executable, "-S", "-c", sys.argv[3], str(level - 1), sys.argv[2], sys.argv[3]])
print(level, __import__("os").getpid(), flush=True)
time.sleep(60)
"""


@pytest.fixture
def no_psutil(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments):
        if name.partition(".")[0] == "psutil":
            raise ImportError("not in 3D Slicer")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)


def started(kind):
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", TREE, "2", kind, TREE], stdout=subprocess.PIPE, text=True, **start_options()
    )
    pids = {}
    while len(pids) < 3:
        level, pid = child.stdout.readline().split()
        pids[int(level)] = int(pid)
    child.stdout.close()
    return child, list(pids.values())


def gone(pid):
    return not lives(pid)


@pytest.mark.parametrize("kind", ["polite", "deaf"])
def test_the_whole_tree_ends(no_psutil, kind):
    child, pids = started(kind)
    assert all(lives(pid) for pid in pids)
    began = time.monotonic()
    end_tree(child, 0.5)
    assert all(gone(pid) for pid in pids) and time.monotonic() - began < 10
    assert child.returncode == -(signal.SIGKILL if kind == "deaf" else signal.SIGTERM)


def test_what_a_launcher_left_behind_ends_too(no_psutil):
    child, pids = started("polite")
    os.kill(pids[0] if pids[0] == child.pid else child.pid, signal.SIGKILL)
    child.wait()
    assert any(lives(pid) for pid in pids)
    end_tree(child, 2)
    assert all(gone(pid) for pid in pids)


def test_a_child_that_was_stopped_ends(no_psutil):
    child, pids = started("polite")
    os.killpg(child.pid, signal.SIGSTOP)
    end_tree(child, 5)
    assert all(gone(pid) for pid in pids) and child.returncode == -signal.SIGTERM


def test_zombies_count_as_dead(no_psutil):
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    end = time.monotonic() + 20
    while lives(child.pid):
        assert time.monotonic() < end
        time.sleep(0.01)
    # Nobody has collected it: its number is still taken.
    os.kill(child.pid, 0)
    child.wait()
    assert gone(child.pid) and lives(os.getpid()) and lives(1)


def test_windows_kills_by_taskkill_and_by_hand_where_that_is_missing(monkeypatch):
    commands = []

    class Child:
        pid, killed = 4711, False

        def kill(self):
            self.killed = True

        def wait(self):
            return 1

    monkeypatch.setattr(processes.os, "name", "nt")
    monkeypatch.setattr(processes.subprocess, "run", lambda command, **options: commands.append(command))
    child = Child()
    end_tree(child, 1)
    assert commands == [["taskkill", "/PID", "4711", "/T", "/F"]] and not child.killed

    def missing(command, **options):
        raise FileNotFoundError

    monkeypatch.setattr(processes.subprocess, "run", missing)
    end_tree(child, 1)
    assert child.killed


def test_without_psutil_memory_is_not_known_and_nothing_else_fails(no_psutil):
    assert memory.total_bytes() is memory.free_bytes() is memory.peak_bytes() is None


def test_with_psutil_memory_is_known():
    pytest.importorskip("psutil")
    assert memory.total_bytes() >= memory.free_bytes() > 0 and memory.peak_bytes() > 1 << 20
