"""What one visit gave: V_T per region and model, with everything needed to judge it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples
from ..acquisition.frames import FrameTiming
from ..alignment.fused import FusedImages
from ..alignment.visits import VisitAlignment
from ..grid import Grid
from ..input_function import InputFunctionResult
from ..kinetics import Coupled, KineticFit, ParametricMaps
from ..messages import Notice
from .record import VisitRecord


@dataclass(frozen=True, eq=False)
class VisitResult:
    """One visit, from curves to V_T: its record, and what a record cannot hold.

    fused: what pictures are drawn from, None without a CT. carried: where each level of the visit lies whose regions
    were carried here.
    """

    record: VisitRecord
    fused: FusedImages | None = None
    carried: VisitAlignment | None = None


@dataclass(frozen=True, eq=False)
class FittedTable:
    """Models fitted to ready curves: activity (regions, frames) in kBq/mL, ``fits[model]`` in the order of regions.

    blood: what the input was made from. weights: of the frames; "counts" are those of the mean of all curves, all that
    a table knows of the scan. population_errors: by model, the standard deviation of ln V_T of every curve that a
    template brings, where the input is one.
    """

    regions: tuple[str, ...]
    timing: FrameTiming
    activity: NDArray[np.float64]
    fits: dict[str, tuple[KineticFit, ...]]
    input: InputFunctionResult
    blood: BloodSamples
    weights: str
    notices: tuple[Notice, ...]
    provenance: dict[str, object] = field(default_factory=dict)
    coupled: dict[str, Coupled] = field(default_factory=dict)
    population_errors: dict[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class VisitMaps:
    """Parametric maps of one visit, on ``grid``."""

    subject: str
    session: str
    maps: ParametricMaps
    grid: Grid
    notices: tuple[Notice, ...]
    provenance: dict[str, object] = field(default_factory=dict)
