"""Pictures for people, by matplotlib."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_fused(
    path: Path, pictures: Sequence[NDArray[np.uint8]], titles: Sequence[str], size_mm: float, top_kbq_ml: float
) -> None:
    """Fused slices side by side, at one scale, with sides, a scale bar and the PET's range.

    pictures: RGBA (pixels, pixels, 4), the patient's right on the left, ``size_mm`` wide, PET from 0 to
    ``top_kbq_ml``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # no display, and no global state
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(pictures), 5.0), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    for index, (picture, title) in enumerate(zip(pictures, titles, strict=True)):
        axes = figure.add_subplot(1, len(pictures), index + 1)
        axes.imshow(picture, extent=(0, size_mm, size_mm, 0), interpolation="bilinear")
        axes.plot([size_mm - 25, size_mm - 5], [size_mm - 5] * 2, color="white", linewidth=3)
        label: dict[str, Any] = {"color": "white", "fontsize": 9, "va": "center"}
        axes.text(size_mm - 15, size_mm - 8, "20 mm", ha="center", **label)
        axes.text(3, size_mm / 2, "R", **label)
        axes.text(size_mm - 3, size_mm / 2, "L", ha="right", **label)
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    figure.supxlabel(f"CT, bone window; PET 0 to {top_kbq_ml:.0f} kBq/mL on top", fontsize=9)
    figure.savefig(path, dpi=110)
