from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from MSKSegmentLib.review.histogram import Band, Histogram  # noqa: E402
from MSKSegmentLib.scene import show_histogram  # noqa: E402
from MSKSegmentLib.scene.density import density_look  # noqa: E402

pytest_plugins = ("scene_fixtures",)

EDGES = tuple(range(-200, 301, 10))


def histogram(counts: dict[int, int], title="Gluteus maximus, right") -> Histogram:
    """Counts by the lower edge of their bin."""
    total = sum(counts.values())
    values = tuple(counts.get(edge, 0) for edge in EDGES[:-1])
    limits = (-200, -30, 30, 300)
    bands = tuple(
        Band(name, low, high, 100 * sum(n for edge, n in counts.items() if low <= edge < high) / total)
        for name, low, high in zip(("fat", "composite", "lean"), limits, limits[1:], strict=False)
    )
    return Histogram("GMAX_right", title, EDGES, values, bands)


def drawn(chart):
    """For each series its name, colour, and height by HU."""
    result = []
    for number in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(number)
        table = series.GetTableNode().GetTable()
        x = vtk_to_numpy(table.GetColumnByName(series.GetXColumnName()))
        y = vtk_to_numpy(table.GetColumnByName(series.GetYColumnName()))
        heights = {int(hu): float(value) for hu, value in zip(x, y, strict=True) if value > 0}
        result.append((series.GetName(), series.GetColor(), heights))
    return result


def test_three_bands_in_the_colours_of_the_rendering(scene):
    chart = show_histogram(scene, histogram({-40: 10, -30: 20, 20: 20, 30: 50}), "Right gluteus")
    look = density_look()
    fat, composite, lean, line = drawn(chart)
    assert line[0] == "" and line[2] == {}
    assert fat == ("fat 10 %", pytest.approx(look.fat.color), {-35: pytest.approx(10)})
    assert composite == ("composite 40 %", pytest.approx(look.composite.color), {-25: pytest.approx(20), 25: pytest.approx(20)})
    assert lean == ("lean 50 %", pytest.approx(look.lean.color), {35: pytest.approx(50)})
    assert chart.GetTitle() == "Right gluteus"
    assert (chart.GetXAxisTitle(), chart.GetYAxisTitle()) == ("HU", "% of voxels")
    assert not chart.GetXAxisRangeAuto() and chart.GetXAxisRange() == (-200, 300)


def test_the_other_side_is_a_line_over_it_in_percent_of_its_own_voxels(scene):
    own, other = histogram({-40: 10, 30: 90}), histogram({0: 3, 50: 1}, "Gluteus maximus, left")
    *_, line = drawn(show_histogram(scene, own, other=other))
    assert (line[0], line[2]) == ("Gluteus maximus, left", {5: pytest.approx(75), 55: pytest.approx(25)})
    *_, line = drawn(show_histogram(scene, own))
    assert (line[0], line[2]) == ("", {}), "the line of the segment before is still there"


def test_another_segment_updates_the_same_nodes(scene):
    first = show_histogram(scene, histogram({-40: 10, 30: 90}))
    count, changes = scene.GetNumberOfNodes(), []
    table = first.GetNthPlotSeriesNode(0).GetTableNode()
    table.AddObserver("ModifiedEvent", lambda *_: changes.append("table"))
    second = show_histogram(scene, histogram({0: 7}, "Other"))
    assert second is first
    assert scene.GetNumberOfNodes() == count
    assert changes, "a plot view would not notice"
    assert second.GetTitle() == "Other"
    assert [heights for _, _, heights in drawn(second)] == [{}, {5: pytest.approx(100)}, {}, {}]


def test_every_stroke_begins_and_ends_at_zero(scene):
    chart = show_histogram(scene, histogram({-40: 10, -30: 20, 30: 50}))
    table = chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable()
    lean = vtk_to_numpy(table.GetColumnByName("lean"))
    strokes = lean.reshape(-1, 4)[23:]
    np.testing.assert_array_equal(strokes[:, [0, 2]], 0)
    assert np.isnan(strokes[:, 3]).all()
    assert np.isnan(lean.reshape(-1, 4)[:23]).all()


def test_the_plots_logic_shows_it(scene):
    chart = show_histogram(scene, histogram({30: 50}))
    for node in [chart, chart.GetNthPlotSeriesNode(0), chart.GetNthPlotSeriesNode(0).GetTableNode()]:
        assert not node.GetSaveWithScene()
    view = scene.AddNewNodeByClass("vtkMRMLPlotViewNode")
    view.SetPlotChartNodeID(chart.GetID())
    assert view.GetPlotChartNode() is chart


def test_a_histogram_without_voxels_is_empty(scene):
    empty = Histogram("x", "x", EDGES, (0,) * 50, histogram({30: 1}).bands)
    assert all(heights == {} for _, _, heights in drawn(show_histogram(scene, empty)))


def test_a_bone_is_one_series_without_tissues(scene):
    muscle = histogram({-40: 10, 30: 90})
    bone = Histogram("FEMUR_left", "Femur, left", EDGES, muscle.counts, ())
    for given in (bone, muscle, bone):
        chart = show_histogram(scene, given)
    named = [(name, heights) for name, _, heights in drawn(chart)]
    assert named == [("voxels", {-35: pytest.approx(10), 35: pytest.approx(90)}), ("", {}), ("", {}), ("", {})]
    assert drawn(chart)[0][1] not in (density_look().fat.color, density_look().composite.color, density_look().lean.color)
