"""Independent truth for the kinetics tests: the compartment equations integrated, with none of the tested code."""

from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function.curve import InputFunction


def schedule(minutes, gaps=False):
    """A usual dynamic schedule of that length; with ``gaps``, a bed move in the middle and a late start."""
    durations = [15, 5, 5, 5, 10, 10, 10, 60, 60, 60, 60, 150, 150, 300, 300]
    while sum(durations) < minutes * 60:
        durations.append(min(600, minutes * 60 - sum(durations)))
    durations = np.array(durations, dtype=float)
    starts = np.cumsum(durations) - durations
    if gaps:
        starts[8:] += 25
        starts[13:] += 120
        starts += 7
    return FrameTiming(starts, durations)


def arterial_input(minutes):
    """Parent plasma of Feng's form and a whole blood that is no multiple of it, on uneven knots, with a first step."""
    times = np.unique(np.concatenate([np.arange(0.3, 3, 0.05), np.arange(3, 10, 0.5), np.arange(10, minutes, 5)]))
    since = times - 0.25
    plasma = (800 * since - 40) * np.exp(-4.1 * since) + 20 * np.exp(-0.12 * since) + 20 * np.exp(-0.01 * since)
    blood = 0.6 * plasma + 12 * (1 - np.exp(-0.1 * since))
    return InputFunction(60 * times, plasma, blood)


def matrix_exponential(matrix):
    """Taylor series of the scaled matrix, squared back (scipy's own starts threads for matrices this small)."""
    halvings = max(int(np.ceil(np.log2(max(np.abs(matrix).sum(axis=1).max(), 1e-300)))) + 2, 0)
    small = matrix / 2.0**halvings
    term = result = np.eye(len(matrix))
    for order in range(1, 17):
        term = term @ small / order
        result = result + term
    for _ in range(halvings):
        result = result @ result
    return result


def _pieces(timing, input_function):
    edges = np.unique(np.concatenate([timing.starts_s, timing.ends_s])) / 60
    points = np.unique(np.concatenate([[0.0], input_function.times_s / 60, edges]))
    points = points[points <= edges[-1] + 1e-12]
    knots = input_function.times_s / 60
    for begin, end in pairwise(points):
        middle = (begin + end) / 2
        lines = []
        for curve in (input_function.parent_plasma, input_function.whole_blood):
            if middle < knots[0]:
                lines.append((0.0, 0.0))
            elif middle > knots[-1]:
                lines.append((curve[-1], 0.0))
            else:
                left, right = np.interp([begin, end], knots, curve)
                lines.append((left, (right - left) / (end - begin)))
        yield begin, end, lines


def _average(timing, areas):
    times = np.array(sorted(areas))
    values = np.array([areas[time] for time in times])

    def nearest(when):
        return values[np.abs(times[:, None] - when).argmin(axis=0)]

    return (nearest(timing.ends_s / 60) - nearest(timing.starts_s / 60)) / (timing.durations_s / 60)


def tissue_curve(timing, input_function, K1, k2, k3=0.0, k4=0.0, VB=0.0, Kb=0.0):
    """Frame averages of (1 - VB) C_T + VB C_WB + VB Kb int C_P, by the matrix exponential of the augmented system."""
    state = np.zeros(5)  # C1, C2, int (C1 + C2), int C_P, int int C_P
    blood_area = 0.0
    areas = {0.0: 0.0}
    for begin, end, ((plasma, plasma_slope), (blood, blood_slope)) in _pieces(timing, input_function):
        step = end - begin
        system = np.zeros((7, 7))
        system[0, [0, 1, 5]] = -(k2 + k3), k4, K1
        system[1, [0, 1]] = k3, -k4
        system[2, [0, 1]] = 1
        system[3, 5] = 1
        system[4, 3] = 1
        system[5, 6] = 1
        state = (matrix_exponential(system * step) @ np.concatenate([state, [plasma, plasma_slope]]))[:5]
        blood_area += blood * step + blood_slope * step**2 / 2
        areas[end] = (1 - VB) * state[2] + VB * blood_area + VB * Kb * state[4]
    return _average(timing, areas)


def tissue_curve_by_ode(timing, input_function, K1, k2, k3=0.0, k4=0.0):
    """Frame averages of C_T by a general ODE solver, for checking the other two."""
    state = np.zeros(3)
    areas = {0.0: 0.0}
    for begin, end, ((plasma, slope), _) in _pieces(timing, input_function):

        def change(time, y, begin=begin, plasma=plasma, slope=slope):
            level = plasma + slope * (time - begin)
            return [K1 * level - (k2 + k3) * y[0] + k4 * y[1], k3 * y[0] - k4 * y[1], y[0] + y[1]]

        state = solve_ivp(change, (begin, end), state, rtol=1e-10, atol=1e-12).y[:, -1]
        areas[end] = state[2]
    return _average(timing, areas)
