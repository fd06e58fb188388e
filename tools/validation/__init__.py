"""The accuracy claims, measured: simulated curves of known truth, human curves, and the digital neck."""

from .suite import run

__all__ = ["run"]
