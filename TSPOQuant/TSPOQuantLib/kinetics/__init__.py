"""Convolution, compartment models, graphical methods, weights, fit, selection, parametric maps."""

from .fit import fit
from .models import DEFAULT_BOUNDS, MODELS, Model
from .options import FitOptions, weights
from .result import KineticFit, Line

__all__ = ["DEFAULT_BOUNDS", "MODELS", "FitOptions", "KineticFit", "Line", "Model", "fit", "weights"]
