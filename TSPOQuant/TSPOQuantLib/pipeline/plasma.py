"""The input function of a visit, and what of it a model takes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import LATE_S, BloodSamples, SampledCurve, check_decay, falls_as_decay, reconcile
from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage, Scan
from ..alignment.resample import mean_image
from ..input_function import (
    ImageDerivedSettings,
    InputFunction,
    InputFunctionResult,
    PopulationSettings,
    SampledSettings,
    image_derived_input,
    population_input,
    sampled_input,
)
from ..input_function.arrival import check_arrival, seen_arrival
from ..input_function.population import check_alike
from ..kinetics import FitOptions, fit
from ..kinetics.models import model_named
from ..messages import InputRefused, Notice, Text, quoted
from ..regions.region import plain_name
from ..regions.sampling import MOST_OF_VESSEL_OUTSIDE, sample
from ..regions.surround import surround
from ..settings import part_of
from ..study import StudySettings
from .placement import Placed

LONGEST_DELAY_S = 600.0
"""A delay beyond this is a slip of clock or unit, and shifts the input out of the scan: a choice."""
DELAYS_S: tuple[float, ...] = tuple(np.arange(-60.0, 11.0, 5.0).tolist())
"""Between the rise that is seen in tissue and the arrival of its blood: a choice."""
BODY_SHARE = 0.1
BODY_MASK = "voxels whose mean over the scan exceeds 10 % of its 99th percentile"
"""The body, as told from air by a choice of ours."""


def input_of(placed: Placed, blood: BloodSamples, settings: StudySettings) -> InputFunctionResult:
    """The visit's input function, from the blood pool of the image, from blood samples, given, or a template's.

    blood: reconciled with the image's units. Raises InputRefused ("blood-pool-missing").
    """
    image, regions, half_life = placed.image, placed.regions, placed.image.scan.half_life_s
    pool = next((region for region in regions if region.name == plain_name(settings.blood_pool)), None)
    end_s = float(image.timing.ends_s[-1])
    until_s = end_s if settings.until_min is None else min(end_s, 60 * settings.until_min)
    if settings.input_source == "population":
        drawn = pool is not None and pool.mask.any()
        read = placed.read(pool, settings.minimum_coverage, MOST_OF_VESSEL_OUTSIDE) if pool and drawn else None
        course = body_curve(image, body_of(image)) if read is None else read.mean
        how = part_of(PopulationSettings, settings)
        return template_input(blood, image.scan, Seen(image.timing, course, bool(drawn)), until_s, how)
    if settings.input_source != "image-derived":
        if pool is not None and pool.mask.any():
            seen = placed.read(pool, settings.minimum_coverage, MOST_OF_VESSEL_OUTSIDE)
            in_pool = SampledCurve(image.timing.mids_s, seen.mean)
            doubts = (*check_arrival(image.timing, seen.mean, blood), *decay_notices(blood, half_life, in_pool))
        else:
            doubts = decay_notices(blood, half_life)
        blood = replace(blood, notices=(*blood.notices, *doubts))
        return sampled_input(blood, until_s, part_of(SampledSettings, settings))
    if pool is None:
        raise InputRefused(
            "blood-pool-missing",
            "no segment is called '{blood_pool}'; draw it, or name the one that is the blood pool: {names}",
            blood_pool=settings.blood_pool,
            names=quoted(region.name for region in regions),
        )
    read = placed.read(pool, settings.minimum_coverage, MOST_OF_VESSEL_OUTSIDE)
    doubts = decay_notices(blood, half_life, SampledCurve(image.timing.mids_s, read.mean))
    blood = replace(blood, notices=(*blood.notices, *read.notices, *doubts))
    shell = surround(image, pool, regions, placed.to_frames)
    tissue = sample(image, shell, placed.to_frames, most_outside=MOST_OF_VESSEL_OUTSIDE).mean if shell else None
    derived = part_of(ImageDerivedSettings, settings)
    return image_derived_input(image.timing, read.mean, blood, derived, tissue, until_s, half_life)


def decay_notices(
    blood: BloodSamples, half_life_s: float | None, pool: SampledCurve | None = None
) -> tuple[Notice, ...]:
    """Blood that looks as if it had not been decay-corrected, within itself or against the image's blood pool."""
    whole, plasma = blood.whole_blood, blood.plasma
    if half_life_s is None:
        return ()
    wrong = check_decay(plasma, whole, half_life_s) if plasma and whole else None
    alone = next((curve for curve in (whole, plasma) if curve and falls_as_decay(curve, half_life_s)), None)
    if wrong == "first":
        samples, other = Text("plasma"), Text("whole blood")
    elif wrong == "second":
        samples, other = Text("whole blood"), Text("plasma")
    elif pool is not None and whole and check_decay(pool, whole, half_life_s) == "second":
        samples, other = Text("whole blood"), Text("the blood pool of the image")
    elif alone is not None:
        return (
            Notice(
                "blood-decay-odd",
                "{samples} falls from {minutes:.0f} min on as fast as the tracer decays, while the whole activity in "
                "blood hardly falls then: its samples look as if they had not been decay-corrected to time zero; make "
                "sure that they were",
                samples=Text("whole blood") if alone is whole else Text("plasma"),
                minutes=LATE_S / 60,
            ),
        )
    else:
        return ()  # of the image itself the header tells
    return (
        Notice(
            "blood-decay-odd",
            "{samples} falls as the tracer decays, against {other}: its samples look as if they had not been "
            "decay-corrected to time zero; correct them",
            samples=samples,
            other=other,
        ),
    )


@dataclass(frozen=True, eq=False)
class Seen:
    """The curve (frames,) of a scan in which the tracer's arrival is seen; blood: whether it is of blood alone."""

    timing: FrameTiming
    curve: NDArray[np.float64]
    blood: bool


def template_input(
    blood: BloodSamples, scan: Scan, seen: Seen, until_s: float, settings: PopulationSettings
) -> InputFunctionResult:
    """The input that a template gives this scan.

    Where nothing says when the tracer arrives, a blood pool's own rise does; tissue rises later than its blood, so
    that there the delay is fitted with which one tissue compartment follows the template. Raises InputRefused
    ("template-…").
    """
    if blood.population is None:
        raise InputRefused(
            "template-missing",
            'the input is to come from a template and none is named; add [input] path, or choose another "source"',
        )
    unsure = check_alike(blood.population, scan)
    known_s = seen_arrival(seen.timing, seen.curve) if settings.arrival_s is None else settings.arrival_s
    arrival_s = float(seen.timing.starts_s[0]) if known_s is None else known_s
    if known_s is None and seen.blood:
        unsure = (
            *unsure,
            Notice(
                "template-arrival",
                "the tracer is there in the first frame already, so that its arrival was not seen; the template "
                "begins with that frame, at {seconds:.0f} s: state [input] arrival_s where it is known",
                seconds=arrival_s,
            ),
        )
    checked = replace(blood, notices=(*blood.notices, *unsure))
    made = population_input(checked, scan, arrival_s, until_s, settings)
    if settings.arrival_s is not None or seen.blood:
        return made
    return population_input(checked, scan, arrival_s + _followed_s(made, seen), until_s, settings)


def _followed_s(made: InputFunctionResult, seen: Seen) -> float:
    """The delay, of ``DELAYS_S``, with which one tissue compartment follows the input best; where it is not the first
    or the last of them, at the lowest point of the parabola through its misfit and its neighbors'."""

    def misfit(delay_s: float) -> float:
        options = FitOptions(delay_s=delay_s)
        (fitted,) = fit("1TCM", seen.timing, seen.curve[None], for_model(made, "1TCM", options), options)
        return fitted.wrss

    found = [misfit(delay_s) for delay_s in DELAYS_S]
    at = int(np.argmin(found))
    if at in (0, len(found) - 1):
        return DELAYS_S[at]
    before, lowest, after = found[at - 1 : at + 2]
    bend = before - 2 * lowest + after
    step_s = DELAYS_S[1] - DELAYS_S[0]
    return DELAYS_S[at] + (step_s * (before - after) / (2 * bend) if bend > 0 else 0.0)


def visit_input(placed: Placed, blood: BloodSamples, settings: StudySettings) -> InputFunctionResult:
    """The input function alone, from blood as it was read."""
    image = placed.image
    curve = body_curve(image, body_of(image))
    sampled = settings.input_source != "image-derived"
    return input_of(placed, reconcile(blood, image.timing, curve[None], sampled), settings)


def body_of(image: DynamicImage) -> NDArray[np.bool_]:
    """BODY_MASK, (k, j, i). Raises InputRefused ("pet-empty")."""
    mean = mean_image(image, range(len(image.timing))).values
    mask: NDArray[np.bool_] = mean > BODY_SHARE * np.percentile(mean, 99)
    if not mask.any():
        raise InputRefused("pet-empty", "the PET holds no activity; check the series")
    return mask


def body_curve(image: DynamicImage, body: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean of the body's voxels (k, j, i) in every frame, (frames,), kBq/mL: what stands for the scan's counts."""
    return np.array([frame[body].mean(dtype=float) for frame in image.activity])


def for_model(source: InputFunctionResult, model: str, options: FitOptions) -> InputFunction:
    """The input as a model needs it: where whole blood was not measured, only a fit without V_B is possible.

    Raises InputRefused ("whole-blood-missing", "delay-value").
    """
    delays = options.bounds.get("delay", ()) if isinstance(options.delay_s, str) else (options.delay_s,)
    beyond = next((delay for delay in delays if abs(delay) > LONGEST_DELAY_S), None)
    if beyond is not None:
        raise InputRefused(
            "delay-value",
            "a delay of {beyond:g} s is no sampling delay; stay within {longest_delay_s:g} s, or bring blood "
            "and scan to one clock",
            beyond=beyond,
            longest_delay_s=LONGEST_DELAY_S,
        )
    curve = source.input_function
    if curve.has_whole_blood:
        return curve
    if options.vb not in ("none", 0) and not (options.vb == "fit" and not model_named(model).compartmental):
        raise InputRefused(
            "whole-blood-missing",
            "{model} with V_B needs whole blood, and the blood files hold none; add a whole_blood_radioactivity "
            'column, or leave V_B out (--vb none; in a study file vb = "none")',
            model=model,
        )
    return replace(curve, whole_blood=np.zeros_like(curve.whole_blood))  # with V_B at 0 nothing depends on it
