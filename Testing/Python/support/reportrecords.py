"""Visits made by formula for the tests of the report: no image, no fit, every field filled."""

from dataclasses import replace
from datetime import date

import numpy as np
from TSPOQuantLib.acquisition.blood import SampledCurve
from TSPOQuantLib.alignment.motion import MotionTable
from TSPOQuantLib.alignment.pet_to_ct import PetToCt
from TSPOQuantLib.kinetics.result import Line
from TSPOQuantLib.messages import Notice
from TSPOQuantLib.outcome.clinical import Clinical, Lesion, Treatment
from TSPOQuantLib.outcome.record import InputRecord
from TSPOQuantLib.regions.partial_volume import Corrected
from TSPOQuantLib.reporting.figures import FusedPicture

from . import visitrecords as made

DURATIONS = (15.0, *3 * (5.0,), *3 * (10.0,), *4 * (60.0,), *2 * (150.0,), *2 * (300.0,), *4 * (600.0,))
STARTS = tuple(float(start) for start in np.cumsum((0.0, *DURATIONS[:-1])))
FRAMES = len(DURATIONS)
VALUES = {
    "baseline": (12.96, 4.9, 4.9, 6.43, 4.8),
    "sixweeks": (6.21, 4.8, 4.95, 5.38, 4.75),
    "sixmonths": (6.4, 4.9, 5.0, 5.3, 4.8),
}
POOR = Notice("poor-fit", "the residuals are 14% of the curve")


def fit(region, model, pvc, vt, curve, flags=()):
    """K1 0.2; 2 % standard errors; the curve itself, shaken, as prediction."""
    values = {"K1": 0.2, "k2": 0.2 / vt, "VB": 0.05, "VT": vt}
    shaken = np.array(curve) * (1 + 0.02 * np.cos(np.arange(FRAMES)))
    changes = {"pvc": pvc, "predicted": shaken, "residuals": np.array(curve) - shaken, "flags": flags, "wrss": 1.5}
    changes |= {"aic": -42.0, "aicc": -40.5, "bic": -39.0}
    if model == "Logan":
        abscissa = np.linspace(0.1, 30, FRAMES)
        changes |= {
            "parameters": {"VT": vt, "intercept": -3.0},
            "standard_errors": {"VT": 0.02 * vt, "intercept": 0.2},
            "parameter_names": ("VT", "intercept"),
            "covariance": np.diag((1e-4, 1e-4)),
            "n_frames": 7,
            "n_parameters": 2,
            "tstar_s": 600.0,
            "line": Line(abscissa, vt * abscissa - 3, vt, -3.0, np.arange(FRAMES) >= 12, 0.05),
        }
    else:
        errors = {name: 0.02 * value for name, value in values.items()}
        changes |= {"parameters": values, "standard_errors": errors, "n_frames": FRAMES}
        changes |= {"covariance": np.diag((1e-5, 1e-7, 1e-6))}
    return made.fit(region, model, vt, 0.02 * vt, FRAMES, **changes)


def visit_record(session="baseline", subject="p01", flags=(), pvc="GTM", simulated=False):
    """One visit; ``flags`` are those of the first region's measured curve."""
    minutes = (np.array(STARTS) + np.array(DURATIONS) / 2) / 60
    regions, fits, rows = [], [], []
    for index, (name, vt) in enumerate(zip(made.PLACES, VALUES[session], strict=True)):
        curve = tuple(float(v) for v in 0.8 * vt * minutes / (minutes + 3))
        mine = flags if index == 0 else ()
        corrected = None
        if index == 0 and pvc != "none":
            twice = 2 * np.array(curve)
            corrected = Corrected(twice, twice, twice, twice, 2.9, 0.37, (name, "bone", "rest"), (0.37, 0.46, 0.17))
        place = {"center_lps_mm": (0.0, 0.0, 0.0), "effective_voxels": 21.4}
        regions.append(made.region(name, curve, sd=curve, corrected=corrected, **place))
        for model in ("1TCM", "Logan"):
            for method, factor in (("none", 1.0), *([(pvc, 1.9)] if corrected else ())):
                fits.append(fit(name, model, method, factor * vt, curve, mine))
                values = fits[-1].parameters
                numbers = {key: values.get(key) for key in ("K1", "k2", "VB")}
                error = fits[-1].standard_errors["VT"]
                rows.append(made.outcome(session, name, model, values["VT"], error, mine, pvc=method, **numbers))
    return made.visit(
        session,
        acquisition=_acquisition(session, simulated),
        subject=subject,
        settings={"models": ["1TCM", "Logan"], "vb": "fit", "weights": "counts", "tstar_s": "auto", "delay_s": 0.0}
        | {"input_source": "image-derived", "calibration": "scale", "motion_correction": "rigid", "pvc": pvc}
        | {"subject": subject, "minimum_coverage": 0.5, "washout": "6 weeks"},
        rows=tuple(rows),
        regions=tuple(regions),
        fits=tuple(fits),
        sensitivities=tuple(
            made.sensitivity(region.name, "input-scale", "input-scale", 0.05, 0.05, -0.05, "") for region in regions
        ),
        pvc=pvc,
        pvc_fwhm_mm=(5.0, 5.0, 5.0) if pvc != "none" else None,
        input=_input(minutes, list(VALUES).index(session)),
        motion=_motion(),
        pet_to_ct=PetToCt(np.eye(4), 1.5, rotation_deg=0.4, information_before=1.1, information_after=1.4),
        quality=(Notice("side-unknown", "no cord or vertebra is drawn: the sides of the foramina were not checked"),),
        notices=(
            Notice("blood-venous", "blood was sampled from a vein; its parent fraction may differ from arterial"),
        ),
        provenance={
            "versions": {"TSPOQuant": "0.1.0", "python": "3.12.10"},
            "inputs": [{"name": "pet", "sha256": 64 * "a"}, {"name": "study.toml", "sha256": 64 * "b"}],
        },
    )


def _acquisition(session, simulated):
    return {
        "patient_key": "k",
        "manufacturer": "Maker",
        "scanner_model": "Model 1",
        "reconstruction": "OSEM",
        "filter": None,
        "tracer": "[11C]DPA-713" + (" (simulated)" if simulated else ""),
        "injected_mbq": 400.5 if session == "baseline" else 385.0,
        "shape": (68, 80, 73),
        "time_zero_at": f"2026-0{1 + list(VALUES).index(session)}-05T10:00:00",
        "decay_correction": "none in the file; each frame corrected to injection, half-life 1221.84 s",
        "frame_starts_s": STARTS,
        "frame_durations_s": DURATIONS,
    }


def _input(minutes, draw):
    times = tuple(float(t) for t in np.linspace(0, 3600, 121))
    whole = tuple(float(v) for v in 60 * np.exp(-np.array(times) / 120) + 2)
    late = (600.0, 1200.0, 2400.0, 3600.0)
    return InputRecord(
        source="image-derived",
        route="venous",
        times_s=times,
        parent_plasma=tuple(0.8 * v for v in whole),
        whole_blood=whole,
        samples={
            "whole_blood": SampledCurve(late, tuple(value + 0.05 * draw for value in (2.4, 2.1, 2.0, 2.0))),
            "parent_fraction": SampledCurve(late, tuple(value + 0.01 * draw for value in (0.8, 0.6, 0.45, 0.36))),
        },
        blood_pool=tuple(float(v) for v in 20 * np.exp(-minutes)),
        tissue=None,
        parent_fraction=tuple(float(v) for v in np.exp(-np.array(times) / 3600)),
        plasma_ratio=None,
        settings={
            "source": "image-derived",
            "calibration": "scale",
            "found": {
                "calibration": {
                    "method": "scale",
                    "scale": 1.8,
                    "scale_se": 0.05,
                    "recovery": 0.5556,
                    "recovery_se": 0.015,
                    "spill_in": 0.0,
                    "spill_in_se": 0.0,
                    "sample_times_s": list(late),
                    "flags": ["uncertain"],
                },
                "parent_fraction": {
                    "model": "hill",
                    "parameters": {"a": 0.36, "b": 1.2},
                    "standard_errors": {"a": 0.01, "b": 0.05},
                    "samples": 4,
                },
            },
        },
    )


def _motion():
    moved = np.tile((0.1, 0.2, -0.3), (FRAMES, 1))
    eyes = np.tile(np.eye(4), (FRAMES, 1, 1))
    return MotionTable(moved, moved, np.full(FRAMES, 0.4), np.full(FRAMES, 0.1), (17, 18), eyes)


def clinical(*sessions, treatments=True):
    scores = [
        {"vas_arm": 42, "mrc_elbow_extension": 4, "ndi": 28},
        {"vas_arm": 6, "mrc_elbow_extension": 5, "ndi": 13},
    ]
    scores.append({"vas_arm": 11.5, "mrc_wrist_extension": 5, "ndi": 12})
    visits = {session: {k: float(v) for k, v in told.items()} for session, told in zip(sessions, scores, strict=False)}
    treatment = Treatment(
        kind="neural tissue management",
        start=date(2026, 1, 6),
        end=date(2026, 2, 16),
        sessions_planned=12,
        sessions_done=12,
        components=("education", "nerve mobilization", "home program"),
        pain_during_exercise="below the threshold",
        adverse_events_recorded=True,
    )
    return Clinical(visits, Lesion("C6/C7", "left"), treatments=(treatment,) if treatments else ())


def picture(session="baseline"):
    rgba = np.full((32, 32, 4), 255, np.uint8)
    rgba[8:24, 8:24, :3] = 90
    colors = np.linspace(0, 255, 256).astype(np.uint8)[:, None].repeat(3, axis=1)
    return FusedPicture(rgba, made.LEFT, session, 110.0, ("R", "L", "A", "P"), 1.2, "SUV", colors)


def unfitted(record):
    """The same visit, the first region's models without an estimate."""
    nan = float("nan")
    flag = (Notice("not-identifiable", "these data do not determine VT: its standard error is as large as it"),)
    name = record.regions[0].name

    def lost(fit):
        if fit.region != name:
            return fit
        return replace(
            fit,
            parameters=dict.fromkeys(fit.parameters, nan),
            standard_errors=dict.fromkeys(fit.standard_errors, nan),
            predicted=np.full(FRAMES, nan),
            residuals=np.full(FRAMES, nan),
            wrss=nan,
            aic=nan,
            aicc=float("inf"),
            bic=nan,
            flags=flag,
            line=None if fit.line is None else replace(fit.line, slope=nan, intercept=nan, largest_residual=nan),
        )

    rows = tuple(
        replace(row, VT=nan, VT_se=nan, K1=nan, flags=flag) if row.region == name else row for row in record.rows
    )
    return replace(record, fits=tuple(lost(fit) for fit in record.fits), rows=rows)
