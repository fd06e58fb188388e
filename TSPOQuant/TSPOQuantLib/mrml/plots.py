"""A visit's record as charts for Slicer's plot views; a point of a frame knows its frame."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from slicer.i18n import tr as _

from ..acquisition.frames import FrameTiming
from ..outcome.record import InputRecord, VisitRecord
from .language import Number
from .study_nodes import SESSION, find_or_add
from .views import FUSION_LAYOUT

FRAMES = "TSPOQuant.Frames"
"""Attribute of a series whose n-th point is a frame: the frames' indices, separated by spaces."""

ROOM_FOR_LEGEND = 1.6
"""The axis of time goes on past the last frame, where the legend would cover it [own choice]."""

# Told apart also by eyes that do not see red and green alike (Okabe & Ito 2008).
COLORS = ((0.0, 0.45, 0.7), (0.84, 0.37, 0.0), (0.0, 0.62, 0.45), (0.8, 0.47, 0.65), (0.34, 0.71, 0.91))
BLACK, GRAY = (0.15, 0.15, 0.15), (0.55, 0.55, 0.55)


@dataclass(frozen=True)
class Series:
    """One curve of a chart. x, y: of one length, finite. style: "points", "line" or "dashes".

    frames: the frame of every point: whichever series is hit by a click, its frame is shown.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    style: str
    color: tuple[float, float, float]
    frames: tuple[int, ...]


@dataclass(frozen=True)
class Chart:
    """role: what a visit has one of ("curves", "line", "input", "motion"). over_time: x is the time of the scan."""

    role: str
    title: str
    x_title: str
    y_title: str
    series: tuple[Series, ...]
    over_time: bool = False


def _series(name: str, x, y, style: str, color, frames: Sequence[int]) -> Series:
    """Only points that are numbers; a single one twice, since Slicer's log complains of a line of one point."""
    points = [
        (float(a), float(b), frame)
        for a, b, frame in zip(x, y, frames, strict=True)
        if math.isfinite(a) and math.isfinite(b)
    ]
    if len(points) == 1:
        points *= 2
    x, y, kept = zip(*points, strict=True) if points else ((), (), ())
    return Series(name[:1].upper() + name[1:], x, y, style, color, kept)


def curves_chart(record: VisitRecord, region: str, pvc: str = "none") -> Chart:
    """A region's frames with every model's fit, and the fits' residuals around 0; frames that the fits do not see in
    gray."""
    minutes = record.acquisition.timing.mids_s / 60
    frames = range(len(minutes))
    mean = record.region(region).curve(pvc)
    left = np.isin(np.arange(1, len(minutes) + 1), [int(number) for number in record.settings.get("leave_out", {})])
    series = [_series(_("measured"), minutes, np.where(left, np.nan, mean), "points", BLACK, frames)]
    fits = [fit for fit in record.fits if (fit.region, fit.pvc) == (region, pvc)]
    for fit, color in zip(fits, COLORS, strict=False):
        name = fit.model
        series.append(_series(name, minutes, fit.predicted, "line", color, frames))
        residuals = np.asarray(mean) - np.asarray(fit.predicted)
        series.append(_series(_("{model}: residual").format(model=name), minutes, residuals, "dashes", color, frames))
    if left.any():
        series.append(_series(_("frames left out"), minutes, np.where(left, mean, np.nan), "points", GRAY, frames))
    title = f"{region}, {record.session}" + ("" if pvc == "none" else f", {pvc}")
    return Chart("curves", title, _("Time after time zero (min)"), _("Activity (kBq/mL)"), tuple(series), True)


def line_chart(record: VisitRecord, region: str, pvc: str = "none") -> Chart | None:
    """A region in the coordinates of its first graphical method; None where none was fitted.

    Logan: its line. MA1 and MA2 are no lines: what they predict against what was measured.
    """
    fits = [fit for fit in record.fits if (fit.region, fit.pvc) == (region, pvc) and fit.line is not None]
    if not fits or fits[0].line is None:
        return None
    fit, line = fits[0], fits[0].line
    used = np.array(line.used)
    frames = np.arange(len(used))
    title = f"{fit.model}, {region}, {record.session}"
    if fit.model != "Logan":
        x, y = np.asarray(fit.predicted), np.asarray(line.ordinate)
        ends, outermost = _ends(x, used)
        against = (
            _series(_("frames used"), x[used], y[used], "points", COLORS[0], frames[used].tolist()),
            _series(_("identity"), ends, ends, "line", BLACK, outermost),
        )
        return Chart("line", title, _("Predicted activity (kBq/mL)"), _("Measured activity (kBq/mL)"), against)
    x, y = np.asarray(line.abscissa), np.asarray(line.ordinate)
    good = np.isfinite(x) & np.isfinite(y)
    # Before the tracer arrives, both integrals are divided by next to nothing.
    shown = good & (x <= 2 * np.max(x[used])) & (y <= 2 * np.max(y[used])) & (x >= 0) & (y >= 0)
    ends, outermost = _ends(x, used)
    series = (
        _series(_("frames used"), x[used], y[used], "points", COLORS[0], frames[used].tolist()),
        _series(
            _("frames left out"), x[shown & ~used], y[shown & ~used], "points", GRAY, frames[shown & ~used].tolist()
        ),
        _series(
            _("line, slope V_T = {slope:.2f}").format(slope=Number(line.slope)),
            ends,
            line.intercept + line.slope * ends,
            "line",
            COLORS[1],
            outermost,
        ),
    )
    return Chart("line", title, _("∫ plasma / tissue (min)"), _("∫ tissue / tissue (min)"), series)


def _ends(x: NDArray[np.float64], used: NDArray[np.bool_]) -> tuple[NDArray[np.float64], list[int]]:
    """Both ends of a line through the frames used, and the frames that lie there."""
    frames = np.flatnonzero(used & np.isfinite(x))
    outermost = [int(frames[np.argmin(x[frames])]), int(frames[np.argmax(x[frames])])]
    return x[outermost], outermost


def input_chart(session: str, timing: FrameTiming, input_function: InputRecord) -> Chart:
    """Whole blood, parent plasma, what was measured in samples, and the image's blood pool."""
    minutes = np.asarray(input_function.times_s) / 60
    middles = timing.mids_s / 60
    inside = minutes <= timing.ends_s[-1] / 60
    shown = minutes[inside]
    frames = _frames_at(timing, shown)
    series = [
        _series(_("whole blood"), shown, np.asarray(input_function.whole_blood)[inside], "line", COLORS[1], frames),
        _series(
            _("parent plasma"), shown, np.asarray(input_function.parent_plasma)[inside], "line", COLORS[0], frames
        ),
    ]
    if input_function.blood_pool is not None:
        name = _("blood pool in the PET")
        series.append(_series(name, middles, input_function.blood_pool, "points", GRAY, range(len(middles))))
    for kind, name, color in (
        ("whole_blood", _("whole-blood samples"), COLORS[1]),
        ("plasma", _("plasma samples"), COLORS[3]),
    ):
        if kind in input_function.samples:
            samples = input_function.samples[kind]
            drawn = np.asarray(samples.times_s) / 60
            series.append(_series(name, drawn, samples.values, "points", color, _frames_at(timing, drawn)))
    title = _("Input function, {session}").format(session=session)
    return Chart("input", title, _("Time after time zero (min)"), _("Activity (kBq/mL)"), tuple(series), True)


def _frames_at(timing: FrameTiming, minutes: NDArray[np.float64]) -> list[int]:
    """The frame of each time: the one that it lies in, or that comes next; the last one afterwards."""
    return np.minimum(np.searchsorted(timing.ends_s, 60 * minutes), len(timing) - 1).tolist()


def motion_chart(
    session: str, timing: FrameTiming, translation_mm: NDArray[np.float64], displacement_mm: NDArray[np.float64]
) -> Chart:
    """How far the neck lay from its reference position in every frame.

    translation_mm (frames, 3): along L, P, S. displacement_mm (frames,): mean over the points that count.
    """
    minutes, frames = timing.mids_s / 60, range(len(timing))
    series = [_series(_("displacement"), minutes, displacement_mm, "points", BLACK, frames)]
    for axis, name, color in zip(range(3), (_("to the left"), _("backward"), _("upward")), COLORS, strict=False):
        series.append(_series(name, minutes, translation_mm[:, axis], "line", color, frames))
    title = _("Motion, {session}").format(session=session)
    return Chart("motion", title, _("Time after time zero (min)"), _("Displacement (mm)"), tuple(series), True)


def _style(node, series: Series) -> None:
    node.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    points = series.style == "points"
    node.SetMarkerStyle(node.MarkerStyleCircle if points else node.MarkerStyleNone)
    node.SetMarkerSize(8)
    node.SetLineStyle(
        {"points": node.LineStyleNone, "line": node.LineStyleSolid, "dashes": node.LineStyleDash}[series.style]
    )
    node.SetLineWidth(1 if series.style == "dashes" else 2)
    node.SetColor(*series.color)


def _column(name: str, values: Sequence[float]):
    array = vtk.vtkDoubleArray()
    array.SetName(name)
    for value in values:
        array.InsertNextValue(value)
    return array


def draw(chart: Chart, session: str):
    """Put a chart into the scene, in place of that visit's earlier one of the same role; the chart node."""
    node = find_or_add(session, f"chart {chart.role}", "vtkMRMLPlotChartNode", f"{session} {chart.role}")
    was_modified = node.StartModify()
    try:
        had = [node.GetNthPlotSeriesNodeID(n) for n in range(node.GetNumberOfPlotSeriesNodes())]
        series_nodes = []
        for n, series in enumerate(chart.series):
            role = f"{chart.role} {n}"
            table = find_or_add(session, f"points {role}", "vtkMRMLTableNode", f"{session} {role}")
            # In one go: a series that shows the table complains of one without columns.
            points = vtk.vtkTable()
            points.AddColumn(_column("x", series.x))
            points.AddColumn(_column("y", series.y))
            table.SetAndObserveTable(points)
            table.SetHideFromEditors(True)
            one = find_or_add(session, f"series {role}", "vtkMRMLPlotSeriesNode", series.name)
            one.SetName(series.name)
            one.SetXColumnName("x")
            one.SetYColumnName("y")
            one.SetAndObserveTableNodeID(table.GetID())
            one.SetAttribute(FRAMES, " ".join(map(str, series.frames)) or None)
            _style(one, series)
            series_nodes.append(one)
        shown = [node.GetID() for node in series_nodes]
        if had != shown:
            node.RemoveAllPlotSeriesNodeIDs()
            for series_id in shown:
                node.AddAndObservePlotSeriesNodeID(series_id)
        node.SetTitle(chart.title)
        node.SetXAxisTitle(chart.x_title)
        node.SetYAxisTitle(chart.y_title)
        node.SetTitleFontSize(14)
        node.SetAxisTitleFontSize(14)  # at 16, as it comes, the first row of the x axis' title is drawn below it
        node.SetLegendVisibility(True)
        node.SetLegendFontSize(10)
        node.SetXAxisRangeAuto(not chart.over_time)
        if chart.over_time:
            last = max(x for series in chart.series for x in series.x)
            node.SetXAxisRange(0.0, ROOM_FOR_LEGEND * last)
    finally:
        node.EndModify(was_modified)
    return node


def show(chart_node) -> None:
    """Show a chart in the plot view of the layout; in a layout with a plot view where it has none."""
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layout is None or layout.GetViewArrangement() != FUSION_LAYOUT:
        slicer.modules.plots.logic().ShowChartInLayout(chart_node)
        return
    logic = slicer.app.applicationLogic()
    logic.GetSelectionNode().SetActivePlotChartID(chart_node.GetID())
    logic.PropagatePlotChartSelection()


def frame_of(series_id: str, point: int) -> tuple[str, int] | None:
    """Visit and frame of a point of a series; None where it is no frame's."""
    node = slicer.mrmlScene.GetNodeByID(series_id)
    frames = (node.GetAttribute(FRAMES) or "").split() if node is not None else []
    return (node.GetAttribute(SESSION), int(frames[point])) if 0 <= point < len(frames) else None
