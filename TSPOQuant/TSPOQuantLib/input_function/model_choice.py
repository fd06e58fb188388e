"""How one of several fitted models is chosen."""

import numpy as np

# Weighted residuals below this a sample are rounding: an exact fit must not send the logarithm to minus infinity.
EXACT_FIT = 1e-12


def aicc(wrss: float, count: int, parameters: int) -> float:
    """n ln(WRSS/n) + 2p + 2p(p + 1)/(n - p - 1), with weights scaled to mean 1 (Burnham and Anderson 2002).

    Needs at least p + 2 data.
    """
    penalty = 2 * parameters + 2 * parameters * (parameters + 1) / (count - parameters - 1)
    return float(count * np.log(max(wrss / count, EXACT_FIT)) + penalty)
