"""Convolution, compartment models, graphical methods, weights, fit, selection, parametric maps."""

from .fit import fit, with_start_of
from .maps import MAP_MODELS, ParametricMaps, make_maps
from .models import DEFAULT_BOUNDS, MODELS, Model
from .options import FitChoices, FitOptions, weights, within
from .ratios import suv, suvr, tbr, window_mean
from .result import KineticFit, Line
from .selection import Comparison, compare, f_test, preferred
from .uncertainty import EnsembleFit, bootstrap, fit_by_duration, fit_ensemble, profile_interval

__all__ = [
    "DEFAULT_BOUNDS",
    "MAP_MODELS",
    "MODELS",
    "Comparison",
    "EnsembleFit",
    "FitChoices",
    "FitOptions",
    "KineticFit",
    "Line",
    "Model",
    "ParametricMaps",
    "bootstrap",
    "compare",
    "f_test",
    "fit",
    "fit_by_duration",
    "fit_ensemble",
    "make_maps",
    "preferred",
    "profile_interval",
    "suv",
    "suvr",
    "tbr",
    "weights",
    "window_mean",
    "with_start_of",
    "within",
]
