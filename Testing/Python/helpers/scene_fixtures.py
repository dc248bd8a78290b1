"""An empty scene of the headless application, for files that name this one in pytest_plugins."""

import pytest


@pytest.fixture
def scene():
    pytest.importorskip("slicer")
    from MSKSegmentLib.scene import HeadlessApplication

    with HeadlessApplication() as application:
        yield application.scene
