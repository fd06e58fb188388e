"""Partial-volume correction of a region's curve, frame by frame.

Each region is corrected in a box of its own. There, space is cut into fine cells, every cell belongs to one tissue,
and the scanner's image of each tissue is computed exactly: Gaussian resolution, then the mean over the PET's voxel.

The tissues are the region, the other drawn regions, and what the CT shows around them: air, fat, soft tissue, bone
and the marrow within it. Marrow may hold more of a tracer than its cortex does: with both taken as one bone, a foramen
of a simulated neck with hot marrow came out a fifth too low. Kept within the box, a class need only be uniform near
the region, not throughout the neck. Finer cuts (shells by distance from the region) were tried on the simulated neck:
the noise grew 1.3 to 2.3 times, the error did not fall.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, distance_transform_edt
from scipy.special import ndtr

from ..acquisition.image import DynamicImage, Volume
from ..grid import Grid
from ..messages import InputRefused, Notice, Text
from ..progress import Progress, silent
from .region import Region, TimeActivityCurve
from .sampling import MINIMUM_COVERAGE, coverage, sample

Floats = NDArray[np.float64]

FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
FWHM_STEP_MM = 1.0
"""The sensitivity is told for a resolution this much finer and coarser."""
LARGEST_FWHM_MM = 15.0

# None of these is published: choices.
CELL_MM = 0.7
REACH_MM = 10.0
"""How far beyond the region its surroundings are modeled and measured."""
TAIL_SIGMAS = 3.0
"""Activity up to this far beyond the measured box is modeled, too."""
CLASS_EDGES_HU = (-300.0, -30.0, 150.0)
CLASSES = ("air", "fat", "soft tissue", "bone", "marrow", "around the cord")
CORTEX_MM = 1.0
"""Bone is cortex this far below its surface, and marrow deeper, where the CT shows no more than ``CORTEX_HU``."""
CORTEX_HU = 500.0
AS_ONE = {"one bone": ("bone", "marrow"), "one soft tissue": ("fat", "soft tissue")}
"""Other models of the neighbors, to see what hangs on the model: the two classes count as one tissue."""
AROUND_CORD_MM = 4.0
"""Soft tissue so near to a drawn cord counts as a tissue of its own: cerebrospinal fluid holds next to no tracer, and
CT does not tell it from muscle."""
ITERATIONS = 10
"""Of iterative Yang."""
PERTURBATIONS = 200
SMALL = 1e-3
"""Size of the perturbations, relative to the image."""
NOT_TISSUE = ("vertebra",)
"""Drawn for orientation: where there is a CT, bone is told by it."""
BACKGROUND_SMALLEST_MM3 = 8.0
"""A tissue with less than this in the box is left to its neighbor in the list: it could not be measured."""
LEAST_RECOVERY = 0.2
"""A region that keeps less of itself than this is mostly made by the correction."""
LARGEST_SPREAD = 0.15
"""Relative SD over methods and models beyond which a correction is not to be trusted."""


@dataclass(frozen=True, eq=False)
class Corrected:
    """One region's curve corrected for partial volume: mean, sd (frames,) in kBq/mL.

    sd: the measured one times ``noise_amplification``.
    finer, coarser: (frames,) kBq/mL, the corrected mean had the FWHM been ``FWHM_STEP_MM`` less or more.
    noise_amplification: SD of the corrected mean over that of the measured mean, for noise that is independent
    between voxels; the largest over the frames.
    recovery: what the region's own uniform activity keeps of itself, 0 to 1; the smallest over the frames.
    tissues: what was told apart around the region, in the first frame, the region itself first.
    shares: (tissues,), what each adds to the region's measured mean where all hold the same activity, in the first
    frame; they sum to 1, but for what lies beyond the box.
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
    weights: (voxels,), how the region's mean is read, sum 1.
    labels: (k, j, i) of the cells, into ``names``; 0 is the region.
    """

    first: NDArray[np.intp]
    shape: NDArray[np.intp]
    cuts: NDArray[np.intp]
    pad: NDArray[np.intp]
    weights: Floats
    labels: NDArray[np.intp]
    names: tuple[str, ...]

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
        raise InputRefused("pvc-ct", "the CT is in '{units}', not in HU; give the CT", units=ct.units)
    everything = (*regions, *others)
    known = [region for region in everything if ct is None or region.anatomy.structure not in NOT_TISSUE]
    bones = [region for region in everything if ct is not None and region.anatomy.structure in NOT_TISSUE]
    curves = []
    for number, region in enumerate(regions):
        progress(number / len(regions), Text("Partial volume of {region_name}", region_name=region.name))
        measured = sample(image, region, region_to_frame, minimum_coverage)
        around = sorted((other for other in known if other is not region), key=lambda other: other.volume_mm3)
        shared = (measured, method, fwhm, region_to_frame, ct, minimum_coverage)
        curves.append(_corrected(image, region, around, bones, *shared))
    progress(1, "Partial volume corrected")
    notices = [notice for curve in curves for notice in _doubts(curve)]
    if ct is None:
        notices.append(Notice("pvc-no-ct", "without a CT all that was not drawn counts as one uniform tissue"))
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


def _corrected(
    image: DynamicImage,
    region: Region,
    around: Sequence[Region],
    bones: Sequence[Region],
    measured: TimeActivityCurve,
    method: str,
    fwhm_mm: tuple[float, float, float],
    region_to_frame: Sequence[Floats] | None,
    ct: Volume | None,
    minimum_coverage: float,
) -> CorrectedCurve:
    """One region in all frames: at once where nothing moved, else frame by frame."""
    frames = len(image.timing)
    stages: list[tuple[Floats | None, slice]] = [(None, slice(0, frames))]
    if region_to_frame is not None:
        stages = [(region_to_frame[frame], slice(frame, frame + 1)) for frame in range(frames)]
    estimate = METHODS[method]
    by_fwhm = np.empty((3, frames))
    otherwise = {name: np.empty(frames) for name in (*(other for other in METHODS if other != method), *AS_ONE)}
    amplification, recovery = 0.0, 1.0
    names: tuple[str, ...] = ()
    shares, neighbors = np.empty(0), np.empty((0, frames))
    for transform, stage in stages:
        tissues = _tissues_around(image.grid, region, around, bones, ct, transform, minimum_coverage, max(fwhm_mm))
        slab = image.activity[stage][(slice(None), *tissues.box)]
        values = slab.reshape(len(slab), -1).T.astype(float)
        for row, change in enumerate((0.0, -FWHM_STEP_MM, FWHM_STEP_MM)):
            model = _model(tissues, image.grid, tuple(max(width + change, 0.0) for width in fwhm_mm))
            by_fwhm[row, stage] = estimate(model, values)
            if change == 0:
                amplification = max(amplification, _amplification(model, values.mean(axis=1), estimate))
                recovery = min(recovery, float(model.read[0] @ model.seen[:, 0]))
                if not names:
                    names, shares = tissues.names, model.read[0] @ model.seen
                    neighbors = np.zeros((len(names), frames))
                for name, found in zip(tissues.names, _transfer(model, values), strict=True):
                    if name in names:
                        neighbors[names.index(name), stage] = found
                for name, found in _alternatives(model, tissues.names, values, method).items():
                    otherwise[name][stage] = found
    mean, finer, coarser = by_fwhm
    corrected = Corrected(
        mean,
        measured.sd * amplification,
        finer,
        coarser,
        float(amplification),
        recovery,
        names,
        tuple(shares.tolist()),
        neighbors,
        otherwise,
        _spread(image.timing.durations_s, [mean, *otherwise.values()]),
    )
    return CorrectedCurve(measured, corrected)


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
    region: Region,
    around: Sequence[Region],
    bones: Sequence[Region],
    ct: Volume | None,
    transform: Floats | None,
    minimum_coverage: float,
    fwhm_mm: float,
) -> _Tissues:
    """Which tissue each cell near a region belongs to; where drawn regions overlap, to the smallest."""
    covered = coverage(region, pet, transform)
    spacing = np.array(pet.spacing_mm[::-1])
    reach = np.ceil(REACH_MM / spacing).astype(np.intp)
    voxels = np.stack(np.unravel_index(covered.voxels, pet.shape))
    first = np.maximum(voxels.min(axis=1) - reach, 0)
    shape = np.minimum(voxels.max(axis=1) + reach + 1, np.array(pet.shape)) - first
    kept = covered.fractions >= minimum_coverage
    weights = np.zeros(shape)
    weights[tuple(voxels[:, kept] - first[:, None])] = covered.fractions[kept] / covered.fractions[kept].sum()

    cuts = np.maximum(np.round(spacing / CELL_MM), 1).astype(np.intp)
    pad = np.ceil(TAIL_SIGMAS * (fwhm_mm + FWHM_STEP_MM) / FWHM_PER_SIGMA / spacing).astype(np.intp)
    cells = _cells(pet, first, shape, cuts, pad)
    to_drawn: Floats = np.eye(4) if transform is None else np.asarray(np.linalg.inv(transform))
    own = _looked_up(region, cells, to_drawn)
    drawn = [(other, _looked_up(other, cells, to_drawn)) for other in around]
    near = [(other, mask) for other, mask in drawn if mask.any()]
    cord = np.zeros(cells.shape, dtype=bool)
    for one, mask in [(region, own), *near]:
        if one.anatomy.structure == "cord":
            cord |= mask
    vertebrae = np.zeros(cells.shape, dtype=bool)
    for bone in bones:
        vertebrae |= _looked_up(bone, cells, to_drawn)
    labels, names = _background(cells, ct, to_drawn, cord, vertebrae)
    for other, mask in reversed(near):
        labels[mask] = len(names)
        names.append(other.name)
    labels += 1
    labels[own] = 0
    labels, kept_names = _without_slivers(labels, [region.name, *names], cells.voxel_volume_mm3)
    return _Tissues(first, shape, cuts, pad, weights.ravel(), labels, kept_names)


def _cells(
    pet: Grid, first: NDArray[np.intp], shape: NDArray[np.intp], cuts: NDArray[np.intp], pad: NDArray[np.intp]
) -> Grid:
    """The fine grid over the box and its padding."""
    to_voxel = np.diag([*(1 / cuts[::-1]), 1.0])
    to_voxel[:3, 3] = (first - pad)[::-1] - 0.5 + 0.5 / cuts[::-1]
    k, j, i = ((shape + 2 * pad) * cuts).tolist()
    return Grid((k, j, i), pet.ijk_to_lps @ to_voxel)


def _background(
    cells: Grid,
    ct: Volume | None,
    to_drawn: Floats,
    cord: NDArray[np.bool_],
    vertebrae: NDArray[np.bool_],
) -> tuple[NDArray[np.intp], list[str]]:
    """The CT's tissue class of every cell, those beyond the CT as its last voxels; one class without a CT.

    Marrow lies deep in what the CT shows as bone or what is drawn as vertebra: old marrow is no denser than muscle.
    """
    if ct is None:
        return np.zeros(cells.shape, dtype=np.intp), ["rest"]
    matrix = np.linalg.inv(ct.grid.ijk_to_lps) @ to_drawn @ cells.ijk_to_lps
    values = affine_transform(ct.values, matrix[2::-1, 2::-1], matrix[2::-1, 3], cells.shape, order=0, mode="nearest")
    classes = np.digitize(values, CLASS_EDGES_HU)
    sampling = cells.spacing_mm[::-1]
    deep = np.zeros(cells.shape, dtype=bool)
    for solid in (classes == CLASSES.index("bone"), vertebrae):
        if solid.any():
            deep |= distance_transform_edt(solid, sampling=sampling) > CORTEX_MM
    classes[deep & (values < CORTEX_HU) & (values >= CLASS_EDGES_HU[0])] = CLASSES.index("marrow")
    if cord.any():
        distance = distance_transform_edt(~cord, sampling=sampling)
        classes[(distance <= AROUND_CORD_MM) & (classes == CLASSES.index("soft tissue"))] = len(CLASSES) - 1
    return classes, list(CLASSES)


def _looked_up(region: Region, cells: Grid, to_drawn: Floats) -> NDArray[np.bool_]:
    """Which cells' centers lie in the region; only cells near it are looked at."""
    found = np.zeros(cells.shape, dtype=bool)
    to_index = np.linalg.inv(region.grid.ijk_to_lps) @ to_drawn @ cells.ijk_to_lps
    far = np.array(region.grid.shape[::-1]) - 0.5
    corners = np.array([[i, j, k, 1] for i in (-0.5, far[0]) for j in (-0.5, far[1]) for k in (-0.5, far[2])])
    reached = (corners @ np.linalg.inv(to_index).T)[:, 2::-1]
    low = np.maximum(np.floor(reached.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(reached.max(axis=0)).astype(int) + 1, np.array(cells.shape))
    if (low < high).all():
        matrix, shape = to_index[2::-1, 2::-1], tuple(int(n) for n in high - low)
        offset = to_index[2::-1, 3] + matrix @ low
        values = affine_transform(region.mask.view(np.uint8), matrix, offset, shape, order=0, mode="grid-constant")
        found[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = values > 0
    return found


def _without_slivers(
    labels: NDArray[np.intp], names: Sequence[str], cell_mm3: float
) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """Tissues of next to no volume join the one before them in the list; the region itself stays."""
    volumes = np.bincount(labels.ravel(), minlength=len(names)) * cell_mm3
    kept = [0] + [n for n in range(1, len(names)) if volumes[n] >= BACKGROUND_SMALLEST_MM3]
    place = np.searchsorted(kept, np.arange(len(names)), side="right") - 1
    place[1:] = np.maximum(place[1:], min(1, len(kept) - 1))
    return place[labels], tuple(names[n] for n in kept)


# --- What the scanner makes of them ----------------------------------------------------------------------------------


def axis_response(voxels_mm: Floats, width_mm: float, edges_mm: Floats, fwhm_mm: float) -> Floats:
    """(voxels, cells): along one axis, what each cell of activity 1 adds to each voxel's mean.

    voxels_mm: centers; edges_mm: of the cells. A Gaussian blur of the indicator of [a, b] is
    Phi((x - a)/s) - Phi((x - b)/s); the integral of Phi(x/s) is x Phi(x/s) + s phi(x/s) [textbook].
    """
    ends = voxels_mm[:, None, None] + width_mm * np.array([-0.5, 0.5])[:, None] - edges_mm
    sigma = fwhm_mm / FWHM_PER_SIGMA
    if sigma > 0:
        scaled = ends / sigma
        integral = ends * ndtr(scaled) + sigma * np.exp(-(scaled**2) / 2) / np.sqrt(2 * np.pi)
    else:
        integral = np.maximum(ends, 0.0)
    mean = (integral[:, 1] - integral[:, 0]) / width_mm
    return np.asarray(mean[:, :-1] - mean[:, 1:])


def _model(tissues: _Tissues, pet: Grid, fwhm_mm: tuple[float, ...]) -> _Model:
    """The scanner's image of each tissue, and how each is read."""
    responses, blurs = [], []
    for axis, (spacing, fwhm) in enumerate(zip(pet.spacing_mm[::-1], fwhm_mm[::-1], strict=True)):
        n, cuts, pad = (int(values[axis]) for values in (tissues.shape, tissues.cuts, tissues.pad))
        voxels = spacing * np.arange(n, dtype=float)
        edges = spacing * (np.arange((n + 2 * pad) * cuts + 1, dtype=float) / cuts - pad - 0.5)
        responses.append(axis_response(voxels, spacing, edges, fwhm).astype(np.float32))
        wide = axis_response(voxels, 1e-3 * spacing, np.append(voxels, voxels[-1] + spacing) - spacing / 2, fwhm)
        blurs.append(wide / wide.sum(axis=1, keepdims=True))
    inner = tuple(slice(p * c, (p + n) * c) for p, c, n in zip(tissues.pad, tissues.cuts, tissues.shape, strict=True))
    split = [number for pair in zip(tissues.shape, tissues.cuts, strict=True) for number in pair]
    seen, share = [], []
    for label in range(len(tissues.names)):
        cells = tissues.labels == label
        seen.append(_along_axes(responses, cells.astype(np.float32)).ravel().astype(float))
        share.append(cells[inner].reshape(split).mean(axis=(1, 3, 5)).ravel())
    parts = np.array(share)

    def smooth(images: Floats) -> Floats:
        columns = images.reshape(*tissues.shape, -1)
        blurred = np.einsum("kK,jJ,iI,KJIn->kjin", *blurs, columns, optimize=True)
        return np.asarray(blurred.reshape(images.shape))

    return _Model(np.array(seen).T, _readings(parts, tissues.weights), parts, smooth)


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


def _along_axes(matrices: Sequence[NDArray[np.float32]], cells: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cells (k, j, i) to voxels, one axis after the other."""
    along_k, along_j, along_i = matrices
    rows = cells @ along_i.T
    planes = np.matmul(along_j, rows)
    return np.asarray(np.tensordot(along_k, planes, axes=1))


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


def _amplification(model: _Model, image: Floats, estimate: Callable[[_Model, Floats], Floats]) -> float:
    """SD of the estimate over SD of the measured mean, for small independent noise of one size in every voxel.

    The estimate's own derivative along ``PERTURBATIONS`` random directions (standard error 5 %), which serves the
    linear and the others alike.
    """
    noise = np.random.default_rng(0).standard_normal((image.size, PERTURBATIONS)) * SMALL * np.abs(image).mean()
    changes = estimate(model, image[:, None] + noise) - estimate(model, image[:, None])
    spread = np.sqrt((changes**2).mean()) / np.sqrt((noise**2).mean()) if noise.any() else 0.0
    return float(spread / np.linalg.norm(model.read[0]))
