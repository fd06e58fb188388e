"""Information criteria of least-squares fits (Akaike 1974, Hurvich & Tsai 1989, Schwarz 1978); weights of mean 1."""

import math
import sys

EXACT_FIT = 1e-12
"""For fits to a few blood samples: weighted residuals below this a sample are rounding."""
_LEAST = sys.float_info.min


def aic(wrss: float, count: int, parameters: int, least: float = _LEAST) -> float:
    """n ln(WRSS/n) + 2p; WRSS/n counts as ``least`` where it is smaller, so that an exact fit stays finite."""
    return count * math.log(max(wrss / count, least)) + 2 * parameters


def aicc(wrss: float, count: int, parameters: int, least: float = _LEAST) -> float:
    """AIC + 2p(p + 1)/(n - p - 1); infinite where n - p - 1 is not above 0."""
    room = count - parameters - 1
    if room <= 0:
        return math.inf
    return aic(wrss, count, parameters, least) + 2 * parameters * (parameters + 1) / room


def bic(wrss: float, count: int, parameters: int) -> float:
    """n ln(WRSS/n) + p ln n."""
    return aic(wrss, count, 0) + parameters * math.log(count)
