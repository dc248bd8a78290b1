"""Children of the engine that are forked, for tests of what surrounds them: they spare importing torch, which takes longer than a
small run. For files that name this one in pytest_plugins.
"""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from MSKSegmentLib.engine import EngineRun, fork_servers
from MSKSegmentLib.engine.children import start_interpreter

ROOT = Path(__file__).resolve().parents[3]
# What reports and DICOM results import as well.
EXPORTS = ("matplotlib.figure", "jinja2", "weasyprint", "highdicom", "skimage.morphology")
SERVER = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from MSKSegmentLib.commands import fork_server
fork_server._IDLE_S = 3600.0
sys.exit(fork_server.serve_forks((*fork_server.PRELOADED, *{EXPORTS!r})))
"""
# What differs between tests: it names the test, or is passed on with each child. All other tests share a server.
NAME_OF_TEST, BUNDLES = "PYTEST_CURRENT_TEST", "MSKSEG_BUNDLES"


@pytest.fixture(scope="session")
def start_warm(tmp_path_factory):
    """Starts a child as `EngineRun` asks for it."""
    if not fork_servers.can_fork():
        yield start_interpreter
        return
    python = tmp_path_factory.mktemp("warm") / "python"
    python.write_text(SERVER)
    python.chmod(0o755)
    servers = fork_servers.ForkServers()

    def start(asked):
        environment = {name: value for name, value in asked.environment.items() if name != NAME_OF_TEST}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fork_servers, "OWN_VARIABLES", (*fork_servers.OWN_VARIABLES, BUNDLES))
            return servers.start(replace(asked, python=str(python), environment=environment))

    yield start
    servers.close()


@pytest.fixture
def warm_children(start_warm, monkeypatch):
    """Every child that a test starts is forked."""
    *others, _ = EngineRun.__init__.__defaults__
    monkeypatch.setattr(EngineRun.__init__, "__defaults__", (*others, start_warm))
