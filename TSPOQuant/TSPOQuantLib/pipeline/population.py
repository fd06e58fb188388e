"""A template from one's own cohort, and what it costs: every person left out in turn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..acquisition.bids import find_bids, read_pet_json
from ..acquisition.blood import BloodSamples, SampledCurve, reconcile
from ..acquisition.blood_files import read_blood
from ..acquisition.image import Scan
from ..acquisition.nifti import scan_of
from ..acquisition.participants import read_person
from ..acquisition.population import LeftOut, Population
from ..acquisition.tacs import Tacs, read_tacs
from ..input_function import (
    InputFunction,
    InputFunctionResult,
    PopulationSettings,
    SampledSettings,
    population_input,
    sampled_input,
)
from ..input_function.piecewise_linear import evaluate, integral_weights
from ..input_function.population import MadeTemplate, Measured, arrival_of, population_of
from ..kinetics import FitOptions
from ..messages import InputRefused, Listed, Notice, Notices, Text
from ..outcome.budget import reach
from ..progress import Progress, silent
from .curves import Fitting, population_errors
from .plasma import Seen, template_input

MOST_CURVES = 20
"""Of a scan in the trial of a template, evenly among its regions: they share its error but for a little. A choice."""


@dataclass(frozen=True, eq=False)
class CohortInput:
    """One scan of a dataset: its name, who was scanned, its own input, and its curves of tissue (None without)."""

    name: str
    person: int
    scan: Scan
    input: InputFunction
    end_s: float
    tacs: Tacs | None
    files: tuple[Path, ...]


def template_of_dataset(
    dataset: Path,
    visits: Sequence[tuple[str, str | None]],
    settings: SampledSettings | None = None,
    samples_min: Sequence[float] = (),
    models: Sequence[str] = (),
    progress: Progress = silent,
) -> MadeTemplate:
    """A template of the scans of a PET-BIDS dataset, and of every one the error of a template without its person.

    visits: participant and session. samples_min: when late samples are taken in that trial, each alone and all
    together, minutes after the tracer's arrival. models: of V_T in it. A scan whose blood cannot be used, or whose
    first pass was not measured, is left out, and why is told.
    Raises InputRefused ("template-…").
    """
    settings = settings or SampledSettings()
    scans, refused = [], {}
    people = {participant: number for number, participant in enumerate(dict.fromkeys(v[0] for v in visits), start=1)}
    for number, (participant, session) in enumerate(visits):
        name = "_".join(["sub-" + participant, *([f"ses-{session}"] if session else [])])
        progress(0.3 * number / len(visits), Text("Reading {name}", name=name))
        try:
            scans.append(_cohort_input(dataset, participant, session, name, people[participant], settings))
        except InputRefused as refusal:
            refused[name] = refusal
    if not scans and refused:
        raise next(iter(refused.values()))
    population = population_of([Measured(scan.person, scan.input, scan.end_s, scan.scan) for scan in scans])
    rows: list[LeftOut] = []
    for number, scan in enumerate(scans):
        progress(0.3 + 0.7 * number / len(scans), Text("Leaving out {name}", name=scan.name))
        rows += left_out(population.without(scan.person), scan, number + 1, samples_min, models)
    files = tuple(dict.fromkeys(file for scan in scans for file in scan.files))
    names = tuple(scan.name for scan in scans)
    notices = (*_same_blood(scans), *_untried(samples_min, scans))
    return MadeTemplate(replace(population, left_out=tuple(rows)), names, refused, files, notices)


def _untried(samples_min: Sequence[float], scans: Sequence[CohortInput]) -> tuple[Notice, ...]:
    """Tell of times of late samples that no scan reaches."""
    beyond = [minutes for minutes in samples_min if all(60 * minutes > scan.end_s for scan in scans)]
    if not beyond:
        return ()
    return (
        Notice(
            "template-samples",
            "no scan goes on until {minutes} min, so that late samples there were not tried; --samples takes minutes",
            minutes=Listed(f"{minutes:g}" for minutes in beyond),
        ),
    )


def _same_blood(scans: Sequence[CohortInput]) -> tuple[Notice, ...]:
    """Tell of scans of several people with one and the same input: no two draws of blood are equal."""
    notices = Notices()
    for number, scan in enumerate(scans):
        other = next((before for before in scans[:number] if _equal(before, scan)), None)
        if other is not None:
            notices.add(
                "template-blood-same",
                "{first} and {second} have the very same blood, which two people never have: the template's error "
                "is too small; give each scan its own blood, or leave one out (--participants)",
                first=other.name,
                second=scan.name,
            )
    return tuple(notices)


def _equal(one: CohortInput, other: CohortInput) -> bool:
    mine, its = one.input, other.input
    return (
        one.person != other.person
        and np.array_equal(mine.times_s, its.times_s)
        and np.array_equal(mine.parent_plasma, its.parent_plasma)
    )


def _cohort_input(
    dataset: Path, participant: str, session: str | None, name: str, person: int, settings: SampledSettings
) -> CohortInput:
    files_of_scan = find_bids(dataset, participant, session)
    sidecar = read_pet_json(files_of_scan.pet_json)
    blood_files = files_of_scan.bloodproc or files_of_scan.blood
    if not blood_files:
        raise InputRefused("blood-missing", "{name}: the scan has no blood; leave it out", name=name)
    tacs = _some(read_tacs(files_of_scan.tacs[0], frames=sidecar.timing)) if files_of_scan.tacs else None
    blood = read_blood(blood_files)
    if tacs is not None:
        blood = reconcile(blood, tacs.timing, tacs.activity)
    end_s = float(sidecar.timing.ends_s[-1])
    made = sampled_input(blood, end_s, settings)
    missed = made.input_function.pass_missed
    if missed:
        raise InputRefused("template-pass-missed", "{problem}", problem=missed[0].message)
    ends = (curve.end_s for curve in blood.activities)
    weight = read_person(dataset, files_of_scan.participant, files_of_scan.session).weight_kg
    scan = scan_of(sidecar)
    scan = replace(scan, weight_kg=weight or scan.weight_kg)
    files = (files_of_scan.pet_json, *blood_files, *files_of_scan.tacs[:1])
    return CohortInput(name, person, scan, made.input_function, min(end_s, max(ends)), tacs, files)


def _some(tacs: Tacs) -> Tacs:
    chosen = np.unique(np.linspace(0, len(tacs.regions) - 1, MOST_CURVES).round().astype(int))
    return replace(tacs, regions=tuple(tacs.regions[n] for n in chosen), activity=tacs.activity[chosen])


# --- One person left out ---------------------------------------------------------------------------------------------


def left_out(
    others: Population, left: CohortInput, number: int, samples_min: Sequence[float], models: Sequence[str]
) -> Iterator[LeftOut]:
    """What a template of all other people makes of one scan, scaled in every way that is possible."""
    if others.people < 2:
        return
    own_arrival = arrival_of(left.input)
    until = min(left.end_s, own_arrival + float(others.times_s[-1]))
    arrival_s = own_arrival if left.tacs is None else None
    for name, times_min in _ways(left, others, samples_min):
        times = own_arrival + 60 * np.array(times_min)
        drawn = (
            SampledCurve(times, evaluate(left.input.times_s, left.input.parent_plasma, times)) if times_min else None
        )
        blood = BloodSamples(parent_plasma=drawn, population=others)
        how = PopulationSettings("samples" if times_min else "suv", arrival_s)
        try:
            if arrival_s is None and left.tacs is not None:
                seen = Seen(left.tacs.timing, left.tacs.activity.mean(axis=0), blood=False)
                made = template_input(blood, left.scan, seen, until, how)
                arrival_s = made.population.arrival_s if made.population else own_arrival
            else:
                made = population_input(blood, left.scan, arrival_s or own_arrival, until, how)
        except InputRefused:
            continue
        area = _area(made.input_function, until) / _area(left.input, until)
        if left.tacs is None or not models:
            yield LeftOut(number, name, area)
            continue
        for model in models:
            yield _of_curves(LeftOut(number, name, area, model), left.tacs, left.input, made)


def _ways(
    left: CohortInput, others: Population, samples_min: Sequence[float]
) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Every way to scale, by its name, with the samples that it takes."""
    if all(scan.suv_scale is not None for scan in others.scans):
        yield "suv", ()
    last_min = (left.end_s - arrival_of(left.input)) / 60
    possible = tuple(at for at in sorted(samples_min) if at <= last_min)
    each = [(at,) for at in possible]
    for times in (*each, *([possible] if len(possible) > 1 else [])):
        yield Text("samples at {minutes} min", minutes=Listed(f"{at:g}" for at in times)), times


def _area(source: InputFunction, until_s: float) -> float:
    return float((integral_weights(source.times_s, np.array([until_s])) @ source.parent_plasma)[0])


def _of_curves(row: LeftOut, tacs: Tacs, own: InputFunction, made: InputFunctionResult) -> LeftOut:
    """The row with V_T of every curve by the template against V_T by the person's own input."""
    fitting = Fitting(tacs.timing, made, FitOptions())
    measured = replace(fitting, source=replace(made, input_function=own)).fits(row.model, tacs.activity)
    fits = fitting.fits(row.model, tacs.activity)
    truth, by_template = (np.array([fitted.outcome_value for fitted in each]) for each in (measured, fits))
    errors = np.array(population_errors(fitting, row.model, tacs.activity, fits))
    df = made.population.df if made.population else 0
    usable = (truth > 0) & (by_template > 0) & np.isfinite(errors)
    if not usable.any():
        return row
    apart, half = np.log(by_template / truth)[usable], np.array([reach(error**2, df) for error in errors[usable]])
    off = np.expm1(apart)
    return replace(
        row,
        curves=int(usable.sum()),
        median=float(np.median(off)),
        worst=float(off[np.argmax(np.abs(off))]),
        inside=int((np.abs(apart) <= half).sum()),
        width=float(np.median(half)),
    )
