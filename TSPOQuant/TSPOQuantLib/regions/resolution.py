"""The scanner's resolution from the scan itself: how blurred the PET shows the edge of the body that the CT draws.

Near the skin the CT tells air, fat, soft tissue and bone apart; each is given one activity, blurred by a Gaussian and
compared with the PET, block by block around the neck and along it. The width that is most likely where every block
has an error of its own size is the resolution there. What the CT does not tell, a gland or a vessel within muscle,
would pass for blur where the tissues of its block are free to make up for it: no activity is negative, and a block's
do not depart far from the whole neck's; the blocks that take up most are left out. A gland misleads every frame
alike: all frames of a place are one block, and the error comes from how far the blocks disagree. Reconstruction,
filter and whatever motion is left are included.

An image that was updated few times is sharper at the skin than deep in the neck, where the regions lie. So the same
is done about each region, with the tissues of its own correction, and the more a voxel holds of the region the more
it counts: something small and hot recovers later than large edges beside it. That width is the regions', the skin's
is where it is looked for. Tested on simulated necks only, with the anatomy of a real one among them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, binary_fill_holes, distance_transform_edt, label

from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage, Volume
from ..grid import Grid, box_of
from ..lazy_modules import optimize
from ..messages import InputRefused, Notice
from ..progress import Progress, silent
from .partial_volume import axis_response, misfits
from .region import Region
from .sampling import MINIMUM_COVERAGE
from .tissues import CLASS_EDGES_HU, surroundings

Floats = NDArray[np.float64]
Labels = NDArray[np.int8]

# None of these is published: choices, tried on simulated necks.
WIDTHS_MM = np.arange(2.0, 11.7, 0.8)
NEAR_SKIN_MM = 8.0
"""Only voxels so near to the skin are compared: there the CT knows best what is where."""
SKIN_MM = (1.5, 3.0)
"""Down to each of these depths all tissue counts as one layer of skin: it is too thin for the CT's numbers."""
PAD_MM = 12.0
CUTS = 2
"""Cells of each voxel along each axis."""
SLAB_MM, SECTORS = 20.0, 12
"""Along the neck and around it: each of these blocks has activities of its own, and an error of its own size."""
DEPARTURE = 0.3
"""Standard deviation of a tissue's activity between the blocks, as a fraction of the most active tissue's."""
HOTTEST_SHARE = 1 / 8
"""So many of the blocks, those that take up most, are left out: there a gland or a vessel lies near the skin."""
FEWEST_IN_BLOCK = 100
"""A block of fewer voxels is left out."""
METHOD_MM = 0.3
"""Standard error of the method itself, where all blocks agree: about what it was off by at the skin of simulated
necks whose images another scanner than the correction's formula had made."""
METHOD_DEEP_MM = 0.6
"""Standard error of the method at the regions: about what it was off by, on scanners and necks simulated by two
programs, from the width with which the correction restored activity."""
METHOD_SKIN_ALONE_MM = 1.5
"""The same of the skin's width, taken for the regions'."""
STEPS_MM = np.arange(-1.5, 4.6, 1.0)
"""Widths that are tried at the regions, less the skin's."""
LEAST_WIDTH_MM = 0.5
MOST_PLACES = 2
"""So many places of the neck are looked at there, those in which it lay longest."""
FEWEST_REGIONS = 3
FAR_MM = 1.0
"""A region's width so far from the skin's is told."""
LONG_S = 300.0
MOST_FRAMES = 4
COARSEST_CT_MM = 3.5
FEWEST_VOXELS = 2000
UNCERTAIN_MM = 0.5
TISSUES = len(CLASS_EDGES_HU) + 1 + len(SKIN_MM)


@dataclass(frozen=True, eq=False)
class Resolution:
    """fwhm_mm: one width for all axes. se_mm: from leaving out one block at a time (jackknife), and the method's.
    frames: which were used. own_se_mm: the part of se_mm that another visit on the scanner does not share; at the
    regions the jackknife's, as the method errs alike where scanner and anatomy are the same. skin_alone: whether it is
    the width near the skin, and that of the regions is not known.
    """

    fwhm_mm: float
    se_mm: float
    frames: tuple[int, ...]
    own_se_mm: float
    skin_alone: bool = False
    notices: tuple[Notice, ...] = ()


def estimate_resolution(
    image: DynamicImage, ct: Volume, region_to_frame: Sequence[Floats] | None = None, progress: Progress = silent
) -> Resolution:
    """FWHM in mm from the last long frames and the CT.

    region_to_frame: as for ``sampling.sample``: carries the CT into each frame; None where nothing moved.
    Raises InputRefused "resolution-ct" (no HU, or voxels too large), "resolution-edges" (CT and PET show too little
    skin in common) and "resolution-unclear" (no width between the smallest and the largest fits best).
    """
    if ct.units != "HU" or max(ct.grid.spacing_mm) > COARSEST_CT_MM:
        size = " × ".join(f"{step:.3g}" for step in ct.grid.spacing_mm)
        raise InputRefused(
            "resolution-ct",
            "the resolution cannot be told with this image ({size} mm, in {units}): a CT of at most {coarsest:g} mm "
            "is needed; give fwhm_mm as a number",
            size=size,
            units=ct.units,
            coarsest=COARSEST_CT_MM,
        )
    frames = _frames(image)
    moves = [None] * len(frames) if region_to_frame is None else [region_to_frame[frame] for frame in frames]
    tissue, edges = _tissues(ct), []
    for number, members in enumerate(_alike(moves)):
        progress(number / len(frames), "Resolution of the PET")
        chosen = [frames[member] for member in members]
        activity = image.activity[chosen].astype(float)
        mean = np.average(activity, axis=0, weights=image.timing.durations_s[chosen])
        edges.append(_edge(image.grid, mean, ct.grid, tissue, moves[members[0]]))
    by_block = _unlikeliness(edges)
    total = by_block.sum(axis=0)
    fwhm = _lowest(total, WIDTHS_MM)
    if fwhm is None:
        raise InputRefused(
            "resolution-unclear",
            "no resolution between {widths_mm:g} and {last_widths_mm:g} mm fits the body's edge best; check that "
            "CT and PET are in register, or give fwhm_mm as a number",
            widths_mm=WIDTHS_MM[0],
            last_widths_mm=WIDTHS_MM[-1],
        )
    spread = math.hypot(jackknife(by_block, WIDTHS_MM), METHOD_MM)
    notices: tuple[Notice, ...] = ()
    if not spread <= UNCERTAIN_MM:
        notices = (
            Notice(
                "resolution-uncertain",
                "the estimated resolution, {fwhm:.1f} mm, is uncertain by {spread:.1f} mm",
                fwhm=fwhm,
                spread=spread,
            ),
        )
    progress(1, "Resolution estimated")
    return Resolution(fwhm, spread, frames, spread, True, notices)


def resolution_at(
    skin: Resolution,
    image: DynamicImage,
    regions: Sequence[Region],
    ct: Volume,
    region_to_frame: Sequence[Floats] | None = None,
    minimum_coverage: float = MINIMUM_COVERAGE,
    others: Sequence[Region] = (),
    progress: Progress = silent,
) -> Resolution:
    """FWHM in mm where the regions lie; skin: what ``estimate_resolution`` found in the same image.

    regions: about which to look; others: as for ``partial_volume.correct``. The skin's own width, and that it is no
    more than that, where there are few regions or no width fits best. Raises what ``sampling.sample`` raises.
    """
    frames = list(skin.frames)
    moves = [np.eye(4)] * len(frames) if region_to_frame is None else [region_to_frame[frame] for frame in frames]
    durations = image.timing.durations_s[frames]
    places = sorted(_alike(moves), key=lambda members: -durations[members].sum())[:MOST_PLACES]
    around = surroundings((*regions, *others), ct)
    widths = np.maximum(skin.fwhm_mm + STEPS_MM, LEAST_WIDTH_MM)
    by_region = np.zeros((len(regions), len(widths)))
    if len(regions) >= FEWEST_REGIONS:
        for number, members in enumerate(places):
            progress(number / len(places), "Resolution of the PET at the regions")
            activity = image.activity[[frames[member] for member in members]].astype(float)
            mean = np.average(activity, axis=0, weights=durations[members])
            still = replace(image, activity=mean[None], timing=FrameTiming(np.zeros(1), np.ones(1)))
            by_region += misfits(still, regions, around, widths.tolist(), moves[members[0]], minimum_coverage)
    progress(1, "Resolution estimated")
    deep = _lowest(by_region.sum(axis=0), widths)
    if deep is None:
        told = Notice(
            "resolution-estimated",
            "the resolution was estimated from the images: {fwhm_mm:.1f} mm FWHM (standard error {se_mm:.1f} mm), "
            "near the skin; deeper it is coarser where the reconstruction was updated few times, by up to 2 mm on "
            "simulated scanners: corrected V_T is then too low",
            fwhm_mm=skin.fwhm_mm,
            se_mm=skin.se_mm,
        )
        error = math.hypot(skin.se_mm, METHOD_SKIN_ALONE_MM)
        return replace(skin, se_mm=error, notices=(told, *skin.notices))
    spread = jackknife(by_region, widths)
    error = math.hypot(spread, METHOD_DEEP_MM)
    told = Notice(
        "resolution-estimated",
        "the resolution was estimated from the images: {fwhm_mm:.1f} mm FWHM (standard error {se_mm:.1f} mm) where "
        "the regions lie, {skin_mm:.1f} mm near the skin",
        fwhm_mm=deep,
        se_mm=error,
        skin_mm=skin.fwhm_mm,
    )
    far = Notice(
        "resolution-deep",
        "where the regions lie the image is less sharp than near the skin, as after few updates of a reconstruction: "
        "corrected values hang on the width there, which is known to {se_mm:.1f} mm; measure fwhm_mm with small hot "
        "spheres in a warm phantom and this reconstruction, or reconstruct with more updates",
        se_mm=error,
    )
    notices = (told, far) if deep - skin.fwhm_mm > FAR_MM else (told,)
    return Resolution(deep, error, skin.frames, spread, notices=(*notices, *skin.notices))


def _frames(image: DynamicImage) -> tuple[int, ...]:
    """The last long frames; the longest one where none is long."""
    durations = image.timing.durations_s
    long = np.flatnonzero(durations >= LONG_S)[-MOST_FRAMES:]
    return tuple(long.tolist()) or (int(np.argmax(durations)),)


def jackknife(by_block: Floats, widths_mm: Floats) -> float:
    """Standard error of the width, from leaving out one of the blocks (blocks, widths) at a time.

    Where no width within the range fits the rest best, the width hangs on that block: the end counts that fits them.
    """
    without = by_block.sum(axis=0) - by_block
    n = len(by_block)
    found = np.array([_lowest(rest, widths_mm) or widths_mm[np.argmin(rest)] for rest in without])
    return float(np.sqrt((n - 1) / n * np.sum((found - found.mean()) ** 2))) if n > 1 else math.inf


def _lowest(values: Floats, widths_mm: Floats) -> float | None:
    """Where a parabola through the least value and its neighbors is lowest; None at an end."""
    at = int(np.argmin(values))
    if at in (0, len(values) - 1):
        return None
    curve = np.polyfit(widths_mm[at - 1 : at + 2], values[at - 1 : at + 2], 2)
    return float(-curve[1] / (2 * curve[0]))


def _tissues(ct: Volume) -> tuple[Labels, Floats]:
    """On the CT's voxels: the class of tissue (air where the body is not), and the distance from the skin in mm."""
    solid, count = label(ct.values > CLASS_EDGES_HU[0])
    if count == 0:
        raise InputRefused("resolution-edges", "the CT shows nothing but air; check that it is the right one")
    body = solid == np.bincount(solid.ravel())[1:].argmax() + 1
    filled = np.stack([binary_fill_holes(plane) for plane in body])
    classes = np.where(body, np.digitize(ct.values, CLASS_EDGES_HU), 0).astype(np.int8)
    spacing = ct.grid.spacing_mm[:0:-1]  # rows, columns
    # Slice by slice: where the image ends there is no skin; at its sides there may be.
    padded = np.pad(filled, ((0, 0), (1, 1), (1, 1)))
    depth = np.stack([distance_transform_edt(plane, sampling=spacing) for plane in padded])[:, 1:-1, 1:-1]
    outside = np.stack([distance_transform_edt(~plane, sampling=spacing) for plane in filled])
    for layer, (above, below) in enumerate(pairwise((0.0, *SKIN_MM))):
        classes[(classes > 0) & (depth > above) & (depth <= below)] = len(CLASS_EDGES_HU) + 1 + layer
    return classes, np.maximum(depth, outside)


def _alike(moves: Sequence[Floats | None]) -> list[list[int]]:
    """Positions of frames that lie where others do, as groups."""
    groups: list[list[int]] = []
    for number, move in enumerate(moves):
        for group in groups:
            known = moves[group[0]]
            if move is known or (move is not None and known is not None and np.array_equal(move, known)):
                group.append(number)
                break
        else:
            groups.append([number])
    return groups


@dataclass(frozen=True, eq=False)
class _Edge:
    """The voxels of one image near the skin. places_mm: (voxels, 3) along i, j, k. seen: (voxels,), of mean 1.

    blurred: (widths, voxels, tissues), what an activity of 1 in each tissue would show.
    """

    places_mm: Floats
    seen: Floats
    blurred: NDArray[np.float32]


def _edge(pet: Grid, values: Floats, ct: Grid, tissue: tuple[Labels, Floats], transform: Floats | None) -> _Edge:
    """Raises "resolution-edges"."""
    to_ct = np.linalg.inv(ct.ijk_to_lps)
    if transform is not None:
        to_ct = to_ct @ np.linalg.inv(transform)
    classes, away = tissue
    near = _looked_up(away, to_ct @ pet.ijk_to_lps, pet.shape, np.inf) <= NEAR_SKIN_MM
    if not near.any():
        raise _too_little()
    box = box_of(near)
    first = np.array([side.start for side in reversed(box)], dtype=float)
    near, values = near[box], values[box]
    pet = pet.part([side.start for side in box], near.shape)
    pad = np.ceil(PAD_MM / np.array(pet.spacing_mm[::-1])).astype(int)
    to_voxel = np.diag([1 / CUTS] * 3 + [1.0])
    to_voxel[:3, 3] = -pad[::-1] - 0.5 + 0.5 / CUTS
    cells = tuple(int((n + 2 * p) * CUTS) for n, p in zip(pet.shape, pad, strict=True))
    labels = np.rint(_looked_up(classes, to_ct @ pet.ijk_to_lps @ to_voxel, cells, -1)).astype(np.int8)
    # Only where all that may spill in lies on the CT.
    near &= _surely(labels >= 0, pad)
    seen = values[near]
    if seen.size < FEWEST_VOXELS or not seen.mean() > 0:
        raise _too_little()
    blurred = np.zeros((len(WIDTHS_MM), seen.size, TISSUES), np.float32)
    for width, into in zip(WIDTHS_MM, blurred, strict=True):
        responses = [
            axis_response(
                step * np.arange(n, dtype=float),
                step,
                step * (np.arange((n + 2 * p) * CUTS + 1) / CUTS - p - 0.5),
                float(width),
            ).astype(np.float32)
            for step, n, p in zip(pet.spacing_mm[::-1], pet.shape, pad, strict=True)
        ]
        for one in np.unique(labels[labels >= 0]).tolist():
            into[:, one] = _blurred(responses, labels == one)[near]
    places = (np.argwhere(near)[:, ::-1] + first) * pet.spacing_mm
    return _Edge(places, seen / seen.mean(), blurred)


def _unlikeliness(edges: Sequence[_Edge]) -> Floats:
    """(blocks, widths): -2 ln of each width's likelihood by the voxels of all images near the skin."""
    seen = np.concatenate([edge.seen for edge in edges])
    blocks = _cooler(_blocks(np.concatenate([edge.places_mm for edge in edges]), len(edges)), seen)
    if not blocks:
        raise _too_little()
    each = (np.concatenate([edge.blurred[n] for edge in edges]).astype(float) for n in range(len(WIDTHS_MM)))
    return np.array([_misfit(blurred, seen, blocks) for blurred in each]).T


def _misfit(blurred: Floats, seen: Floats, blocks: Sequence[NDArray[np.intp]]) -> list[float]:
    """Of each block n ln of the squares that activities of 0 or more leave [textbook: normal error of unknown size],
    with a normal prior about those of the whole neck.

    blurred: (voxels, tissues) at activity 1; seen: (voxels,).
    """
    everywhere, _ = optimize.nnls(blurred, seen)
    error = np.sqrt(np.mean((seen - blurred @ everywhere) ** 2))
    most = everywhere.max()
    if not most > 0:
        raise _too_little()
    prior = np.eye(len(everywhere)) * error / (DEPARTURE * most)
    found = []
    for here in blocks:
        _, left = optimize.nnls(np.vstack([blurred[here], prior]), np.concatenate([seen[here], prior @ everywhere]))
        found.append(len(here) * math.log(max(left**2, np.finfo(float).tiny)))
    return found


def _blocks(places_mm: Floats, images: int) -> list[NDArray[np.intp]]:
    """Positions among the voxels of so many images near the skin, by slab and sector; not those of small blocks."""
    x, y, z = (places_mm - places_mm.mean(axis=0)).T
    around = (np.arctan2(y, x) / (2 * np.pi) % 1 * SECTORS).astype(int)
    slab = ((z - z.min()) // SLAB_MM).astype(int)
    number = slab * SECTORS + np.minimum(around, SECTORS - 1)
    found = (np.flatnonzero(number == one) for one in np.unique(number))
    return [one for one in found if len(one) >= FEWEST_IN_BLOCK * images]


def _cooler(blocks: Sequence[NDArray[np.intp]], seen: Floats) -> list[NDArray[np.intp]]:
    """The blocks without those that take up most."""
    by_activity = sorted(blocks, key=lambda block: float(seen[block].mean()))
    return by_activity[: len(blocks) - int(HOTTEST_SHARE * len(blocks))]


def _too_little() -> InputRefused:
    return InputRefused(
        "resolution-edges",
        "CT and PET share too little of the body's surface to tell the resolution; give fwhm_mm as a number",
    )


def _looked_up(volume: Floats | Labels, matrix: Floats, shape: tuple[int, ...], beyond: float) -> Floats:
    """The nearest voxel's value; ``beyond`` outside the volume."""
    return np.asarray(
        affine_transform(volume, matrix[2::-1, 2::-1], matrix[2::-1, 3], shape, order=0, mode="constant", cval=beyond)
    )


def _surely(known: NDArray[np.bool_], pad: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Voxels around which every cell within the padding is known."""
    sure = known.astype(np.int8)
    for axis, p in enumerate(pad):
        size = 2 * int(p) + 1
        cells = np.moveaxis(sure, axis, 0)
        cells = cells.reshape(-1, CUTS, *cells.shape[1:]).min(axis=1)
        sums = np.cumsum(np.concatenate([np.zeros((1, *cells.shape[1:]), int), cells]), axis=0)
        sure = np.moveaxis((sums[size:] - sums[:-size]) // size, 0, axis)
    return np.asarray(sure > 0)


def _blurred(responses: Sequence[NDArray[np.float32]], cells: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The scanner's image of a tissue of activity 1: cells (k, j, i) to voxels, one axis after the other."""
    along_k, along_j, along_i = responses
    rows = cells.astype(np.float32) @ along_i.T
    return np.asarray(np.tensordot(along_k, np.matmul(along_j, rows), axes=1))
