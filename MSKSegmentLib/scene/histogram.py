"""The Hounsfield units of a segment as a chart in Slicer's plot view: three tissue bands in colour, the other side as a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..review.histogram import Histogram
from .density import density_look
from .roles import find_node, set_role

if TYPE_CHECKING:
    import slicer
    import vtk

_ROLE = "histogram"
_HU_COLUMN = "HU"
_BAR_WIDTH_PIXELS = 6.0
_SERIES = 3
# The other side, on its own HU column: a line needs no strokes.
_OTHER, _OTHER_HU = "other side", "HU of the other side"
_OTHER_COLOR = (0.20, 0.45, 0.85)
_OTHER_WIDTH_PIXELS = 2.0
# Bones have no bands: all their bins are one series of this name and colour, which no tissue has.
_UNDIVIDED = "voxels"
_UNDIVIDED_COLOR = (0.6, 0.6, 0.6)
# A column without a stroke, for the series that have nothing to show.
_NOTHING = "nothing"


def show_histogram(
    scene: slicer.vtkMRMLScene, histogram: Histogram, title: str | None = None, other: Histogram | None = None
) -> slicer.vtkMRMLPlotChartNode:
    """Chart of a segment's histogram: percent of its voxels per bin, of muscles fat, composite and lean in their colours.

    The chart, its series and its table are made once for a scene and updated in place; they are not saved with it. Show
    the chart with the Plots logic's ``ShowChartInLayout``. Without `title` the histogram's own is used. `other`, the same
    structure of the other side, is drawn as a line over it.
    """
    chart = find_node(scene, "vtkMRMLPlotChartNode", _ROLE) or _new_chart(scene)
    modified = chart.StartModify()
    _fill(chart.GetNthPlotSeriesNode(0).GetTableNode().GetTable(), histogram, other)
    look = density_look()
    shown = [(f"{band.name} {band.percent:.0f} %", band.name, getattr(look, band.name).color) for band in histogram.bands]
    shown = shown or [(_UNDIVIDED, _UNDIVIDED, _UNDIVIDED_COLOR)]
    shown += [("", _NOTHING, _UNDIVIDED_COLOR)] * (_SERIES - len(shown))
    for number, (name, column, color) in enumerate(shown):
        series = chart.GetNthPlotSeriesNode(number)
        series.SetName(name)
        series.SetXColumnName(_HU_COLUMN)
        series.SetYColumnName(column)
        series.SetColor(*color)
    line = chart.GetNthPlotSeriesNode(_SERIES)
    line.SetName("" if other is None else other.title)
    line.SetXColumnName(_OTHER_HU)
    line.SetYColumnName(_OTHER)
    line.SetColor(*_OTHER_COLOR)
    chart.SetTitle(title or histogram.title)
    chart.SetXAxisRange(histogram.edges_hu[0], histogram.edges_hu[-1])
    chart.GetNthPlotSeriesNode(0).GetTableNode().Modified()
    chart.EndModify(modified)
    return chart


def _new_chart(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLPlotChartNode:
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", "MSKSegment histogram")
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "MSKSegment histogram")
    set_role(chart, _ROLE)
    new_nodes = [chart, table]
    for width in (*[_BAR_WIDTH_PIXELS] * _SERIES, _OTHER_WIDTH_PIXELS):
        series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode")
        series.SetAndObserveTableNodeID(table.GetID())
        # Slicer draws the bars of several series beside each other; one thick stroke for each bin keeps them in place.
        series.SetPlotType(series.PlotTypeScatter)
        series.SetMarkerStyle(series.MarkerStyleNone)
        series.SetLineWidth(width)
        chart.AddAndObservePlotSeriesNodeID(series.GetID())
        new_nodes.append(series)
    for node in new_nodes:
        node.SetSaveWithScene(False)
    chart.SetXAxisTitle("HU")
    chart.SetYAxisTitle("% of voxels")
    chart.SetXAxisRangeAuto(False)
    return chart


def _fill(table: vtk.vtkTable, histogram: Histogram, other: Histogram | None) -> None:
    """One stroke from zero to the bin's share and back for each bin, in its band's column or that for all; NaN ends the stroke."""
    from vtk.util.numpy_support import numpy_to_vtk

    edges = np.array(histogram.edges_hu, dtype=float)
    percent = _percent(histogram)
    stroke = np.stack([0 * percent, percent, 0 * percent, np.full_like(percent, np.nan)], axis=1)
    bands = [histogram.band_of(number) for number in range(len(percent))]
    column_of_bin = np.array([band.name if band else _UNDIVIDED for band in bands])
    middles = (edges[:-1] + edges[1:]) / 2
    columns = {_HU_COLUMN: np.repeat(middles, 4)}
    for column in (*(band.name for band in histogram.bands), _UNDIVIDED, _NOTHING):
        columns[column] = np.where((column_of_bin == column)[:, None], stroke, np.nan).ravel()
    # Columns are equally long: the rest of the line is nothing.
    rest = np.full(3 * len(middles), np.nan)
    columns[_OTHER_HU] = np.concatenate([middles, np.full_like(rest, middles[-1])])
    columns[_OTHER] = np.concatenate([np.full_like(middles, np.nan) if other is None else _percent(other), rest])
    table.Initialize()
    for name, values in columns.items():
        vtk_values = numpy_to_vtk(values, deep=True)
        vtk_values.SetName(name)
        table.AddColumn(vtk_values)


def _percent(histogram: Histogram) -> np.ndarray:
    counts = np.array(histogram.counts, dtype=float)
    return 100 * counts / max(counts.sum(), 1)
