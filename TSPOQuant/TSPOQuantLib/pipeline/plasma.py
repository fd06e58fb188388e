"""The input function of a visit, and what of it a model takes."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, reconcile
from ..acquisition.image import DynamicImage
from ..alignment.resample import mean_image
from ..input_function import (
    ImageDerivedSettings,
    InputFunction,
    InputFunctionResult,
    SampledSettings,
    image_derived_input,
    sampled_input,
)
from ..input_function.arrival import check_arrival
from ..kinetics import FitOptions
from ..kinetics.models import model_named
from ..messages import InputRefused
from ..regions.region import plain_name
from ..regions.sampling import sample
from ..regions.surround import surround
from ..settings import part_of
from ..study import StudySettings
from .placement import Placed

LONGEST_DELAY_S = 600.0
"""A delay beyond this is a slip of clock or unit, and shifts the input out of the scan: a choice."""
BODY_SHARE = 0.1
BODY_MASK = "voxels whose mean over the scan exceeds 10 % of its 99th percentile"
"""The body, as told from air by a choice of ours."""


def input_of(placed: Placed, blood: BloodSamples, settings: StudySettings) -> InputFunctionResult:
    """The visit's input function, from the blood pool of the image, from blood samples, or given.

    blood: reconciled with the image's units. Raises InputRefused ("blood-pool-missing").
    """
    image, regions = placed.image, placed.regions
    pool = next((region for region in regions if region.name == plain_name(settings.blood_pool)), None)
    end_s = float(image.timing.ends_s[-1])
    until_s = end_s if settings.until_min is None else min(end_s, 60 * settings.until_min)
    if settings.input_source != "image-derived":
        if pool is not None and pool.mask.any():
            seen = placed.read(pool, settings.minimum_coverage)
            blood = replace(blood, notices=(*blood.notices, *check_arrival(image.timing, seen.mean, blood)))
        return sampled_input(blood, until_s, part_of(SampledSettings, settings))
    if pool is None:
        names = ", ".join(f"'{region.name}'" for region in regions)
        raise InputRefused(
            "blood-pool-missing",
            "no segment is called '{blood_pool}'; draw it, or name the one that is the blood pool: {names}",
            blood_pool=settings.blood_pool,
            names=names,
        )
    curve = placed.read(pool, settings.minimum_coverage)
    shell = surround(image.grid, pool, regions)
    tissue = sample(image, shell, placed.to_frames).mean if shell else None
    return image_derived_input(
        image.timing, curve.mean, blood, part_of(ImageDerivedSettings, settings), tissue, until_s
    )


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
