"""The panel of the module, for files that name this one in pytest_plugins."""

import pytest
from module_cases import open_module


@pytest.fixture
def panel():
    with open_module() as panel:
        yield panel
