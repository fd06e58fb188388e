"""Properties of the fit over the whole parameter range, and the coverage of its intervals by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from Python.support.kineticstruth import arterial_input, schedule, tissue_curve
from Python.support.tiers import slow
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.kinetics import FitOptions, fit, weights

TIMING, PLASMA = schedule(90), arterial_input(90)
influx = st.floats(0.02, 1.0)
volume = st.floats(0.3, 30.0)
blood = st.floats(0.0, 0.15)


@slow
@settings(max_examples=25, deadline=None)
@given(K1=influx, VT=volume, VB=blood, k4=st.floats(0.02, 0.2), ratio=st.floats(0.2, 4.0))
def test_two_tissue_volume_comes_back(K1, VT, VB, k4, ratio):
    k2 = min(K1 / VT * (1 + ratio), 4.9)
    truth = K1 / k2 * (1 + ratio)
    curve = tissue_curve(TIMING, PLASMA, K1, k2, ratio * k4, k4, VB)
    one = fit("2TCM", TIMING, curve, PLASMA)[0]
    assert abs(one.parameters["VT"] / truth - 1) < 1e-4
    np.testing.assert_allclose(one.predicted, curve, atol=1e-6 * curve.max())


@settings(max_examples=12, deadline=None)
@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 1000), model=st.sampled_from(["1TCM", "2TCM", "Logan", "MA1"]))
def test_units_of_activity_do_not_matter(scale, seed, model):
    curve = tissue_curve(TIMING, PLASMA, 0.3, 0.2, 0.1, 0.05, 0.05)
    noisy = curve + np.random.default_rng(seed).normal(size=len(TIMING)) * 0.02 * curve.mean()
    scaled = InputFunction(PLASMA.times_s, scale * PLASMA.parent_plasma, scale * PLASMA.whole_blood)
    one, other = fit(model, TIMING, noisy, PLASMA)[0], fit(model, TIMING, scale * noisy, scaled)[0]
    assert abs(other.wrss / scale ** (0 if model == "Logan" else 2) / one.wrss - 1) < 1e-5
    if model != "2TCM":  # whose noisy optimum can lie in a valley as flat as the tolerance
        assert abs(other.parameters["VT"] / one.parameters["VT"] - 1) < 1e-5


@slow
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10000))
def test_curves_fitted_together_or_alone_are_the_same(seed):
    rng = np.random.default_rng(seed)
    curve = tissue_curve(TIMING, PLASMA, 0.3, 0.2, 0.1, 0.05, 0.05)
    noisy = curve + rng.normal(size=(3, len(TIMING))) * 0.03 * curve.mean()
    together = fit("2TCM", TIMING, noisy, PLASMA)
    for row, one in zip(noisy, together, strict=True):
        assert abs(fit("2TCM", TIMING, row, PLASMA)[0].wrss / one.wrss - 1) < 1e-6


@slow
@pytest.mark.parametrize(
    ("model", "rates", "noise"),
    [
        ("1TCM", (0.3, 0.05, 0.0, 0.0), 0.01),
        ("1TCM", (0.1, 0.0077, 0.0, 0.0), 0.01),
        ("2TCM", (0.3, 0.12, 0.08, 0.06), 0.01),
    ],
)
def test_intervals_cover_the_truth(model, rates, noise):
    K1, k2, k3, k4 = rates
    truth = K1 / k2 * (1 + (k3 / k4 if k4 else 0))
    curve = tissue_curve(TIMING, PLASMA, *rates, 0.05)
    given_weights = weights("duration", TIMING, None, None)
    draws = np.random.default_rng(42).normal(size=(1000, len(TIMING))) / np.sqrt(given_weights)
    fits = fit(model, TIMING, curve + noise * curve.mean() * draws, PLASMA, FitOptions(weights=given_weights))
    for scale in ("linear", "log"):
        inside = [low <= truth <= high for low, high in (one.interval("VT", 0.95, scale) for one in fits)]
        assert 0.93 <= np.mean(inside) <= 0.97
