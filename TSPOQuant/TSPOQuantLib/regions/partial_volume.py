"""Partial-volume correction of a region's curve, frame by frame.

Each region is corrected in a box of its own. There, space is cut into fine cells, every cell belongs to one tissue,
and the scanner's image of each tissue is computed exactly: Gaussian resolution, then the mean over the PET's voxel.

The tissues are the region, the other drawn regions, and what the CT shows around them: air, fat, soft tissue, bone
and the marrow within it. Marrow may hold more of a tracer than its cortex does: with both taken as one bone, a foramen
of a simulated neck with hot marrow came out a fifth too low. Kept within the box, a class need only be uniform near
the region, not throughout the neck. Finer cuts (shells by distance from the region) were tried on the simulated neck:
the noise grew 1.3 to 2.3 times, the error did not fall.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..acquisition.image import DynamicImage, Volume
from ..grid import Grid
from ..lazy_modules import optimize, sparse
from ..messages import InputRefused, Notice, Text
from ..progress import Progress, silent
from .region import Region, TimeActivityCurve
from .sampling import MINIMUM_COVERAGE, coverage, sample
from .tissues import CellTissues, Surroundings, scene_of, surroundings, tissues_in

Floats = NDArray[np.float64]

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
FWHM_STEP_MM = 1.0
"""The sensitivity is told for a resolution this much finer and coarser."""
LARGEST_FWHM_MM = 15.0
"""Coarser is no resolution of a scanner, nor one to bring images to: a choice."""

# None of these is published: choices.
CELL_MM = 0.7
REACH_MM = 10.0
"""How far beyond the region its surroundings are modeled and measured."""
TAIL_SIGMAS = 3.0
"""Activity up to this far beyond the measured box is modeled, too."""
AS_ONE = {"one bone": ("bone", "marrow"), "one soft tissue": ("fat", "soft tissue")}
"""Other models of the neighbors, to see what hangs on the model: the two classes count as one tissue."""
LEAST_COUNTED = 0.01
"""Where a width is looked for: voxels that count less are left out."""
ITERATIONS = 10
"""Of iterative Yang."""
PERTURBATIONS = 200
SMALL = 1e-3
"""Size of the perturbations, relative to the image."""
LEAST_RECOVERY = 0.2
"""A region that keeps less of itself than this is mostly made by the correction."""
LARGEST_SPREAD = 0.15
"""Relative SD over methods and models beyond which a correction is not to be trusted."""


@dataclass(frozen=True, eq=False)
class Corrected:
    """One region's curve corrected for partial volume: mean, sd (frames,) in kBq/mL.

    sd: the measured one times ``noise_amplification``.
    finer, coarser: (frames,) kBq/mL, the corrected mean had the FWHM been ``FWHM_STEP_MM`` less or more; what that
    changes is worked out where the region lay longest, on the image that the tissues' activities make there.
    noise_amplification: SD of the corrected mean over that of the measured mean, for noise that is independent
    between voxels; the largest over the frames.
    recovery: what the region's own uniform activity keeps of itself, 0 to 1; the smallest over the frames.
    tissues: what was told apart around the region where it lay longest, the region itself first.
    shares: (tissues,), what each adds to the region's measured mean there, where all hold the same activity; they sum
    to 1, but for what lies beyond the box.
    neighbor_means: (tissues, frames) kBq/mL, every tissue's activity by the transfer matrix; 0 in frames whose box
    does not hold the tissue.
    alternatives: (frames,) kBq/mL, the corrected mean by every other method, and by this one with other models of the
    neighbors (``AS_ONE``).
    spread: relative SD of the curve's time-weighted mean over this correction and its alternatives: an error of
    the model that no noise shows.
    """

    mean: Floats
    sd: Floats
    finer: Floats
    coarser: Floats
    noise_amplification: float
    recovery: float
    tissues: tuple[str, ...]
    shares: tuple[float, ...] = ()
    neighbor_means: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    alternatives: Mapping[str, Floats] = field(default_factory=dict)
    spread: float = 0.0


@dataclass(frozen=True, eq=False)
class CorrectedCurve:
    """One region's curve beside its corrected self."""

    measured: TimeActivityCurve
    corrected: Corrected


@dataclass(frozen=True, eq=False)
class PartialVolumeResult:
    """method and fwhm_mm (along the PET's i, j, k) as used; one curve a region, in the order given."""

    method: str
    fwhm_mm: tuple[float, float, float]
    curves: tuple[CorrectedCurve, ...]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, eq=False)
class _Tissues:
    """The box of one region in one frame. Axes (k, j, i).

    first, shape: the PET voxels of the box. cuts: cells a voxel. pad: voxels beyond the box that have cells.
    weights: (voxels,), how the region's mean is read, sum 1. cells: their tissues; 0 is the region.
    """

    first: NDArray[np.intp]
    shape: NDArray[np.intp]
    cuts: NDArray[np.intp]
    pad: NDArray[np.intp]
    weights: Floats
    cells: CellTissues

    @property
    def names(self) -> tuple[str, ...]:
        return self.cells.names

    @property
    def box(self) -> tuple[slice, ...]:
        return tuple(slice(a, a + n) for a, n in zip(self.first, self.shape, strict=True))


@dataclass(frozen=True, eq=False)
class _Model:
    """What the scanner makes of the tissues.

    seen: (voxels, tissues), the image of each tissue of activity 1. read: (tissues, voxels), the weights with which
    each tissue's mean is measured; row 0 is the region's. part: (tissues, voxels), fraction of each voxel that is each
    tissue. smooth: blurs images (voxels, frames) voxel by voxel.
    """

    seen: Floats
    read: Floats
    part: Floats
    smooth: Callable[[Floats], Floats]


def correct(
    image: DynamicImage,
    regions: Sequence[Region],
    method: str,
    fwhm_mm: float | tuple[float, float, float],
    region_to_frame: Sequence[Floats] | None = None,
    ct: Volume | None = None,
    minimum_coverage: float = MINIMUM_COVERAGE,
    others: Sequence[Region] = (),
    progress: Progress = silent,
) -> PartialVolumeResult:
    """Every region's measured curve, as ``sampling.sample`` gives it, and the corrected one.

    method: one of ``METHODS``. fwhm_mm: the resolution, one number or one along each of the PET's axes i, j, k.
    region_to_frame: as for ``sampling.sample``; ct: in HU, in the position in which the regions were drawn.
    others: regions that are not corrected but tell tissues apart (a blood pool).
    Raises InputRefused "pvc-method", "pvc-fwhm", "pvc-ct", and what ``sampling.sample`` raises.
    """
    if method not in METHODS:
        raise InputRefused(
            "pvc-method",
            "no correction is called '{method}'; known are {methods}",
            method=method,
            methods=", ".join(METHODS),
        )
    fwhm = _checked_fwhm(fwhm_mm)
    if ct is not None and ct.units != "HU":
        raise InputRefused(
            "pvc-ct",
            "the image is in '{units}', not in HU, and tells no tissues apart; give a CT, or none",
            units=ct.units,
        )
    around = surroundings((*regions, *others), ct)
    measured = [sample(image, region, region_to_frame, minimum_coverage) for region in regions]
    parts: list[list[_Part]] = [[] for _ in regions]
    stages = _stages(image.timing.durations_s, region_to_frame)
    for done, (move, frames) in enumerate(stages):
        lie = [(region, move) for region in regions]
        for n, tissues in _tissues_around(image.grid, lie, around, move, minimum_coverage, max(fwhm)):
            told = Text("Partial volume of {region_name}", region_name=regions[n].name)
            progress((done + n / len(regions)) / len(stages), told)
            widths = _widths(fwhm)[: 1 if parts[n] else None]
            models = _models(tissues, image.grid, widths)
            parts[n].append(_part(image, frames, tissues, models, method, region_to_frame is not None))
    progress(1, "Partial volume corrected")
    curves = [
        _joined(curve, found, method, image.timing.durations_s) for curve, found in zip(measured, parts, strict=True)
    ]
    notices = [notice for curve in curves for notice in _doubts(curve)]
    if ct is None:
        notices.append(
            Notice(
                "pvc-no-ct",
                "a CT alone tells tissues apart by its values; without one all that was not drawn counts as one "
                "uniform tissue",
            )
        )
    return PartialVolumeResult(method, fwhm, tuple(curves), tuple(notices))


def _checked_fwhm(fwhm_mm: float | tuple[float, float, float]) -> tuple[float, float, float]:
    values = np.broadcast_to(np.asarray(fwhm_mm, dtype=float), 3)
    if not (np.isfinite(values).all() and (values > 0).all() and (values <= LARGEST_FWHM_MM).all()):
        raise InputRefused(
            "pvc-fwhm",
            "the resolution {fwhm_mm} mm FWHM is not possible; give 0 to {largest_fwhm_mm:g} mm",
            fwhm_mm=fwhm_mm,
            largest_fwhm_mm=LARGEST_FWHM_MM,
        )
    return (float(values[0]), float(values[1]), float(values[2]))


def corrected_means(
    image: DynamicImage,
    regions: Sequence[Region],
    around: Surroundings,
    method: str,
    fwhm_mm: tuple[float, float, float],
    own_moves: Sequence[Floats],
    move: Floats,
    minimum_coverage: float = MINIMUM_COVERAGE,
) -> Floats:
    """(own moves, regions) kBq/mL, the corrected mean alone, in the first frame; nan where a region cannot be read.

    own_moves: rigid 4 x 4 (LPS mm) that carry each region from where it was drawn to where it is read; move: the same
    for the CT and all else that was drawn.
    """
    means = np.full((len(own_moves), len(regions)), np.nan)
    places = []
    for own, n in np.ndindex(means.shape):
        try:
            sample(image, regions[n], [own_moves[own]] * len(image.timing), minimum_coverage)
        except InputRefused:  # moved beyond the field
            continue
        places.append((own, n))
    lie = [(regions[n], own_moves[own]) for own, n in places]
    for place, tissues in _tissues_around(image.grid, lie, around, move, minimum_coverage, max(fwhm_mm)):
        (model,) = _models(tissues, image.grid, [fwhm_mm])
        means[places[place]] = METHODS[method](model, _voxels(image, [0], tissues))[0]
    return means


def misfits(
    image: DynamicImage,
    regions: Sequence[Region],
    around: Surroundings,
    widths_mm: Sequence[float],
    move: Floats,
    minimum_coverage: float = MINIMUM_COVERAGE,
) -> Floats:
    """(regions, widths): -2 ln of each width's likelihood by the first frame about every region.

    Each tissue of a region's box has one activity of 0 or more. A voxel counts by what the region adds to it in the
    middle of the widths, over the most that it adds: farther off the image may be sharper. The n voxels that so count
    have an error of one size that is not known: n ln of the squares that are left [textbook]. move: as for
    ``corrected_means``. Raises what ``sampling.sample`` raises.
    """
    for region in regions:
        sample(image, region, [move] * len(image.timing), minimum_coverage)
    found = np.empty((len(regions), len(widths_mm)))
    lie = [(region, move) for region in regions]
    for n, tissues in _tissues_around(image.grid, lie, around, move, minimum_coverage, max(widths_mm)):
        models = _models(tissues, image.grid, [(width, width, width) for width in widths_mm])
        counts = models[len(models) // 2].seen[:, 0]
        near = counts > LEAST_COUNTED * counts.max()
        counts = counts[near] / counts.max()
        roots = np.sqrt(counts)
        values = roots * _voxels(image, [0], tissues)[near, 0]
        for width, model in enumerate(models):
            _, left = optimize.nnls(model.seen[near] * roots[:, None], values)
            found[n, width] = counts.sum() * math.log(max(left**2, np.finfo(float).tiny))
    return found


@dataclass(frozen=True, eq=False)
class _Part:
    """One region in the frames in which it lies alike.

    models: for each of the resolutions that were asked for, the region's own first. mean: (frames,) kBq/mL.
    activity: (tissues, frames), by the transfer matrix. alternatives: as in ``Corrected``.
    """

    frames: list[int]
    names: tuple[str, ...]
    models: list[_Model]
    mean: Floats
    activity: Floats
    alternatives: dict[str, Floats]
    amplification: float

    @property
    def shares(self) -> Floats:
        return np.asarray(self.models[0].read[0] @ self.models[0].seen)


def _part(
    image: DynamicImage, frames: list[int], tissues: _Tissues, models: list[_Model], method: str, moved: bool
) -> _Part:
    """moved: whether the frames were brought to rest one by one, so that each has its own noise."""
    model, values = models[0], _voxels(image, frames, tissues)
    noisy = values if moved and method not in LINEAR else values.mean(axis=1, keepdims=True)
    return _Part(
        frames,
        tissues.names,
        models,
        METHODS[method](model, values),
        _transfer(model, values),
        _alternatives(model, tissues.names, values, method),
        max(_amplification(model, one, method) for one in noisy.T),
    )


def _joined(measured: TimeActivityCurve, parts: Sequence[_Part], method: str, durations_s: Floats) -> CorrectedCurve:
    """All frames of one region; parts: the longest first, which has models of a finer and a coarser resolution."""
    longest, frames = parts[0], len(durations_s)
    mean, neighbors = np.empty(frames), np.zeros((len(longest.names), frames))
    otherwise = {name: np.empty(frames) for name in longest.alternatives}
    for part in parts:
        mean[part.frames] = part.mean
        for name, activity in zip(part.names, part.activity, strict=True):
            if name in longest.names:
                neighbors[longest.names.index(name), part.frames] = activity
        for name, found in part.alternatives.items():
            otherwise[name][part.frames] = found
    image_there = longest.models[0].seen @ neighbors
    found, finer, coarser = (METHODS[method](model, image_there) for model in longest.models)
    amplification = max(part.amplification for part in parts)
    corrected = Corrected(
        mean,
        measured.sd * amplification,
        mean + finer - found,
        mean + coarser - found,
        amplification,
        float(min(part.shares[0] for part in parts)),
        longest.names,
        tuple(longest.shares.tolist()),
        neighbors,
        otherwise,
        _spread(durations_s, [mean, *otherwise.values()]),
    )
    return CorrectedCurve(measured, corrected)


def _widths(fwhm_mm: tuple[float, float, float]) -> list[tuple[float, ...]]:
    """The resolution, and a step finer and coarser."""
    return [tuple(max(width + step, 0.0) for width in fwhm_mm) for step in (0.0, -FWHM_STEP_MM, FWHM_STEP_MM)]


def _stages(durations_s: Floats, region_to_frame: Sequence[Floats] | None) -> list[tuple[Floats, list[int]]]:
    """The frames that lie alike, with how they lie; those first that lasted longest."""
    frames = len(durations_s)
    moves = [np.eye(4)] * frames if region_to_frame is None else region_to_frame
    found: dict[bytes, tuple[Floats, list[int]]] = {}
    for frame, move in enumerate(moves):
        found.setdefault(np.asarray(move, dtype=float).tobytes(), (move, []))[1].append(frame)
    return sorted(found.values(), key=lambda stage: -durations_s[stage[1]].sum())


def _voxels(image: DynamicImage, frames: Sequence[int], tissues: "_Tissues") -> Floats:
    """(voxels, frames) kBq/mL in the box."""
    k, j, i = tissues.box
    return np.stack([image.activity[frame, k, j, i].ravel().astype(float) for frame in frames], axis=1)


def _alternatives(model: _Model, names: Sequence[str], values: Floats, method: str) -> dict[str, Floats]:
    """The region (frames,) by the other methods, and by this one where two tissues count as one."""
    found = {other: estimate(model, values) for other, estimate in METHODS.items() if other != method}
    for told, (one, other) in AS_ONE.items():
        both = one in names[1:] and other in names[1:]
        merged = _merged(model, names.index(one, 1), names.index(other, 1)) if both else model
        found[told] = METHODS[method](merged, values)
    return found


def _spread(durations_s: Floats, curves: Sequence[Floats]) -> float:
    """Relative SD of the curves' time-weighted means; 0 where nothing was measured."""
    means = np.array([durations_s @ curve for curve in curves])
    return float(means.std(ddof=1) / abs(means.mean())) if means.mean() != 0 else 0.0


def _doubts(curve: CorrectedCurve) -> list[Notice]:
    """Why a correction is not to be trusted."""
    found, name = [], curve.measured.region
    if curve.corrected.recovery < LEAST_RECOVERY:
        found.append(
            Notice(
                "pvc-low-recovery",
                "'{name}' keeps {recovery:.0f} % of itself in the image: its corrected values are mostly made by the "
                "correction; lead with the measured ones",
                name=name,
                recovery=100 * curve.corrected.recovery,
            )
        )
    if curve.corrected.spread > LARGEST_SPREAD:
        found.append(
            Notice(
                "pvc-models-disagree",
                "'{name}': methods and models of the neighbors disagree by {spread:.0f} % (SD): its corrected values "
                "cannot be trusted; lead with the measured ones",
                name=name,
                spread=100 * curve.corrected.spread,
            )
        )
    return found


# --- The tissues around a region -------------------------------------------------------------------------------------


def _tissues_around(
    pet: Grid,
    lie: Sequence[tuple[Region, Floats]],
    around: Surroundings,
    move: Floats,
    minimum_coverage: float,
    fwhm_mm: float,
) -> Iterator[tuple[int, _Tissues]]:
    """Which tissue each cell near each of the regions belongs to, as they lie, with the region's place in ``lie``.

    lie: regions, and rigid 4 x 4 (LPS mm) by which each has moved; move: by which all else has. What lies in cells
    that several regions need is looked up once.
    """
    spacing = np.array(pet.spacing_mm[::-1])
    cuts = np.maximum(np.round(spacing / CELL_MM), 1).astype(np.intp)
    pad = np.ceil(TAIL_SIGMAS * (fwhm_mm + FWHM_STEP_MM) / FWHM_PER_SIGMA / spacing).astype(np.intp)
    boxes = [_box(pet, region, own_move, minimum_coverage) for region, own_move in lie]
    for members in _together([(first - pad, first + shape + pad) for first, shape, _ in boxes]):
        low = np.min([boxes[n][0] for n in members], axis=0)
        high = np.max([boxes[n][0] + boxes[n][1] for n in members], axis=0)
        scene = scene_of(_cells(pet, low, high - low, cuts, pad), around, move)
        for n in members:
            first, shape, weights = boxes[n]
            own = scene.part((first - low) * cuts, (first - low + shape + 2 * pad) * cuts)
            yield n, _Tissues(first, shape, cuts, pad, weights, tissues_in(own, *lie[n]))


def _box(
    pet: Grid, region: Region, own_move: Floats, minimum_coverage: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The first voxel and the shape of a region's box, and how the region's mean is read in it (voxels,)."""
    covered = coverage(region, pet, own_move)
    reach = np.ceil(REACH_MM / np.array(pet.spacing_mm[::-1])).astype(np.intp)
    voxels = np.stack(np.unravel_index(covered.voxels, pet.shape))
    first = np.maximum(voxels.min(axis=1) - reach, 0)
    shape = np.minimum(voxels.max(axis=1) + reach + 1, np.array(pet.shape)) - first
    kept = covered.fractions >= minimum_coverage
    weights = np.zeros(shape)
    weights[tuple(voxels[:, kept] - first[:, None])] = covered.fractions[kept] / covered.fractions[kept].sum()
    return first, shape, weights.ravel()


def _together(boxes: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> list[list[int]]:
    """The numbers of boxes (low, high) that one box around them holds at no more than their own volumes."""
    groups: list[tuple[NDArray[np.intp], NDArray[np.intp], list[int]]] = []
    for number, (low, high) in enumerate(boxes):
        for n, (least, most, members) in enumerate(groups):
            both = np.minimum(low, least), np.maximum(high, most)
            if (both[1] - both[0]).prod() <= (high - low).prod() + (most - least).prod():
                groups[n] = (*both, [*members, number])
                break
        else:
            groups.append((low, high, [number]))
    return [members for _, _, members in groups]


def _cells(
    pet: Grid, first: NDArray[np.intp], shape: NDArray[np.intp], cuts: NDArray[np.intp], pad: NDArray[np.intp]
) -> Grid:
    """The fine grid over the box and its padding."""
    to_voxel = np.diag([*(1 / cuts[::-1]), 1.0])
    to_voxel[:3, 3] = (first - pad)[::-1] - 0.5 + 0.5 / cuts[::-1]
    k, j, i = ((shape + 2 * pad) * cuts).tolist()
    return Grid((k, j, i), pet.ijk_to_lps @ to_voxel)


# --- What the scanner makes of them ----------------------------------------------------------------------------------


def axis_response(voxels_mm: Floats, width_mm: float, edges_mm: Floats, fwhm_mm: float) -> Floats:
    """(voxels, cells): along one axis, what each cell of activity 1 adds to each voxel's mean.

    voxels_mm: centers; edges_mm: of the cells.
    """
    beyond = _beyond(voxels_mm, width_mm, edges_mm, fwhm_mm)
    return np.asarray(beyond[:, :-1] - beyond[:, 1:])


def _beyond(voxels_mm: Floats, width_mm: float, edges_mm: Floats, fwhm_mm: float) -> Floats:
    """(voxels, edges): as ``axis_response``, for activity of 1 everywhere beyond each edge.

    A Gaussian blur of the indicator of [a, b] is Phi((x - a)/s) - Phi((x - b)/s); the integral of Phi(x/s) is
    x Phi(x/s) + s phi(x/s) [textbook].
    """
    ends = voxels_mm[:, None, None] + width_mm * np.array([-0.5, 0.5])[:, None] - edges_mm
    sigma = fwhm_mm / FWHM_PER_SIGMA
    if sigma > 0:
        scaled = ends / sigma
        integral = ends * ndtr(scaled) + sigma * np.exp(-(scaled**2) / 2) / np.sqrt(2 * np.pi)
    else:
        integral = np.maximum(ends, 0.0)
    return np.asarray((integral[:, 1] - integral[:, 0]) / width_mm)


@lru_cache(maxsize=256)
def _response(n: int, cuts: int, pad: int, spacing: float, fwhm: float) -> NDArray[np.float32]:
    """(n, edges of cells): ``_beyond`` along one axis of a box of n voxels."""
    edges = spacing * (np.arange((n + 2 * pad) * cuts + 1, dtype=float) / cuts - pad - 0.5)
    return _beyond(spacing * np.arange(n, dtype=float), spacing, edges, fwhm).astype(np.float32)


@lru_cache(maxsize=256)
def _blur(n: int, spacing: float, fwhm: float) -> Floats:
    """(n, n): the blur of voxels along one axis; what is beyond the box is as in its last voxels."""
    voxels = spacing * np.arange(n, dtype=float)
    wide = axis_response(voxels, 1e-3 * spacing, np.append(voxels, voxels[-1] + spacing) - spacing / 2, fwhm)
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def _models(tissues: _Tissues, pet: Grid, widths_mm: Sequence[tuple[float, ...]]) -> list[_Model]:
    """The scanner's image of each tissue, and how each is read, for resolutions along i, j, k."""
    spacing = pet.spacing_mm[::-1]
    axes = list(zip(tissues.shape.tolist(), tissues.cuts.tolist(), tissues.pad.tolist(), spacing, strict=True))
    runs, part = _runs(tissues.cells), _parts(tissues)
    read = _readings(part, tissues.weights)
    models = []
    for width in widths_mm:
        along_k, along_j, along_i = (_response(*axis, fwhm) for axis, fwhm in zip(axes, width[::-1], strict=True))
        # k, j of the cells; tissue, i of the voxels
        rows = (runs @ along_i.T).reshape(*tissues.cells.labels.shape[:2], -1)
        planes = np.matmul(_of_cells(along_j), rows)
        seen = np.tensordot(_of_cells(along_k), planes, axes=1).reshape(*tissues.shape[:2], len(tissues.names), -1)
        smooth = _smoothing(tuple(tissues.shape.tolist()), spacing, width[::-1])
        models.append(_Model(np.moveaxis(seen, 2, -1).reshape(part.shape[::-1]).astype(float), read, part, smooth))
    return models


def _of_cells(beyond: NDArray[np.float32]) -> NDArray[np.float32]:
    return beyond[:, :-1] - beyond[:, 1:]


def _runs(cells: CellTissues) -> Any:
    """(rows and tissues, edges): 1 where along a row of cells (k, j) a tissue begins, -1 where it ends.

    Along a row there are few tissues: this is far smaller than the cells.
    """
    labels, count = cells.labels, len(cells.names)
    width, rows = labels.shape[-1], labels.size // labels.shape[-1]
    row, begin = np.divmod(cells.first, width)
    end = np.append(cells.first[1:], labels.size) - row * width
    at = row * count + cells.place[labels.ravel()[cells.first]]
    order = np.argsort(at, kind="stable")
    edges = np.stack([begin, end], axis=1)[order].ravel()
    signs = np.tile(np.array([1, -1], dtype=np.float32), len(row))
    before = np.append(0, 2 * np.cumsum(np.bincount(at, minlength=rows * count)))
    return sparse.csr_array((signs, edges, before), shape=(rows * count, width + 1))


def _parts(tissues: _Tissues) -> Floats:
    """(tissues, voxels): the part of every voxel that is each tissue, in whole cells."""
    inner = tuple(
        slice(pad * cuts, (pad + n) * cuts)
        for n, cuts, pad in zip(tissues.shape.tolist(), tissues.cuts.tolist(), tissues.pad.tolist(), strict=True)
    )
    along = [np.arange(n * cuts) // cuts for n, cuts in zip(tissues.shape, tissues.cuts, strict=True)]
    count, voxels = len(tissues.names), int(tissues.shape.prod())
    places = (voxels * tissues.cells.place).take(tissues.cells.labels[inner])
    places += np.ravel_multi_index(np.ix_(*along), tuple(tissues.shape.tolist()))
    counts = np.bincount(places.ravel(), minlength=count * voxels).reshape(count, voxels)
    return np.asarray(counts / tissues.cuts.prod())


def _smoothing(
    shape: tuple[int, ...], spacing_mm: Sequence[float], fwhm_mm: Sequence[float]
) -> Callable[[Floats], Floats]:
    """Blurs images (voxels, frames) of a box, along k, j, i."""

    def smooth(images: Floats) -> Floats:
        blurred = images.reshape(*shape, -1)
        for axis, blur in enumerate(zip(shape, spacing_mm, fwhm_mm, strict=True)):
            blurred = np.moveaxis(np.tensordot(_blur(*blur), blurred, (1, axis)), 0, axis)
        return blurred.reshape(images.shape)

    return smooth


def _readings(part: Floats, weights: Floats) -> Floats:
    """How each tissue is read: by its part of every voxel, the region by its own weights."""
    read = part / np.maximum(part.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    read[0] = weights
    return np.asarray(read)


def _merged(model: _Model, one: int, other: int) -> _Model:
    """Two tissues (not the region) as one."""
    part, seen = model.part.copy(), model.seen.copy()
    part[one] += part[other]
    seen[:, one] += seen[:, other]
    part, seen = np.delete(part, other, axis=0), np.delete(seen, other, axis=1)
    return _Model(seen, _readings(part, model.read[0]), part, model.smooth)


# --- The corrections -------------------------------------------------------------------------------------------------


def _transfer(model: _Model, values: Floats) -> Floats:
    """Every tissue's activity (tissues, frames): the measured means through the inverse transfer matrix.

    m = G t with G[i, j] the mean that tissue j of activity 1 gives where tissue i is read.
    """
    matrix = model.read @ model.seen
    return np.asarray(np.linalg.lstsq(matrix, model.read @ values, rcond=None)[0])


def _gtm(model: _Model, values: Floats) -> Floats:
    """Geometric transfer matrix: Rousset, Ma & Evans, J Nucl Med 1998;39:904."""
    return np.asarray(_transfer(model, values)[0])


def _rbv(model: _Model, values: Floats) -> Floats:
    """Region-based voxelwise: each voxel times what the region has over what is seen, both after the transfer matrix.

    Thomas et al., Eur J Nucl Med Mol Imaging 2011;38:1104, doi 10.1007/s00259-011-1745-9, read in the region's
    voxels with their weights; a voxel that the region shares with others is restored to the region's part in it.
    """
    activity = _transfer(model, values)
    return _reads(model, values * _ratio(activity[0], model.seen @ activity))


def _iterative_yang(model: _Model, values: Floats) -> Floats:
    """Iterative Yang: as region-based voxelwise, the tissues' activities from the corrected image itself.

    Erlandsson et al., Phys Med Biol 2012;57:R119. Starts from the measured means.
    """
    activity = model.read @ values
    for _ in range(ITERATIONS):
        activity = activity * (model.read @ _ratio(values, model.seen @ activity))
    return np.asarray(activity[0])


def _single_target(model: _Model, values: Floats) -> Floats:
    """Single target: only the region need be uniform; around it every voxel stands for itself.

    The idea of Sari et al., J Cereb Blood Flow Metab 2017;37:1398 (PETPVC's STC), in a closed form of our own: the
    image less what the region spilled, y - t a, cut to the voxels' shares 1 - p outside the region and blurred, is
    what spills in; so read(y) - read(blur((y - t a)(1 - p))) = t read(a) is solved for t.
    """
    own, outside = model.seen[:, :1], 1 - model.part[0][:, None]
    above = values - model.smooth(values * outside)
    below = own - model.smooth(own * outside)
    return np.asarray(_reads(model, above) / _reads(model, below))


def _reads(model: _Model, images: Floats) -> Floats:
    return np.asarray(model.read[0] @ images)


def _ratio(above: Floats, below: Floats) -> Floats:
    """above / below; 0 where nothing is seen, as in frames before the tracer has come."""
    seen = np.abs(below) > 1e-6 * np.abs(below).max(initial=float(np.finfo(float).tiny))
    return np.asarray(np.divide(above, below, out=np.zeros_like(below), where=seen))


METHODS: dict[str, Callable[[_Model, Floats], Floats]] = {
    "GTM": _gtm,
    "RBV": _rbv,
    "IY": _iterative_yang,
    "STC": _single_target,
}
"""Region, model and voxels (voxels, frames) to the region's activity (frames,)."""


LINEAR = ("GTM", "STC")
"""Methods whose noise does not hang on the image."""


def _amplification(model: _Model, image: Floats, method: str) -> float:
    """SD of the estimate over SD of the measured mean, for small independent noise of one size in every voxel.

    The transfer matrix weighs the voxels with numbers of its own; of the others it is their derivative along
    ``PERTURBATIONS`` random directions (standard error 5 %).
    """
    if method == "GTM":
        weights = np.linalg.pinv(model.read @ model.seen)[0] @ model.read
        return float(np.linalg.norm(weights) / np.linalg.norm(model.read[0]))
    directions, size = _directions(image.size)
    estimate, step = METHODS[method], SMALL * float(np.abs(image).mean())
    if method in LINEAR:
        changes = estimate(model, directions)
    elif step > 0:
        changes = (estimate(model, image[:, None] + step * directions) - estimate(model, image[:, None])) / step
    else:
        return 0.0
    return float(np.sqrt((changes**2).mean()) / size / np.linalg.norm(model.read[0]))


@lru_cache(maxsize=4)
def _directions(size: int) -> tuple[Floats, float]:
    """(size, ``PERTURBATIONS``), as many random directions, the same every time, and their root mean square.

    Each direction's numbers lie side by side, for which products with them are far faster.
    """
    directions = np.asfortranarray(np.random.default_rng(0).standard_normal((size, PERTURBATIONS)))
    return directions, float(np.sqrt((directions**2).mean()))
