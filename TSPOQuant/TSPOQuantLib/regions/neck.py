"""What labels and CT tell of the vertebrae: their frames, their numbering, and what lies between two of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..acquisition.image import Volume
from ..acquisition.segmentation import Segmentation
from ..levels import LEVELS, VERTEBRAE
from ..messages import Notice, Text
from .foramen import Level, level_between
from .vertebra import LabeledBone, Vertebra, labeled_bone, vertebrae_of
from .vertebra_labels import vertebra_segments

Floats = NDArray[np.float64]

# None of these is published: choices, tried on one real neck and on simulated ones.
RATIO = (0.6, 1.6)
"""Height of a vertebral body, and distance to the next, over their medians in this neck."""
FUSED_SHARE, TOUCHING_MM, COLUMN_MM, PIXEL_MM = 0.5, 1.6, 8.0, 1.5
TURNED_DEG = 40.0
"""Two neighbors whose frames differ by more were not both understood."""
CUT_MM = 4.0
"""A vertebra that ends nearer to the end of the CT may go on beyond it."""
LOW = VERTEBRAE[VERTEBRAE.index("T11") :]
"""Of one kind by their heights and distances."""
NUMBERING = ("vertebra-numbering", "numbering-unknown")
COUNTED = VERTEBRAE[VERTEBRAE.index("C2") : VERTEBRAE.index("T2") + 1]
COUNT_OFF, FEWEST_STEPS = 0.5, 2
"""Of usual steps from one vertebra to the next, that two labels may lie closer together or further apart than their
names say, and how many pairs of neighbors tell what is usual. One level off is 1."""
BELOW_SECOND = ("C3", "C4", "C5", "C6", "C7")
DENS_RATIO = 1.5
"""Height of C2 in its middle, with its dens, over that of C3's body: at least this."""
BLOCK_RATIO = 3.4
"""And over that of the neck's tallest body below it: at most this. Without a block it was 2.3 to 2.9 on one real neck
and others made from it, with C3 in C2's label 3.9."""


class Declined(Exception):
    """Why a region cannot be proposed: a stable code and a sentence."""

    def __init__(self, code: str, template: str, /, **values: Any) -> None:
        self.code, self.reason = code, template if isinstance(template, Text) else Text(template, **values)
        super().__init__(self.reason)


@dataclass(frozen=True, eq=False)
class Neck:
    """What labels and CT tell of the vertebrae. frames: by level, or why it is not usable.

    numbering: "vertebra-numbering" where the labels contradict the anatomy, "numbering-unknown" where nothing in the
    field tells whether they are one level off, None where the dens of C2 agrees with them.
    """

    bone: LabeledBone
    frames: Mapping[str, Vertebra | Declined]
    numbering: Notice | None

    def vertebra(self, level: str) -> Vertebra:
        """Raises Declined."""
        if self.numbering is not None and self.numbering.code == "vertebra-numbering":
            raise Declined(self.numbering.code, self.numbering.message)
        found = self.frames.get(level)
        if found is None:
            raise Declined("vertebra-missing", "no label is called vertebra {level}", level=level)
        if isinstance(found, Declined):
            raise found
        return found


def neck_of(vertebrae: Segmentation, ct: Volume | None, only: Collection[str] = ()) -> Neck | None:
    """The vertebrae's frames from their labels, with the edges of the CT's bone; None without a label of one.

    only: levels that are wanted; all without it.
    """
    named = {level: place for level, place in vertebra_segments(vertebrae).items() if not only or level in only}
    if not named:
        return None
    bone = labeled_bone(vertebrae, named, ct)
    frames: dict[str, Vertebra | Declined] = {}
    for level, frame in vertebrae_of(bone).items():
        frames[level] = frame if isinstance(frame, Vertebra) else Declined(frame.code, frame.message)
    return Neck(bone, frames, _numbering(frames, bone, ct))


def _numbering(frames: Mapping[str, Vertebra | Declined], bone: LabeledBone, ct: Volume | None) -> Notice | None:
    """Count from the dens: only C2 is far taller in its middle than the vertebra below it; and from label to label."""
    second, third = frames.get("C2"), frames.get("C3")
    miscounted = _miscounted(frames)
    if miscounted is not None:
        return miscounted
    if not any(name[0] == "C" for name in frames):
        return Notice(
            "numbering-unknown",
            "nothing tells whether the vertebrae are numbered one level off, or four or six are lumbar; count them "
            "from the sacrum and from C2",
        )
    if not isinstance(second, Vertebra) or not isinstance(third, Vertebra):
        tall = _taller_than_below(frames)
        if tall:
            return Notice(
                "vertebra-numbering",
                "the label of {level} is as tall as a C2 with its dens: the vertebrae are numbered one level off, or "
                "it holds two of them; correct the labels",
                level=tall,
            )
        return Notice(
            "numbering-unknown",
            "without labels of C2 and C3 nothing tells whether the vertebrae are numbered one level off; count them",
        )
    if second.height >= DENS_RATIO * third.height:
        return _two_in_second(second, frames)
    fourth = frames.get("C4")
    if isinstance(fourth, Vertebra) and third.height >= DENS_RATIO * fourth.height:
        return Notice(
            "vertebra-numbering",
            "the label of C3 is as tall as a C2 with its dens, and that of C2 is not: the vertebrae are numbered one "
            "level off, or C3 holds two of them; correct the labels",
        )
    if ct is not None:
        above = np.array([*second.body[:2], bone.points("C2")[:, 2].max() + CUT_MM])
        index = ct.grid.to_ijk(above)
        if (index < 0).any() or (index > np.array(ct.grid.shape[::-1]) - 1).any():
            return Notice(
                "numbering-unknown",
                "the dens of C2 lies beyond the image: nothing tells whether the vertebrae are numbered one level "
                "off; count them",
            )
    return Notice(
        "vertebra-numbering",
        "the label of C2 has no dens: the vertebrae are numbered one level off, or C2 is labeled in part; correct the "
        "labels",
    )


def _miscounted(frames: Mapping[str, Vertebra | Declined]) -> Notice | None:
    """Two labels of the neck that lie a vertebra closer together or further apart than their names say.

    Labels that hold two vertebrae are left out, so that the next ones above and below tell what they were counted as.
    """
    row = [vertebra for name in COUNTED if isinstance(vertebra := frames.get(name), Vertebra)]
    heights = [vertebra.height for vertebra in row if vertebra.level != "C2"]
    row = [vertebra for vertebra in row if vertebra.level == "C2" or vertebra.height < RATIO[1] * np.median(heights)]
    pairs = list(pairwise(row))
    named = [COUNTED.index(lower.level) - COUNTED.index(upper.level) for upper, lower in pairs]
    steps_mm = [float(np.linalg.norm(upper.canal - lower.canal)) for upper, lower in pairs]
    usual_mm = [step for step, count in zip(steps_mm, named, strict=True) if count == 1]
    if len(usual_mm) < FEWEST_STEPS:
        return None
    for (upper, lower), step_mm, count in zip(pairs, steps_mm, named, strict=True):
        if abs(step_mm / np.median(usual_mm) - count) > COUNT_OFF:
            return Notice(
                "vertebra-numbering",
                "the labels of {upper} and {lower} lie {step_mm:.0f} mm apart, where the neck's vertebrae follow one "
                "another every {usual_mm:.0f} mm: a vertebra between them is left out of the numbers, or of the "
                "labels; correct the labels",
                upper=upper.level,
                lower=lower.level,
                step_mm=step_mm,
                usual_mm=float(np.median(usual_mm)),
            )
    return None


def _two_in_second(second: Vertebra, frames: Mapping[str, Vertebra | Declined]) -> Notice | None:
    """Whether the label of C2 holds C3 as well, as a block's may: what lies below is then numbered from there."""
    bodies = [
        vertebra.height
        for vertebra in frames.values()
        if isinstance(vertebra, Vertebra) and vertebra.level in BELOW_SECOND
    ]
    ratio = second.height / max(bodies)
    if ratio <= BLOCK_RATIO:
        return None
    return Notice(
        "vertebra-numbering",
        "the label of C2 is {ratio:.1f} times as tall as the tallest body below it, and holds two vertebrae: those "
        "below may be numbered one level off; correct the labels",
        ratio=ratio,
    )


def _taller_than_below(frames: Mapping[str, Vertebra | Declined]) -> str:
    """The highest whole vertebra of the neck, where it is not C2 and as much taller than the next one as C2 is."""
    known = [
        (name, vertebra) for name, vertebra in frames.items() if name[0] == "C" and isinstance(vertebra, Vertebra)
    ]
    if len(known) < 2 or known[0][0] in ("C1", "C2"):
        return ""
    (name, upper), (_, lower) = known[:2]
    return name if upper.height >= DENS_RATIO * lower.height else ""


# --- Two neighbors ---------------------------------------------------------------------------------------------------


def level_of(name: str, neck: Neck) -> Level:
    """The frame between two vertebrae. Raises Declined."""
    upper, lower = map(neck.vertebra, name.split("/"))
    _refuse_order(upper, lower)
    _refuse_odd_sizes(upper, lower, neck)
    return level_between(upper, lower)


def _refuse_order(upper: Vertebra, lower: Vertebra) -> None:
    step = upper.canal - lower.canal
    turned = np.degrees(np.arccos(np.clip((np.trace(upper.axes.T @ lower.axes) - 1) / 2, -1, 1)))
    if step @ (upper.axes[:, 2] + lower.axes[:, 2]) <= 0 or step[2] < 0:
        raise Declined(
            "vertebra-order",
            "vertebra {upper} does not lie above {lower}; check the labels and the orientation",
            upper=upper.level,
            lower=lower.level,
        )
    if turned > TURNED_DEG:
        raise Declined(
            "vertebra-turned",
            "vertebrae {upper} and {lower} seem turned by {turned:.0f} degrees against each other; check the labels",
            upper=upper.level,
            lower=lower.level,
            turned=turned,
        )


def _refuse_odd_sizes(upper: Vertebra, lower: Vertebra, neck: Neck) -> None:
    """Decline a body far taller or lower than this neck's others (two in one label), and a gap in the row.

    C2 is left out: its dens belongs to it.
    """
    known = {name: frame for name, frame in neck.frames.items() if isinstance(frame, Vertebra)}
    row = ("C3", "C4", "C5", "C6", "C7", "T1") if upper.level[0] == "C" else LOW
    order = [name for name in row if name in known]
    heights = np.median([known[name].height for name in order])
    steps = [
        float(np.linalg.norm(known[a].canal - known[b].canal)) for a, b in pairwise(order) if f"{a}/{b}" in LEVELS
    ]
    for vertebra in (upper, lower):
        if vertebra.level != "C2" and not RATIO[0] < vertebra.height / heights < RATIO[1]:
            raise Declined(
                "vertebra-height",
                "vertebra {level} is not of its neighbors' height: fused, or labeled in part",
                level=vertebra.level,
            )
    if steps:
        step = float(np.linalg.norm(upper.canal - lower.canal))
        if not RATIO[0] < step / np.median(steps) < RATIO[1]:
            raise Declined(
                "vertebra-gap",
                "{upper} and {lower} are not neighbors by their distance; check the labels",
                upper=upper.level,
                lower=lower.level,
            )


def refuse_fused(level: Level) -> None:
    """Decline where the two bodies touch over most of their cross-section."""
    undersides, tops = _ends(level, level.upper, np.minimum), _ends(level, level.lower, np.maximum)
    gaps = undersides - tops
    met = np.isfinite(gaps)
    if met.any() and np.mean(gaps[met] <= TOUCHING_MM) > FUSED_SHARE:
        raise Declined(
            "vertebrae-fused",
            "vertebrae {upper} and {lower} are fused",
            upper=level.upper.level,
            lower=level.lower.level,
        )


def _ends(level: Level, vertebra: Vertebra, pick: np.ufunc) -> Floats:
    """Seen along up, the lowest (minimum) or highest point of a body in pixels of ``PIXEL_MM``; inf where none is."""
    local = level.local(vertebra.points)
    body = local[(local[:, 1] < level.edges[2] - 1) & (np.abs(local[:, 0]) < COLUMN_MM)]
    count = 2 * round(COLUMN_MM / PIXEL_MM) + 1
    end = np.full((count, 4 * count), np.inf if pick is np.minimum else -np.inf)
    pixels = np.round(body[:, :2] / PIXEL_MM).astype(int) + np.array([count // 2, 4 * count - 1])
    keep = pixels[:, 1] >= 0
    pick.at(end, tuple(pixels[keep].T), body[keep, 2])
    return end
