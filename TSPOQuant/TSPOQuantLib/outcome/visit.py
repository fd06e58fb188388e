"""What one visit gave: V_T per region and model, with everything needed to judge it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..alignment.fused import FusedImages
from ..alignment.motion import FrameMotion
from ..alignment.pet_to_ct import PetToCt
from ..alignment.visits import VisitAlignment
from ..grid import Grid
from ..input_function import InputFunctionResult
from ..kinetics import KineticFit, ParametricMaps
from ..messages import Notice
from ..regions.anatomy import Anatomy
from ..regions.partial_volume import PartialVolumeResult
from ..regions.region import TimeActivityCurve
from .record import RegionOutcome, VisitRecord


@dataclass(frozen=True, eq=False)
class VisitResult:
    """One visit, from curves to V_T. ``fits[model]`` is in the order of ``curves``.

    corrected: curves corrected for partial volume, where the study asks for it, and their fits in the same order.
    record: the same as plain values, for JSON, comparison and report. fused: what pictures are drawn from, None
    without a CT. carried: where each level of the visit lies whose regions were carried here. measurements: of every
    quantified region, by name and key (regions.measurements).
    """

    subject: str
    session: str
    rows: tuple[RegionOutcome, ...]
    curves: tuple[TimeActivityCurve, ...]
    fits: dict[str, tuple[KineticFit, ...]]
    input: InputFunctionResult
    motion: FrameMotion | None
    pet_to_ct: PetToCt | None
    notices: tuple[Notice, ...]
    provenance: dict[str, object] = field(default_factory=dict)
    corrected: PartialVolumeResult | None = None
    corrected_fits: dict[str, tuple[KineticFit, ...]] = field(default_factory=dict)
    record: VisitRecord | None = None
    fused: FusedImages | None = None
    carried: VisitAlignment | None = None
    measurements: dict[str, dict[str, float]] = field(default_factory=dict)

    def row(self, structure: str, level: str, side: str, model: str, pvc: str = "none") -> RegionOutcome | None:
        """The first row of that place, model and correction, or None."""
        wanted = (structure, level, side, model, pvc)
        return next((r for r in self.rows if (r.structure, r.level, r.side, r.model, r.pvc) == wanted), None)


def outcome_row(
    visit: str, region: str, anatomy: Anatomy, fit: KineticFit, notices: tuple[Notice, ...], pvc: str = "none"
) -> RegionOutcome:
    """A fit as the row that tables show; ``notices`` of the curve join the fit's flags."""
    values = fit.parameters
    return RegionOutcome(
        visit=visit,
        region=region,
        structure=anatomy.structure,
        level=anatomy.level,
        root=anatomy.root,
        side=anatomy.side,
        model=fit.model,
        pvc=pvc,
        VT=values["VT"],
        VT_se=fit.standard_errors["VT"],
        K1=values.get("K1"),
        k2=values.get("k2"),
        VB=values.get("VB"),
        flags=notices + fit.flags,
    )


@dataclass(frozen=True, eq=False)
class FittedTable:
    """Models fitted to ready curves: activity (regions, frames) in kBq/mL, ``fits[model]`` in the order of regions."""

    regions: tuple[str, ...]
    timing: FrameTiming
    activity: NDArray[np.float64]
    fits: dict[str, tuple[KineticFit, ...]]
    input: InputFunctionResult
    notices: tuple[Notice, ...]
    provenance: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class VisitMaps:
    """Parametric maps of one visit, on ``grid``."""

    subject: str
    session: str
    maps: ParametricMaps
    grid: Grid
    notices: tuple[Notice, ...]
    provenance: dict[str, object] = field(default_factory=dict)
