"""Speed, measured as CPU time beside other programs and beside the machine's own limits."""

from .suite import run

__all__ = ["run"]
