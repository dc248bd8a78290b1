from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scene_cases import GEOMETRIES, make_ct, make_result

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import CaseResult, Light, SegmentReport
from MSKSegmentLib.ct.volume import CTVolume, Geometry
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.scene import (
    HeadlessApplication,
    SliceView,
    add_ct,
    add_segmentation,
    add_uncertainty,
    render_slice_png,
)

pytest.importorskip("slicer")
imageio = pytest.importorskip("imageio.v3")

REAL_CT = Path(__file__).parents[4] / "shared" / "ct" / "pelvis_3mm.nii.gz"

# Two thighs: 2 mm voxels, the origin at the body's centre.
GRID = Geometry((200, 120, 60), (2.0, 2.0, 2.0), (-199.0, -119.0, -59.0))
SIZE = (600, 400)
# Fitting makes the 400 mm of the field of view as wide as the picture.
PIXELS_PER_MM = 600 / 400
MIDDLE = 1.0


def positions():
    z, y, x = np.indices(GRID.shape)
    return np.moveaxis(GRID.to_physical(np.stack([x, y, z], axis=-1)), -1, 0)


def phantom() -> tuple[CTVolume, CaseResult]:
    x, y, z = positions()
    hu = np.full(GRID.shape, -1000, np.int16)
    labels = np.zeros(GRID.shape, np.uint8)
    uncertainty = np.zeros(GRID.shape, np.float32)
    for side, centre in (("right", -90), ("left", 90)):  # LPS: the patient's right has negative x
        offset = 0 if side == "right" else 100
        radius = np.hypot(x - centre, y)
        hu[radius < 85] = -100
        hu[radius < 70] = 55
        hu[radius < 16] = 700
        labels[(radius < 70) & (y < -20)] = HIP_AND_THIGH.structure("RF").index + offset
        labels[(radius < 70) & (y >= 20)] = HIP_AND_THIGH.structure("BF").index + offset
        labels[radius < 16] = HIP_AND_THIGH.structure("FEMUR").index + offset
        if side == "left":
            uncertainty[(radius < 70) & (y < -20)] = 2e-3
    reports = tuple(SegmentReport(segment, Light.GREEN, ()) for segment in HIP_AND_THIGH.segments)
    return CTVolume(hu, GRID), CaseResult(labels, GRID, reports, uncertainty)


@pytest.fixture(scope="module")
def drawn():
    with HeadlessApplication(views=True) as application:
        volume, result = phantom()
        ct = add_ct(application.scene, volume)
        segmentation = add_segmentation(application.scene, result, ct)
        uncertainty = add_uncertainty(application.scene, result, reference_volume_node=ct)
        yield application, ct, segmentation, uncertainty


def drawn_as(picture: np.ndarray, hu: float, color: np.ndarray) -> np.ndarray:
    """Where a picture shows tissue of that HU under the fill of that colour."""
    return np.abs(picture - (0.6 * grey_of(hu) + 0.4 * color)).sum(axis=-1) < 20


def draw(drawn, tmp_path, view=None, with_segments=False, with_uncertainty=False) -> np.ndarray:
    application, ct, segmentation, uncertainty = drawn
    path = tmp_path / "図.png"
    render_slice_png(
        path,
        application.logic,
        ct,
        view or SliceView(position_mm=MIDDLE, size=SIZE, title="Phantom"),
        segmentation if with_segments else None,
        uncertainty if with_uncertainty else None,
    )
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    return imageio.imread(path)[..., :3].astype(int)


def axial_pixel(x_lps: float, y_lps: float) -> tuple[int, int]:
    """Row and column of an LPS position: the patient's right on the left, anterior at the top."""
    return round(SIZE[1] / 2 + y_lps * PIXELS_PER_MM), round(SIZE[0] / 2 + x_lps * PIXELS_PER_MM)


def color_of(abbreviation: str, side: str) -> np.ndarray:
    return np.array(next(s for s in HIP_AND_THIGH.segments if s.key == f"{abbreviation}_{side}").color)


def grey_of(hu: float) -> float:
    return 255 * np.clip((hu - (40 - 200)) / 400, 0, 1)


def test_ct_alone_is_grey_in_its_window(drawn, tmp_path):
    picture = draw(drawn, tmp_path)
    assert picture.shape[0] == SIZE[1] and picture.shape[1] > SIZE[0]
    for position, hu in (((-90, 0), 700), ((90, 50), 55), ((-90, 77), -100), ((0, 0), -1000)):
        pixel = picture[axial_pixel(*position)]
        np.testing.assert_allclose(pixel, grey_of(hu), atol=3)


def test_segments_are_filled_and_outlined_on_the_right_side(drawn, tmp_path):
    plain, picture = draw(drawn, tmp_path), draw(drawn, tmp_path, with_segments=True)
    for side, x in (("right", -90), ("left", 90)):
        for abbreviation, y in (("RF", -45), ("BF", 45)):
            pixel = axial_pixel(x, y)
            expected = 0.6 * plain[pixel] + 0.4 * color_of(abbreviation, side)
            np.testing.assert_allclose(picture[pixel], expected, atol=6)
        # the outline of RF runs along y = -20 mm in the full colour
        row, column = axial_pixel(x + 40, -20)
        around = picture[row - 4 : row + 5, column]
        assert np.abs(around - color_of("RF", side)).sum(axis=1).min() < 60
    outside = axial_pixel(-90, 5 + 70 + 3)
    np.testing.assert_array_equal(picture[outside], plain[outside])


def legend_has(picture: np.ndarray, color: np.ndarray) -> bool:
    return bool((np.abs(picture[:, SIZE[0] :] - color).sum(axis=-1) < 6).sum() > 50)


def test_legend_lists_the_segments_that_are_cut(drawn, tmp_path):
    application, ct, segmentation, _ = drawn
    picture = draw(drawn, tmp_path, with_segments=True)
    for abbreviation in ("RF", "BF", "FEMUR"):
        for side in ("right", "left"):
            assert legend_has(picture, color_of(abbreviation, side))
    assert not legend_has(picture, color_of("GMAX", "right"))
    segmentation.GetDisplayNode().SetSegmentVisibility("RF_right", False)
    hidden = draw(drawn, tmp_path, with_segments=True)
    segmentation.GetDisplayNode().SetSegmentVisibility("RF_right", True)
    assert not legend_has(hidden, color_of("RF", "right"))
    sagittal = draw(drawn, tmp_path, SliceView("Sagittal", 91.0, SIZE), with_segments=True)
    assert legend_has(sagittal, color_of("RF", "right"))  # R = +91 mm
    assert not legend_has(sagittal, color_of("RF", "left"))


def test_uncertainty_covers_only_what_is_uncertain(drawn, tmp_path):
    plain, picture = draw(drawn, tmp_path), draw(drawn, tmp_path, with_uncertainty=True)
    uncertain = axial_pixel(90, -45)
    red, green, blue = picture[uncertain]
    assert red > 200 and blue < red - 50, "the top of the scale is yellow"
    for certain in (axial_pixel(-90, -45), axial_pixel(90, 45), axial_pixel(0, 0)):
        np.testing.assert_allclose(picture[certain], plain[certain], atol=1)
    bar = picture[:, SIZE[0] :]
    assert ((bar[..., 0] > 200) & (bar[..., 1] < 140) & (bar[..., 2] < 90)).sum() > 100, "no orange in the colour bar"


def test_coronal_and_sagittal_lie_as_in_slicer(drawn, tmp_path):
    # S upwards, the patient's right on the left; the femora are the brightest
    coronal = draw(drawn, tmp_path, SliceView("Coronal", MIDDLE, SIZE), with_segments=True)
    row = SIZE[1] // 2
    for side, x in (("right", -90), ("left", 90)):
        column = round(SIZE[0] / 2 + x * PIXELS_PER_MM)
        expected = 0.6 * 255 + 0.4 * color_of("FEMUR", side)
        np.testing.assert_allclose(coronal[row, column], expected, atol=6)
    # anterior on the left: rectus femoris there, biceps femoris on the right
    sagittal = draw(drawn, tmp_path, SliceView("Sagittal", 91.0, SIZE), with_segments=True)
    middle = sagittal[row, : SIZE[0]]
    rectus = np.flatnonzero(drawn_as(middle, 55, color_of("RF", "right")))
    biceps = np.flatnonzero(drawn_as(middle, 55, color_of("BF", "right")))
    assert len(rectus) > 50 and len(biceps) > 50
    assert rectus.max() < SIZE[0] / 2 < biceps.min()


def test_the_scene_is_left_as_it_was(drawn, tmp_path):
    application, _, segmentation, _ = drawn
    before = application.scene.GetNumberOfNodes()
    segmentation.GetDisplayNode().SetVisibility(True)
    picture = draw(drawn, tmp_path)
    assert application.scene.GetNumberOfNodes() == before
    assert segmentation.GetDisplayNode().GetVisibility()
    rf = axial_pixel(-90, -45)
    assert len(set(picture[rf])) == 1, "the segmentation was not asked for but is drawn"


def test_another_application_can_draw_after_the_first_is_closed(tmp_path):
    pictures = []
    for _ in range(2):
        with HeadlessApplication(views=True) as application:
            volume, result = phantom()
            ct = add_ct(application.scene, volume)
            node = add_segmentation(application.scene, result, ct)
            render_slice_png(tmp_path / "a.png", application.logic, ct, SliceView(position_mm=MIDDLE), node)
            pictures.append(imageio.imread(tmp_path / "a.png"))
    np.testing.assert_array_equal(*pictures)


def test_an_unknown_orientation_is_refused():
    with pytest.raises(InputError, match="Axial, Sagittal, Coronal"):
        SliceView("axial")


def test_a_real_ct_has_the_table_below_and_the_liver_on_the_left(tmp_path):
    if not REAL_CT.is_file():
        pytest.skip(f"shared data not found: {REAL_CT.name}")
    sitk = pytest.importorskip("SimpleITK")
    image = sitk.ReadImage(str(REAL_CT))
    hu = np.clip(sitk.GetArrayFromImage(image), -1024, 3071).astype(np.int16)
    volume = CTVolume(hu, Geometry.of_image(image))
    top = volume.geometry.to_physical(np.array(volume.geometry.size) // 2 * [1, 1, 2] - [0, 0, 8])
    with HeadlessApplication(views=True) as application:
        ct = add_ct(application.scene, volume)
        view = SliceView(position_mm=float(top[2]), size=SIZE)
        render_slice_png(tmp_path / "a.png", application.logic, ct, view)
    grey = imageio.imread(tmp_path / "a.png")[..., 0].astype(float)[:, : SIZE[0]]
    tissue = (grey > 110) & (grey < 200)
    assert tissue[:, : SIZE[0] // 2].sum() > 1.1 * tissue[:, SIZE[0] // 2 :].sum(), "the liver is the patient's right"


def test_a_made_up_result_of_any_grid_can_be_drawn(tmp_path):
    for name in ("oblique_left_handed", "permuted"):
        geometry = GEOMETRIES[name]
        result = make_result(geometry)
        with HeadlessApplication(views=True) as application:
            ct = add_ct(application.scene, make_ct(geometry))
            node = add_segmentation(application.scene, result, ct)
            target = np.argwhere(result.labels == 104).mean(axis=0)[::-1]
            position = float(geometry.to_physical(target)[2])
            view = SliceView(position_mm=position, size=SIZE)
            render_slice_png(tmp_path / "a.png", application.logic, ct, view, node)
        assert legend_has(imageio.imread(tmp_path / "a.png")[..., :3].astype(int), color_of("GMAX", "left"))
