"""Slicer's stand-in, started, for files that name this one in pytest_plugins."""

import pytest
from Host import host


@pytest.fixture
def app():
    yield host.start()
    host.close()
