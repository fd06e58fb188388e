"""Convolution, compartment models, graphical methods, weights, fit, selection, parametric maps."""

from .coupled import Coupled, ScanCurves, fit_coupled, fit_coupled_scans
from .fit import fit, with_start_of
from .maps import ParametricMaps, make_maps
from .models import DEFAULT_BOUNDS, MODELS, Model
from .options import FitChoices, FitOptions, weights, within
from .ratios import blood_mean, suv, window_mean, window_notices, window_seconds
from .result import KineticFit, Line
from .selection import Comparison, NestedTest, compare, f_test, likelihood_ratio, nested_tests, preferred
from .similar import fit_similar_scans
from .uncertainty import bootstrap, fit_by_duration, profile_interval, with_intervals

__all__ = [
    "DEFAULT_BOUNDS",
    "MODELS",
    "Comparison",
    "Coupled",
    "FitChoices",
    "FitOptions",
    "KineticFit",
    "Line",
    "Model",
    "NestedTest",
    "ParametricMaps",
    "ScanCurves",
    "blood_mean",
    "bootstrap",
    "compare",
    "f_test",
    "fit",
    "fit_by_duration",
    "fit_coupled",
    "fit_coupled_scans",
    "fit_similar_scans",
    "likelihood_ratio",
    "make_maps",
    "nested_tests",
    "preferred",
    "profile_interval",
    "suv",
    "weights",
    "window_mean",
    "window_notices",
    "window_seconds",
    "with_intervals",
    "with_start_of",
    "within",
]
