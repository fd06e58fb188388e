"""The report's pictures, by matplotlib: each function draws into a figure that it is given."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kinetics import KineticFit
from ..outcome.record import VisitRecord
from .figures import WORDS, FusedPicture, canvas, color_bar, draw_fused, motion_figure
from .report_document import Picture
from .words import Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0b4f6c", "#b34700", "#2e7d32", "#7b3fa0", "#5c4a00", "#a3195b")
"""Each at least 4.5 : 1 on white; lines also differ in dash and marker."""
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
TITLE_LETTERS = 22
"""Letters of 8 points that fit over a fused slice; longer labels are set smaller, not cut."""
GRAY = "#6b7680"
PATLAK = "Patlak"
"""The method whose line has other coordinates than Logan's."""
STYLE: Any = {
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "text.parse_math": False,
    "svg.hashsalt": "TSPOQuant",
}
SCREEN_PIXELS_PER_INCH = 150
PAGE_WIDTH, FUSED_SIDE = 7.2, 1.72
"""Inches: what pictures are drawn for, so that their letters keep their size in print."""


@dataclass(frozen=True)
class Drawn:
    """A picture as a file's content, and how large it was drawn, in inches."""

    content: bytes
    width: float
    height: float


def png(picture: Picture, pixels_per_inch: int = SCREEN_PIXELS_PER_INCH) -> Drawn:
    """The picture as PNG, the same bytes at every run."""
    return _drawn(picture, "png", dpi=pixels_per_inch, metadata={"Software": None})


def svg(picture: Picture) -> Drawn:
    """The picture as SVG, the same bytes at every run; letters are outlines, so that no font is needed."""
    return _drawn(picture, "svg", metadata={"Date": None, "Creator": None})


def _drawn(picture: Picture, kind: str, **options: Any) -> Drawn:
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure = picture.figure
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, **options)
        figure.set_layout_engine("none")  # its parts have their places now, in a second format as in the first
    width, height = figure.get_size_inches()
    return Drawn(buffer.getvalue(), float(width), float(height))


def localize(figure: "Figure", words: Words) -> None:
    """Tick labels with the language's decimal sign, and the T of V_T below the line; no other text is a formula."""
    from matplotlib.text import Text
    from matplotlib.ticker import FuncFormatter

    plain = FuncFormatter(lambda value, _: words.significant(value, 4))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if type(axis.get_major_formatter()).__name__ in ("ScalarFormatter", "LogFormatterSciNotation"):
                axis.set_major_formatter(plain)
    for text in figure.findobj(Text):
        if "V_T" in text.get_text() and "$" not in text.get_text():
            text.set_text(text.get_text().replace("V_T", r"V$_\mathrm{T}$"))
            text.set_parse_math(True)


def fused(picture: FusedPicture, words: Words) -> "Figure":
    """A fused slice with its edges, a scale bar and the PET's color bar."""
    figure = canvas(FUSED_SIDE, FUSED_SIDE * 1.32)  # the slice, its title, and the bar with its numbers below
    axes = figure.add_subplot()
    draw_fused(axes, picture, figure_words(words), 7)
    axes.set_title(picture.session, fontsize=min(8, 8 * TITLE_LETTERS / len(picture.session)))
    color_bar(figure, [axes], picture, figure_words(words), 6, location="bottom")
    localize(figure, words)
    return figure


def figure_words(words: Words) -> dict[str, str]:
    """What the pictures of figures.py say, in the report's language."""
    return {key: words.template(f"figure.{key}") for key in WORDS}


@dataclass(frozen=True)
class Point:
    """A value with its interval (nan where unknown) at a visit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """One region over the visits. number: of its place, which has one color in every picture. hollow: corrected for
    partial volume."""

    label: str
    points: tuple[Point, ...]
    number: int = 0
    hollow: bool = False


def intervals(sessions: Sequence[str], series: Sequence[Series], words: Words) -> "Figure":
    """V_T over the visits with 95 % intervals."""
    figure = canvas(3.4, 2.2)
    axes = figure.add_subplot()
    spread = 0.5 / max(len(series), 1)
    for index, line in enumerate(series):
        at = np.arange(len(sessions)) + (index - (len(series) - 1) / 2) * spread
        values = np.array([point.value for point in line.points])
        below = values - [point.low for point in line.points]
        above = np.array([point.high for point in line.points]) - values
        color = COLORS[line.number % len(COLORS)]
        reach = np.nan_to_num(np.array([below, above]), nan=0.0, posinf=0.0)
        axes.errorbar(
            at,
            values,
            yerr=np.maximum(reach, 0),
            color=color,
            marker=MARKERS[index % len(MARKERS)],
            markerfacecolor="white" if line.hollow else color,
            linestyle="--" if line.hollow else "-",
            capsize=3,
            label=line.label,
        )
    axes.set_xticks(range(len(sessions)), sessions)
    axes.set_xlim(-0.5, len(sessions) - 0.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(words("axis.vt"))
    figure.legend(loc="outside lower center", ncols=1 if len(series) < 3 else 2, fontsize=6, columnspacing=1.0)
    localize(figure, words)
    return figure


def with_clinic(
    sessions: Sequence[str],
    vt: Series,
    scores: Sequence[tuple[str, Sequence[float]]],
    words: Words,
) -> "Figure":
    """V_T on the left axis, clinical scores as a share of their scale's range on the right one."""
    figure = canvas(PAGE_WIDTH, 2.8 + 0.08 * max(0, len(scores) - 4))
    axes = figure.add_subplot()
    positions = np.arange(len(sessions))
    values = np.array([point.value for point in vt.points])
    reach = np.array([[point.value - point.low, point.high - point.value] for point in vt.points]).T
    reach = np.maximum(np.nan_to_num(reach, nan=0.0, posinf=0.0), 0)
    axes.errorbar(positions, values, yerr=reach, color=COLORS[0], marker="o", capsize=3, label=vt.label)
    axes.set_ylabel(words("axis.vt"))
    axes.set_ylim(bottom=0)
    axes.set_xticks(positions, sessions)
    axes.set_xlim(-0.3, len(sessions) - 0.7)
    other = axes.twinx()
    other.spines["right"].set_visible(True)
    for index, (label, shares) in enumerate(scores, start=1):
        style: dict[str, Any] = {
            "color": COLORS[index % len(COLORS)],
            "marker": MARKERS[index % len(MARKERS)],
            "linestyle": DASHES[(index + index // len(MARKERS)) % len(DASHES)],  # another one at every round
        }
        other.plot(positions, shares, label=label, **style)
    other.set_ylim(0, 105)
    other.set_ylabel(words("axis.score_share"))
    figure.legend(loc="outside lower center", ncols=2)
    localize(figure, words)
    return figure


@dataclass(frozen=True)
class Bars:
    """The components of one error and its sum, as standard deviations of a logarithm. label: whose error."""

    label: str
    parts: Mapping[str, float]
    total: float


def budget(errors: Sequence[Bars], axis: str, words: Words) -> "Figure":
    """Each component, one group of bars an error, the sum below. axis: the key of what the bars measure."""
    names = list(dict.fromkeys(component for error in errors for component in error.parts))
    figure = canvas(PAGE_WIDTH, 0.9 + 0.3 * (len(names) + 1) * max(1.0, 0.5 * len(errors)))
    axes = figure.add_subplot()
    rows = np.arange(len(names) + 1)
    height = 0.8 / max(len(errors), 1)
    hatches = ("", "///", "...", "xxx")
    for index, error in enumerate(errors):
        sizes = [100 * size for size in (*(error.parts.get(name, math.nan) for name in names), error.total)]
        lengths = [size if math.isfinite(size) else 0.0 for size in sizes]
        bars = axes.barh(
            rows + (index - (len(errors) - 1) / 2) * height,
            lengths,
            height * 0.9,
            label=error.label,
            color=COLORS[0],  # of the one place that all bars are about
            alpha=0.85 if index == 0 else 0.5,
            hatch=hatches[index % len(hatches)],
            edgecolor="white",
        )
        labels = [words.number(size, 1) if math.isfinite(size) else "–" for size in sizes]
        axes.bar_label(bars, labels, padding=2, fontsize=7)
    axes.set_yticks(rows, [words.value(name) for name in names] + [words("budget.sum")])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(words(axis))
    if len(errors) > 1:
        figure.legend(loc="outside lower center", ncols=min(len(errors), 2))
    localize(figure, words)
    return figure


def motion(visit: VisitRecord, words: Words) -> "Figure":
    """Translation, rotation and displacement at the regions over the scan."""
    assert visit.motion is not None
    figure = motion_figure(visit.motion, visit.acquisition.timing, words=figure_words(words))
    figure.set_size_inches(PAGE_WIDTH, 4.2)
    localize(figure, words)
    return figure


def input_function(visit: VisitRecord, words: Words) -> "Figure":
    """Whole blood, parent plasma and the samples, over the scan; the parent fraction beside them."""
    figure = canvas(PAGE_WIDTH, 3.2)
    source = visit.input
    minutes = np.array(source.times_s) / 60
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    whole = np.array(source.whole_blood)
    if np.isfinite(whole).any():
        left.plot(minutes, whole, color=COLORS[1], ls="--", label=words("curve.whole_blood"))
    if source.plasma_ratio is not None:
        plasma = whole * np.array(source.plasma_ratio)
        left.plot(minutes, plasma, color=COLORS[2], ls="-.", label=words("curve.plasma"))
    left.plot(minutes, source.parent_plasma, color=COLORS[0], label=words("curve.parent_plasma"))
    if source.blood_pool is not None:
        mids = visit.acquisition.timing.mids_s / 60
        left.plot(mids, source.blood_pool, color=GRAY, ls="none", marker="+", label=words("curve.blood_pool"))
    for index, kind in enumerate(("whole_blood", "plasma", "autosampler")):
        if kind in source.samples:
            samples = source.samples[kind]
            left.plot(
                np.array(samples.times_s) / 60,
                samples.values,
                color=COLORS[(1, 2, 3)[index]],
                marker=MARKERS[index],
                markerfacecolor="none",
                ls="none",
                label=words(f"samples.{kind}"),
            )
    left.set_yscale("symlog", linthresh=1.0)
    left.set_ylim(bottom=0)
    left.set_ylabel(words("axis.activity"))
    left.set_xlabel(words("axis.minutes"))
    if source.parent_fraction is not None:
        right.plot(minutes, source.parent_fraction, color=COLORS[0], label=words("curve.parent_fraction"))
    if "parent_fraction" in source.samples:
        samples = source.samples["parent_fraction"]
        at = np.array(samples.times_s) / 60
        right.plot(
            at, samples.values, color=COLORS[3], marker="o", mfc="none", ls="none", label=words("samples.parent")
        )
    right.set_ylim(0, 1.05)
    right.set_ylabel(words("axis.fraction"))
    right.set_xlabel(words("axis.minutes"))
    figure.legend(loc="outside lower center", ncols=3)
    localize(figure, words)
    return figure


def fits(visit: VisitRecord, shown: Sequence[tuple[str, KineticFit]], words: Words) -> "Figure":
    """Measured and fitted curves above, residuals below: one column a region. shown: (title, fit)."""
    figure = canvas(PAGE_WIDTH, 3.0)
    minutes = visit.acquisition.timing.mids_s / 60
    panels = figure.subplots(2, len(shown), squeeze=False, sharex=True, height_ratios=(3, 1))
    for column, (title, fit) in enumerate(shown):
        upper, lower = panels[0, column], panels[1, column]
        curve = visit.region(fit.region).curve(fit.pvc)
        used = np.array(fit.weights) > 0
        upper.plot(minutes[used], np.array(curve)[used], color=COLORS[1], marker="o", ls="none", ms=3)
        if not used.all():
            upper.plot(minutes[~used], np.array(curve)[~used], color=GRAY, marker="x", ls="none", ms=3)
        upper.plot(minutes, fit.predicted, color=COLORS[0])
        upper.set_title(title)
        upper.set_ylim(bottom=min(0.0, *(v for v in curve if math.isfinite(v))))
        lower.axhline(0, color=GRAY, linewidth=0.8)
        lower.plot(minutes, fit.residuals, color=COLORS[1], marker="o", ls="none", ms=3)
        lower.set_xlabel(words("axis.minutes"))
        if column == 0:
            upper.set_ylabel(words("axis.activity"))
            lower.set_ylabel(words("axis.residual"))
    localize(figure, words)
    return figure


def lines(shown: Sequence[tuple[str, KineticFit]], words: Words) -> "Figure":
    """Graphical methods in their own coordinates: frames used, frames left out, the line. shown: (title, fit)."""
    figure = canvas(PAGE_WIDTH, 2.6)
    for index, (title, fit) in enumerate(shown):
        axes = figure.add_subplot(1, len(shown), index + 1)
        line = fit.line
        assert line is not None
        x, y, used = np.array(line.abscissa), np.array(line.ordinate), np.array(line.used)
        seen = np.isfinite(x) & np.isfinite(y)
        # Before the bolus has spread the quotients run off; what is far outside the line's range is not shown.
        near = seen & (x <= 1.05 * x[used & seen].max(initial=0)) & (x >= 0) & (y >= 0)
        axes.plot(x[near & ~used], y[near & ~used], color=GRAY, marker="x", ls="none", label=words("line.left_out"))
        axes.plot(x[near & used], y[near & used], color=COLORS[1], marker="o", ls="none", label=words("line.used"))
        if math.isfinite(line.slope) and (near & used).any():
            ends = np.array([x[near & used].min(), x[near & used].max()])
            axes.plot(ends, line.intercept + line.slope * ends, color=COLORS[0], label=words("line.line"))
        axes.set_title(title)
        axes.set_xlabel(words("axis.patlak_x" if fit.model == PATLAK else "axis.logan_x"))
        if index == 0:
            axes.set_ylabel(words("axis.patlak_y" if fit.model == PATLAK else "axis.logan_y"))
            figure.legend(loc="outside lower center", ncols=3)
    localize(figure, words)
    return figure
