"""A small network's bundle, whole and as a copy to damage, for files that name this one in pytest_plugins."""

import shutil
from pathlib import Path

import pytest
from bundle_cases import CALIBRATION, CARD, MANIFEST, network

from MSKSegmentLib.bundle import save_bundle


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "hip-1"
    save_bundle(folder, MANIFEST, network().state_dict(), CALIBRATION, CARD)
    return folder


@pytest.fixture
def bundle(saved, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(saved, tmp_path / "hip-1"))
