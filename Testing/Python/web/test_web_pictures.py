"""The small pictures of a segment: slices to look at, histogram."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread
from scene_cases import GEOMETRIES, make_labels
from web_sessions import make_session

from MSKSegmentLib.web.page.pictures import histogram_chart, thumbnail
from MSKSegmentLib.web.page.sides import side_comparison

PX_PER_MM = 167 / 90  # the least width that a thumbnail shows


def pixels(address):
    """Grey values 0..255 ``[y, x]`` and the colour ``[y, x, 3]`` of a picture's address."""
    color = imread(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,")))) * 255
    return color.mean(axis=2), color


def quadrant_scan(geometry, middle):
    """Values that tell the patient's right from left and front from back, seen from a point (LPS)."""
    index = np.stack(np.meshgrid(*(np.arange(size) for size in geometry.size), indexing="ij"), axis=-1)
    x, y, _ = np.moveaxis(geometry.to_physical(index), -1, 0)
    hu = 100 * (x < middle[0]) + 50 * (y < middle[1]) - 60
    return hu.transpose(2, 1, 0)


# The oblique ones are not parallel to the patient: there is no right side of a slice to test.
@pytest.mark.parametrize("name", ["axial", "feet_first", "left_handed"])
def test_right_is_left_and_front_is_up(name):
    geometry = GEOMETRIES[name]
    z, y, x = np.nonzero(make_labels() == 3)
    middle = geometry.to_physical([x.mean(), y.mean(), z.mean()])
    session = make_session(geometry, quadrant_scan(geometry, middle))
    worst = session.worst_slices("SACRUM", 1)[0]
    grey, _ = pixels(thumbnail(session, "SACRUM", worst))
    # The sacrum's outline lies farther out, air begins at 4 mm in front of it.
    step = round(1.2 * PX_PER_MM)
    mid = grey.shape[0] // 2
    corners = [grey[mid + dy, mid + dx] for dy in (-step, step) for dx in (-step, step)]
    right_front, left_front, right_back, left_back = corners
    assert right_front > right_back > left_front > left_back


def test_the_outline_is_that_of_the_segment_in_that_slice():
    session = make_session(GEOMETRIES["axial"])
    worst = session.worst_slices("GMAX_left", 1)[0]
    _, color = pixels(thumbnail(session, "GMAX_left", worst))
    rows, columns = np.nonzero(np.ptp(color, axis=2) > 60)
    width, height = np.ptp(columns) / PX_PER_MM, np.ptp(rows) / PX_PER_MM
    inside = session.result.labels[worst.index] == 104
    y, x = np.nonzero(inside)
    assert width == pytest.approx((np.ptp(x) + 1) * 0.8, abs=1.0)
    assert height == pytest.approx((np.ptp(y) + 1) * 0.9, abs=1.0)


def test_the_chart_holds_the_counts_and_the_shares():
    session = make_session(GEOMETRIES["axial"])
    histogram = session.histogram("GMAX_right")
    chart = histogram_chart(histogram)
    heights = np.array([bar["height"] for bar in chart["bars"]])
    assert heights.argmax() == np.argmax(histogram.counts[1:-1]) + 1
    assert (heights > 0).tolist() == [count > 0 for count in histogram.counts]
    assert [bar["band"] for bar in chart["bars"]].count("composite") == 6, "-30 to 30 HU in bins of 10"
    assert [band["text"].split()[0] for band in chart["bands"]] == ["fat", "composite", "lean"]
    assert f"lean {histogram.bands[2].percent:.1f} %" in chart["label"]
    assert all(bar["y"] >= 0 and bar["y"] + bar["height"] <= chart["height"] for bar in chart["bars"])


def test_the_other_side_is_a_line_scaled_to_as_many_voxels():
    session = make_session(GEOMETRIES["axial"])
    right, left = (session.histogram(f"GMAX_{side}") for side in ("right", "left"))
    chart = histogram_chart(right, replace(left, counts=tuple(3 * count for count in right.counts)))
    heights = [float(step) for step in re.findall(r"V([\d.]+)", chart["other"]["path"])]
    assert heights == pytest.approx([bar["y"] for bar in chart["bars"]], abs=0.02)
    assert (chart["name"], chart["other"]["name"]) == ("right", "left")


@pytest.mark.parametrize("name", ["axial", "feet_first"])
def test_both_sides_are_compared_at_one_scale(name):
    session = make_session(GEOMETRIES[name])
    sides = side_comparison(session, "GMAX_left")
    assert [side["key"] for side in sides["sides"]] == ["GMAX_right", "GMAX_left"]
    labels = session.result.labels
    for label, side in ((4, sides["sides"][0]), (104, sides["sides"][1])):
        areas = (labels == label).sum(axis=(1, 2))
        # One of the widest, counted in the CT's own slices.
        assert areas[int(side["text"].split()[1].rstrip(",")) - 1] == areas.max()
        assert pixels(side["src"])[0].shape == (168, 168)
    volume = next(row for row in sides["rows"] if row["name"] == "volume_cc")
    right, left = (session.row(f"GMAX_{side}").values["volume_cc"] for side in ("right", "left"))
    assert (volume["right"], volume["left"]) == (f"{right:.1f}", f"{left:.1f}")
    assert volume["difference"].startswith(f"{right - left:+.1f} (")
    assert "midline" in side_comparison(session, "SACRUM")["sentence"]
    missing = side_comparison(session, "PSOAS_left")["sides"]
    assert [side["src"] for side in missing] == ["", ""] and missing[1]["verdict"] == "not found"


def test_nothing_is_drawn_of_what_was_not_found():
    assert histogram_chart(make_session(GEOMETRIES["axial"]).histogram("PSOAS_left")) is None
