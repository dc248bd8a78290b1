"""Shared pieces: a small CT-like phantom, a tiny bundle that runs in a second, the shared data where present."""

import gc
import os
import sys
from collections import Counter
from pathlib import Path

# Networks in tests are small: more threads than this only wait for each other, or for the tests beside them.
os.environ.setdefault("OMP_NUM_THREADS", "1" if "PYTEST_XDIST_WORKER" in os.environ else "2")
# ... and threads that spin while they wait made a pass of a small network a hundred times as long beside other work.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import pytest

# Some hundred child processes import the library: it is compiled once, also where the environment says that nothing is kept.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Collecting garbage while all tests and libraries are imported finds none, and takes a sixth of the time.
gc.disable()

# Helpers that assert: their failures show the values, as those in tests do.
pytest.register_assert_rewrite("given_labels", "image_checks", "module_runs", "review_cases", "web_process")

# Fixtures of `web_fixtures` that start Chromium, for the marker `browser`.
BROWSER = {"browser", "visit", "window", "page"}

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"


def phantom_hu(shape=(24, 64, 80), seed=0):
    """Two thighs with femora in air, in Hounsfield units ``[z, y, x]``: muscle, fat, bone, noise."""
    z, y, x = np.mgrid[: shape[0], : shape[1], : shape[2]].astype(np.float32)
    hu = np.full(shape, -1000.0, np.float32)
    for side in (0.28, 0.72):
        far = np.hypot((y - 0.5 * shape[1]) / (0.36 * shape[1]), (x - side * shape[2]) / (0.19 * shape[2]))
        hu[far < 1] = -100
        hu[far < 0.85] = 55
        hu[far < 0.25] = 900
    hu += np.random.default_rng(seed).normal(0, 8, shape) * (hu > -900)
    return np.rint(hu).astype(np.int16)


def pytest_collection_modifyitems(items):
    dear = Counter()
    for item in items:
        if BROWSER & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")
        dear[item.path] += bool({"browser", "slow"} & {mark.name for mark in item.iter_markers()})
    # Files with dear tests come first: side by side, one that begins last keeps the other process waiting.
    items.sort(key=lambda item: -dear[item.path])


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared():
    if not SHARED.is_dir():
        pytest.skip("the shared data folder is not beside the project")
    return SHARED


def phantom_volume():
    """The phantom on its grid of 4 x 4 x 6 mm."""
    from MSKSegmentLib.ct.volume import CTVolume, Geometry

    hu = phantom_hu()
    return CTVolume(hu, Geometry(size=hu.shape[::-1], spacing=(4.0, 4.0, 6.0), origin=(-150.0, -120.0, 30.0)))


@pytest.fixture
def phantom():
    return phantom_volume()


@pytest.fixture
def phantom_file(phantom, tmp_path):
    import SimpleITK as sitk

    path = tmp_path / "phantom.nii.gz"
    sitk.WriteImage(phantom.geometry.image_of(phantom.hu), str(path))
    return path


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


def write_tiny_bundle(folder):
    """A bundle with a random network of two levels: every step of a run is real, the labels are nonsense."""
    import torch

    from MSKSegmentLib.bundle import save_bundle
    from MSKSegmentLib.bundle.manifest import Manifest, NetworkSpec, Preprocessing
    from MSKSegmentLib.network.bayesian_unet import BayesianUNet

    spec = NetworkSpec(levels=2, base_filters=4, in_channels=3)
    manifest = Manifest(
        name="tiny",
        version="1",
        description="random weights for tests",
        date="2026-01-01",
        license="Apache-2.0",
        network=spec,
        preprocessing=Preprocessing(in_plane_spacing_mm=6.0, slice_interval_mm=6.0),
        passes=3,
    )
    torch.manual_seed(5)
    network = BayesianUNet(levels=2, base_filters=4, in_channels=3)
    save_bundle(folder, manifest, network.state_dict(), None, "A bundle for tests. Research use only.")
    return folder


@pytest.fixture(scope="session")
def sample_ct():
    path = ROOT / "MSKSegmentLib" / "Resources" / "SampleCT" / "sample_ct.nii.gz"
    assert path.exists(), "the bundled sample CT is missing"
    return path
