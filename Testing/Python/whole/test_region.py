"""A region of interest: which voxels it means on any grid, and what a run on it gives."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import phantom_hu

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.ct import read_labels
from MSKSegmentLib.ct.region import Region, covering_box, region_box
from MSKSegmentLib.ct.volume import Geometry
from MSKSegmentLib.errors import InputError

RNG = np.random.default_rng(3)


def _rotated(degrees):
    """A direction matrix turned about all three axes."""
    a, b, c = np.radians(degrees)
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return tuple(map(tuple, (x @ y @ z).tolist()))


GRIDS = {
    "upright": Geometry((20, 30, 25), (2.0, 1.5, 3.0), (-10.0, 5.0, 100.0)),
    "flipped": Geometry((20, 30, 25), (2.0, 1.5, 3.0), (10.0, 5.0, 100.0), ((-1, 0, 0), (0, 0, 1), (0, -1, 0))),
    "tilted": Geometry((20, 30, 25), (2.0, 1.5, 3.0), (-10.0, 5.0, 100.0), _rotated((12, -7, 20))),
}


def _inside(region, geometry, slack_mm):
    """Indices ``(x, y, z)`` of all voxels whose centres lie in the region or that near to it, one by one."""
    index = np.stack(np.meshgrid(*map(np.arange, geometry.size), indexing="ij"), axis=-1).reshape(-1, 3)
    points = geometry.to_physical(index)
    return index[((points >= region.low - slack_mm) & (points <= region.high + slack_mm)).all(axis=1)]


@pytest.mark.parametrize("grid", GRIDS)
def test_the_box_is_the_smallest_around_all_voxels_inside(grid):
    geometry = GRIDS[grid]
    corners = geometry.to_physical([[0, 0, 0], np.asarray(geometry.size) - 1])
    middle, reach = corners.mean(axis=0), np.abs(corners[0] - corners[1])
    compared = 0
    for _ in range(40):
        a, b = middle + (RNG.random((2, 3)) - 0.5) * 1.6 * reach
        region = Region(tuple(np.column_stack([a, b]).ravel()))
        # Centres within some micrometres of a bound may count either way.
        inside, about = _inside(region, geometry, 0.0), _inside(region, geometry, 0.01)
        if len(inside) < 30:
            continue
        compared += 1
        box = region_box(region, geometry)
        start, end = np.asarray(box.start_xyz), np.asarray(box.start_xyz) + box.size_xyz - 1
        assert (start <= inside.min(axis=0)).all() and (end >= inside.max(axis=0)).all(), region
        # On a tilted grid a corner of the region may reach between voxel centres: one voxel more.
        slack = 1 if grid == "tilted" else 0
        assert (start >= about.min(axis=0) - slack).all() and (end <= about.max(axis=0) + slack).all(), region
    assert compared >= 10


def test_bounds_may_come_in_either_order_and_reach_beyond_the_scan():
    geometry = GRIDS["upright"]
    box = region_box(Region((1e4, -1e4, -1e4, 1e4, 120.0, 110.0)), geometry)
    assert box.start_xyz[:2] == (0, 0) and box.size_xyz[:2] == geometry.size[:2]
    assert (box.start_xyz[2], box.size_xyz[2]) == (4, 3)  # centres at 112, 115 and 118 mm


@pytest.mark.parametrize(
    ("bounds", "word"),
    [
        ((500, 600, 0, 50, 100, 200), "outside"),
        ((-10, 28, 5, 48, 100.5, 101.5), "thinner"),
        ((float("nan"), 1, 0, 1, 0, 1), "numbers"),
        ((float("-inf"), float("inf"), 0, 50, 100, 200), "numbers"),
    ],
)
def test_a_region_that_means_no_voxel_is_refused_in_one_sentence(bounds, word):
    with pytest.raises(InputError, match=word) as caught:
        region_box(Region(bounds), GRIDS["upright"])
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("grid", GRIDS)
def test_covering_box_holds_every_voxel_of_the_other_grid(grid):
    part = GRIDS[grid].cropped((3, 4, 5), (6, 7, 8))
    box = covering_box(part, GRIDS["upright"])
    index = np.stack(np.meshgrid(*map(np.arange, part.size), indexing="ij"), axis=-1).reshape(-1, 3)
    at = GRIDS["upright"].to_index(part.to_physical(index))
    shown = at[((at >= 0) & (at <= np.asarray(GRIDS["upright"].size) - 1)).all(axis=1)]
    if len(shown):
        assert (shown >= np.asarray(box.start_xyz) - 1e-2).all()
        assert (shown <= np.asarray(box.start_xyz) + box.size_xyz - 1 + 1e-2).all()
    if grid == "upright":
        assert (box.start_xyz, box.size_xyz) == ((3, 4, 5), (6, 7, 8))


@pytest.fixture
def run(tiny_bundle):
    def segment(ct, output, *more):
        return main(
            ["segment", str(ct), "-o", str(output), "--bundle", str(tiny_bundle), "--progress", "none", "--seed", "3", *more]
        )

    return segment


def _rows(folder):
    return list(csv.DictReader((folder / "measurements.csv").read_text(encoding="utf-8").splitlines()))


def _content(folder):
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def _uncertainty(folder):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "uncertainty.nrrd")))


# One thigh of the phantom, its middle slices.
ROI = ("-151", "-10", "-121", "140", "60", "120")


def test_a_run_on_a_region_labels_nothing_else_and_marks_what_it_cuts(run, phantom, phantom_file, tmp_path, capsys):
    assert run(phantom_file, tmp_path / "out", "--roi", *ROI) == 0
    labels, geometry = read_labels(tmp_path / "out" / "segmentation.seg.nrrd", HIP_AND_THIGH)
    assert geometry.matches(phantom.geometry)
    box = region_box(Region(tuple(map(float, ROI))), phantom.geometry)
    outside = np.ones(labels.shape, bool)
    outside[box.slices] = False
    assert labels[~outside].any() and not labels[outside].any()
    uncertainty = _uncertainty(tmp_path / "out")
    assert uncertainty[~outside].any() and not uncertainty[outside].any()
    cut = [row["truncated_by"] for row in _rows(tmp_path / "out") if row["volume_cc"]]
    assert any("superior" in names for names in cut) and any("inferior" in names for names in cut)
    content = _content(tmp_path / "out")
    assert content["provenance"]["settings"]["region_lps_mm"] == [float(value) for value in ROI]
    warning = [sentence for sentence in content["warnings"] if "region of interest" in sentence]
    assert len(warning) == 1 and "marked as cut" in warning[0] and "144 x 256 x 66 mm" in warning[0]
    assert "Only a region of interest" in capsys.readouterr().out


@pytest.mark.slow
def test_keep_ct_and_a_region_that_holds_the_whole_scan_change_nothing_else(run, phantom, phantom_file, tmp_path):
    everything = ("-1000", "1000", "-1000", "1000", "-1000", "1000")
    assert run(phantom_file, tmp_path / "all") == 0
    assert run(phantom_file, tmp_path / "roi", "--keep-ct", "--roi", *everything) == 0
    one, two = (read_labels(tmp_path / name / "segmentation.seg.nrrd", HIP_AND_THIGH)[0] for name in ("all", "roi"))
    assert one.any() and np.array_equal(one, two)
    assert np.array_equal(_uncertainty(tmp_path / "all"), _uncertainty(tmp_path / "roi"))
    assert _rows(tmp_path / "all") == _rows(tmp_path / "roi")
    assert not (tmp_path / "all" / "ct.nrrd").exists()
    kept = sitk.ReadImage(str(tmp_path / "roi" / "ct.nrrd"))
    assert kept.GetPixelID() == sitk.sitkInt16 and Geometry.of_image(kept).matches(phantom.geometry)
    assert np.array_equal(sitk.GetArrayFromImage(kept), phantom.hu)
    assert not kept.GetMetaDataKeys() or "phantom" not in str([kept.GetMetaData(key) for key in kept.GetMetaDataKeys()])


def test_the_region_means_the_same_place_when_the_scan_is_flipped(run, phantom, tmp_path):
    flipped = sitk.Flip(phantom.geometry.image_of(phantom.hu), (True, False, True))
    sitk.WriteImage(phantom.geometry.image_of(phantom.hu), str(tmp_path / "a.nii.gz"))
    sitk.WriteImage(flipped, str(tmp_path / "b.nii.gz"))
    for name in "ab":
        assert run(tmp_path / f"{name}.nii.gz", tmp_path / name, "--roi", *ROI) == 0
    one, _ = read_labels(tmp_path / "a" / "segmentation.seg.nrrd", HIP_AND_THIGH)
    two, _ = read_labels(tmp_path / "b" / "segmentation.seg.nrrd", HIP_AND_THIGH)
    assert one.any() and np.array_equal(one, two[::-1, :, ::-1])


def test_an_oblique_scan_is_labelled_inside_its_region_only(run, tmp_path):
    """Slices so oblique that the run happens on another grid, in between."""
    hu = phantom_hu((40, 64, 80))
    upright = Geometry((80, 64, 40), (4.0, 4.0, 6.0), (-150.0, -120.0, 30.0)).image_of(hu)
    geometry = Geometry((80, 90, 60), (4.0, 4.0, 6.0), (-150.0, -100.0, -40.0), _rotated((20, 0, 0)))
    grid = geometry.image_of(np.zeros(geometry.shape, np.int16))
    sitk.WriteImage(sitk.Resample(upright, grid, sitk.Transform(), sitk.sitkLinear, -1000), str(tmp_path / "ct.nii.gz"))
    assert run(tmp_path / "ct.nii.gz", tmp_path / "out", "--roi", *ROI) == 0
    assert any("oblique" in sentence for sentence in _content(tmp_path / "out")["warnings"])
    labels, read = read_labels(tmp_path / "out" / "segmentation.seg.nrrd", HIP_AND_THIGH)
    box = region_box(Region(tuple(map(float, ROI))), read)
    outside = np.ones(labels.shape, bool)
    outside[box.slices] = False
    assert labels.any() and not labels[outside].any() and not _uncertainty(tmp_path / "out")[outside].any()


@pytest.mark.parametrize(
    ("bounds", "word"),
    [
        (("500", "600", "0", "50", "60", "120"), "outside the scan"),
        (("-150", "-149", "-120", "-119", "30", "40"), "no part of the body"),
        (("1", "2", "3"), "--roi"),
        (("a", "2", "3", "4", "5", "6"), "--roi"),
    ],
)
def test_a_useless_region_gives_code_2_and_no_result(run, phantom_file, tmp_path, capsys, bounds, word):
    assert run(phantom_file, tmp_path / "out", "--roi", *bounds) == 2
    sentence = capsys.readouterr().err.strip()
    assert word in sentence and "\n" not in sentence and sentence.endswith(".")
    assert not (tmp_path / "out").exists()
