"""Records of visits made by hand: V_T, errors and sensitivities are what a test says they are."""

import math
from dataclasses import replace

import numpy as np
from TSPOQuantLib.alignment.motion import MotionTable
from TSPOQuantLib.kinetics import KineticFit
from TSPOQuantLib.messages import Notice
from TSPOQuantLib.outcome.record import (
    FORMAT,
    Acquisition,
    InputRecord,
    RegionOutcome,
    RegionRecord,
    Sensitivity,
    VisitRecord,
)

LEFT, RIGHT, ABOVE = "foramen C6/C7 left (root C7)", "foramen C6/C7 right (root C7)", "foramen C3/C4 left (root C4)"
CORD, CORD_ABOVE = "cord C7", "cord C4"
PLACES = {
    LEFT: ("foramen", "C6/C7", "C7", "left"),
    RIGHT: ("foramen", "C6/C7", "C7", "right"),
    ABOVE: ("foramen", "C3/C4", "C4", "left"),
    CORD: ("cord", "C7", "", "midline"),
    CORD_ABOVE: ("cord", "C4", "", "midline"),
}
VT = {LEFT: 12.0, RIGHT: 5.0, ABOVE: 4.0, CORD: 6.0, CORD_ABOVE: 4.5}
STARTS_S, DURATIONS_S = (0.0, 600.0, 1200.0, 1800.0, 2400.0, 3000.0), (600.0,) * 6
SETTINGS = {
    "subject": "p1",
    "session": "baseline",
    "genotype": "HAB",
    "input_source": "image-derived",
    "calibration": "recovery-spill-in",
    "recovery": None,
    "models": ["1TCM", "Logan"],
    "vb": "fit",
    "weights": "counts",
    "tstar_s": "auto",
    "delay_s": 0.0,
    "motion_correction": "rigid",
    "minimum_coverage": 0.5,
    "pvc": "none",
    "fwhm_mm": 5.0,
}
ACQUISITION = Acquisition(
    patient_key="ab12",
    manufacturer="SIEMENS",
    scanner_model="Biograph",
    reconstruction="PSF+TOF 3i21s",
    filter="Gaussian 3 mm",
    tracer="[11C]DPA-713",
    injected_mbq=400.0,
    weight_kg=80.0,
    half_life_s=1221.84,
    voxel_mm=(2.0, 2.0, 2.0),
    shape=(60, 60, 60),
    fwhm_mm=5.0,
    time_zero="injection",
    time_zero_at="2026-01-05T10:00:00",
    decay_correction="ADMIN",
    frame_starts_s=STARTS_S,
    frame_durations_s=DURATIONS_S,
)
TIMES = {"baseline": "2026-01-05T10:00:00", "followup": "2026-02-16T10:00:00", "month6": "2026-07-06T10:00:00"}


def outcome(session, region, model, vt, error, flags=(), **changes):
    row = RegionOutcome(
        *PLACES[region],
        visit=session,
        region=region,
        model=model,
        pvc="none",
        VT=vt,
        VT_se=error,
        K1=0.5,
        k2=0.04,
        VB=0.05,
        flags=tuple(flags),
    )
    return replace(row, **changes)


def region(name, mean, **changes):
    """Measured curve of a region, kBq/mL, with an SD of 1."""
    made = RegionRecord(
        *PLACES[name],
        name=name,
        volume_mm3=220.0,
        center_lps_mm=(1.0, 2.0, 3.0),
        effective_voxels=21.5,
        carried_from="",
        mean=mean,
        sd=(1.0,) * len(mean),
        notices=(),
        corrected=None,
    )
    return replace(made, **changes)


def fit(region, model, vt, error, frames=6, **changes):
    empty = np.zeros(frames)
    made = KineticFit(
        region=region,
        model=model,
        pvc="none",
        parameters={"VT": vt, "K1": 0.5},
        standard_errors={"VT": error, "K1": math.nan},
        parameter_names=("K1", "k2", "VB"),
        covariance=np.array(((1.0, 0.0, 0.0),) * 3),
        predicted=empty,
        residuals=empty,
        weights=np.ones(frames),
        wrss=1.0,
        n_frames=19,
        n_parameters=3,
        aic=1.0,
        aicc=math.inf,
        bic=-math.inf,
        tstar_s=None,
        delay_s=0.0,
        flags=(),
        line=None,
    )
    return replace(made, **changes)


def sensitivity(region, component, factor, step, lower, upper, unit="mm", sd=None, model="1TCM"):
    return Sensitivity(region, model, "none", component, factor, unit, step, lower, upper, sd)


def scale_of(region, model="1TCM"):
    """Exact: V_T goes as one over the input."""
    ends = -math.log(0.95), -math.log(1.05)
    return sensitivity(region, "input-scale", "input-scale", 0.05, *ends, "1", model=model)


def visit(session="baseline", vt=None, error=0.02, sensitivities=(), acquisition=None, settings=None, **changes):
    """A record. vt: of the regions it has; error: standard error of every V_T, as a fraction of it."""
    vt = VT if vt is None else vt
    models = ("1TCM", "Logan")
    curve = (10.0, 10.0, 10.0, 10.0, 8.0, 8.0)
    regions = tuple(region(name, tuple(value * vt[name] / 10 for value in curve)) for name in vt)
    record = {
        "format": FORMAT,
        "subject": "p1",
        "session": session,
        "genotype": "HAB",
        "acquisition": replace(ACQUISITION, **{"time_zero_at": TIMES.get(session, session), **(acquisition or {})}),
        "settings": {**SETTINGS, "session": session, **(settings or {})},
        "models": models,
        "rows": tuple(outcome(session, name, model, vt[name], error * vt[name]) for model in models for name in vt),
        "regions": regions,
        "fits": tuple(fit(name, model, vt[name], error * vt[name]) for model in models for name in vt),
        "sensitivities": tuple(sensitivities),
        "pvc": "none",
        "pvc_fwhm_mm": None,
        "input": InputRecord(
            source="image-derived",
            route="arterial",
            times_s=(0.0, 3600.0),
            parent_plasma=(2.0, 2.0),
            whole_blood=(4.0, 4.0),
            samples={},
            blood_pool=None,
            tissue=None,
            parent_fraction=(1.0, 0.4),
            plasma_ratio=None,
            settings={},
        ),
        "motion": MotionTable(
            np.zeros((6, 3)),
            np.zeros((6, 3)),
            np.array((0.0,) * 5 + (1.0,)),
            np.array((math.nan,) + (0.1,) * 5),
            (0,),
            np.tile(np.eye(4), (6, 1, 1)),
        ),
        "pet_to_ct": None,
        "quality": (),
        "notices": (Notice("a-code", "Ein Satz mit Umlauten: größer"),),
        "provenance": {},
    }
    record["acquisition"] = replace(
        ACQUISITION, **{"time_zero_at": TIMES.get(session, session), **(acquisition or {})}
    )
    return VisitRecord(**{**record, **changes})
