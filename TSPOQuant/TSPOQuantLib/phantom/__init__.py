"""A digital neck with known truth: anatomy, tracer, scanner, two visits. Everything it makes is simulated."""

from .settings import PhantomSettings
from .visits import write_phantom

__all__ = ["PhantomSettings", "write_phantom"]
