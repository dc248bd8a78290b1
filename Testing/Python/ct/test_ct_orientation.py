"""Any axis order, flip or pose comes onto the working grid and back, every structure in its place and size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk

from MSKSegmentLib.ct import CTVolume, Geometry, resample_labels, to_working_grid
from MSKSegmentLib.ct.orientation import AxisOrder, axis_order, tilt_degrees
from MSKSegmentLib.ct.volume import Matrix
from MSKSegmentLib.findings import warning

ORDERS = [AxisOrder((a, b, c), (i, j, k)) for a, b, c in permutations((0, 1, 2)) for i, j, k in product((1, -1), (1, -1), (1, -1))]


def as_matrix(array: np.ndarray) -> Matrix:
    a, b, c = ((float(x), float(y), float(z)) for x, y, z in array)
    return a, b, c


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    transform = sitk.VersorTransform(axis, float(np.radians(degrees)))
    return np.array(transform.GetMatrix()).reshape(3, 3)


@dataclass(frozen=True)
class Body:
    """A pelvis and two thighs in mm, its own axes turned by `turn` against the patient's frame."""

    turn: np.ndarray

    def local(self, geometry: Geometry) -> np.ndarray:
        indices = np.moveaxis(np.indices(geometry.shape)[::-1], 0, -1)
        return geometry.to_physical(indices) @ self.turn

    def hu(self, geometry: Geometry) -> np.ndarray:
        x, y, z = np.moveaxis(self.local(geometry), -1, 0)
        waist = np.hypot(x / 165, y / 110)
        leg = np.hypot(np.abs(x) - 82, y) / (62 + 0.08 * np.minimum(z, 0))
        depth = np.where(z > 0, waist, leg)
        hu = np.select([depth > 1, depth > 0.8], [-1000, -100], 50)
        hu[(np.hypot(np.abs(x) - 82, y) < 14) & (np.abs(z) < 150)] = 700
        return hu.astype(np.int16)

    def shapes(self, geometry: Geometry) -> np.ndarray:
        """Three painted ellipsoids: right, left and central, of different size."""
        p = self.local(geometry)
        labels = np.zeros(geometry.shape, np.uint8)
        for label, center, radii in (
            (4, (-82.3, 0.7, -60.1), (55, 47, 95)),
            (104, (82.3, 0.7, -60.1), (47, 55, 95)),
            (3, (0.3, 20.7, 80.1), (72, 66, 60)),
        ):
            labels[(((p - np.array(center)) / np.array(radii)) ** 2).sum(axis=-1) < 1] = label
        return labels


def grid(direction: np.ndarray, spacing: tuple[float, float, float] = (4.0, 4.0, 4.0), center: float = 0.0) -> Geometry:
    """A grid around the origin that holds the whole body in any pose but the most oblique, 420 mm along each axis."""
    size = tuple(int(round(420 / s)) for s in spacing)
    origin = -direction @ (np.array(spacing) * (np.array(size) - 1) / 2) + center
    return Geometry(size, spacing, tuple(origin), as_matrix(direction))  # type: ignore[arg-type]


def test_there_are_48_orders() -> None:
    assert len(set(ORDERS)) == 48


@pytest.mark.parametrize("order", ORDERS, ids=lambda o: f"{o.axes}{o.signs}")
def test_axis_orders_and_flips_are_exact(order: AxisOrder) -> None:
    """The same scan stored in any of the 48 ways gives the same working volume, and everything comes back as it was."""
    rng = np.random.default_rng(7)
    geometry = Geometry((6, 5, 4), (1.0, 2.0, 3.0), (10.0, -20.0, 30.0), as_matrix(rotation((1, 2, 3), 3)))
    hu = rng.integers(-1024, 3000, geometry.shape).astype(np.int16)
    stored = order.undo(hu)
    direction = np.zeros((3, 3))
    first = [0, 0, 0]
    for axis in range(3):
        direction[:, order.axes[axis]] = np.asarray(geometry.direction)[:, axis] * order.signs[axis]
        first[axis] = geometry.size[axis] - 1 if order.signs[axis] < 0 else 0
    i, j, k = np.argsort(order.axes)
    size, spacing = geometry.size, geometry.spacing
    x, y, z = geometry.to_physical(first)
    stored_geometry = Geometry((size[i], size[j], size[k]), (spacing[i], spacing[j], spacing[k]), (x, y, z), as_matrix(direction))
    working = to_working_grid(CTVolume(np.ascontiguousarray(stored), stored_geometry, 1.7, (warning("a", "a note."),)))
    assert working.order == order
    np.testing.assert_array_equal(working.volume.hu, hu)
    assert working.volume.geometry.matches(geometry, 1e-9)
    assert (working.volume.height_m, working.volume.findings) == (1.7, (warning("a", "a note."),))
    labels = rng.integers(0, 123, geometry.shape).astype(np.uint8)
    back = working.labels_to_input(labels)
    np.testing.assert_array_equal(back, order.undo(labels))
    assert back.flags.c_contiguous and back.dtype == np.uint8
    scalars = rng.random(geometry.shape, dtype=np.float32)
    np.testing.assert_array_equal(working.scalars_to_input(scalars), order.undo(scalars))


def test_agrees_with_the_toolkit_on_what_is_left_posterior_superior() -> None:
    rng = np.random.default_rng(1)
    image = sitk.GetImageFromArray(rng.integers(-100, 100, (4, 5, 6)).astype(np.int16))
    for code in ("RAS", "PIR", "SAL", "LPS", "ILA"):
        stored = sitk.DICOMOrient(image, code)
        working = to_working_grid(CTVolume(sitk.GetArrayFromImage(stored), Geometry.of_image(stored))).volume
        np.testing.assert_array_equal(working.hu, sitk.GetArrayFromImage(sitk.DICOMOrient(stored, "LPS")))


def test_tilt() -> None:
    assert tilt_degrees(as_matrix(rotation((1, 0, 1), 11))) == pytest.approx(11)
    assert axis_order(as_matrix(rotation((0, 1, 0), 44))).axes == (0, 1, 2)


def test_small_tilt_is_used_as_it_is() -> None:
    turn = rotation((1, 0, 0), 4.9)
    geometry = grid(turn)
    body = Body(np.eye(3))
    working = to_working_grid(CTVolume(body.hu(geometry), geometry))
    assert working.order is not None and working.volume.findings == ()


# Axis and angle of the pose, and whether the grid is stored with x and y flipped as NIfTI does.
POSES = [
    ((1, 0, 0), 15, False),
    ((0, 1, 0), -12, True),
    ((0, 0, 1), 18, False),
    ((1, 1, 0), 25, True),
    ((1, 0, 1), -15, False),
    ((1, 1, 1), 30, True),
]


@pytest.mark.parametrize(("axis", "degrees", "flipped"), POSES)
def test_patient_turned_with_the_grid_is_used_as_it_is(axis: tuple[float, float, float], degrees: float, flipped: bool) -> None:
    turn = rotation(axis, degrees)
    geometry = grid(turn @ (np.diag([-1.0, -1.0, 1.0]) if flipped else np.eye(3)))
    body = Body(turn)
    working = to_working_grid(CTVolume(body.hu(geometry), geometry))
    assert working.order is not None and working.volume.findings == ()
    shapes = body.shapes(working.volume.geometry)
    np.testing.assert_array_equal(working.labels_to_input(shapes), body.shapes(geometry))


@pytest.mark.parametrize(("axis", "degrees", "flipped"), POSES)
def test_oblique_reformat_is_resampled_upright(axis: tuple[float, float, float], degrees: float, flipped: bool) -> None:
    geometry = grid(rotation(axis, degrees) @ (np.diag([-1.0, -1.0, 1.0]) if flipped else np.eye(3)))
    body = Body(np.eye(3))
    working = to_working_grid(CTVolume(body.hu(geometry), geometry))
    assert working.order is None
    assert f"{degrees if degrees > 0 else -degrees} degrees oblique" in working.volume.findings[0].sentence
    assert working.volume.geometry.direction == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    # The resampled body is the straight one, but for the edge of the field of view and interpolated surfaces.
    truth = body.hu(working.volume.geometry)
    inside = (np.abs(body.local(working.volume.geometry)) < [140, 90, 120]).all(axis=-1)
    assert np.mean(np.abs(working.volume.hu[inside].astype(float) - truth[inside]) > 60) < 0.15
    shapes, expected = working.labels_to_input(body.shapes(working.volume.geometry)), body.shapes(geometry)
    for label in (3, 4, 104):
        assert np.count_nonzero(shapes == label) == pytest.approx(np.count_nonzero(expected == label), rel=0.005)
        both = np.count_nonzero((shapes == label) & (expected == label))
        assert both > 0.9 * np.count_nonzero(expected == label)
    levels = working.volume.geometry.to_physical(np.moveaxis(np.indices(truth.shape)[::-1], 0, -1))
    ramp = (levels @ [0.1, 0.2, 0.3]).astype(np.float32)
    back = working.scalars_to_input(ramp)
    points = geometry.to_physical(np.moveaxis(np.indices(geometry.shape)[::-1], 0, -1))
    np.testing.assert_allclose(back[expected > 0], (points @ [0.1, 0.2, 0.3])[expected > 0], atol=1e-2)


def test_tilted_scan_without_a_body_is_used_as_it_is() -> None:
    geometry = grid(rotation((1, 0, 0), 20), (8.0, 8.0, 8.0))
    working = to_working_grid(CTVolume(np.full(geometry.shape, -1000, np.int16), geometry))
    assert working.order is not None


def test_labels_on_another_grid() -> None:
    body = Body(np.eye(3))
    source, target = grid(np.eye(3)), grid(rotation((0, 0, 1), 20), (3.0, 3.0, 5.0))
    labels = resample_labels(body.shapes(source), source, target)
    for label in (3, 4, 104):
        volume = np.count_nonzero(labels == label) * target.voxel_volume_mm3
        assert volume == pytest.approx(np.count_nonzero(body.shapes(source) == label) * 64, rel=0.01)
    cropped = replace(source, size=(20, 30, 40))
    np.testing.assert_array_equal(resample_labels(body.shapes(source), source, cropped), body.shapes(source)[:40, :30, :20])
