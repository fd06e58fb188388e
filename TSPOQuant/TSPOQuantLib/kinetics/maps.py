"""Parametric maps: the region fits' mathematics on every voxel, in blocks of voxels that fit the cache.

Blocks are (frames, voxels) float32 columns of the image; every step on a block is a matrix product or an operation on
all its voxels at once. Memory beyond image and result is bounded by the block. All of it runs on one thread, so that
the result is the same to the last bit on every run.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from ..messages import InputRefused, Text
from ..progress import Progress, silent
from .compartment_maps import BlockEstimates, OneTissueBlock, TwoTissueBlock
from .fit import check_input, fit
from .flags import LARGE_STANDARD_ERROR
from .graphical import GraphicalScan, Lines, enough_frames, late_frames
from .models import model_named
from .options import FitOptions, frame_weights
from .products import keep_work_space
from .regression import Regression, SharedColumn, regress

Array = NDArray[np.float64]
Block = NDArray[np.float32]
Voxels = slice | NDArray[np.intp]

# Voxels a block: enough that numpy's calls cost less than what they work on, and few enough for a core's cache; more
# for 2TCM, which divides them itself. No powers of two: the rows of a block would compete for the same lines of it.
_BLOCK, _BLOCK_TWO_TISSUES = 20000, 32000


@dataclass(frozen=True, eq=False)
class ParametricMaps:
    """Maps of one model, float32 (k, j, i), nan outside the mask and where nothing could be fitted.

    parameters: ``outcome`` and, for compartment models, "K1", "k2" ... by BIDS name. standard_errors: of ``outcome``.
    flags: bool (k, j, i) by code: "not-identifiable", "se-large", "at-bound:NAME".
    tstar_s: start of the first frame used by a graphical method.
    """

    model: str
    parameters: dict[str, NDArray[np.float32]]
    standard_errors: dict[str, NDArray[np.float32]]
    flags: dict[str, NDArray[np.bool_]]
    tstar_s: float | None

    @property
    def outcome(self) -> str:
        """What the model gives: "VT", or "Ki" where nothing leaves the tissue."""
        return model_named(self.model).outcome

    @property
    def VT(self) -> NDArray[np.float32]:  # noqa: N802
        return self.parameters["VT"]

    @property
    def VT_se(self) -> NDArray[np.float32]:  # noqa: N802
        return self.standard_errors["VT"]


def make_maps(
    model: str,
    timing: FrameTiming,
    activity: NDArray[np.float32],
    input_function: InputFunction,
    options: FitOptions | None = None,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress = silent,
) -> ParametricMaps:
    """Maps of a model's outcome and its standard error from a dynamic image (frames, k, j, i) in kBq/mL.

    An automatic t* is found on the mean curve of the mask, so that every voxel uses the same frames. A delay must be
    given. Compartment models do not look at frames without weight. ``progress`` may raise Cancelled between blocks.
    Raises InputRefused ("map-…" and what ``fit`` refuses).
    """
    options = FitOptions() if options is None else options
    chosen = model_named(model)
    if activity.ndim != 4 or activity.shape[0] != len(timing):
        raise InputRefused(
            "map-shape",
            "the image is {activity_shape} for {n_timing} frames; give (frames, k, j, i)",
            activity_shape=activity.shape,
            n_timing=len(timing),
        )
    shape = activity.shape[1:]
    if mask is not None and mask.shape != shape:
        raise InputRefused(
            "map-mask",
            "the mask is {mask_shape} on an image of {shape}; resample it first",
            mask_shape=mask.shape,
            shape=shape,
        )
    if options.delay_s == "fit":
        raise InputRefused("delay-map", "maps cannot fit a delay; fit it on a region and give it in seconds")
    check_input(input_function, timing, options)
    voxels = activity.reshape(len(timing), -1)
    inside = None if mask is None else np.flatnonzero(mask)
    count = voxels.shape[1] if inside is None else len(inside)
    if count == 0:
        raise InputRefused("map-mask", "the mask holds no voxel; draw it or leave it out")
    weight = frame_weights(options, len(timing))
    keep = weight > 0
    tstar_s = None
    estimate: Callable[[Block], BlockEstimates]
    if not chosen.compartmental:
        used = _line_frames(model, timing, voxels, inside, input_function, options)
        tstar_s = float(timing.starts_s[np.argmax(used)])
        estimate = LinearBlock(model, timing, input_function, options, np.where(used, weight, 0.0))
        keep = np.ones(len(timing), dtype=bool)  # the tissue integral needs the early frames too
    elif model == "1TCM":
        estimate = OneTissueBlock(timing, input_function, options)
    else:
        estimate = TwoTissueBlock(chosen, timing, input_function, options)
    values: dict[str, NDArray[np.float32]] = {}
    flags: dict[str, NDArray[np.bool_]] = {}
    size = _BLOCK_TWO_TISSUES if isinstance(estimate, TwoTissueBlock) else _BLOCK
    keep_work_space()
    for begin in range(0, count, size):
        progress(begin / count, Text("{model} map", model=model))
        where = _block(inside, begin, size)
        block = _of(voxels, where)
        found = _estimated(estimate, block, keep) if chosen.compartmental else estimate(block)
        raised = _flags(found, chosen.outcome)
        if not values:
            values = {name: np.full(voxels.shape[1], np.nan, dtype=np.float32) for name in found.values}
            flags = {code: np.zeros(voxels.shape[1], dtype=bool) for code in raised}
        for name, numbers in found.values.items():
            values[name][where] = numbers
        for code, on in raised.items():
            flags[code][where] = on
    progress(1.0, Text("{model} map", model=model))
    return ParametricMaps(
        model=model,
        parameters={name: array.reshape(shape) for name, array in values.items() if name != f"{chosen.outcome}-se"},
        standard_errors={chosen.outcome: values[f"{chosen.outcome}-se"].reshape(shape)},
        flags={code: array.reshape(shape) for code, array in flags.items()},
        tstar_s=tstar_s,
    )


def _block(inside: NDArray[np.intp] | None, begin: int, size: int) -> Voxels:
    """The flat indices of one block of the mask's voxels ``inside``, or of all."""
    return slice(begin, begin + size) if inside is None else inside[begin : begin + size]


def _of(voxels: Block, where: Voxels) -> Block:
    """The columns of a block. ``take`` costs half of what an index in brackets does, but frames in a file let go of
    the block before by the brackets alone."""
    if isinstance(where, slice) or type(voxels) is not np.ndarray:
        return voxels[:, where]
    return voxels.take(where, axis=1)


def _line_frames(
    model: str,
    timing: FrameTiming,
    voxels: Block,
    inside: NDArray[np.intp] | None,
    input_function: InputFunction,
    options: FitOptions,
) -> NDArray[np.bool_]:
    """The frames (frames,) of a graphical method: those asked for, or from the automatic t* of the mean curve."""
    keep = frame_weights(options, len(timing)) > 0
    asked = late_frames(timing, options)
    if asked is None and model == "MA2":
        return keep
    if asked is not None:
        enough_frames(model, keep & asked)
        return keep & asked
    line = fit(model, timing, _mean_curve(voxels, inside), input_function, options)[0].line
    if line is None or not line.used.any():
        raise InputRefused(
            "map-tstar", "{model} finds no usable frame on the mean curve; give t* or another mask", model=model
        )
    return line.used


def _mean_curve(voxels: Block, inside: NDArray[np.intp] | None) -> Array:
    """The mean over the voxels whose every frame is finite, (frames,); a block at a time."""
    count = voxels.shape[1] if inside is None else len(inside)
    total, finite = np.zeros(len(voxels)), 0
    for begin in range(0, count, _BLOCK):
        block = _of(voxels, _block(inside, begin, _BLOCK))
        good = np.isfinite(block.sum(axis=0))
        total += (block if good.all() else block[:, good]).sum(axis=1, dtype=np.float64)
        finite += int(good.sum())
    return total / max(finite, 1)


def _estimated(estimate: Callable[[Block], BlockEstimates], block: Block, frames: NDArray[np.bool_]) -> BlockEstimates:
    """The estimates of a block's kept frames; voxels that hold a value that is no number get nan."""
    if not frames.all():
        block = block[frames]
    good = np.isfinite(block.sum(axis=0))
    if good.all():
        return estimate(block)
    found = estimate(np.where(good, block, np.float32(0)))
    return BlockEstimates(
        {name: np.where(good, numbers, np.nan) for name, numbers in found.values.items()},
        {name: raised & good for name, raised in found.at_bound.items()},
    )


def _flags(found: BlockEstimates, outcome: str) -> dict[str, NDArray[np.bool_]]:
    """The region fit's rules for its flags, by code, on a block."""
    volume, error = found.values[outcome], found.values[f"{outcome}-se"]
    with np.errstate(invalid="ignore"):
        size = np.abs(volume)
        known = (error < size) & (size < np.inf)
        large = known & (error > LARGE_STANDARD_ERROR * size)
    bounds = {f"at-bound:{name}": raised for name, raised in found.at_bound.items()}
    return {"not-identifiable": ~known, "not-positive": known & (volume < 0), "se-large": large, **bounds}


class LinearBlock:
    """A graphical method on blocks: the region fits' equations and least squares, all voxels at once.

    A value that is no number makes all of its voxel's coordinates nan.
    """

    def __init__(
        self, model: str, timing: FrameTiming, input_function: InputFunction, options: FitOptions, weight: Array
    ) -> None:
        """weight: (frames,), 0 in the frames that are not used."""
        self.scan = GraphicalScan.prepare(model, timing, input_function, options, weight > 0)
        self.root = np.sqrt(weight[weight > 0])[:, None]
        self.outcome = model_named(model).outcome
        first, *others = self.scan.lines(self.scan.tissue(np.ones((len(timing), 2)))).columns
        one_varies = len(others) == 1 and others[0].shape[1] > 1
        self.shared = SharedColumn.of(first, self.root) if one_varies else None

    def __call__(self, block: Block) -> BlockEstimates:
        """Estimates of a block (frames, voxels) of all frames, kBq/mL."""
        with np.errstate(invalid="ignore", divide="ignore"):
            lines = self.scan.lines(self.scan.tissue(block))
            if self.shared is None:
                value, error = self._estimates(regress(lines.columns, lines.ordinate, self.root * lines.valid), lines)
            else:
                square = lines.sum_of_valid(self.shared.weighted**2)
                regression, lost = self.shared.regress(lines.columns[1], lines.ordinate, square)
                value, error = self._estimates(regression, lines)
                if len(lost):
                    own = lines.of_curves(lost)
                    exact = regress(own.columns, own.ordinate, self.root * own.valid)
                    value[lost], error[lost] = self._estimates(exact, own)
        return BlockEstimates({self.outcome: value, f"{self.outcome}-se": error}, {})

    def _estimates(self, regression: Regression, lines: Lines) -> tuple[Array, Array]:
        """The outcome and its standard error, (curves,)."""
        value, gradient = self.scan.outcome(regression.coefficients)[self.outcome]
        room = lines.sum_of_valid(np.ones(len(lines.valid))) - len(regression.coefficients)
        return np.where(room > 0, value, np.nan), regression.standard_error(gradient, room)
