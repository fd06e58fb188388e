"""Hypothesis without its phase "explain": the tracer that looks for the lines at fault stays on in Python 3.12 after a
failure, and slows the same worker's later imports down without end."""

from hypothesis import Phase, settings

settings.register_profile("tspoquant", phases=[phase for phase in Phase if phase is not Phase.explain])
settings.load_profile("tspoquant")
