"""The simulated tracer: blood curves, V_T of every structure at every visit, tissue curves by ODE integration.

The blood curves are smooth formulas of the phantom's own, made to look like those of a TSPO tracer: no human parent
fraction of [11C]DPA-713 has been published. Only four V_T are published values (the study's foramen C6/C7 left and
its cord at C7, at both visits), taken here as the truth; all other V_T, every K1 and every V_B are assumptions.
K1 of the foramina is 0.5 mL/cm3/min so that V_T can be identified within 60 min: with 0.1 it could not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from ..messages import InputRefused
from ..tracers import SIMULATED, nuclide, tracer_named
from .neck import CORD_LEVELS, FORAMINA, NECK, STRUCTURES, Plan
from .settings import VISITS

Doubles = NDArray[np.float64]

# 20.364 min: NuDat 3, after Kelley et al., Nucl Phys A 2012;880:88.
HALF_LIFE_S = 1221.84
# A 60-min schedule that has been used for another tracer; the injection is at the start of the scan.
FRAME_DURATIONS_S = np.array([15.0] + [5.0] * 3 + [10.0] * 3 + [60.0] * 4 + [150.0] * 2 + [300.0] * 2 + [600.0] * 4)
FRAME_STARTS_S = np.concatenate([[0.0], np.cumsum(FRAME_DURATIONS_S)[:-1]])
# The patient is simulated too: dose, weight, age and size are assumptions (sex and age as in the study).
INJECTED_MBQ = {"baseline": 400.0, "followup": 385.0}
WEIGHT_KG, HEIGHT_M, AGE_YEARS = 80.0, 1.78, 56

ARRIVAL_MIN = 0.25
# Feng's shape, per 400 MBq: amplitudes in kBq/mL/min and kBq/mL, rates in 1/min.
FENG_RISE, FENG_AMPLITUDES = 900.0, (5.0, 1.1)
FENG_RATES = (5.0, 0.28, 0.009)
FOLLOWUP_CLEARANCE = 1.06  # the second visit's blood differs a little, as it would

PUBLISHED_VT = {
    "foramen C6/C7 left (root C7)": {"baseline": 12.96, "followup": 6.21},
    "cord C7": {"baseline": 6.43, "followup": 5.38},
}


@dataclass(frozen=True)
class SimulatedTracer:
    """What a tracer's name changes: what the header says of it, and how fast it decays.

    radionuclide, code: value, scheme and meaning in DICOM. positron_fraction: per decay.
    """

    name: str
    half_life_s: float
    positron_fraction: str
    radionuclide: tuple[str, str, str]
    code: tuple[str, str, str]


# 18F: 109.77 min, ENSDF. Codes of PS3.16, CID 4020.
_RADIONUCLIDES = {
    "C11": (HALF_LIFE_S, "0.9977", ("40565003", "SCT", "^11^Carbon")),
    "F18": (6586.2, "0.9673", ("77004003", "SCT", "^18^Fluorine")),
}


def simulated_tracer(asked: str) -> SimulatedTracer:
    """The tracer that a person names, with the kinetics of this phantom. Raises InputRefused ("phantom-tracer")."""
    known = tracer_named(asked)
    labeled = known.radionuclide if known else nuclide(asked)
    if labeled not in _RADIONUCLIDES:
        raise InputRefused(
            "phantom-tracer",
            "the phantom makes tracers of carbon-11 and fluorine-18, and {asked!r} names neither; name a tracer such "
            "as [18F]DPA-714, or put the radionuclide before the name",
            asked=asked,
        )
    name = known.name if known else asked
    code = known.code if known else None
    coded = (code.value, code.scheme, code.meaning) if code else (name, "99TSPOQUANT", name)
    return SimulatedTracer(f"{name} ({SIMULATED})", *_RADIONUCLIDES[labeled], coded)


@dataclass(frozen=True)
class Kinetics:
    """One or two tissue compartments: K1 mL/cm3/min, V_T mL/cm3, V_B as a fraction, rates per minute.

    k3 = 0 is one compartment; k2 = K1 (1 + k3 / k4) / V_T.
    """

    k1: float
    vt: float
    vb: float
    k3: float = 0.0
    k4: float = 0.0

    @property
    def k2(self) -> float:
        ratio = 1 + self.k3 / self.k4 if self.k3 > 0 else 1.0
        return self.k1 * ratio / self.vt if self.vt > 0 else 0.0


BLOOD_KINETICS = Kinetics(0.0, 0.0, 1.0)
EMPTY_KINETICS = Kinetics(0.0, 0.0, 0.0)
FORAMEN_K1, FORAMEN_VB = 0.5, 0.05
CORD_K1, CORD_VB = 0.25, 0.04
# Unaffected foramina and cord: each its own value, so that mixing two of them up shows.
_VT_OF_FORAMINA = (4.60, 4.75, 4.90, 4.80, 5.05, 4.95, 5.40, 5.20, 12.96, 5.50, 5.30, 5.10)
FORAMEN_VT = dict(zip(FORAMINA, _VT_OF_FORAMINA, strict=True))
_VT_OF_CORD = (4.60, 4.70, 4.80, 4.95, 5.15, 6.43, 5.25)
CORD_VT = {f"cord {level}": vt for level, vt in zip(CORD_LEVELS, _VT_OF_CORD, strict=True)}
OTHER = {
    "cord above C2": Kinetics(CORD_K1, 4.50, CORD_VB),
    "cord below T1": Kinetics(CORD_K1, 5.00, CORD_VB),
    "csf": Kinetics(0.002, 0.10, 0.0),
    "cartilage": Kinetics(0.03, 0.80, 0.01),
    "thyroid": Kinetics(0.40, 5.00, 0.10),
    "muscle": Kinetics(0.06, 1.60, 0.03),
    "bowel": Kinetics(0.06, 2.00, 0.03),
    "fat": Kinetics(0.03, 0.60, 0.01),
    "skin": Kinetics(0.05, 1.10, 0.03),
    "air": EMPTY_KINETICS,
}
BONE_KINETICS = Kinetics(0.15, 4.00, 0.06)


def kinetics_of(
    visit: str, truth: Mapping[str, Mapping[str, float]], others: Mapping[str, Kinetics] | None = None
) -> dict[str, Kinetics]:
    """The true parameters of every structure at a visit, in the order of ``STRUCTURES``.

    truth: V_T to put in place of the phantom's own, by structure and visit. others: structures that this neck has
    beyond those, which then follow, or has otherwise. Raises InputRefused ("phantom-truth") for a structure that the
    phantom does not have, or that has no V_T.
    """
    vt = FORAMEN_VT | CORD_VT | {name: by_visit[visit] for name, by_visit in PUBLISHED_VT.items()}
    table = {name: kinetics_named(name, NECK, vt) for name in STRUCTURES}
    return with_truth(table | dict(others or {}), visit, truth)


def with_truth(
    table: dict[str, Kinetics], visit: str, truth: Mapping[str, Mapping[str, float]]
) -> dict[str, Kinetics]:
    """The parameters with the V_T that were asked for. Raises InputRefused ("phantom-truth")."""
    for asked, by_visit in truth.items():
        name = _structure(asked, table)
        if visit in by_visit:
            table[name] = replace(table[name], vt=float(by_visit[visit]))
    return table


def kinetics_named(name: str, plan: Plan, vt: Mapping[str, float]) -> Kinetics:
    """The parameters of a structure of a plan; vt: V_T (mL/cm3) of foramina and pieces of cord."""
    if name in plan.blood:
        return BLOOD_KINETICS
    if name in plan.bones:
        return BONE_KINETICS
    if name in vt:
        k1, vb = (FORAMEN_K1, FORAMEN_VB) if name.startswith("foramen ") else (CORD_K1, CORD_VB)
        return Kinetics(k1, vt[name], vb)
    return OTHER[name]


def _structure(asked: str, table: Mapping[str, Kinetics]) -> str:
    """The structure's full name; a foramen may be named without its root."""
    for name, kinetics in table.items():
        if asked in (name, name.split(" (")[0]) and kinetics.k1 > 0:
            return name
    raise InputRefused(
        "phantom-truth",
        'the phantom has no region {asked!r} with a V_T of its own; regions are named like "foramen C6/C7 '
        'left", "cord C7", "muscle"',
        asked=asked,
    )


@dataclass(frozen=True, eq=False)
class Blood:
    """Analytic curves of time in minutes from injection (arrays in, arrays out); activities in kBq/mL.

    scale: of the whole input, for dose. clearance: of the tail's rates.
    """

    scale: float
    clearance: float

    def parent_plasma(self, minutes: Doubles) -> Doubles:
        """Feng's bolus shape, zero until the arrival: (A t - B - C) e^-at + B e^-bt + C e^-ct."""
        t = np.maximum(np.asarray(minutes, float) - ARRIVAL_MIN, 0.0)
        (b, c), (fast, middle, slow) = FENG_AMPLITUDES, FENG_RATES
        bolus = (FENG_RISE * t - b - c) * np.exp(-fast * t)
        tail = b * np.exp(-self.clearance * middle * t) + c * np.exp(-self.clearance * slow * t)
        return np.asarray(self.scale * (bolus + tail))

    def parent_fraction(self, minutes: Doubles) -> Doubles:
        """A Hill curve from 1 towards 0.2, 0.6 at 20 min."""
        power = np.maximum(np.asarray(minutes, float), 0.0) ** 1.3
        return np.asarray(1 - 0.8 * power / (20.0**1.3 + power))

    def total_plasma(self, minutes: Doubles) -> Doubles:
        return np.asarray(self.parent_plasma(minutes) / self.parent_fraction(minutes))

    def whole_blood(self, minutes: Doubles) -> Doubles:
        """Total plasma times a whole-blood-to-plasma ratio that rises from 0.70 to 0.80."""
        ratio = 0.80 - 0.10 * np.exp(-np.maximum(np.asarray(minutes, float), 0.0) / 15.0)
        return np.asarray(self.total_plasma(minutes) * ratio)


def blood_of(visit: str) -> Blood:
    return Blood(INJECTED_MBQ[visit] / 400.0, FOLLOWUP_CLEARANCE if visit == VISITS[1] else 1.0)


def frame_averages(
    kinetics: Mapping[str, Kinetics],
    plasma: Callable[[Doubles], Doubles],
    whole_blood: Callable[[Doubles], Doubles],
    onset_min: float,
) -> Doubles:
    """The mean over each frame of every structure's decay-corrected activity, kBq/mL: (structures, frames).

    (1 - V_B) C_T + V_B C_WB with dC_1/dt = K1 C_P - (k2 + k3) C_1 + k4 C_2, dC_2/dt = k3 C_1 - k4 C_2 and C_T their
    sum. C_1, C_2 where there is one, and the running integrals of C_T and C_WB are one system of equations, so that a
    frame's mean is a difference of the solver's own states. The inputs are zero before ``onset_min`` and smooth after
    it.
    """
    k1, k2, k3, k4, vb = (
        np.array([getattr(k, name) for k in kinetics.values()]) for name in ("k1", "k2", "k3", "k4", "vb")
    )
    n, two = len(k1), np.flatnonzero(k3)

    def slope(t: float, state: Doubles) -> Doubles:
        first, second = state[:n], np.zeros(n)
        second[two] = state[2 * n + 1 :]
        moved = (k3 * first - k4 * second)[two]
        change = k1 * plasma(np.array(t)) - (k2 + k3) * first + k4 * second
        return np.concatenate([change, first + second, [whole_blood(np.array(t))], moved])

    edges = np.append(FRAME_STARTS_S, FRAME_STARTS_S[-1] + FRAME_DURATIONS_S[-1]) / 60
    after = edges[edges > onset_min]
    solution = solve_ivp(
        slope, (onset_min, edges[-1]), np.zeros(2 * n + 1 + two.size), "DOP853", t_eval=after, rtol=1e-9, atol=1e-10
    )
    integrals = np.zeros((n + 1, edges.size))
    integrals[:, edges > onset_min] = solution.y[n : 2 * n + 1]
    means = np.diff(integrals, axis=1) / np.diff(edges)
    return np.asarray((1 - vb)[:, None] * means[:n] + vb[:, None] * means[n])
