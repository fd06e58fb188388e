"""Closed-form convolutions against closed forms of their own, an ODE solver and the limit of small rates."""

import unittest

import numpy as np
from support.kineticstruth import arterial_input, schedule, tissue_curve_by_ode
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.kinetics.convolution import (
    basis_factory,
    curve_frame_averages,
    phi_functions,
    respond,
)


class KineticsConvolutionTest(unittest.TestCase):
    def test_phi_functions_at_both_sides_of_the_series(self):
        z = -np.array([0.0, 1e-12, 1e-3, 0.4999, 0.5001, 3.0, 50.0])
        one, two, three = phi_functions(z)
        # phi_n(z) = integral over u in 0..1 of exp((1 - u) z) u^(n-1)/(n-1)!, by Gauss quadrature.
        nodes, parts = np.polynomial.legendre.leggauss(60)
        nodes, parts = (nodes + 1) / 2, parts / 2
        kernel = np.exp(np.outer(z, 1 - nodes)) * parts
        np.testing.assert_allclose(one, kernel.sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(two, kernel @ nodes, rtol=1e-12)
        np.testing.assert_allclose(three, kernel @ nodes**2 / 2, rtol=1e-12)

    def test_constant_input_has_the_textbook_response(self):
        timing = FrameTiming(np.array([0.0, 60.0, 200.0]), np.array([60.0, 100.0, 400.0]))
        start, end = timing.starts_s / 60, timing.ends_s / 60
        theta = np.array([1e-9, 0.05, 4.0])
        averages = respond(np.array([0.0]), np.array([3.0]), theta).frame_averages(timing)
        for column, rate in zip(averages.T, theta, strict=True):
            # E = 3 (1 - e^-kt)/k, integrated; its series where k t is tiny.
            if rate < 1e-6:
                area = [3 * t**2 / 2 for t in (start, end)]
            else:
                area = [3 / rate * (t + np.expm1(-rate * t) / rate) for t in (start, end)]
            np.testing.assert_allclose(column, (area[1] - area[0]) / (end - start), rtol=1e-7)

    def test_frame_averages_meet_an_ode_solver(self):
        for gaps in (False, True):
            timing, plasma = schedule(40, gaps), arterial_input(30)  # the last value is held for 10 min
            for rate in (1e-7, 0.03, 2.0):
                truth = tissue_curve_by_ode(timing, plasma, 1.0, rate)
                ours = respond(plasma.times_s, plasma.parent_plasma, np.array([rate])).frame_averages(timing)[:, 0]
                np.testing.assert_allclose(ours, truth, rtol=0, atol=1e-8 * truth.max())

    def test_curve_averages_are_areas(self):
        plasma = InputFunction(np.array([60.0, 180.0]), np.array([4.0, 2.0]), np.array([4.0, 2.0]))
        timing = FrameTiming(np.array([0.0, 120.0, 240.0]), np.array([120.0, 60.0, 60.0]))
        # 0 before 1 min, a step to 4, linear to 2 at 3 min, held after.
        averages = curve_frame_averages(plasma.times_s, plasma.parent_plasma, timing)
        np.testing.assert_allclose(averages, [(4 + 3) / 2 / 2, 2.5, 2.0], rtol=1e-14)

    def test_series_basis_agrees_with_the_closed_form(self):
        for minutes in (20, 120):
            timing, plasma = schedule(minutes), arterial_input(minutes)
            basis = basis_factory(plasma, timing, 15.0).basis()
            theta = np.concatenate([[0.0], np.geomspace(1e-7, 15, 400)])
            exact = respond(plasma.times_s, plasma.parent_plasma, theta).frame_averages(timing).T
            self.assertLess(np.abs(basis(theta) - exact).max(), 1e-10 * exact.max())
            averages, slopes = basis.with_slope(theta[1:-1])
            step = 1e-4 * theta[1:-1]
            higher, lower = (
                respond(plasma.times_s, plasma.parent_plasma, theta[1:-1] + sign * step).frame_averages(timing).T
                for sign in (1, -1)
            )
            moderate = theta[1:-1] > 1e-3  # below, the difference quotient itself is rounding
            numeric = ((higher - lower) / (2 * step)[:, None])[moderate]
            scale = np.abs(numeric).max(axis=1, keepdims=True)
            self.assertLess((np.abs(slopes[moderate] - numeric) / scale).max(), 1e-6)
            np.testing.assert_allclose(averages, basis(theta[1:-1]), rtol=0, atol=1e-12 * exact.max())

    def test_delay_is_a_shift_of_the_input(self):
        timing, plasma = schedule(30), arterial_input(30)
        theta = np.array([0.0, 0.1, 1.0])
        for delay in (-12.3, 8.0):
            shifted = plasma.delayed(delay)
            expected = respond(shifted.times_s, shifted.parent_plasma, theta).frame_averages(timing)
            response = respond(plasma.times_s, plasma.parent_plasma, theta)
            np.testing.assert_allclose(response.frame_averages(timing, delay), expected, rtol=1e-10, atol=1e-10)

    def test_an_input_s_responses_are_worked_out_once(self):
        timing, plasma = schedule(60), arterial_input(60)
        again = schedule(60)
        known = basis_factory(plasma, timing, 15.0)
        self.assertIs(basis_factory(plasma, again, 15.0), known)
        self.assertIsNot(basis_factory(plasma, timing, 5.0), known)
        self.assertIsNot(basis_factory(plasma, schedule(90), 15.0), known)
        self.assertIsNot(basis_factory(plasma.delayed(1.0), timing, 15.0), known)


if __name__ == "__main__":
    unittest.main()
