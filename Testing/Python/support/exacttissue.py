"""Curves that follow one tissue compartment exactly, in closed form, and the blood that goes with them."""

import json
from pathlib import Path

import numpy as np

# Parent plasma in kBq/mL, minutes: AMPLITUDE * (exp(-SLOW t) - exp(-FAST t)).
AMPLITUDE, SLOW, FAST = 60.0, 0.08, 2.0
K2 = 0.06
EDGES_S = np.array([0, 10, 20, 30, 40, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2400, 3000, 3600.0])


def parent_plasma(minutes):
    return AMPLITUDE * (np.exp(-SLOW * minutes) - np.exp(-FAST * minutes))


def tissue(minutes, vt):
    """One tissue compartment: K1 exp(-k2 t) convolved with each exponential of the input."""

    def part(rate):
        return (np.exp(-rate * minutes) - np.exp(-K2 * minutes)) / (K2 - rate)

    return vt * K2 * AMPLITUDE * (part(SLOW) - part(FAST))


def frame_means(vt):
    """Means of the tissue curve over the frames, from 400 points a frame."""
    points = (np.arange(400) + 0.5) / 400
    seconds = EDGES_S[:-1, None] + points * np.diff(EDGES_S)[:, None]
    return tissue(seconds / 60, vt).mean(axis=1)


def write_blood(path: Path, draw: int = 0) -> None:
    """Ready parent plasma as a PET-BIDS table with its sidecar. draw: 0 to 99, each has its own number of samples at
    its own times, as no two visits share their blood."""
    late, dense_s = draw / 100, 300 - draw
    seconds = np.concatenate([np.arange(0, dense_s, 1.0), np.arange(dense_s, 3601, 10.0)])
    seconds[1:] += late
    lines = [f"{s:g}\t{parent_plasma(s / 60):.8g}\t{1.2 * parent_plasma(s / 60):.8g}" for s in seconds]
    path.write_text("\n".join(["time\tAIF\twhole_blood_radioactivity", *lines]) + "\n", encoding="utf-8")
    units = {"time": "s", "AIF": "kBq/mL", "whole_blood_radioactivity": "kBq/mL"}
    sidecar = {name: {"Description": name, "Units": unit} for name, unit in units.items()}
    path.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")


def centers(on):
    """LPS mm (k, j, i, 3) of the voxels of a grid."""
    k, j, i = np.indices(on.shape)
    return on.to_lps(np.stack([i, j, k], axis=-1).astype(float))
