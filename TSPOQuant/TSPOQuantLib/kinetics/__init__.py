"""Convolution, compartment models, graphical methods, weights, fit, selection, parametric maps."""
