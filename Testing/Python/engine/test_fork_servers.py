"""Children that are forked: many of one server, their ends, and what becomes of them when somebody is killed."""

import os
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from MSKSegmentLib.engine import EngineRun
from MSKSegmentLib.engine.fork_servers import ForkServers, can_fork
from MSKSegmentLib.processes import lives

pytestmark = pytest.mark.skipif(not can_fork(), reason="children are forked on Linux alone")
ROOT = Path(__file__).resolve().parents[3]
# A server that has nothing to import, and commands that tell what they are.
SERVER = f"""#!{sys.executable} -SE
import os, sys, tempfile, time
sys.path.insert(0, {str(ROOT)!r})
from MSKSegmentLib.commands import fork_server
kept = tempfile.TemporaryDirectory()
def main(words):
    if words[0] == "wait":
        sys.stderr.write("waits\\n")
        sys.stderr.flush()
        time.sleep(600)
    print('{{"message": "told", "server": %d, "run": "%s", "kept": "%s"}}' % (os.getppid(), os.environ["MSKSEG_RUN"], kept.name))
    return int(words[1])
fork_server.main = main
sys.exit(fork_server.serve_forks(()))
"""


@contextmanager
def _servers(folder):
    python = folder / "python"
    python.write_text(SERVER)
    python.chmod(0o755)
    servers = ForkServers()
    try:
        yield servers, lambda *words: EngineRun(words, None, str(python), start=servers.start)
    finally:
        servers.close()


def _until(true):
    end = time.monotonic() + 120
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_children_of_one_server_end_as_their_own_selves(tmp_path):
    with _servers(tmp_path) as (_, start):
        first, second = start("end", "0"), None
        assert first.wait(120) == 0 and first.message == "told"
        second = start("end", "2")
        assert second.wait(120) == 2
        assert first.answer["server"] == second.answer["server"] != os.getpid() and first.answer["run"] != second.answer["run"]
        # A fork's end is not the server's: what this one made for itself stays until then.
        assert Path(second.answer["kept"]).is_dir()
        # Two at once need two servers.
        waiting, beside = start("wait", "0"), start("end", "0")
        assert beside.wait(120) == 0 and beside.answer["server"] != first.answer["server"] and waiting.exit_code is None
        _until(lambda: "waits" in waiting.details)
        assert waiting.cancel() == 3 and not lives(waiting.pid)
        server = first.answer["server"]
        assert start("end", "0").wait(120) == 0 and lives(server)
    _until(lambda: not lives(server))
    assert not Path(second.answer["kept"]).exists()


def test_no_child_outlives_a_server_that_is_killed_and_the_next_finds_another(tmp_path):
    with _servers(tmp_path) as (_, start):
        told = start("end", "0")
        told.wait(120)
        child = start("wait", "0")
        _until(lambda: "waits" in child.details)
        os.kill(told.answer["server"], signal.SIGKILL)
        assert child.wait(120) == -signal.SIGKILL and "stopped unexpectedly" in child.message
        _until(lambda: not lives(child.pid))
        again = start("end", "0")
        again.wait(120)
        # Also one that was lost while it waited for work.
        os.kill(again.answer["server"], signal.SIGKILL)
        _until(lambda: not lives(again.answer["server"]))
        assert start("end", "1").wait(120) == 1
