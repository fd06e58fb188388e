"""The input of a scan with few blood samples or none: the mean curve of one's own cohort, brought to this person.

What such an input costs is known from the cohort alone: every scan of it, brought to this person in the same way, is
an input that this person might have had. V_T by each of them, against V_T by their mean, is the error that goes into
the budget. Which curve suits a tracer is not published in general: the program ships none.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, SampledCurve, check_covers
from ..acquisition.image import Scan
from ..acquisition.population import FORMAT, CohortScan, Population, check_people
from ..messages import InputRefused, Notice, Notices, Text
from ..tracers import same_tracer
from .arrival import risen
from .curve import InputFunction
from .piecewise_linear import evaluate, integral_weights
from .result import InputFunctionResult, PopulationSpread
from .samples import paired, route_notices
from .settings import PopulationSettings

Floats = NDArray[np.float64]

# None of these is published. A sample sooner than this after the arrival is of the bolus, whose height says little of
# the rest; injections whose durations differ by more than both limits make other curves; below so many people the
# interval is dominated by Student's factor, and that is said.
LATE_S = 600.0
INFUSIONS_APART_S, INFUSIONS_APART = 10.0, 0.25
MANY_PEOPLE = 8
BEFORE_ARRIVAL_S = 30.0
STEPS_S = ((60.0, 1.0), (180.0, 3.0), (600.0, 15.0), (np.inf, 60.0))
"""Up to which time after the arrival a template has points how far apart."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One scan of a cohort as it comes into a template: its input, and what was injected into whom."""

    person: int
    input: InputFunction
    end_s: float
    scan: Scan


@dataclass(frozen=True, eq=False)
class MadeTemplate:
    """A template with its scans' names, and what became of the scans that are not in it."""

    population: Population
    names: tuple[str, ...]
    refused: Mapping[str, InputRefused]
    files: tuple[Path, ...]
    notices: tuple[Notice, ...] = ()


# --- Making a template -----------------------------------------------------------------------------------------------


def population_of(measured: list[Measured]) -> Population:
    """A template of these scans' inputs, each from its own arrival, as long as the shortest of them.

    Raises InputRefused ("template-few-people", "template-tracer", "template-infusion").
    """
    arrivals = [arrival_of(person.input) for person in measured]
    end_s = min((person.end_s - at for person, at in zip(measured, arrivals, strict=True)), default=0.0)
    times = _times(end_s)
    scans = tuple(
        CohortScan(
            person=person.person,
            parent_plasma=evaluate(person.input.times_s, person.input.parent_plasma, times + at),
            whole_blood=evaluate(person.input.times_s, person.input.whole_blood, times + at),
            injected_mbq=person.scan.injected_mbq,
            weight_kg=person.scan.weight_kg,
        )
        for person, at in zip(measured, arrivals, strict=True)
    )
    first = measured[0].scan if measured else Scan()
    infusions = [person.scan.infusion_s for person in measured if person.scan.infusion_s is not None]
    administrations = [person.scan.administration for person in measured if person.scan.administration]
    population = Population(
        format=FORMAT,
        tracer=first.tracer,
        administration=administrations[0] if administrations else None,
        infusion_s=float(np.median(infusions)) if infusions else None,
        times_s=times,
        scans=scans,
    )
    check_people(population)
    for person in measured:
        check_alike(population, person.scan)
    return population


def arrival_of(source: InputFunction) -> float:
    """When parent plasma rises through a tenth of its peak, in seconds."""
    at_s = risen(source.times_s, source.parent_plasma)
    return float(source.times_s[0]) if at_s is None else at_s


def _times(end_s: float) -> Floats:
    pieces, begin = [], -BEFORE_ARRIVAL_S
    for until, step in STEPS_S:
        until = min(until, end_s)
        if until > begin:
            pieces.append(np.arange(begin, until, step))
            begin = until
    return np.union1d(np.concatenate(pieces), [end_s]) if pieces else np.zeros(1)


def check_alike(population: Population, scan: Scan) -> tuple[Notice, ...]:
    """Whether a scan's tracer was that of the template, and injected in its way; a Notice for what no file tells.

    Raises InputRefused ("template-tracer", "template-infusion").
    """
    if population.tracer is None or scan.tracer is None or not same_tracer(population.tracer, scan.tracer):
        nothing = Text("not told")
        raise InputRefused(
            "template-tracer",
            "the template is of the tracer {template}, the scan's is {own}: every tracer has a curve of its own; use "
            "a template of this one, or put right what the files say",
            template=population.tracer or nothing,
            own=scan.tracer or nothing,
        )
    pairs = ((population.infusion_s, scan.infusion_s), (population.administration, scan.administration))
    if any(one is not None and other is not None and _differ(one, other) for one, other in pairs):
        raise InputRefused(
            "template-infusion",
            "the template's tracer was injected as {template}, the scan's as {own}: the first minutes of the curve "
            "follow the injection; use a template that was injected alike",
            template=_injected(population.administration, population.infusion_s),
            own=_injected(scan.administration, scan.infusion_s),
        )
    if population.infusion_s is not None and scan.infusion_s is not None:
        return ()
    return (
        Notice(
            "template-infusion-unknown",
            "how long the tracer was injected is not told for both template and scan; the template holds only where "
            "it was the same",
        ),
    )


def _differ(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one != other
    return abs(one - other) > max(INFUSIONS_APART_S, INFUSIONS_APART * max(one, other))


def _injected(administration: str | None, infusion_s: float | None) -> str:
    how = administration or Text("not told")
    return how if infusion_s is None else Text("{how} of {seconds:.0f} s", how=how, seconds=infusion_s)


# --- Using one -------------------------------------------------------------------------------------------------------


def population_input(
    blood: BloodSamples, scan: Scan, arrival_s: float, until_s: float, settings: PopulationSettings
) -> InputFunctionResult:
    """The mean curve of ``blood.population``, brought to a scan that the tracer reaches at ``arrival_s`` and that
    ends at ``until_s``, seconds.

    Scaled by the late samples of ``blood``: parent plasma where they tell it, else whole blood; or by injected
    activity over weight. Raises InputRefused: "template-samples", "template-suv", "blood-ends-early".
    """
    population = blood.population
    assert population is not None  # who calls has read it
    times = population.times_s + arrival_s
    used = _late(blood, arrival_s, float(times[-1]))
    if settings.population_scale == "suv":
        factors, anchor, used = _by_suv(population, scan), "suv", SampledCurve(np.zeros(1), np.zeros(1))
        scaled_by: str = Text("injected activity over weight")
        sampled: list[float] = []
    else:
        anchor, factors = _by_samples(population, blood, used, arrival_s)
        sampled = used.times_s.tolist() if used else []
        scaled_by = Text(
            "{count} late samples of {anchor} (at {minutes} min)",
            count=len(sampled),
            anchor=Text("parent plasma") if anchor == "parent-plasma" else Text("whole blood"),
            minutes=", ".join(f"{time / 60:.3g}" for time in sampled),
        )
    plasma = factors[:, None] * np.array([scan.parent_plasma for scan in population.scans])
    whole = factors[:, None] * np.array([scan.whole_blood for scan in population.scans])
    weights = population.weights
    mean, mean_whole = weights @ plasma, _mean_known(weights, whole)
    covered = BloodSamples(parent_plasma=SampledCurve(times, mean))
    areas = (integral_weights(times, np.array([min(until_s, times[-1])])) @ plasma.T)[0]
    spread = float(np.sqrt(_variance(population) @ (areas / (weights @ areas) - 1) ** 2))
    notices = dict.fromkeys(
        (
            *blood.notices,
            *(route_notices(blood) if sampled else ()),
            *check_covers(covered, until_s),
            *_template_notices(population, scaled_by, spread),
        )
    )
    record: dict[str, object] = {
        "source": "population",
        **asdict(settings),
        "found": {
            "population": {
                "template": population.key,
                "people": population.people,
                "scans": len(population.scans),
                "scaled_by": anchor,
                "sample_times_s": sampled,
                "arrival_s": arrival_s,
                "area_sd": spread,
                "left_out": [asdict(row) for row in population.left_out],
            }
        },
    }
    distinct = tuple(notices)
    made = InputFunction(times, mean, mean_whole, distinct, record)
    others = tuple(
        InputFunction(times, own, own_whole if np.isfinite(own_whole).all() else mean_whole)
        for own, own_whole in zip(plasma, whole, strict=True)
    )
    chance = PopulationSpread(others, arrival_s, tuple(np.sqrt(_variance(population)).tolist()), population.people - 1)
    return InputFunctionResult(made, None, None, None, None, distinct, record, chance)


def _template_notices(population: Population, scaled_by: str, spread: float) -> Notices:
    """What a template's input is; spread: SD of the area under it between people, as a part of it."""
    notices = Notices()
    notices.add(
        "input-population",
        "the input function was not measured: it is the mean of {people} people ({scans} scans), scaled by "
        "{scaled_by}; from person to person the area under it differs by {spread:.0%} (SD), which is in the error "
        "budget",
        people=population.people,
        scans=len(population.scans),
        scaled_by=scaled_by,
        spread=spread,
    )
    if population.people < MANY_PEOPLE:
        notices.add(
            "template-people",
            "{people} people are few to know how people differ: intervals are widened for it (Student's t, "
            "{df} degrees of freedom)",
            people=population.people,
            df=population.people - 1,
        )
    return notices


def _variance(population: Population) -> Floats:
    """What the square of every scan's difference from the mean adds to the variance of a person not in it (scans,).

    Of the usual estimate over n people, sum / (n - 1), times 1 + 1/n for the mean's own error.
    """
    n = population.people
    return population.weights * n / (n - 1) * (1 + 1 / n)


def _mean_known(weights: Floats, curves: Floats) -> Floats:
    """The mean (times,) over the scans that have the curve; nan where none has."""
    known = np.isfinite(curves).all(axis=1)
    if not known.any():
        return np.full(curves.shape[1], np.nan)
    mean: Floats = weights[known] @ curves[known] / weights[known].sum()
    return mean


def _by_suv(population: Population, scan: Scan) -> Floats:
    """Injected activity over weight, over that of every scan of the template (scans,)."""
    own = CohortScan(0, np.zeros(0), np.zeros(0), scan.injected_mbq, scan.weight_kg).suv_scale
    known = [scan.suv_scale for scan in population.scans if scan.suv_scale is not None]
    if own is None or len(known) < len(population.scans):
        raise InputRefused(
            "template-suv",
            "scaling by injected activity over weight needs both of this scan ({own}) and of every scan of the "
            "template ({known} of {all} have them); add them, or scale by late samples",
            own=Text("not told") if own is None else f"{own:.3g} MBq/kg",
            known=len(known),
            all=len(population.scans),
        )
    return own / np.array(known)


def _late(blood: BloodSamples, arrival_s: float, end_s: float) -> SampledCurve | None:
    """The late samples of parent plasma where the blood tells it, else of whole blood; None without any."""
    for curve in filter(None, (_parent(blood), blood.whole_blood)):
        kept = (curve.times_s >= arrival_s + LATE_S) & (curve.times_s <= end_s) & (curve.values > 0)
        if kept.any():
            return SampledCurve(curve.times_s[kept], curve.values[kept])
    return None


def _parent(blood: BloodSamples) -> SampledCurve | None:
    """Parent plasma where it was measured: given, or plasma times the parent fraction of the same draw."""
    if blood.parent_plasma is not None or blood.plasma is None or blood.parent_fraction is None:
        return blood.parent_plasma
    times, plasma, fraction = paired(blood.plasma, blood.parent_fraction)
    return SampledCurve(times, plasma * fraction) if len(times) else None


def _by_samples(
    population: Population, blood: BloodSamples, used: SampledCurve | None, arrival_s: float
) -> tuple[str, Floats]:
    """What was scaled by, and the factor that brings every scan of the template to the samples, in their geometric
    mean (scans,)."""
    if used is None:
        raise InputRefused(
            "template-samples",
            "no sample later than {late:.0f} min after the tracer's arrival tells parent plasma (plasma and parent "
            "fraction of one draw) or whole blood; add one, or scale by injected activity over weight "
            '([input] scale_by = "suv")',
            late=LATE_S / 60,
        )
    parent = _parent(blood)
    by_parent = parent is not None and np.isin(used.times_s, parent.times_s).all()
    kind = "parent_plasma" if by_parent else "whole_blood"
    curves = np.array([getattr(scan, kind) for scan in population.scans])
    at = np.array([evaluate(population.times_s, curve, used.times_s - arrival_s) for curve in curves])
    if not (np.isfinite(at).all() and (at > 0).all()):
        raise InputRefused(
            "template-whole-blood",
            "the samples tell whole blood alone, and not every scan of the template has it; measure the parent "
            "fraction of the samples, too",
        )
    return kind.replace("_", "-"), np.asarray(np.exp(np.log(used.values / at).mean(axis=1)))
