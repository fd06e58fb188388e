"""Pictures for people, by matplotlib: fused slices with their scales, and the body's motion."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.modality import CT, MR
from ..alignment.motion import LIMIT_MM, MotionTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110
SCALE_BAR_MM = 20
WORDS = {
    "scale": "{length} mm",
    "bar": "PET, {unit}",
    "time": "minutes",
    "translation": "translation, mm",
    "rotation": "rotation, degrees",
    "displacement": "displacement\nat the regions, mm",
    "limit": "limit",
    "axes": "left,posterior,up",
}
"""What is written on pictures, by key; a report in another language passes its own."""
ABOUT = "{anatomy}, PET mixed in by half: mean of the long frames. Outlines: the regions."
WINDOWS = {CT: "CT in a bone window", MR: "MR in a window of its own"}
"""Below fused pictures that stand in no report, which says it in its own words."""


@dataclass(frozen=True, eq=False)
class FusedPicture:
    """One fused slice through a region of one visit.

    rgba: (pixels, pixels, 4) uint8, ``size_mm`` wide and high, the region in the middle, outlines drawn in. edges:
    what lies at the left, right, upper and lower edge: patient's L, R, A, P, S, I. top: value of the last of
    ``colors`` (256, 3) uint8, the first being 0, in ``unit`` ("SUV" or "kBq/mL"). anatomy: what the PET lies on, "CT"
    or "MR".
    """

    rgba: NDArray[np.uint8]
    region: str
    session: str
    size_mm: float
    edges: tuple[str, str, str, str]
    top: float
    unit: str
    colors: NDArray[np.uint8]
    anatomy: str = CT

    @property
    def title(self) -> str:
        return f"{self.session}: {self.region}"


def canvas(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no display, and no global state
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
"""Ends of scales that are easy to read: a choice."""


def round_top(value: float) -> float:
    """The next easy number upwards; 1 where the value is not positive."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step for step in ROUND if step * power >= value * (1 - 1e-9)) * power)


def outlined(
    rgba: NDArray[np.uint8], mask: NDArray[np.bool_], color: tuple[float, float, float], width: int = 1
) -> NDArray[np.uint8]:
    """A picture with the inner edge of a mask, both (rows, columns), drawn ``width`` pixels wide; color: 0 to 1."""
    from scipy.ndimage import binary_erosion

    picture = rgba.copy()
    edge = mask & ~binary_erosion(mask, iterations=width)
    picture[edge, :3] = np.rint(255 * np.array(color))
    return picture


def fused_figure(pictures: Sequence[FusedPicture]) -> "Figure":
    """Fused slices in rows of two, all at one PET scale, with sides, scale bars and one color bar.

    Raises ValueError where there is no picture, or their scales differ.
    """
    if len({(picture.top, picture.unit) for picture in pictures}) != 1:
        raise ValueError("fused pictures to be compared must have one PET scale")
    columns = min(2, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = canvas(3.9 * columns + 0.9, 4.15 * rows + 0.3)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(pictures) :]:
        axes.set_axis_off()
    for axes, picture in zip(grid, pictures, strict=False):
        draw_fused(axes, picture, WORDS)
    color_bar(figure, list(grid), pictures[0], WORDS)
    on = " / ".join(dict.fromkeys(WINDOWS[picture.anatomy] for picture in pictures))
    figure.supxlabel(ABOUT.format(anatomy=on), fontsize=8)
    return figure


def color_bar(
    figure: "Figure",
    axes: "Sequence[Axes]",
    picture: FusedPicture,
    words: Mapping[str, str],
    font_size: float = 8,
    location: str = "right",
) -> None:
    """The PET's colors beside (or, at "bottom", below) pictures of one scale."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    scale = ScalarMappable(Normalize(0, picture.top), ListedColormap(picture.colors / 255.0))
    bar = figure.colorbar(scale, ax=list(axes), location=location, fraction=0.035, pad=0.02, aspect=30)
    bar.set_label(words["bar"].format(unit=picture.unit), fontsize=font_size + 1)
    bar.ax.tick_params(labelsize=font_size)


def draw_fused(axes: "Axes", picture: FusedPicture, words: Mapping[str, str], font_size: float = 9) -> None:
    """One fused slice with its title, the edges' letters and a scale bar."""
    size = picture.size_mm
    axes.imshow(picture.rgba, extent=(0, size, size, 0), interpolation="bilinear")
    axes.plot([0.95 * size - SCALE_BAR_MM, 0.95 * size], [0.95 * size] * 2, color="white", linewidth=2.5)
    label: dict[str, Any] = {"color": "white", "fontsize": font_size, "va": "center", "ha": "center"}
    bar = words["scale"].format(length=SCALE_BAR_MM)
    axes.text(0.95 * size - SCALE_BAR_MM / 2, 0.92 * size, bar, **label)
    places = ((0.04, 0.5), (0.96, 0.5), (0.5, 0.04), (0.5, 0.96))
    for (x, y), letters in zip(places, picture.edges, strict=True):
        axes.text(x * size, y * size, letters, **(label | {"fontweight": "bold"}))
    axes.set_title(picture.title, fontsize=font_size + 1)
    axes.set_axis_off()


def motion_figure(table: MotionTable, timing: FrameTiming, words: Mapping[str, str] = WORDS) -> "Figure":
    """Three translations, three rotations, and the displacement with its limit, each frame as long as it lasted.

    Frames beyond the limit are shaded and numbered, from 1.
    """
    figure = canvas(7.5, 5.2)
    upper, middle, lower = figure.subplots(3, 1, sharex=True)
    edges = np.concatenate([timing.starts_s, timing.ends_s[-1:]]) / 60
    names, styles = words["axes"].split(","), ("-", "--", ":")
    for axes, values, title in (
        (upper, table.translation_mm, words["translation"]),
        (middle, table.rotation_deg, words["rotation"]),
    ):
        for column, (name, style) in enumerate(zip(names, styles, strict=True)):
            axes.stairs(values[:, column], edges, baseline=None, label=name, linestyle=style, linewidth=1.5)
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.set_ylabel(title, fontsize=8)
        axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    lower.stairs(table.displacement_mm, edges, baseline=None, color="black", linewidth=1.5)
    for first, last in _runs(table.displacement_mm > LIMIT_MM):
        lower.axvspan(edges[first], edges[last + 1], color="tab:red", alpha=0.12, linewidth=0)
        frames = f"{first + 1}" if first == last else f"{first + 1}–{last + 1}"
        center = (edges[first] + edges[last + 1]) / 2
        lower.text(center, 0.15, frames, color="tab:red", fontsize=7, ha="center")
    lower.axhline(LIMIT_MM, color="tab:red", linewidth=1, label=f"{words['limit']} {LIMIT_MM:g} mm")
    lower.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    lower.set_ylabel(words["displacement"], fontsize=8)
    lower.set_xlabel(words["time"], fontsize=8)
    lower.set_ylim(bottom=0)
    for axes in (upper, middle, lower):
        axes.tick_params(labelsize=7)
    return figure


def _runs(flagged: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of every run of True."""
    steps = np.diff(np.concatenate([[0], flagged.astype(int), [0]]))
    return list(zip(np.flatnonzero(steps == 1).tolist(), (np.flatnonzero(steps == -1) - 1).tolist(), strict=True))


def png(figure: "Figure") -> bytes:
    """A figure as PNG, the same bytes at every run."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def write_png(path: Path, figure: "Figure") -> None:
    path.write_bytes(png(figure))
