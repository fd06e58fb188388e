"""Which change could a protocol detect? Simulated curves with the error model of the comparison.

A region's curve is made from its tissue and, as measured, from the surroundings that blur mixes in; counts give the
noise; everything is fitted as a visit is; what else the error budget holds is added with its assumed size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ..acquisition.decay import HALF_LIFE_S
from ..acquisition.frames import FrameTiming
from ..input_function import InputFunction
from ..kinetics import FitOptions, fit, weights, with_start_of
from ..kinetics.compartment import NAMES
from ..kinetics.compartment_fit import CompartmentScan
from ..kinetics.models import model_named
from ..messages import Listed, Text
from ..progress import Progress, silent
from ..tracers import tracer_named
from .budget import BudgetSettings
from .record import VisitRecord
from .region_noise import counts_of, independent_voxels, undecayed_s
from .repeatability import TWO_SIDED

Array = NDArray[np.float64]

RECOVERY = ((4.0, 0.48), (5.0, 0.39), (6.0, 0.31), (7.0, 0.24))
"""FWHM in mm and mean recovery of a hot foramen of the published size, found by simulation; beyond these the ends'
slope goes on."""
# Found on the simulated neck, in the left C6/C7 foramen; not from a published source.
AMPLIFICATION = 1.08
"""Noise of a corrected over that of a measured mean, times the recovery."""
CALIBRATION = 0.02
"""SD of ln V_T by the calibration of an image-derived input to its samples."""
PER_MM = {False: 0.02, True: 0.03}
"""SD of ln V_T for a region 1 mm (root mean square) out of place, as measured and as corrected."""
NOISE_FWHM_MM = 2.8
"""Of the noise of the simulated reconstructing scanner (6 iterations of 16 subsets, voxels of 2 mm): its correlation
is one half at 2 mm. A default, not a published value: a filter makes it longer."""
DRAWS = 100
SEED = 1
"""Of the noise; DRAWS of it for each case."""
K1_STEPS = 5
SHORTER = (0.5, 0.67, 0.83)
"""Parts of the scan's length that are tried beside the whole."""
FEWEST_FRAMES = 6
"""Of a scan, and of a part of it that is tried as a length: a choice."""
REFERENCE_FRAME_S = (1200.0, 1800.0)
"""The frame that the stated voxel noise belongs to."""
DEFAULT_FRAMES_S = (15, 5, 5, 5, 10, 10, 10, 60, 60, 60, 60, 150, 150, 300, 300)
"""A schedule that has been used for another tracer; frames of 600 s follow to the end."""
LONG_FRAME_S = 600.0
MODELS = ("1TCM", "Logan", "MA1")
"""Models that a plan can be made for: one-tissue curves identify them."""


@dataclass(frozen=True)
class Protocol:
    """What is planned; every default is a choice.

    tracer: what it is called; half_life_s: of its radionuclide. injected_mbq, minutes, frames_s (durations; empty for
    the default), fwhm_mm: of the scan. noise_percent: SD of one voxel of ``voxel_mm`` in muscle, in the frame from 20
    to 30 min, at ``noise_mbq``: read it off a scan of one's own; noise_fwhm_mm: how far it reaches, as
    ``region_noise.independent_voxels`` takes it. region_counts: in place of these, what ``region_noise.counts_of``
    found in the scan of ``noise_from``, for a region of its foramina's size; drift: how far V_T of that scan lay
    from the whole scan's at shorter lengths, (minutes, %). k1: the range of K1, mL/cm³/min. vt: of
    the tissue at the first visit and at a later one, mL/cm³. vb: fraction. surroundings_k1, surroundings_vt: of what
    blur mixes in (muscle). volume_mm3: of the region; recovery: of its activity, None from the resolution. wcv:
    variation of V_T from day to day, a fraction; wcv_source: where it comes from, "" as stated. power: wanted.
    """

    injected_mbq: float = 400.0
    tracer: str = "carbon-11"
    half_life_s: float = HALF_LIFE_S["C11"]
    minutes: float = 60.0
    frames_s: tuple[float, ...] = ()
    fwhm_mm: float = 5.0
    voxel_mm: float = 2.0
    noise_percent: float = 20.0
    noise_mbq: float = 400.0
    noise_fwhm_mm: float = NOISE_FWHM_MM
    region_counts: float | None = None
    noise_from: str = ""
    drift: tuple[tuple[float, float], ...] = ()
    k1: tuple[float, float] = (0.1, 0.5)
    vt: tuple[float, float] = (12.96, 6.21)
    vb: float = 0.05
    surroundings_k1: float = 0.06
    surroundings_vt: float = 1.6
    volume_mm3: float = 220.0
    recovery: float | None = None
    model: str = "1TCM"
    wcv: float = 0.0
    wcv_source: str = ""
    power: float = 0.8
    budget: BudgetSettings = field(default_factory=BudgetSettings)

    @property
    def timing(self) -> FrameTiming:
        """The frames, cut at the end of the scan, or carried on to it where none were stated."""
        total = self.minutes * 60
        durations = list(self.frames_s or DEFAULT_FRAMES_S)
        while not self.frames_s and sum(durations) < total - 1e-6:
            durations.append(min(LONG_FRAME_S, total - sum(durations)))
        ends = np.cumsum(durations)
        kept = ends <= total + 1e-6
        return FrameTiming((ends - durations)[kept], np.array(durations, dtype=float)[kept])

    @property
    def recovered(self) -> float:
        """What the region keeps of its own activity."""
        return recovery_at(self.fwhm_mm) if self.recovery is None else self.recovery


@dataclass(frozen=True)
class Detectable:
    """What one case could detect. SDs are of ln V_T.

    corrected: for partial volume, or as measured. k1: mL/cm³/min; minutes: of the scan. noise: of either visit by
    counts alone; bias_percent: of V_T at the first visit against what a noise-free curve gives; lost: share of draws
    without a V_T. error: of the log ratio, all components. fall_percent, rise_percent: the smallest change of the
    tissue's V_T found with the wanted power at two-sided 5 %; None where even the largest would not be.
    power: of finding the planned pair of V_T.
    """

    corrected: bool
    k1: float
    minutes: float
    noise: tuple[float, float]
    bias_percent: float
    lost: float
    error: float
    fall_percent: float | None
    rise_percent: float
    power: float


@dataclass(frozen=True)
class Plan:
    """by_k1: over the range of K1, at full length; by_minutes: over lengths, at the middle (geometric) K1."""

    protocol: Protocol
    by_k1: tuple[Detectable, ...]
    by_minutes: tuple[Detectable, ...]
    assumptions: tuple[str, ...]


def recovery_at(fwhm_mm: float) -> float:
    """Mean recovery of a foramen; log-linear between the simulated resolutions, and beyond them."""
    widths, logs = np.array([w for w, _ in RECOVERY]), np.log([r for _, r in RECOVERY])
    n = int(np.clip(np.searchsorted(widths, fwhm_mm), 1, len(widths) - 1))
    slope = (logs[n] - logs[n - 1]) / (widths[n] - widths[n - 1])
    return float(min(np.exp(logs[n - 1] + slope * (fwhm_mm - widths[n - 1])), 1.0))


def make_plan(
    protocol: Protocol,
    source: InputFunction,
    progress: Progress = silent,
) -> Plan:
    """Simulate the protocol. source: the input at ``protocol.injected_mbq``."""
    low, high = protocol.k1
    values = [low] if low == high else np.geomspace(low, high, K1_STEPS).tolist()
    middle = float(np.sqrt(low * high))
    lengths = [*(float(round(part * protocol.minutes)) for part in SHORTER), protocol.minutes]
    tried = [minutes for minutes in lengths if _fitting(protocol.timing, minutes).sum() >= FEWEST_FRAMES]
    cases = [(k1, protocol.minutes) for k1 in values] + [(middle, minutes) for minutes in tried]
    detected = []
    for number, (k1, minutes) in enumerate(cases):
        progress(number / len(cases), Text("Simulating K1 {k1:.2g}, {minutes:g} min", k1=k1, minutes=minutes))
        rng = np.random.default_rng(SEED)  # the same draws for every case, so that cases differ by what they are
        detected += [detectable(protocol, k1, minutes, corrected, source, rng) for corrected in (False, True)]
    progress(1, "Done")
    split = 2 * len(values)
    return Plan(protocol, tuple(detected[:split]), tuple(detected[split:]), _assumptions(protocol))


def detectable(
    protocol: Protocol,
    k1: float,
    minutes: float,
    corrected: bool,
    source: InputFunction,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> Detectable:
    """One case; corrected for partial volume or as measured."""
    kept = _fitting(protocol.timing, minutes)
    timing = FrameTiming(protocol.timing.starts_s[kept], protocol.timing.durations_s[kept])
    spreads, medians, lost, clean, delays = [], [], [], [], []
    for vt in protocol.vt:
        tissue, measured = _curves(protocol, k1, vt, timing, source)
        scale = _counts(protocol, timing, source)
        noise = np.sqrt(np.maximum(measured, 0) / scale)
        curve = tissue if corrected else measured
        size = noise * (AMPLIFICATION / protocol.recovered if corrected else 1.0)
        options = FitOptions(weights=weights("counts", timing, measured[None], protocol.half_life_s))
        late = source.delayed(protocol.budget.delay_s)
        exact, delayed = (fit(protocol.model, timing, curve[None], plasma, options)[0] for plasma in (source, late))
        clean.append(exact.parameters["VT"])
        shifted = delayed.parameters["VT"]
        delays.append(math.log(shifted / clean[-1]) if min(shifted, clean[-1]) > 0 else math.inf)
        # An automatic t* is one for the curves of a scan, and each draw is a scan: t* is the noise-free curve's.
        options = with_start_of(options, [exact])
        noisy = curve + size * rng.standard_normal((draws, len(timing)))
        values = np.array([drawn.parameters["VT"] for drawn in fit(protocol.model, timing, noisy, source, options)])
        good = np.isfinite(values) & (values > 0)
        lost.append(1 - float(good.mean()))
        logs = np.log(values[good])
        spreads.append(float(np.std(logs, ddof=1)) if good.sum() > 1 else math.inf)
        medians.append(float(np.median(logs)) if good.any() else math.nan)
    error = math.sqrt(_variance(protocol, corrected, spreads, delays))
    limit = (-ndtri(0.025) + float(ndtri(protocol.power))) * error
    share = 1.0 if corrected else protocol.recovered
    background = (1 - share) * protocol.surroundings_vt

    def tissue_for(log_change: float) -> float:
        """The tissue's change in % that shows as this log change of what is measured."""
        first = share * protocol.vt[0] + background
        return 100 * ((first * math.exp(log_change) - background) / share / protocol.vt[0] - 1)

    fall = tissue_for(-limit) if math.isfinite(limit) else -math.inf
    pair = math.log((share * protocol.vt[1] + background) / (share * protocol.vt[0] + background))
    bias = 100 * (math.exp(medians[0]) / clean[0] - 1) if clean[0] > 0 else math.nan
    return Detectable(
        corrected=corrected,
        k1=k1,
        minutes=float(timing.ends_s[-1] / 60),
        noise=(spreads[0], spreads[1]),
        bias_percent=bias,
        lost=max(lost),
        error=error,
        fall_percent=fall if fall > -100 else None,
        rise_percent=tissue_for(limit) if limit < 50 else math.inf,
        power=float(ndtr(abs(pair) / error + ndtri(0.025))) if math.isfinite(error) else 0.0,
    )


def _fitting(timing: FrameTiming, minutes: float) -> NDArray[np.bool_]:
    """(frames,): which frames end within so many minutes."""
    return np.asarray(timing.ends_s <= minutes * 60 + 1e-6)


def _variance(protocol: Protocol, corrected: bool, noise: Sequence[float], delays: Sequence[float]) -> float:
    """Of the log ratio: both visits' errors, independent but for the resolution."""
    budget = protocol.budget
    total = sum(value**2 for value in (*noise, *delays))
    place = PER_MM[corrected] * math.hypot(budget.placement_mm, budget.registration_mm)
    each = (budget.input_scale, CALIBRATION, place, math.sqrt(math.log1p(protocol.wcv**2)))
    total += 2 * sum(value**2 for value in each)
    if corrected:
        slope = math.log(recovery_at(protocol.fwhm_mm + 0.5) / recovery_at(max(protocol.fwhm_mm - 0.5, 0.0)))
        total += 2 * (1 - budget.resolution_correlation) * (slope * budget.fwhm_mm) ** 2
    return total


def _curves(
    protocol: Protocol, k1: float, vt: float, timing: FrameTiming, source: InputFunction
) -> tuple[Array, Array]:
    """Frame averages (frames,) of the tissue, and of what is measured of it."""
    own = _one_tissue(timing, source, k1, vt, protocol.vb)
    around = _one_tissue(timing, source, protocol.surroundings_k1, protocol.surroundings_vt, protocol.vb)
    return own, protocol.recovered * own + (1 - protocol.recovered) * around


def _one_tissue(timing: FrameTiming, source: InputFunction, k1: float, vt: float, vb: float) -> Array:
    values = {"K1": k1, "k2": k1 / vt, "VB": vb}
    fixed = FitOptions(vb=vb, bounds={"K1": (k1, k1), "k2": (k1 / vt, k1 / vt)})
    scan = CompartmentScan.prepare(model_named("1TCM"), timing, source, fixed)
    point = np.array([[values.get(name, 0.0) for name in NAMES]])
    return np.asarray(scan.equation(0.0).predict(point)[0])


def _counts(protocol: Protocol, timing: FrameTiming, source: InputFunction) -> Array:
    """(frames,): counts of the region for 1 kBq/mL of decay-corrected activity, as a scan had them or from voxels."""
    if protocol.region_counts is not None:
        return protocol.region_counts * undecayed_s(timing, protocol.half_life_s)
    begin, end = REFERENCE_FRAME_S
    frame = FrameTiming(np.array([begin]), np.array([end - begin]))
    factor = protocol.noise_mbq / protocol.injected_mbq
    at_reference = InputFunction(source.times_s, factor * source.parent_plasma, factor * source.whole_blood)
    muscle = _one_tissue(frame, at_reference, protocol.surroundings_k1, protocol.surroundings_vt, protocol.vb)
    per_voxel = (100 / protocol.noise_percent) ** 2 / float(muscle[0] * undecayed_s(frame, protocol.half_life_s)[0])
    voxels = independent_voxels(protocol.volume_mm3, protocol.voxel_mm, protocol.noise_fwhm_mm)
    return per_voxel * voxels * undecayed_s(timing, protocol.half_life_s)


def _assumptions(protocol: Protocol) -> tuple[str, ...]:
    return (
        "Simulated one-tissue curves with the simulated blood of this program's phantom, scaled to the dose.",
        Text(
            "Recovery {recovered:.2f} of the region's own activity; the rest of what is measured is muscle.",
            recovered=protocol.recovered,
        ),
        _noise_sentence(protocol),
        Text(
            "Corrected curves have {amplification:.1f} times the noise (found on the simulated neck).",
            amplification=AMPLIFICATION / protocol.recovered,
        ),
        Text(
            "Calibration of the input: SD {calibration:g} %; place: SD {per_mm:g} % for each mm, {per_mm_2:g} % "
            "corrected (found on the simulated neck).",
            calibration=100 * CALIBRATION,
            per_mm=100 * PER_MM[False],
            per_mm_2=100 * PER_MM[True],
        ),
        *(sentence for sentence in protocol.budget.sentences if sentence != protocol.budget.of_correction),
        "What the correction itself errs is alike at both visits, and left out: of no change it fakes none.",
        *_drift(protocol),
        _repeatability(protocol.tracer),
        Text(
            "V_T varies from day to day by {wcv:g} % (within-subject coefficient of variation, {source}), which alone "
            "makes {two_sided:.0f} % a change by chance.",
            wcv=100 * protocol.wcv,
            source=protocol.wcv_source or Text("as stated"),
            two_sided=100 * TWO_SIDED * protocol.wcv,
        )
        if protocol.wcv
        else "Variation of V_T from day to day is left out: none is known for foramina.",
    )


def _repeatability(tracer: str) -> Text:
    """What is published of the tracer itself, which nobody should take for that of a foramen."""
    known = tracer_named(tracer)
    if known is None:
        return Text("What is published on the repeatability of {tracer} is not known here.", tracer=tracer)
    if known.repeatability is None:
        return Text("No published repeatability of {tracer} was found.", tracer=known.name)
    repeat = known.repeatability
    return Text("{tracer}: {said} ({source}).", tracer=known.name, said=repeat.statement, source=repeat.source)


def _drift(protocol: Protocol) -> tuple[Text, ...]:
    """What length alone does to V_T, which these one-tissue curves do not show."""
    if not protocol.drift:
        return ()
    drifts = Listed(
        Text("{minutes:.0f} min {percent:+.1f} %", minutes=at, percent=moved) for at, moved in protocol.drift
    )
    return (
        Text(
            "Against the whole scan {scan}, V_T (median of its regions) came out at {told}: visits of other lengths "
            "differ by as much.",
            scan=protocol.noise_from,
            told=drifts,
        ),
    )


def _noise_sentence(protocol: Protocol) -> Text:
    if protocol.region_counts is not None:
        return Text("Noise as the foramina of the scan {scan} had it in their fits.", scan=protocol.noise_from)
    return Text(
        "Noise of {noise:g} % in a voxel of {voxel_mm:g} mm reaches {fwhm_mm:g} mm (full width at half maximum), so "
        "that the region averages {independent:.1f} independent voxels of {voxels:.0f}.",
        noise=protocol.noise_percent,
        voxel_mm=protocol.voxel_mm,
        fwhm_mm=protocol.noise_fwhm_mm,
        independent=independent_voxels(protocol.volume_mm3, protocol.voxel_mm, protocol.noise_fwhm_mm),
        voxels=max(protocol.volume_mm3 / protocol.voxel_mm**3, 1.0),
    )


def with_noise_of(protocol: Protocol, record: VisitRecord) -> Protocol:
    """The same plan with the noise of a scan of one's own. Raises InputRefused ("plan-noise")."""
    scan = f"{record.subject}, {record.session}"
    return replace(protocol, region_counts=counts_of(record), noise_from=scan)


def with_drift_of(protocol: Protocol, lengths: Sequence[tuple[float, float]]) -> Protocol:
    """The same plan with what V_T of a scan of one's own did with its length: (minutes, % of the whole scan's)."""
    return replace(protocol, drift=tuple(lengths))
