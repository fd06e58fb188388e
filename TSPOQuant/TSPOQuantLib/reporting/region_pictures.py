"""A proposed or declined region on the CT, to be looked at: across its canal and along it."""

from pathlib import Path

import numpy as np

from ..acquisition.image import Volume
from ..alignment.contrast import window_of
from ..regions.canal import Canal
from ..regions.vertebra import sampled
from .figures import canvas

SIZE_MM, PIXELS = 50.0, 200
WINDOW_HU = (-200.0, 900.0)


def draw_canal(path: Path, ct: Volume, canal: Canal, title: str, proposed: bool) -> None:
    """Two pictures side by side: the canal as a hole, its front on the left; and cut along its length, up on top."""
    figure = canvas(8, 4.3)
    outward, up, across = canal.axes.T
    ends = window_of(ct, WINDOW_HU)
    at = (np.arange(PIXELS) / PIXELS - 0.5) * SIZE_MM
    for place, (right, name) in enumerate(
        ((across, "across the canal"), (outward, "along the canal, outward to the right")), 1
    ):
        axes = figure.add_subplot(1, 2, place)
        points = canal.center + at[None, :, None] * right + at[::-1, None, None] * up
        values = sampled(ct.values, ct.grid, points, fill=-1000.0 if ct.is_ct else ends[0])
        extent = (at[0], at[-1], at[0], at[-1])
        axes.imshow(values, cmap="gray", vmin=ends[0], vmax=ends[1], extent=extent)
        offset = (points - canal.center) @ canal.axes
        ellipse = (2 * offset[..., 1] / canal.height) ** 2 + (2 * offset[..., 2] / canal.width) ** 2
        inside = np.maximum(ellipse, (2 * offset[..., 0] / canal.length) ** 2)
        style = "solid" if proposed else "dashed"
        axes.contour(
            at, at[::-1], inside, levels=[1.0], colors="tab:orange" if proposed else "tab:red", linestyles=style
        )
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("mm")
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110, metadata={"Software": None})
