"""Image-derived input, calibration to blood samples, parent fraction, plasma, delay."""

from .calibration import Calibration
from .curve import InputFunction
from .frame_integrals import ContinuousCurve, continuous_curve
from .from_samples import sampled_input
from .image_derived import image_derived_input
from .parent_fraction import ParentFractionFit, fit_parent_fraction
from .plasma_ratio import PlasmaRatioFit, fit_plasma_ratio
from .population import population_input
from .result import InputFunctionResult, PopulationSpread
from .settings import GivenSettings, ImageDerivedSettings, PopulationSettings, SampledSettings, SourceSettings

__all__ = [
    "Calibration",
    "ContinuousCurve",
    "GivenSettings",
    "ImageDerivedSettings",
    "InputFunction",
    "InputFunctionResult",
    "ParentFractionFit",
    "PlasmaRatioFit",
    "PopulationSettings",
    "PopulationSpread",
    "SampledSettings",
    "SourceSettings",
    "continuous_curve",
    "fit_parent_fraction",
    "fit_plasma_ratio",
    "image_derived_input",
    "population_input",
    "sampled_input",
]
