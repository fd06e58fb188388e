"""What a fit returns: parameters, how sure they are, and why they may not be trusted."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..messages import Notice
from .models import model_named

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Line:
    """A graphical method in its own coordinates, over all frames.

    abscissa, ordinate: (frames,). slope, intercept: of the line through the frames in ``used`` (frames,) bool; for MA1
    the coefficients of the plasma and the tissue integral, for MA2, which is no line, nan.
    largest_residual: |ordinate - line| / |line|, the largest over the frames used.
    """

    abscissa: Array
    ordinate: Array
    slope: float
    intercept: float
    used: NDArray[np.bool_]
    largest_residual: float


@dataclass(frozen=True, eq=False)
class KineticFit:
    """One model fitted to one curve.

    parameters: by BIDS name (K1, k2, k3, k4, VB, VT, Ki ...); V_T is nan where washout is too slow to be told from 0.
    standard_errors: the same names; nan where unknown (a fixed parameter, or one that the data do not determine).
    parameter_names, covariance: the fitted parameters; a bound that is reached does not make it smaller.
    predicted: kBq/mL for every frame (frames,); residuals: measured minus predicted. Graphical methods predict the
    tissue curve (a fixed V_B taken out) of their linear equation in the frames of ``line.used``, nan elsewhere.
    weights: as used, mean 1 over the frames used, 0 for the others. wrss: kBq2/mL2 (own ordinate for Logan, Patlak).
    n_frames, n_parameters: n and p of the criteria; p counts V_B and delay when fitted.
    tstar_s: start of the first frame used by a graphical method. delay_s: of the input, positive is later.
    intervals: of the model's outcome, 95 %, by "profile" or "bootstrap" where they were asked for.
    region, pvc: whose curve it was, and the partial-volume correction that it went through, where it is known.
    """

    model: str
    parameters: dict[str, float]
    standard_errors: dict[str, float]
    parameter_names: tuple[str, ...]
    covariance: Array
    predicted: Array
    residuals: Array
    weights: Array
    wrss: float
    n_frames: int
    n_parameters: int
    aic: float
    aicc: float
    bic: float
    tstar_s: float | None = None
    delay_s: float = 0.0
    flags: tuple[Notice, ...] = ()
    line: Line | None = None
    settings: dict[str, object] = field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    region: str = ""
    pvc: str = "none"

    @property
    def outcome(self) -> str:
        """What the model gives: "VT", or "Ki" where nothing leaves the tissue."""
        return model_named(self.model).outcome

    @property
    def outcome_value(self) -> float:
        return self.parameters[self.outcome]

    @property
    def outcome_error(self) -> float:
        """Standard error of the outcome."""
        return self.standard_errors[self.outcome]

    @property
    def degrees_of_freedom(self) -> int:
        return self.n_frames - self.n_parameters

    def on_all_frames(self, kept: NDArray[np.bool_]) -> "KineticFit":
        """The fit to the frames in ``kept`` (frames,) as one to all: nothing is known in those that it did not see."""

        def spread(values: NDArray[Any], empty: float | bool) -> NDArray[Any]:
            full = np.full(kept.shape, empty, dtype=values.dtype)
            full[kept] = values
            return full

        line = self.line and replace(
            self.line,
            abscissa=spread(self.line.abscissa, np.nan),
            ordinate=spread(self.line.ordinate, np.nan),
            used=spread(self.line.used, False),
        )
        return replace(
            self,
            predicted=spread(self.predicted, np.nan),
            residuals=spread(self.residuals, np.nan),
            weights=spread(self.weights, 0.0),
            line=line,
        )

    def interval(self, name: str, level: float = 0.95, scale: str = "linear") -> tuple[float, float]:
        """Student's t interval of a parameter: estimate +- t SE, or estimate times exp(+- t SE/estimate) ("log").

        nan where the standard error is unknown.
        """
        estimate, error = self.parameters[name], self.standard_errors[name]
        reach = float(stdtrit(self.degrees_of_freedom, (1 + level) / 2)) * error
        if scale == "log":
            with np.errstate(over="ignore"):  # a hopeless estimate reaches from 0 to infinity
                ratio = float(np.exp(np.float64(reach / estimate))) if estimate > 0 else float("nan")
            return estimate / ratio, estimate * ratio
        return estimate - reach, estimate + reach
