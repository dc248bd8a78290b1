"""The density rendering and the surfaces as VTK really draws them, offscreen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
imageio = pytest.importorskip("imageio.v3")

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH  # noqa: E402
from MSKSegmentLib.case_result import CaseResult, Light, SegmentReport  # noqa: E402
from MSKSegmentLib.ct import read_ct, read_labels  # noqa: E402
from MSKSegmentLib.ct.volume import CTVolume, Geometry  # noqa: E402
from MSKSegmentLib.errors import InputError  # noqa: E402
from MSKSegmentLib.scene import (  # noqa: E402
    HeadlessApplication,
    ThreeDView,
    add_ct,
    add_segmentation,
    density_volume,  # noqa: E402
    hide_density,
    render_3d_png,
    show_density,
    show_only_3d,
)
from MSKSegmentLib.scene.density import density_look  # noqa: E402

SAMPLE = Path(__file__).resolve().parents[3] / "MSKSegmentLib" / "Resources" / "SampleCT"
GRID = Geometry((60, 50, 40), (2.0, 2.0, 3.0), (-59.0, -49.0, -60.0))
SIZE = (224, 224)


@pytest.fixture(scope="module")
def application():
    with HeadlessApplication(views=True) as application:
        yield application


def two_muscles(right_hu: float, left_hu: float, noise: float = 0.0) -> tuple[CTVolume, np.ndarray]:
    """An ellipsoid on either side in subcutaneous fat, and air around: right and left gluteus maximus."""
    z, y, x = np.indices(GRID.shape)
    points = GRID.to_physical(np.stack([x, y, z], axis=-1))
    random = np.random.default_rng(2)
    hu, labels = np.full(GRID.shape, -1000.0), np.zeros(GRID.shape, np.uint8)
    hu[:, 3:-3, 3:-3] = -100
    for middle, label, value in ((-28, 4, right_hu), (28, 104, left_hu)):  # LPS: the patient's right has negative x
        inside = (((points - [middle, 0, 0]) / [22, 30, 40]) ** 2).sum(axis=-1) < 1
        hu[inside] = value + random.normal(0, noise, inside.sum())
        labels[inside] = label
    return CTVolume(np.rint(hu).astype(np.int16), GRID), labels


def draw(application, tmp_path, view=None) -> np.ndarray:
    path = tmp_path / "図.png"
    render_3d_png(path, application.logic, application.scene, view or ThreeDView("posterior", size=SIZE))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    return imageio.imread(path)[..., :3].astype(float)


def density_picture(application, tmp_path, volume, labels, keys, view=None) -> np.ndarray:
    ct = add_ct(application.scene, volume)
    try:
        assert show_density(application.scene, ct, CaseResult(labels, GRID, ()), keys) is not None
        return draw(application, tmp_path, view)
    finally:
        hide_density(application.scene)
        application.scene.RemoveNode(ct)


def tissues(picture: np.ndarray) -> dict[str, float]:
    """Share of the drawn pixels that have the hue of each tissue; light changes the brightness, but hardly the hue."""
    look = density_look()
    drawn = picture[picture.max(axis=-1) > 45]
    assert len(drawn) > 2000, "nothing is drawn"
    hue = drawn[:, 1] / drawn[:, 0]
    names = ("fat", "composite", "lean")
    hues = np.array([getattr(look, name).color[1] / getattr(look, name).color[0] for name in names])
    nearest = np.abs(hue[:, None] - hues).argmin(axis=1)
    return {name: float((nearest == number).mean()) for number, name in enumerate(names)}


BOTH = ["GMAX_right", "GMAX_left"]


def test_a_pure_muscle_has_no_rim_of_fat(application, tmp_path):
    found = tissues(density_picture(application, tmp_path, *two_muscles(55, 55), BOTH))
    assert found["fat"] == 0
    assert found["composite"] == 0
    assert found["lean"] == 1


def test_a_noisy_muscle_has_no_rim_of_fat_either(application, tmp_path):
    found = tissues(density_picture(application, tmp_path, *two_muscles(55, 55, noise=10), BOTH))
    assert found["fat"] == 0
    assert found["lean"] > 0.95


@pytest.mark.parametrize("sides", [BOTH, ["GMAX_left"]])
def test_the_check_sees_a_rim_where_there_is_one(application, tmp_path, monkeypatch, sides):
    # The voxels beyond the muscle instead of its own continued, and seen.
    monkeypatch.setattr(density_volume, "_continued", lambda values, mask: np.where(mask, values, np.int16(-200)))
    monkeypatch.setattr(density_volume, "EDGE_DEPTHS", (-2000, -1500))
    found = tissues(density_picture(application, tmp_path, *two_muscles(55, 55), sides))
    assert found["fat"] > 0.2, "what lies around a muscle paints fat around it"


def test_a_muscle_turned_to_fat_has_hardly_a_rim_of_lean(application, tmp_path):
    found = tissues(density_picture(application, tmp_path, *two_muscles(-80, -80), BOTH))
    assert found["fat"] > 0.95
    assert found["lean"] < 0.01


def test_between_fat_and_lean_is_composite(application, tmp_path):
    found = tissues(density_picture(application, tmp_path, *two_muscles(0, 0), BOTH))
    assert found["composite"] > 0.95


@pytest.mark.parametrize(("viewed_from", "right_is_left"), [("posterior", False), ("anterior", True)])
def test_sides_lie_where_a_surgeon_expects_them(application, tmp_path, viewed_from, right_is_left):
    view = ThreeDView(viewed_from, size=SIZE)
    picture = density_picture(application, tmp_path, *two_muscles(-80, 55), BOTH, view)
    halves = picture[:, : SIZE[0] // 2], picture[:, SIZE[0] // 2 :]
    fatty, lean = halves if right_is_left else halves[::-1]
    assert tissues(fatty)["fat"] > 0.9
    assert tissues(lean)["lean"] > 0.9


def test_only_the_chosen_side_is_drawn(application, tmp_path):
    bounds = (-59, 59, -49, 49, -60, 60)
    picture = density_picture(application, tmp_path, *two_muscles(55, 55), ["GMAX_right"], ThreeDView("anterior", bounds, SIZE))
    drawn = picture.max(axis=-1) > 45
    assert drawn[:, : SIZE[0] // 2].sum() > 2000
    assert drawn[:, SIZE[0] // 2 :].sum() == 0


def test_hiding_ends_it(application, tmp_path):
    volume, labels = two_muscles(55, 55)
    ct = add_ct(application.scene, volume)
    show_density(application.scene, ct, CaseResult(labels, GRID, ()), BOTH)
    hide_density(application.scene)
    picture = draw(application, tmp_path, ThreeDView("anterior", (-59, 59, -49, 49, -60, 60), SIZE))
    assert picture.max() < 45
    application.scene.RemoveNode(ct)


def test_the_sample_s_wasted_side_is_fatty_and_the_other_lean(application, tmp_path):
    volume = read_ct(SAMPLE / "sample_ct.nii.gz")
    labels, _ = read_labels(SAMPLE / "sample_labels.nii.gz", HIP_AND_THIGH)
    right, left = (tissues(density_picture(application, tmp_path, volume, labels, [f"GMAX_{side}"])) for side in ("right", "left"))
    assert right["fat"] > 3 * left["fat"]
    assert left["lean"] > 3 * right["lean"]


def test_surfaces_have_the_segments_colours_and_sides(application, tmp_path):
    volume, labels = two_muscles(55, 55)
    labels[labels == 104] = HIP_AND_THIGH.structure("GMED").index + 100
    scene = application.scene
    ct = add_ct(scene, volume)
    reports = tuple(SegmentReport(segment, Light.GREEN, ()) for segment in HIP_AND_THIGH.segments)
    node = add_segmentation(scene, CaseResult(labels, GRID, reports), ct)
    before = scene.GetNumberOfNodes()
    view = ThreeDView("anterior", (-59, 59, -49, 49, -60, 60), SIZE)
    try:
        assert draw(application, tmp_path, view).max() < 45, "surfaces are drawn that nobody asked for"
        show_only_3d(node, None)
        both = draw(application, tmp_path, view)
        for key, half in (("GMAX_right", both[:, : SIZE[0] // 2]), ("GMED_left", both[:, SIZE[0] // 2 :])):
            color = np.array(next(segment for segment in HIP_AND_THIGH.segments if segment.key == key).color, float)
            drawn = half[half.max(axis=-1) > 60]
            assert len(drawn) > 2000
            direction = np.median(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), axis=0)
            assert direction @ color / np.linalg.norm(color) > 0.99
        show_only_3d(node, ["GMED_left"])
        one = draw(application, tmp_path, view)
        assert (one[:, : SIZE[0] // 2].max(axis=-1) > 45).sum() == 0
        np.testing.assert_allclose(one[:, SIZE[0] // 2 + 8 :], both[:, SIZE[0] // 2 + 8 :], atol=3)
        assert scene.GetNumberOfNodes() <= before + 2, "the picture left nodes behind"
    finally:
        show_only_3d(node, [])
        scene.RemoveNode(node)
        scene.RemoveNode(ct)


def test_title_and_legend_stand_above_the_view(application, tmp_path):
    red, green = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    plain = ThreeDView("anterior", (-59, 59, -49, 49, -60, 60), SIZE)
    assert draw(application, tmp_path, plain).max() < 45
    view = ThreeDView("anterior", (-59, 59, -49, 49, -60, 60), (320, 320), "Gluteus", (("lean", red), ("fat", green)))
    picture = draw(application, tmp_path, view)
    for color in (red, green):
        rows, columns = np.nonzero((np.abs(picture - np.array(color) * 255) < 10).all(axis=-1))
        assert len(rows) > 50 and rows.max() < 100
    assert picture[100:].max() < 45


def test_an_unknown_side_is_refused():
    with pytest.raises(InputError, match="anterior, posterior"):
        ThreeDView("behind")
