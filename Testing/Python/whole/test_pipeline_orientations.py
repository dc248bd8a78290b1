"""The same CT in every axis order, flip and pose gives the same result, on its own grid, with sides told in the patient."""

import hashlib
from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy.spatial.transform import Rotation

from MSKSegmentLib.anatomy import Side
from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.bundle import resolve_bundle
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.inference import sampler
from MSKSegmentLib.pipeline import segment_case
from MSKSegmentLib.settings import Settings

pytestmark = pytest.mark.slow

SETTINGS = Settings(device="cpu", passes=2, seed=11)
# Each order of the axes twice: every axis in every place, flipped and not, and all eight flips. That all 48 come onto the working
# grid and back exactly is told in `ct.test_ct_orientation`; here the steps of a run are to agree about it.
FLIPS = list(product((False, True), repeat=3))
ORDERS = [(axes, FLIPS[(3 * number + turn) % 8]) for number, axes in enumerate(permutations(range(3))) for turn in (0, 4)]
ANGLES = [(12, 0, 0), (0, 15, 0), (0, 0, 20), (9, 9, 9)]


def _image_of(volume):
    return volume.geometry.image_of(volume.hu)


def _volume_of(image):
    return CTVolume(np.ascontiguousarray(sitk.GetArrayFromImage(image)), Geometry.of_image(image))


@pytest.fixture(scope="module")
def bundle():
    return resolve_bundle(None)


@pytest.fixture(scope="module")
def hip(sample_ct):
    """Every second slice of the sample's hip region, on a coarse grid: small, but with both sides and many structures."""
    image = sitk.ReadImage(str(sample_ct), sitk.sitkInt16)
    top = image.GetSize()[2]
    return _volume_of(image[::2, ::2, int(0.6 * top) : int(0.85 * top) : 2])


@pytest.fixture(scope="module", autouse=True)
def remembering():
    """The network computes each picture with each seed once.

    In another order the same voxels give it the same pictures; where they did not, it would compute anew.
    """
    kept, make = {}, sampler.make_backend

    class Remembering:
        def __init__(self, name, network):
            self._backend = make(name, network)
            self.name, self.largest_batch = name, self._backend.largest_batch

        def start(self, image, seed, position=0.0):
            key = hashlib.sha256(image.numpy()).digest(), seed
            if key not in kept:
                # Half the memory; the same rounding for all.
                kept[key] = self._backend.start(image, seed)(SETTINGS.passes).half()
            passes = iter(kept[key])
            return lambda count: torch.stack([next(passes) for _ in range(count)]).float()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler, "make_backend", Remembering)
        yield


@pytest.fixture(scope="module")
def reference(hip, bundle):
    return segment_case(hip, bundle, SETTINGS)


def _volumes(result):
    """cc per side and in all, so that small structures do not decide by single voxels."""
    cc = {side: 0.0 for side in Side}
    for report in result.reports:
        if report.measurements:
            cc[report.segment.side] += report.measurements.volume_cc
    return cc


def test_the_reference_shows_both_sides(reference):
    cc = _volumes(reference)
    assert cc[Side.RIGHT] > 500 and cc[Side.LEFT] > 500
    assert sum(report.measurements is not None for report in reference.reports) >= 20
    # Right is at smaller LPS x.
    z, y, x = np.nonzero(np.isin(reference.labels, [s.label for s in HIP_AND_THIGH.segments if s.side is Side.RIGHT]))
    right = reference.geometry.to_physical(np.stack([x, y, z], axis=1))[:, 0].mean()
    z, y, x = np.nonzero(np.isin(reference.labels, [s.label for s in HIP_AND_THIGH.segments if s.side is Side.LEFT]))
    assert right < reference.geometry.to_physical(np.stack([x, y, z], axis=1))[:, 0].mean() - 50


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join("xyz"[a] + "+-"[f] for a, f in zip(*order, strict=True)))
def test_axis_orders_and_flips(order, hip, bundle, reference):
    axes, flips = order
    image = sitk.Flip(sitk.PermuteAxes(_image_of(hip), axes), flips)
    result = segment_case(_volume_of(image), bundle, SETTINGS)
    for one, two in zip(reference.reports, result.reports, strict=True):
        assert (one.measurements is None) == (two.measurements is None), one.segment.key
        if one.measurements:
            assert two.measurements.volume_cc == pytest.approx(one.measurements.volume_cc, rel=0.005), one.segment.key
            assert two.measurements.mean_hu == pytest.approx(one.measurements.mean_hu, abs=0.5)
            assert two.uncertainty == pytest.approx(one.uncertainty, rel=0.01)
            assert two.measurements.truncated_by == one.measurements.truncated_by
    # Each label lies in its own voxels, not only in equal numbers.
    back = sitk.Image(result.geometry.image_of(result.labels))
    back = sitk.Resample(back, _image_of(hip), sitk.Transform(), sitk.sitkNearestNeighbor, 0, sitk.sitkUInt8)
    assert np.mean(sitk.GetArrayFromImage(back) != reference.labels) < 1e-4


@pytest.mark.parametrize("angles", ANGLES, ids=str)
def test_a_patient_turned_with_the_scan(angles, hip, bundle, reference):
    """As after a hardened transform: the slices still cut the body squarely."""
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    image = _image_of(hip)
    image.SetDirection((turn @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    image.SetOrigin((turn @ np.array(image.GetOrigin())).tolist())
    result = segment_case(_volume_of(image), bundle, SETTINGS)
    for side, cc in _volumes(reference).items():
        assert _volumes(result)[side] == pytest.approx(cc, rel=0.005), side
