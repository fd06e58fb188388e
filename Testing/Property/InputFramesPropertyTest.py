"""Whatever the frames hold: integrals exact, nothing negative."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function import continuous_curve
from TSPOQuantLib.input_function.piecewise_linear import averaging_weights, integral_weights

durations = st.sampled_from([2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0])
gaps = st.sampled_from([0.0, 0.0, 0.0, 0.0, 1.0, 20.0])
activity = st.one_of(st.just(0.0), st.floats(1e-3, 200.0))
frames = st.lists(st.tuples(durations, gaps, activity), min_size=2, max_size=25).filter(
    lambda rows: any(row[2] > 0 for row in rows)
)


@settings(max_examples=60, deadline=None)
@given(frames)
def test_frame_means_are_exact_and_values_not_negative(rows):
    lengths, pauses, measured = (np.array(column) for column in zip(*rows, strict=True))
    starts = np.cumsum(lengths + pauses) - lengths
    timing = FrameTiming(starts, lengths)
    curve = continuous_curve(timing, measured)
    assert curve.values.min() >= 0
    assert np.isfinite(curve.values).all()
    means = averaging_weights(curve.knots_s, timing.starts_s, timing.ends_s) @ curve.values
    np.testing.assert_allclose(means, measured, rtol=1e-6, atol=1e-6 * measured.max())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.01, 50.0), min_size=1, max_size=12),
    st.floats(-20, 400),
    st.integers(0, 2**32 - 1),
)
def test_integral_is_that_of_a_fine_trapezoid(steps, until, seed):
    knots = np.concatenate([[3.0], 3.0 + np.cumsum(steps)])
    values = np.random.default_rng(seed).uniform(0, 10, len(knots))
    exact = (integral_weights(knots, np.array([until])) @ values)[0]
    times = np.union1d(knots[knots < until], [min(until, 3.0), until])
    inside = times[times >= 3.0]
    expected = np.trapezoid(np.interp(inside, knots, values), inside) if until > 3.0 else 0.0
    np.testing.assert_allclose(exact, expected, rtol=1e-9, atol=1e-9)
