"""What a second observer would object to: sides, levels, overlaps, sizes and places of drawn regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from ..acquisition.image import Volume
from ..grid import Grid
from ..levels import LEVELS, SIZES_MM
from ..messages import Listed, Notice, Notices
from .measurements import usual_mm3
from .region import Region
from .whereabouts import check_places, labels_among

Floats = NDArray[np.float64]

# None of these is published: choices.
SIZE_RATIO = (0.5, 2.0)
"""Volume over that of an elliptic canal of the published size."""
CORD_DISTANCE_MM = (2.0, 20.0)
"""From a foramen's center to the nearest drawn cord."""
OVERLAP_SHARE = 0.01
WIDTHS_FOR_RECOVERY = 2.0
"""Of the resolution, below which an object does not reach its full activity even at its middle [textbook]."""
END_MARGIN_MM = 10.0
# More of a region than this, so far from the middle of its largest piece, was hardly meant (choices).
PIECE_SHARE, PIECE_APART_MM = 0.01, 15.0
"""Nearer than this to the upper or lower end of the PET's field, a scanner is at its worst."""


@dataclass(frozen=True, eq=False)
class _Drawn:
    region: Region
    points: Floats
    center: Floats
    low: Floats
    high: Floats

    def touches(self, other: "_Drawn") -> bool:
        """Whether the boxes of both meet, a voxel of either more or less."""
        apart = np.maximum(self.low, other.low) - np.minimum(self.high, other.high)
        return bool((apart <= max(*self.region.grid.spacing_mm, *other.region.grid.spacing_mm)).all())


def check(
    regions: Sequence[Region],
    pet: Grid | None = None,
    fwhm_mm: float | None = None,
    ct: Volume | None = None,
) -> tuple[Notice, ...]:
    """Every objection to a set of regions; none means nothing was found, not that the regions are right.

    Empty regions are left out. Codes: "sides-swapped", "side-wrong", "side-unknown" (nothing tells the middle),
    "levels-order", "regions-overlap", "region-size", "region-pieces", "cord-distance", with ``pet`` "region-at-end",
    and with the scanner's resolution ``fwhm_mm`` "region-resolution". With a ``ct`` in HU, and with the vertebrae
    among the regions also "region-in-bone", "region-in-canal" and "region-no-pedicle" of
    each foramen.
    """
    drawn = []
    for region in regions:
        voxels = np.argwhere(region.mask)
        if len(voxels):
            points = region.grid.to_lps(voxels[:, ::-1].astype(float))
            ends = points.min(axis=0), points.max(axis=0)
            drawn.append(_Drawn(region, points, points.mean(axis=0), *ends))
    foramina = [shape for shape in drawn if shape.region.anatomy.structure == "foramen"]
    cord = [shape for shape in drawn if shape.region.anatomy.structure == "cord"]
    notices = [
        *_sides(foramina, drawn),
        *_order(foramina),
        *_overlaps(drawn),
        *_sizes(foramina),
        *_pieces([*foramina, *cord]),
    ]
    notices += _cord_distances(foramina, cord)
    notices += check_places([foramen.region for foramen in foramina], ct, labels_among(regions))
    if pet is not None:
        notices += _at_end([shape for shape in drawn if shape.region.anatomy.structure != "vertebra"], pet)
    if fwhm_mm is not None:
        notices += _below_resolution(
            [shape for shape in drawn if shape.region.anatomy.structure != "vertebra"], fwhm_mm
        )
    return tuple(notices)


def _sides(foramina: Sequence[_Drawn], drawn: Sequence[_Drawn]) -> list[Notice]:
    """Each foramen against the cord's or the vertebrae's middle at its height; LPS: left is larger x."""
    sided = [foramen for foramen in foramina if foramen.region.anatomy.side in ("left", "right")]
    middle = [shape for shape in drawn if shape.region.anatomy.structure in ("cord", "vertebra")]
    if not sided:
        return []
    if not middle:
        return [Notice("side-unknown", "no cord or vertebra is drawn: the sides of the foramina were not checked")]
    points = np.concatenate([shape.points for shape in middle])
    wrong = []
    for foramen in sided:
        near = np.abs(points[:, 2] - foramen.center[2])
        x = points[near <= max(10.0, near.min() + 5.0), 0].mean()
        if (foramen.center[0] > x) != (foramen.region.anatomy.side == "left"):
            wrong.append(foramen.region.name)
    if len(wrong) == len(sided) > 1:
        return [
            Notice("sides-swapped", "every foramen lies on the other side than its name says: left and right swapped")
        ]
    return [Notice("side-wrong", "'{name}' does not lie on the side that its name says", name=name) for name in wrong]


def _order(foramina: Sequence[_Drawn]) -> list[Notice]:
    """On each side, a lower level must lie lower."""
    levels = list(LEVELS)
    notices = Notices()
    for side in ("left", "right"):
        row = [
            foramen
            for foramen in foramina
            if foramen.region.anatomy.side == side and foramen.region.anatomy.level in levels
        ]
        row.sort(key=lambda foramen: levels.index(foramen.region.anatomy.level))
        for upper, lower in pairwise(row):
            if lower.center[2] >= upper.center[2] and upper.region.anatomy.level != lower.region.anatomy.level:
                notices.add(
                    "levels-order",
                    "'{region_name}' does not lie below '{name}'",
                    region_name=lower.region.name,
                    name=upper.region.name,
                )
    return notices


def _overlaps(drawn: Sequence[_Drawn]) -> list[Notice]:
    notices = Notices()
    for one, other in combinations(drawn, 2):
        if not one.touches(other):
            continue
        small, large = sorted((one, other), key=lambda d: d.region.volume_mm3)
        index = np.round(large.region.grid.to_ijk(small.points)).astype(int)[:, ::-1]
        inside = ((index >= 0) & (index < np.array(large.region.mask.shape))).all(axis=1)
        share = np.count_nonzero(large.region.mask[tuple(index[inside].T)]) / len(index)
        if share > OVERLAP_SHARE:
            notices.add(
                "regions-overlap",
                "{share:.0%} of '{region_name}' lies in '{name}'",
                share=share,
                region_name=small.region.name,
                name=large.region.name,
            )
    return notices


def _sizes(foramina: Sequence[_Drawn]) -> list[Notice]:
    levels = dict.fromkeys(foramen.region.anatomy.level for foramen in foramina)
    unknown = [level for level in LEVELS if level in levels and level not in SIZES_MM]
    notices = Notices()
    if unknown:
        notices.add(
            "size-unchecked",
            "no published height, width and length of a foramen at {levels} were at hand: the volume of what is drawn "
            "there was not checked",
            levels=Listed(unknown),
        )
    for foramen in foramina:
        if foramen.region.anatomy.level in SIZES_MM:
            normal = usual_mm3(foramen.region.anatomy.level)
            if not SIZE_RATIO[0] <= foramen.region.volume_mm3 / normal <= SIZE_RATIO[1]:
                notices.add(
                    "region-size",
                    "'{region_name}' has {volume_mm3:.0f} mm³; usual there is {normal:.0f} mm³",
                    region_name=foramen.region.name,
                    volume_mm3=foramen.region.volume_mm3,
                    normal=normal,
                )
    return notices


def _pieces(drawn: Sequence[_Drawn]) -> list[Notice]:
    """A part that lies apart, as a forgotten stroke of the brush does."""
    notices = Notices()
    for shape in drawn:
        pieces, count = label(shape.region.mask, np.ones((3, 3, 3)))
        if count < 2:
            continue
        numbers = pieces[shape.region.mask]
        largest = int(np.bincount(numbers)[1:].argmax()) + 1
        apart = np.linalg.norm(shape.points - shape.points[numbers == largest].mean(axis=0), axis=1)
        far = (numbers != largest) & (apart > PIECE_APART_MM)
        if far.mean() > PIECE_SHARE:
            notices.add(
                "region-pieces",
                "{share:.0%} of '{region}' lies apart from the rest of it, up to {distance:.0f} mm away; erase "
                "what was drawn by mistake",
                share=far.mean(),
                region=shape.region.name,
                distance=apart[far].max(),
            )
    return notices


def _cord_distances(foramina: Sequence[_Drawn], cord: Sequence[_Drawn]) -> list[Notice]:
    """Only at heights where some cord is drawn."""
    if not cord:
        return []
    points = np.concatenate([shape.points for shape in cord])
    notices = Notices()
    for foramen in foramina:
        level = points[np.abs(points[:, 2] - foramen.center[2]) < CORD_DISTANCE_MM[1] / 2]
        if len(level):
            distance = float(np.linalg.norm(level - foramen.center, axis=1).min())
            if not CORD_DISTANCE_MM[0] <= distance <= CORD_DISTANCE_MM[1]:
                notices.add(
                    "cord-distance",
                    "'{region_name}' is centered {distance:.0f} mm from the cord",
                    region_name=foramen.region.name,
                    distance=distance,
                )
    return notices


def _at_end(drawn: Sequence[_Drawn], pet: Grid) -> list[Notice]:
    notices, axis = Notices(), pet.upward_axis
    for shape in drawn:
        at = pet.to_ijk(shape.points)[:, axis]
        margin = min(at.min() + 0.5, pet.shape[::-1][axis] - 0.5 - at.max()) * pet.spacing_mm[axis]
        if margin < END_MARGIN_MM:
            notices.add(
                "region-at-end",
                "'{region_name}' comes within {margin:.0f} mm of the end of the PET's field",
                region_name=shape.region.name,
                margin=margin,
            )
    return notices


def _below_resolution(drawn: Sequence[_Drawn], fwhm_mm: float) -> list[Notice]:
    """One notice for all regions that are too narrow in some direction to show their full activity."""
    narrow = [shape.region.name for shape in drawn if narrowest_mm(shape.points) < WIDTHS_FOR_RECOVERY * fwhm_mm]
    notices = Notices()
    if narrow:
        notices.add(
            "region-resolution",
            "{n_narrow} of {n_drawn} regions are narrower than twice the resolution of {fwhm_mm:.3g} mm, such "
            "as '{narrow}': what is measured in them is in part their surroundings",
            n_narrow=len(narrow),
            n_drawn=len(drawn),
            fwhm_mm=fwhm_mm,
            narrow=narrow[0],
        )
    return notices


def narrowest_mm(points: Floats) -> float:
    """Width of a slab with the smallest principal variance v of points (n, 3): sqrt(12 v) [textbook]."""
    if len(points) < 2:
        return 0.0
    return float(np.sqrt(12 * max(np.linalg.eigvalsh(np.cov(points.T))[0], 0.0)))
