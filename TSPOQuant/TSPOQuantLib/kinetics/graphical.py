"""Graphical (linear) methods: Logan, MA1, MA2, Patlak; curves of regions and voxels of maps by the same equations.

The field's convention for Logan, MA1 and MA2 abscissae: the integral of parent plasma is exact to the middle of each
frame, the integral of the tissue curve is the earlier frames plus half the present one (a gap between frames counts
with the mean of its neighbors). Patlak divides exact frame averages by exact frame averages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..information import aic, aicc, bic
from ..input_function.curve import InputFunction
from ..messages import InputRefused, Notice
from .convolution import curve_frame_averages, respond
from .flags import outcome_flags, poor_fit_flags
from .options import FitOptions, fixed_vb, frame_weights
from .products import times_columns
from .regression import Regression, regress
from .result import KineticFit, Line
from .tstar import FEWEST_FRAMES, LARGEST_RESIDUAL, LEAST_STRAIGHT, earliest_start, is_bent, without_noise

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Not published: the share of the plasma integral that may lie before the first frame.
MISSED_INPUT = 0.01


def tissue_integral(timing: FrameTiming) -> Array:
    """The matrix (frames, frames), minutes, that turns frame averages into their integral to each frame's middle."""
    durations = timing.durations_s / 60
    matrix = np.tril(np.broadcast_to(durations, (len(timing), len(timing))), -1) + np.diag(durations / 2)
    for frame, gap in enumerate(timing.gaps_s / 60):
        if gap > 0:
            matrix[frame + 1 :, frame : frame + 2] += gap / 2
    return np.asarray(matrix)


def tissue_double_integral(timing: FrameTiming) -> Array:
    """The matrix (frames, frames), minutes squared: the integral of the integral, each frame held constant."""
    durations = timing.durations_s / 60
    first = tissue_integral(timing)
    starts = first - np.diag(durations / 2)  # integral to each frame's start
    n = len(timing)
    matrix = np.zeros((n, n))
    whole = np.zeros(n)  # double integral to the present frame's start
    for frame in range(n):
        unit = np.eye(n)[frame]
        matrix[frame] = whole + starts[frame] * durations[frame] / 2 + unit * durations[frame] ** 2 / 8
        whole = whole + starts[frame] * durations[frame] + unit * durations[frame] ** 2 / 2
        if frame + 1 < n and timing.gaps_s[frame] > 0:
            end = starts[frame] + unit * durations[frame]
            whole = whole + (end + starts[frame + 1]) / 2 * timing.gaps_s[frame] / 60
    return matrix


@dataclass(frozen=True, eq=False)
class PlasmaIntegrals:
    """Integrals of parent plasma per frame: ``first`` and ``second`` at mid-frame (kBq/mL min, min2), and the exact
    frame averages of the plasma (``level``) and of its integral (``mean_first``)."""

    first: Array
    second: Array
    level: Array
    mean_first: Array


def plasma_integrals(input_function: InputFunction, timing: FrameTiming, delay_s: float) -> PlasmaIntegrals:
    """Exact integrals of the input, ``delay_s`` seconds later."""
    running = respond(input_function.times_s, input_function.parent_plasma, np.zeros(1))
    first, second = running.at(timing.mids_s - delay_s)
    level = curve_frame_averages(input_function.times_s, input_function.parent_plasma, timing, delay_s)
    return PlasmaIntegrals(first[:, 0], second[:, 0], level, running.frame_averages(timing, delay_s)[:, 0])


@dataclass(frozen=True, eq=False)
class Tissue:
    """Tissue curves (frames, curves), kBq/mL, and their integrals to each frame's middle, once and (for MA2) twice."""

    level: Array
    first: Array
    second: Array | None = None


@dataclass(frozen=True, eq=False)
class Lines:
    """A method's linear equation: ordinate (frames, curves) = sum of columns, each (frames, curves) or (frames, 1).

    valid: frames where the coordinates exist, (frames, curves) or (frames, 1).
    """

    columns: tuple[Array, ...]
    ordinate: Array
    valid: Mask

    @cached_property
    def partly(self) -> NDArray[np.intp]:
        """The curves, by index, that lack coordinates in some frames."""
        return np.flatnonzero(~self.valid.all(axis=0))

    def sum_of_valid(self, values: Array) -> Array:
        """The sum of values (frames,) over the frames where coordinates exist, (curves,), or (1,) if all do."""
        whole = np.full(self.valid.shape[1] if len(self.partly) else 1, values.sum())
        whole[self.partly] = values @ self.valid[:, self.partly]
        return whole

    def of_curves(self, which: NDArray[np.intp]) -> "Lines":
        """The same of some curves, (curves,) their indices."""
        columns = (column if column.shape[1] == 1 else column[:, which] for column in self.columns)
        valid = self.valid if self.valid.shape[1] == 1 else self.valid[:, which]
        return Lines(tuple(columns), self.ordinate[:, which], valid)


Outcome = dict[str, tuple[Array, Array]]


@dataclass(frozen=True)
class _Method:
    """What makes a graphical method: arrays are (frames, curves), coefficients (p, curves).

    size: p. outcome: coefficients -> values (curves,) and gradients, (p, curves) or (p, 1), by parameter name, the
    outcome first. curve: coefficients -> the tissue curve that they predict. abscissa, slope, intercept: which column
    and coefficients are shown as a line; None for MA2, which is none.
    """

    size: int
    lines: Callable[[Tissue, PlasmaIntegrals], Lines]
    outcome: Callable[[Array], Outcome]
    curve: Callable[[Array, Tissue, PlasmaIntegrals], Array]
    abscissa: int
    slope: int | None
    intercept: int | None


def _unit(c: Array, at: int) -> Array:
    """The gradient (p, 1) of one coefficient."""
    return np.eye(len(c))[:, at, None]


def _logan(tissue: Tissue, plasma: PlasmaIntegrals) -> Lines:
    """Logan 1990: int C_T / C_T = intercept + V_T int C_P / C_T."""
    valid = tissue.level > 0
    with np.errstate(divide="ignore"):
        inverse = 1 / tissue.level
    np.copyto(inverse, 0.0, where=~valid)
    ordinate = tissue.first * inverse
    abscissa = np.multiply(plasma.first[:, None], inverse, out=inverse)
    return Lines((np.ones((len(inverse), 1)), abscissa), ordinate, valid)


def _logan_curve(c: Array, tissue: Tissue, plasma: PlasmaIntegrals) -> Array:
    return np.asarray((tissue.first - c[1] * plasma.first[:, None]) / np.where(c[0] == 0, np.nan, c[0]))


def _ratio(c: Array, numerator: int, denominator: int) -> tuple[Array, Array]:
    """-c[numerator] / c[denominator] and its gradient; nan where the denominator is 0."""
    below = np.where(c[denominator] == 0, np.nan, c[denominator])
    value = -c[numerator] / below
    gradient = np.zeros_like(c)
    gradient[numerator] = -1 / below
    gradient[denominator] = -value / below
    return value, gradient


def _ma1(tissue: Tissue, plasma: PlasmaIntegrals) -> Lines:
    """Ichise 2002, MA1: C_T = g1 int C_P + g2 int C_T, V_T = -g1/g2."""
    columns = (plasma.first[:, None], tissue.first)
    return Lines(columns, tissue.level, np.ones((len(tissue.level), 1), dtype=bool))


def _ma2(tissue: Tissue, plasma: PlasmaIntegrals) -> Lines:
    """Ichise 2002, MA2: C_T = g1 iint C_P + g2 iint C_T + g3 int C_T + g4 int C_P."""
    second = tissue.first if tissue.second is None else tissue.second
    columns = (plasma.second[:, None], second, tissue.first, plasma.first[:, None])
    return Lines(columns, tissue.level, np.ones((len(tissue.level), 1), dtype=bool))


def _ma2_outcome(c: Array) -> Outcome:
    """V_T = -g1/g2; V_S = V_T - V_N with V_N = K1/k2 = -g4^2 / (g1 + g3 g4)."""
    total, gradient = _ratio(c, 0, 1)
    below = c[0] + c[2] * c[3]
    below = np.where(below == 0, np.nan, below)
    free = -(c[3] ** 2) / below
    free_gradient = np.stack(
        [-free / below, np.zeros_like(free), -free * c[3] / below, -2 * c[3] / below - free * c[2] / below]
    )
    return {"VT": (total, gradient), "VS": (total - free, gradient - free_gradient)}


def _sum_of_columns(method: Callable[[Tissue, PlasmaIntegrals], Lines]) -> Callable[..., Array]:
    def curve(c: Array, tissue: Tissue, plasma: PlasmaIntegrals) -> Array:
        return np.asarray(
            sum(coefficient * column for coefficient, column in zip(c, method(tissue, plasma).columns, strict=True))
        )

    return curve


def _patlak(tissue: Tissue, plasma: PlasmaIntegrals) -> Lines:
    """Patlak 1983: C_T / C_P = V_0 + Ki int C_P / C_P, exact for frame averages of both sides."""
    valid = (plasma.level > 0)[:, None]
    inverse = np.divide(1.0, plasma.level[:, None], out=np.zeros_like(plasma.level[:, None]), where=valid)
    columns = (np.ones((len(inverse), 1)), plasma.mean_first[:, None] * inverse)
    return Lines(columns, tissue.level * inverse, valid)


def _patlak_curve(c: Array, tissue: Tissue, plasma: PlasmaIntegrals) -> Array:
    del tissue
    return np.asarray(c[1] * plasma.mean_first[:, None] + c[0] * plasma.level[:, None])


_METHODS = {
    "Logan": _Method(
        2, _logan, lambda c: {"VT": (c[1], _unit(c, 1)), "intercept": (c[0], _unit(c, 0))}, _logan_curve, 1, 1, 0
    ),
    "MA1": _Method(2, _ma1, lambda c: {"VT": _ratio(c, 0, 1)}, _sum_of_columns(_ma1), 0, 0, 1),
    "MA2": _Method(4, _ma2, _ma2_outcome, _sum_of_columns(_ma2), 0, None, None),
    "Patlak": _Method(
        2, _patlak, lambda c: {"Ki": (c[1], _unit(c, 1)), "V0": (c[0], _unit(c, 0))}, _patlak_curve, 1, 1, 0
    ),
}


@dataclass(frozen=True, eq=False)
class GraphicalScan:
    """One graphical method on one scan: everything that many curves share.

    rows: the frames whose coordinates are worked out. integral, twice: (rows, frames), of tissue_integral and (None
    but for MA2) tissue_double_integral. blood: frame averages (frames, 1). plasma: at ``rows``.
    """

    model: str
    rows: slice | NDArray[np.intp]
    integral: Array
    twice: Array | None
    plasma: PlasmaIntegrals
    blood: Array
    vb: float

    @classmethod
    def prepare(
        cls, model: str, timing: FrameTiming, input_function: InputFunction, options: FitOptions, used: Mask
    ) -> "GraphicalScan":
        """used: (frames,), the frames whose coordinates are needed. Raises InputRefused ("delay-graphical")."""
        if options.delay_s == "fit":
            raise InputRefused(
                "delay-graphical", "{model} cannot fit a delay; give seconds, or fit it with 1TCM first", model=model
            )
        delay_s, vb, rows = float(options.delay_s), fixed_vb(options), _rows(used)
        blood = np.zeros(len(timing))
        if vb > 0:
            blood = curve_frame_averages(input_function.times_s, input_function.whole_blood, timing, delay_s)
        twice = tissue_double_integral(timing)[rows] if model == "MA2" else None
        plasma = plasma_integrals(input_function, timing, delay_s)
        at_rows = PlasmaIntegrals(
            *(part[rows] for part in (plasma.first, plasma.second, plasma.level, plasma.mean_first))
        )
        return cls(model, rows, tissue_integral(timing)[rows], twice, at_rows, blood[:, None], vb)

    def tissue(self, activity: NDArray[np.floating]) -> Tissue:
        """Curves (frames, curves) of all frames, kBq/mL, the blood taken out: (C_PET - V_B C_WB) / (1 - V_B).

        They may be in single precision; everything from here on is double.
        """
        level = activity.astype(np.float64, copy=False)
        if self.vb:
            level = (level - self.vb * self.blood) / (1 - self.vb)
        twice = None if self.twice is None else times_columns(self.twice, level)
        return Tissue(level[self.rows], times_columns(self.integral, level), twice)

    def lines(self, tissue: Tissue) -> Lines:
        """The equation of every curve in the frames ``rows``."""
        return _METHODS[self.model].lines(tissue, self.plasma)

    def outcome(self, coefficients: Array) -> Outcome:
        """Values (curves,) and gradients, (p, curves) or (p, 1), by parameter name, the model's outcome first."""
        return _METHODS[self.model].outcome(coefficients)


def _rows(used: Mask) -> slice | NDArray[np.intp]:
    """The indices of the used frames; a slice, which copies nothing, where they follow one another."""
    rows = np.flatnonzero(used)
    together = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
    return slice(rows[0], rows[-1] + 1) if together else rows


def late_frames(timing: FrameTiming, options: FitOptions) -> Mask | None:
    """The frames the options ask for (frames,) bool, or None when t* is automatic.

    Raises InputRefused ("tstar-value", "frames-last").
    """
    if options.last_frames is not None:
        if not 1 <= options.last_frames <= len(timing):
            raise InputRefused(
                "frames-last",
                "the last {last_frames} frames of {n_timing} do not exist; ask for fewer",
                last_frames=options.last_frames,
                n_timing=len(timing),
            )
        return np.arange(len(timing)) >= len(timing) - options.last_frames
    if options.tstar_s == "auto":
        return None
    if isinstance(options.tstar_s, str) or not np.isfinite(options.tstar_s) or options.tstar_s < 0:
        raise InputRefused(
            "tstar-value", "{tstar_s!r} is no t*; give seconds from the scan's start, or auto", tstar_s=options.tstar_s
        )
    return np.asarray(timing.mids_s >= options.tstar_s)


def _bent(lines: Lines, weight: Array, size: int) -> Mask:
    """Which curves (curves,) are no line in the frames with weight, or have too few frames with coordinates."""
    used = np.broadcast_to(lines.valid & (weight > 0)[:, None], lines.ordinate.shape)
    regression = regress(lines.columns, lines.ordinate, np.sqrt(weight)[:, None] * used)
    return np.asarray(is_bent(lines.ordinate, regression.line(lines.columns), used) | (used.sum(axis=0) <= size))


def _automatic_frames(scan: GraphicalScan, smooth: Lines, tissue: Tissue, weight: Array) -> tuple[Mask, Notice | None]:
    """The frames (frames,) from the t* of all curves that hold activity on, none where there is no such t*."""
    votes = np.asarray((tissue.level > 0).any(axis=0))
    frames, size = np.arange(len(weight)), _METHODS[scan.model].size
    fewest = max(FEWEST_FRAMES, size + 1)

    def bent_from(first: int) -> Mask:
        return np.asarray(_bent(smooth, np.where(frames >= first, weight, 0.0), size)[votes])

    first = earliest_start(np.flatnonzero(weight > 0), fewest, bent_from) if votes.any() else None
    if first is not None:
        return (weight > 0) & (frames >= first), None
    return np.zeros_like(frames, dtype=bool), Notice(
        "tstar-not-found",
        "from no start with {fewest} frames is the line of {model} straight within {largest:.0%} in {share:.0%} of "
        "the regions, so there is no {outcome}; give t* in seconds, or choose another model",
        fewest=fewest,
        model=scan.model,
        largest=LARGEST_RESIDUAL,
        share=LEAST_STRAIGHT,
        outcome=next(iter(scan.outcome(np.ones((size, 1))))),
    )


def fit_graphical(
    model: str, timing: FrameTiming, activity: Array, input_function: InputFunction, options: FitOptions
) -> tuple[KineticFit, ...]:
    """Fit a graphical method to curves (curves, frames) in kBq/mL; see ``FitOptions`` for t* and V_B.

    An automatic t* is one for all curves (see tstar.py); MA2 takes every frame then.
    Standard errors are those of the weighted linear regression (V_T of MA1 and MA2 by the delta method); they treat
    the regressors as exact, as the field does, though these hold the noise of the curve: Logan's does not cover its
    noise bias, and MA1's is often too large.
    """
    frames = np.ones(len(timing), dtype=bool)
    scan = GraphicalScan.prepare(model, timing, input_function, options, frames)
    weight = frame_weights(options, len(timing))
    tissue = scan.tissue(np.ascontiguousarray(activity.T))
    lines = scan.lines(tissue)
    asked = late_frames(timing, options)
    enough_frames(model, (weight > 0) & (True if asked is None else asked))
    flags = _missed_input(timing, scan.plasma, input_function, float(options.delay_s))
    smooth = lines
    chosen = (weight > 0) & (frames if asked is None else asked)
    if asked is None and model != "MA2":
        level = without_noise(timing, tissue.level, input_function, float(options.delay_s), weight)
        smooth = scan.lines(Tissue(level, times_columns(scan.integral, level)))
        chosen, notice = _automatic_frames(scan, smooth, tissue, weight)
        flags += () if notice is None else (notice,)
    return _results(scan, timing, tissue, lines, smooth, np.where(chosen, weight, 0.0), options, flags)


def _results(
    scan: GraphicalScan,
    timing: FrameTiming,
    tissue: Tissue,
    lines: Lines,
    smooth: Lines,
    weight: Array,
    options: FitOptions,
    common: tuple[Notice, ...],
) -> tuple[KineticFit, ...]:
    """smooth: the lines that decide which curves are bent; weight: (frames,), 0 in the frames that are not used."""
    method = _METHODS[scan.model]
    used = np.broadcast_to(lines.valid & (weight > 0)[:, None], tissue.level.shape)
    # A curve without enough coordinates is not fitted, and its flags say so.
    used = used & (used.sum(axis=0) > method.size)
    count = used.sum(axis=0)
    in_use = np.where(used, weight[:, None], 0.0)
    in_use = in_use * np.where(count > 0, count / np.where(count > 0, in_use.sum(axis=0), 1.0), 0.0)
    regression = regress(lines.columns, lines.ordinate, np.sqrt(in_use))
    line = regression.line(lines.columns)
    residual = np.abs(lines.ordinate - line)
    share = np.where(used & (line != 0), residual / np.where(line == 0, 1.0, np.abs(line)), np.where(used, np.inf, 0))
    largest = np.where(count > 0, share.max(axis=0), np.nan)
    bent = _bent(smooth, weight, method.size) & (count > 0)
    outcome = method.outcome(regression.coefficients)
    room = count - method.size
    errors = {name: regression.standard_error(gradient, room) for name, (_, gradient) in outcome.items()}
    covariance = regression.covariance(room)
    predicted = np.where(used, method.curve(regression.coefficients, tissue, scan.plasma), np.nan)
    abscissa = np.broadcast_to(lines.columns[method.abscissa], tissue.level.shape)
    name = next(iter(outcome))
    fits = []
    for at in range(tissue.level.shape[1]):
        n = int(count[at])
        flags = common + tuple(outcome_flags(name, float(outcome[name][0][at]), float(errors[name][at])))
        if n:
            off, here = lines.ordinate[:, at] - line[:, at], line[:, at]
            flags += tuple(poor_fit_flags(off, here, in_use[:, at]))
        if bent[at]:
            flags += (
                Notice(
                    "line-bent", "a residual of the line reaches {largest:.0%}; start it later", largest=largest[at]
                ),
            )
        gradients = np.array([np.broadcast_to(g, (method.size, len(count)))[:, at] for _, g in outcome.values()])
        wrss = float(regression.wrss[at])
        criteria = [criterion(wrss, n, method.size) if n else float("nan") for criterion in (aic, aicc, bic)]
        fits.append(
            KineticFit(
                model=scan.model,
                parameters={key: float(value[at]) for key, (value, _) in outcome.items()},
                standard_errors={key: float(value[at]) for key, value in errors.items()},
                parameter_names=tuple(outcome),
                covariance=gradients @ covariance[:, :, at] @ gradients.T,
                predicted=predicted[:, at],
                residuals=tissue.level[:, at] - predicted[:, at],
                weights=in_use[:, at],
                wrss=wrss,
                n_frames=n,
                n_parameters=method.size,
                aic=criteria[0],
                aicc=criteria[1],
                bic=criteria[2],
                tstar_s=float(timing.starts_s[np.argmax(used[:, at])]) if n else None,
                delay_s=float(options.delay_s),
                flags=flags,
                line=Line(
                    abscissa[:, at],
                    lines.ordinate[:, at],
                    _coefficient(regression, method.slope, at),
                    _coefficient(regression, method.intercept, at),
                    used[:, at],
                    float(largest[at]),
                ),
                settings={"vb": scan.vb},
            )
        )
    return tuple(fits)


def _coefficient(regression: Regression, which: int | None, curve: int) -> float:
    return float("nan") if which is None else float(regression.coefficients[which, curve])


def enough_frames(model: str, available: Mask) -> None:
    """Refuse ("fit-too-few-frames") frames (frames,) too few for the method's coefficients and a residual."""
    needed = _METHODS[model].size + 1
    if available.sum() < needed:
        raise InputRefused(
            "fit-too-few-frames",
            "{model} has {sum} frames with weight after t* and needs {needed}; choose an earlier tstar_s, a later "
            "until_min, or leave fewer frames out",
            model=model,
            sum=available.sum(),
            needed=needed,
        )


def _missed_input(
    timing: FrameTiming, plasma: PlasmaIntegrals, input_function: InputFunction, delay_s: float
) -> tuple[Notice, ...]:
    running = respond(input_function.times_s, input_function.parent_plasma, np.zeros(1))
    before = running.at(timing.starts_s[:1] - delay_s)[0][0, 0]
    if before <= MISSED_INPUT * plasma.first[-1]:
        return ()
    return (
        Notice(
            "scan-starts-late",
            "{before:.0%} of the input came before the first frame; the tissue integral misses it",
            before=before / plasma.first[-1],
        ),
    )
