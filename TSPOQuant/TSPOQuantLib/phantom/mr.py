"""What an MR shows of the digital spine: a T1-weighted gradient echo in words, simulated by one signal a tissue.

No relaxation is computed: the figures are assumptions, chosen for the order of gray values that such an MR has (fat
and marrow bright, cord above muscle, CSF, flowing blood, cortex and air dark). The coil sees every place alike.
"""

import numpy as np
from numpy.typing import NDArray

from .anatomy import Anatomy, blurred, values_of, with_cortex
from .neck import NECK, Plan

Floats = NDArray[np.float32]

TISSUES = {
    **{"csf": 120.0, "cartilage": 300.0, "thyroid": 420.0, "muscle": 350.0, "bowel": 400.0, "fat": 900.0},
    **{"skin": 500.0, "air": 0.0, "cord": 430.0, "blood": 100.0, "bone": 620.0, "foramen": 850.0},
}
NERVE, CORTEX = 380.0, 40.0
NOISE = 14.0


def mr_signal(anatomy: Anatomy, plan: Plan = NECK) -> Floats:
    """A noise-free MR of the anatomy (k, j, i), a little blurred; bone has a dark cortex one voxel thick."""
    values = values_of(plan, TISSUES, TISSUES["blood"])
    labels = anatomy.labels
    return blurred(with_cortex(values[labels], labels, anatomy.nerve, plan, (NERVE, CORTEX)), anatomy.grid)


def with_magnitude_noise(signal: Floats, rng: np.random.Generator) -> Floats:
    """The magnitude of a complex image with noise of ``NOISE`` in both parts: never negative, as an MR is."""
    real, imaginary = (rng.standard_normal(signal.shape, np.float32) * np.float32(NOISE) for _ in range(2))
    return np.asarray(np.hypot(signal + real, imaginary))
