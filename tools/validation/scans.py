"""Visits of simulated necks on the reconstructing scanner, with noise of their own in every draw.

A neck's anatomy, mean counts and system matrix are made once; a draw is counts and a reconstruction.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.phantom import PhantomSettings
from TSPOQuantLib.phantom.anatomy import Anatomy, build_anatomy, ct_grid, pet_grid
from TSPOQuantLib.phantom.neck import Pose, draw_build, draw_pose
from TSPOQuantLib.phantom.neighbors import kinetics_with, tissues_of
from TSPOQuantLib.phantom.osem import OsemScanner, counts_per_length, osem_scanner
from TSPOQuantLib.phantom.scanner import moved_labels
from TSPOQuantLib.phantom.segments import segment_numbers
from TSPOQuantLib.phantom.settings import VISITS, OsemOptions
from TSPOQuantLib.phantom.tracer import ARRIVAL_MIN, FRAME_STARTS_S, blood_of, frame_averages
from TSPOQuantLib.phantom.visits import neighbors_of
from TSPOQuantLib.progress import silent

from .reconstructed import FWHM_MM, NOISE_PERCENT, cut

Labels = NDArray[np.uint8]
Floats = NDArray[np.float32]

SEED = 152
JUMP_MM, JUMP_FROM_S = 3.0, 1500.0
MARROW = 1.3
"""Times the marrow's V_T in the image "marrow"; in "jump" the neck moves by so much at that time."""


def settings_of(seed: int) -> PhantomSettings:
    """K1 of foramina 0.5 or 0.3; one or two tissues in cord, marrow and glands: by turns."""
    return PhantomSettings(
        seed=seed, scanner="osem", fast=True, foramen_k1=(0.5, 0.3)[seed % 2], two_tissue=seed // 2 % 2 == 1
    )


@dataclass(frozen=True, eq=False)
class Visit:
    """One visit of one neck, ready to be scanned.

    counts: of every frame, the mean, its background, and counts by activity and length. hounsfield: the CT without
    noise, on ``ct``. numbers: (k, j, i) of ``segments`` there.
    """

    scanner: OsemScanner
    counts: tuple[tuple[Floats, Floats, float], ...]
    hounsfield: Floats
    ct: Grid
    numbers: Labels


@dataclass(frozen=True, eq=False)
class Body:
    """One visit of one neck as it lies in the scanner. tissues: (k, j, i) on ``ct``."""

    neck: Anatomy
    tissues: Labels
    ct: Grid
    scanner: OsemScanner


@lru_cache(maxsize=16)
def body_of(seed: int, visit: str) -> Body:
    """What all images of a visit share, whatever they are of."""
    hot = neighbors_of(settings_of(seed))
    assert hot is not None
    build = draw_build(seed, np.random.default_rng([SEED, seed]))
    pose = Pose(np.eye(4)) if visit == VISITS[0] else draw_pose(seed, visit, np.random.default_rng([SEED, seed, 1]))
    ct, pet = cut(ct_grid(True, wide=True)), cut(pet_grid(True, wide=True))
    neck = build_anatomy(ct, build, pose, silent)
    scanner = osem_scanner(neck.hounsfield, ct, pet, FWHM_MM, OsemOptions())
    return Body(neck, tissues_of(neck, build, pose, hot), ct, scanner)


@lru_cache(maxsize=16)
def visit_of(seed: int, visit: str, image: str) -> Visit:
    """What all draws of a visit share."""
    settings, body = settings_of(seed), body_of(seed, visit)
    hot = neighbors_of(settings)
    assert hot is not None
    if image == "marrow":
        hot = replace(hot, vt={**hot.vt, "marrow": MARROW * hot.vt["marrow"]})
    kinetics, blood = kinetics_with(settings, visit, hot), blood_of(visit)
    curves = frame_averages(kinetics, blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN).astype(np.float32)
    jump = np.eye(4)
    jump[:3, 3] = JUMP_MM / math.sqrt(3)
    moved = moved_labels(body.tissues, body.ct, jump) if image == "jump" else body.tissues
    counts = []
    for frame, begin in enumerate(FRAME_STARTS_S):
        scale = counts_per_length(frame, NOISE_PERCENT)
        here = moved if begin >= JUMP_FROM_S else body.tissues
        counts.append((*body.scanner.expected(curves[here, frame], scale), scale))
    numbers = segment_numbers(body.neck.labels, body.ct)
    return Visit(body.scanner, tuple(counts), body.neck.hounsfield, body.ct, numbers)


def scanned(seed: int, visit: str, image: str, draw: int) -> Floats:
    """(frames, k, j, i) in kBq/mL, with the noise of this draw."""
    prepared, number = visit_of(seed, visit, image), VISITS.index(visit)
    frames = []
    for frame, (mean, background, scale) in enumerate(prepared.counts):
        rng = np.random.default_rng([SEED, seed, number, frame, draw, len(image)])
        counts = rng.poisson(mean).astype(np.float32)
        frames.append(prepared.scanner.reconstruct(counts, background, scale))
    return np.stack(frames)
