"""A real archive and an engine that answers at once, for files that name this one in pytest_plugins."""

import pytest
from node_cases import launcher
from orthanc import Orthanc


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    archive = Orthanc(tmp_path_factory.mktemp("archive")).start()
    yield archive
    archive.stop()


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    return launcher(tmp_path_factory.mktemp("engine"))
