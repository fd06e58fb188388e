"""What can be chosen about an input function. No default here is from a published source."""

from dataclasses import dataclass

from ..acquisition.given_input import DOMAINS
from ..messages import Text
from ..settings import Kind, Line, Number, Shared, setting
from .parent_fraction import INTERPOLATION
from .parent_fraction import MODELS as FRACTION_MODELS
from .plasma_ratio import MODELS as RATIO_MODELS

SOURCES = ("image-derived", "blood", "given", "population")
SCALES = ("samples", "suv")
UNITS = ("Bq/mL", "kBq/mL", "MBq/mL", "nCi/mL", "uCi/mL")
CALIBRATIONS = ("scale", "recovery-spill-in", "none")
CURVES = ("linear", "feng", "tri-exponential")
WEIGHTINGS = ("equal", "relative")
EXTRAPOLATIONS = ("model", "hold")
BEST = "best"
RATIO_CHOICES = (BEST, *RATIO_MODELS, INTERPOLATION)
FRACTION_CHOICES = (BEST, *(model.name for model in FRACTION_MODELS), INTERPOLATION)

INPUT = Shared("input", Text("another input method has another bias"))
FRACTION = Shared("parent-fraction", Text("another parent fraction after the last sample makes another V_T"))
RATIO = Shared("plasma-ratio", Text("another plasma-to-blood ratio makes another V_T"))
FROM_IMAGE = ("input_source", ("image-derived",))
FROM_SAMPLES = ("input_source", ("blood", "given"))
GIVEN = ("input_source", ("given",))
FROM_POPULATION = ("input_source", ("population",))


@dataclass(frozen=True)
class GivenSettings:
    """What a curve is that comes ready as the input."""

    given_domain: str | None = setting(
        None,
        "input.domain",
        Kind(tuple(DOMAINS), optional=True),
        "what the ready curve is: from plasma and whole-blood, the samples of [blood] paths lead on to parent plasma; "
        "unset: its column AIF",
        exempt="visits are compared in what the input was made from",
        applies=GIVEN,
    )
    given_unit: str | None = setting(
        None,
        "input.unit",
        Kind(UNITS, optional=True),
        "of the ready curve, where its file does not say it",
        exempt="visits may have files in different units",
        applies=GIVEN,
    )


@dataclass(frozen=True)
class SourceSettings(GivenSettings):
    """What the input function is made of."""

    input_source: str = setting(
        "image-derived",
        "input.source",
        Kind(SOURCES),
        'the blood pool in the image, the blood samples, or with path = "…" a ready curve (a _bloodproc.tsv\'s AIF) '
        "or a template of your own cohort",
        shared=INPUT,
    )
    blood_pool: str = setting(
        "blood pool",
        "input",
        Line(),
        "name of the segment that holds nothing but blood",
        shared=Shared("blood-pool", Text("another vessel may have another recovery"), "warn"),
        applies=FROM_IMAGE,
    )


@dataclass(frozen=True)
class PopulationSettings:
    """How a template of one's own cohort is brought to a person."""

    population_scale: str = setting(
        "samples",
        "input.scale_by",
        Kind(SCALES),
        "what a template is scaled by: late blood samples of [blood] paths (one or two will do), or injected activity "
        "over weight (suv)",
        shared=INPUT,
        applies=FROM_POPULATION,
    )
    arrival_s: float | None = setting(
        None,
        "input",
        Number(optional=True),
        "when the tracer reaches the blood, for a template; unset: seen in the image",
        unit="s",
        exempt="every scan has its own",
        applies=FROM_POPULATION,
    )


@dataclass(frozen=True)
class PlasmaSettings:
    """From whole blood to parent plasma, whatever whole blood came from."""

    plasma_ratio: float | None = setting(
        None,
        "input",
        Number(optional=True, low=0, above=True),
        "constant plasma-to-blood ratio, used only where plasma and whole blood were not sampled together",
        shared=RATIO,
    )
    plasma_ratio_model: str = setting(
        BEST,
        "input",
        Kind(RATIO_CHOICES),
        "curve of the plasma-to-blood ratio; best: lowest AICc",
        shared=RATIO,
    )
    parent_fraction_model: str = setting(
        BEST,
        "input",
        Kind(FRACTION_CHOICES),
        "curve of the parent fraction; best: lowest AICc",
        shared=FRACTION,
    )
    parent_fraction_weights: str = setting(
        "equal",
        "input",
        Kind(WEIGHTINGS),
        "of its samples; relative: 1 / fraction², for the sake of the late, low fractions",
        shared=FRACTION,
    )
    parent_fraction_extrapolation: str = setting(
        "model",
        "input",
        Kind(EXTRAPOLATIONS),
        "after its last sample the fitted model runs on, or its value there is held",
        shared=FRACTION,
    )
    sample_cv: float = setting(
        0.03,
        "input",
        Number(low=0, high=1),
        "relative standard deviation of one blood sample, the least that standard errors assume",
        exempt="it changes standard errors alone",
    )


@dataclass(frozen=True)
class ImageDerivedSettings(PlasmaSettings):
    """Choices for an input from the blood pool of the image."""

    calibration: str = setting(
        "recovery-spill-in",
        "input",
        Kind(CALIBRATIONS),
        "to blood samples: image = recovery × blood + spill-in × tissue, one factor (scale), or none (needs recovery)",
        shared=INPUT,
        applies=FROM_IMAGE,
    )
    recovery: float | None = setting(
        None,
        "input",
        Number(optional=True, low=0, above=True),
        "known recovery of the blood pool, where no late sample tells it",
        shared=INPUT,
        applies=FROM_IMAGE,
    )
    spill_in: float = setting(
        0.0,
        "input",
        Number(low=0, high=1),
        "known spill-in from the tissue around, beside recovery",
        shared=INPUT,
        applies=FROM_IMAGE,
    )
    # With a scanner that reconstructs, samples of the first pass, their shift in time fitted, tell the area under the
    # input much better than those from 120 s on (docs/validation.md, section 14).
    calibration_from_s: float | None = setting(
        None,
        "input",
        Number(optional=True, low=0),
        "only whole-blood samples from this time on calibrate; unset: arterial blood from the start, shift fitted, "
        "other blood from 120; venous blood differs early: 600",
        unit="s",
        shared=INPUT,
        applies=FROM_IMAGE,
    )


@dataclass(frozen=True)
class SampledSettings(PlasmaSettings):
    """Choices for an input from blood samples. Whole blood is always linear between the samples."""

    interpolation: str = setting(
        "linear",
        "input",
        Kind(CURVES),
        "parent plasma between the samples: straight lines, or one formula fitted to all of them",
        shared=INPUT,
        applies=FROM_SAMPLES,
    )
    autosampler_until_s: float | None = setting(
        None,
        "input",
        Number(optional=True, low=0, above=True),
        "where manual samples take over from the automatic sampler; unset: where it ends",
        unit="s",
        shared=INPUT,
        applies=FROM_SAMPLES,
    )
    dispersion_s: float | None = setting(
        None,
        "input",
        Number(optional=True, low=0),
        "dispersion constant of the automatic sampler; unset: what its file says",
        unit="s",
        shared=INPUT,
        applies=FROM_SAMPLES,
    )
    sampler_smoothing_s: float = setting(
        4.0,
        "input",
        Number(low=0),
        "half-width of the smoothing before and at the peak, for the dispersion correction",
        unit="s",
        shared=INPUT,
        applies=FROM_SAMPLES,
    )
