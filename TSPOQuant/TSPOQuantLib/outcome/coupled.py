"""V_B and the delay of curves of one visit or of several held to one value each (``[model] coupled``).

The visits are fitted again from what their records hold: curves, weights, input. Errors other than noise stay those of
the separate fits: how V_T follows the input, the place and the resolution is nearly the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from ..kinetics import Coupled, FitChoices, FitOptions, KineticFit, ScanCurves, fit_coupled_scans, fit_similar_scans
from ..kinetics.models import MODELS
from ..kinetics.options import ALONE, SIMILAR
from ..kinetics.similar import FEWEST
from ..messages import InputRefused, Listed, Notice
from .ratio import with_dvr
from .record import VisitRecord
from .recording import outcome_rows

AGAINST = 0.05
"""Chance of an F as large below which it is told: the usual convention."""
KEY = "coupled"
"""Where a fit's settings say what it shares."""


@dataclass(frozen=True)
class SharedFit:
    """One fit of curves together, under one model. regions, sessions: whose curves; pvc: their correction.

    values, errors: of the shared parameters, by name. f, f_chance: whether separate ones explain more (F-test).
    spread: SD of V_B between the curves where each has its own, drawn to their mean; None where they share one.
    """

    model: str
    pvc: str
    regions: tuple[str, ...]
    sessions: tuple[str, ...]
    values: dict[str, float]
    errors: dict[str, float]
    f: float
    f_chance: float
    spread: float | None = None


@dataclass(frozen=True)
class _Curve:
    """A region's fit at a visit, by number; place, structure: what the region is called at the first visit, and is."""

    visit: int
    place: str
    structure: str
    fit: KineticFit
    mean: tuple[float, ...]


def sharing_of(visits: Sequence[VisitRecord]) -> str:
    """How the first visit's study has V_B and the delay shared: one of SHARING."""
    return str(visits[0].settings.get(KEY, ALONE))


def sharing_as(visit: VisitRecord, how: str | None) -> VisitRecord:
    """The visit with another choice of what is shared; None keeps its own."""
    return visit if how is None else replace(visit, settings={**visit.settings, KEY: how})


def coupled_visits(visits: Sequence[VisitRecord]) -> tuple[tuple[VisitRecord, ...], tuple[SharedFit, ...]]:
    """The visits with V_B and delay shared as ``sharing_of`` says, and each fit that shares them.

    A curve that shares with no other one stays as it was. Raises InputRefused: "coupled-shared" (neither is fitted),
    "coupled-model" (no compartment model).
    """
    how = sharing_of(visits)
    models = [model for model in visits[0].models if all(model in visit.models for visit in visits)]
    able = [model for model in models if MODELS[model].compartmental]
    if how != ALONE and models and not able:
        raise InputRefused(
            "coupled-model",
            "{model} has no V_B to share; name a compartment model, or share nothing",
            model=models[0],
        )
    renewed: dict[tuple[int, str, str, str], KineticFit] = {}
    shared: list[SharedFit] = []
    if how != ALONE:
        for model in able:
            for curves in _groups(_curves(visits, model), how):
                together = fit_similar_scans if how == SIMILAR else fit_coupled_scans
                coupled = together(model, _scans(visits, curves))
                if coupled is not None:
                    renewed |= _renewed(curves, coupled)
                    shared.append(_shared_fit(visits, curves, coupled))
    return tuple(_with(visit, number, renewed) for number, visit in enumerate(visits)), tuple(shared)


def _curves(visits: Sequence[VisitRecord], model: str) -> list[_Curve]:
    """Every curve of the model, visit by visit; a region that the first visit lacks goes by its own name."""
    curves = []
    for number, visit in enumerate(visits):
        places = {
            there.name: region.name for region in visits[0].regions if (there := visit.same_place(region)) is not None
        }
        for fit in visit.fits:
            if fit.model == model and fit.degrees_of_freedom > 0 and fit.wrss > 0:
                region = visit.region(fit.region)
                place = places.get(fit.region, fit.region)
                curves.append(_Curve(number, place, region.structure, fit, region.curve(fit.pvc)))
    return curves


def _groups(curves: Sequence[_Curve], how: str) -> list[list[_Curve]]:
    """The curves that share, visit by visit: "regions" of one visit, "visits" of one region, "all", or all of one
    structure, which are "similar": nothing says so of regions that are neither foramen nor cord."""
    groups: dict[tuple[str, object], list[_Curve]] = {}
    for curve in curves:
        alike = curve.place if curve.structure == "other" else curve.structure
        shares = {"regions": curve.visit, "visits": curve.place, "all": None, SIMILAR: alike}[how]
        groups.setdefault((curve.fit.pvc, shares), []).append(curve)
    return [group for group in groups.values() if len(group) > 1]


def _scans(visits: Sequence[VisitRecord], curves: Sequence[_Curve]) -> list[ScanCurves]:
    scans = []
    for number, visit in enumerate(visits):
        own = [curve for curve in curves if curve.visit == number]
        if own:
            chosen = {
                choice.name: visit.settings[choice.name]
                for choice in fields(FitChoices)
                if choice.name in visit.settings
            }
            source = replace(visit.input.function, notices=visit.notices)
            if own[0].fit.parameters.get("VB") == 0:  # nothing depends on it, and it may not have been measured
                source = replace(source, whole_blood=np.nan_to_num(source.whole_blood))
            tissue_vb: Any = own[0].fit.settings.get("tissue_vb", 1.0)  # older records have none
            options = FitOptions(**chosen, weights=own[0].fit.weights, tissue_vb=tissue_vb)
            activity = np.array([curve.mean for curve in own])
            scans.append(ScanCurves(visit.acquisition.timing, activity, source, options))
    return scans


def _renewed(curves: Sequence[_Curve], coupled: Coupled) -> dict[tuple[int, str, str, str], KineticFit]:
    """The coupled fits by visit, region, model and correction."""
    renewed = {}
    for number, (curve, fit) in enumerate(zip(curves, coupled.fits, strict=True)):
        first = next(n for n, candidate in enumerate(curves) if candidate.place == curve.place)
        about = {"noise_with_first": 0.0 if curves[first].visit else _correlation(coupled, first, number)}
        key = curve.visit, curve.fit.region, fit.model, curve.fit.pvc
        renewed[key] = replace(fit, region=curve.fit.region, pvc=curve.fit.pvc, settings={**fit.settings, KEY: about})
    return renewed


def _correlation(coupled: Coupled, one: int, other: int) -> float:
    """Of the noise of two outcomes; 1 of one with itself."""
    variances = coupled.covariance[one, one] * coupled.covariance[other, other]
    known = math.isfinite(variances) and variances > 0
    return float(coupled.covariance[one, other] / math.sqrt(variances)) if known else 0.0


def _shared_fit(visits: Sequence[VisitRecord], curves: Sequence[_Curve], coupled: Coupled) -> SharedFit:
    return SharedFit(
        model=coupled.fits[0].model,
        pvc=curves[0].fit.pvc,
        regions=tuple(dict.fromkeys(curve.place for curve in curves)),
        sessions=tuple(dict.fromkeys(visits[curve.visit].session for curve in curves)),
        values=coupled.shared,
        errors=coupled.shared_errors,
        f=coupled.f,
        f_chance=coupled.f_chance,
        spread=coupled.spread,
    )


def coupled_notices(shared: Sequence[SharedFit], how: str) -> tuple[Notice, ...]:
    """Where the curves speak against what they were made to share, or nothing is shared though it was asked for."""
    if how != ALONE and not shared:
        return (
            Notice(
                "coupled-none",
                "no curves share V_B or the delay, though [model] coupled = {how} asks for it: it needs two curves "
                "that do, and similar {fewest} of one structure that determine V_B; every fit is as it was",
                how=how,
                fewest=FEWEST,
            ),
        )
    against = [fit for fit in shared if fit.f_chance < AGAINST and fit.spread is None]
    if not against:
        return ()
    return (
        Notice(
            "coupled-against",
            "in {count} of {total} fits that share V_B or the delay ({fits}) separate values explain more than chance "
            "would (F-test, p below {limit:g}, as one in 20 is by chance): there V_T and its change may be biased by "
            "more than their intervals hold",
            count=len(against),
            total=len(shared),
            fits=Listed((f"{fit.model}, {', '.join(fit.regions)}" for fit in against), "; "),
            limit=AGAINST,
        ),
    )


def _with(visit: VisitRecord, number: int, coupled: dict[tuple[int, str, str, str], KineticFit]) -> VisitRecord:
    fits = [coupled.get((number, fit.region, fit.model, fit.pvc), fit) for fit in visit.fits]
    if fits == list(visit.fits):
        return visit
    renewed = replace(visit, fits=tuple(fits), rows=outcome_rows(visit.session, visit.regions, fits))
    return with_dvr(renewed)[0]
