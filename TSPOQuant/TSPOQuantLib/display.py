"""How a CT or an MR with a PET over it is shown, in Slicer's views and in pictures alike: choices of ours."""

import numpy as np
from numpy.typing import NDArray

CT_WINDOW_HU = 1400.0
CT_LEVEL_HU = 300.0
"""Width and middle of the gray scale, which show bone with soft tissue."""
PET_OPACITY = 0.5
"""Share of the PET in the mixture."""
SIGNAL_PERCENTILES = (1.0, 99.5)
"""Of an MR's voxels, from black to white: a few bright vessels do not move them."""


def signal_window(values: NDArray[np.floating]) -> tuple[float, float]:
    """An MR from black to white, in the image's own values, which mean nothing by themselves; never empty."""
    low, high = (float(end) for end in np.percentile(values, SIGNAL_PERCENTILES))
    return low, max(high, low + 1e-6 * max(abs(low), 1.0))
