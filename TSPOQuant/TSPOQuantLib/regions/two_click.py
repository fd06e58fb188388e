"""A foramen from two clicks: its inner and its outer mouth."""

import numpy as np
from numpy.typing import NDArray

from ..acquisition.image import Volume
from ..acquisition.segmentation import Segment
from ..levels import LEVELS
from ..messages import InputRefused
from .canal import Canal, bone_of, fit_across
from .template import foramen_segment

# Choices: no canal is longer or shorter than this, and clicks further apart are mistakes.
SHORTEST_MM, LONGEST_MM = 2.0, 15.0
ACROSS_MM, ALONG_MM = 1.5, 0.5
"""How far the fit may move the canal: clicks tell where along it the foramen is, bone tells where across."""
UP = np.array([0.0, 0.0, 1.0])


def foramen_between(
    inner_lps_mm: NDArray[np.float64], outer_lps_mm: NDArray[np.float64], level: str, side: str, ct: Volume
) -> Segment:
    """A foramen's segment on the CT's grid: an elliptic canal of the published size from one mouth to the other.

    It is then shifted and scaled so that its wall meets the CT's bone (``canal.fit_across``): its middle ends at most
    ``ACROSS_MM`` in each direction across the canal, and ``ALONG_MM`` along it, from that of the clicks. On an MR,
    where bone is not to be told by its values, it stays where the clicks put it. Its direction is theirs; its height
    stands as near to upright as that direction allows.
    Raises InputRefused "foramen-level", "foramen-clicks" (too near, too far, upright, or beyond the CT) and
    "foramen-side" where the clicks run inward for that side, and what ``canal.bone_of`` raises.
    """
    size = LEVELS[level].size_mm if level in LEVELS else None
    if size is None:
        raise InputRefused(
            "foramen-level",
            "of no foramen called '{level}' is a size published; known are {levels}",
            level=level,
            levels=", ".join(name for name, level in LEVELS.items() if level.size_mm),
        )
    inner, outer = np.asarray(inner_lps_mm, dtype=float), np.asarray(outer_lps_mm, dtype=float)
    length = float(np.linalg.norm(outer - inner))
    if not SHORTEST_MM <= length <= LONGEST_MM:
        raise InputRefused(
            "foramen-clicks",
            "the mouths are {length:.1f} mm apart; mark both ends of one canal, {shortest_mm:g} to {longest_mm:g} mm",
            length=length,
            shortest_mm=SHORTEST_MM,
            longest_mm=LONGEST_MM,
        )
    outward = (outer - inner) / length
    if side not in ("left", "right") or (outward[0] > 0) != (side == "left"):
        raise InputRefused(
            "foramen-side",
            "the clicks do not run outward on the {side}; mark the inner mouth first, or change the side",
            side=side,
        )
    index = ct.grid.to_ijk((inner + outer) / 2)[::-1]
    if (index < 0).any() or (index > np.array(ct.grid.shape) - 1).any():
        raise InputRefused("foramen-clicks", "the clicks lie beyond the image; mark them on it")
    across = np.cross(UP, outward)
    if np.linalg.norm(across) < 0.3:
        raise InputRefused("foramen-clicks", "the clicks lie above each other; a foramen runs outward")
    across /= np.linalg.norm(across)
    axes = np.stack([outward, np.cross(outward, across), across], axis=1)
    clicked = Canal((inner + outer) / 2, axes, length, *size)
    canal = fit_across(clicked, bone_of(ct), ACROSS_MM, ALONG_MM) if ct.is_ct else clicked
    return foramen_segment(level, side, canal.mask(ct.grid))
