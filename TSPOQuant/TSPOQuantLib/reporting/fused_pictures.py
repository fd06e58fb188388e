"""Fused pictures of a visit's regions, for figures and the report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ..acquisition.image import Volume
from ..acquisition.modality import CT, MR
from ..alignment.contrast import window_of
from ..alignment.fused import FusedImages
from ..display import CT_LEVEL_HU, CT_WINDOW_HU, PET_OPACITY
from ..messages import InputRefused
from ..outcome.compare import Comparison
from ..regions.anatomy import ANATOMY_ONLY
from ..regions.planes import (
    center_of,
    cut_by_plane,
    edge_letters,
    foramen_centers,
    highest_in,
    plane_of,
    plane_points,
)
from ..regions.region import Region, plain_name, regions_of
from .deidentify import Hidden
from .figures import FusedPicture, outlined, round_top
from .fused_files import read_fused_images

OUTLINE = (1.0, 1.0, 1.0)
"""Of regions whose files give no color."""
PET_PALETTE = "1.2.840.10008.1.5.2"
"""The standard's own colors for PET (DICOM PS3.6, B.1.3), which part high values from higher ones."""


def pet_colors() -> NDArray[np.uint8]:
    """(256, 3): the colors of the PET, from the lower to the upper end of its range."""
    from pydicom.pixels import apply_color_lut

    return np.asarray(apply_color_lut(np.arange(256, dtype=np.uint8), palette=PET_PALETTE))


def fused_slice(
    ct: Volume,
    pet: Volume,
    points_lps: NDArray[np.float64],
    pet_range: tuple[float, float],
    opacity: float = PET_OPACITY,
) -> NDArray[np.uint8]:
    """CT and PET mixed as Slicer's views mix them: RGBA (rows, columns, 4), opaque; black outside both images.

    points_lps: (rows, columns, 3) mm, see ``planes.plane_points``. pet_range: values of ``pet`` at both ends of the
    color scale. opacity: share of the PET.
    """
    ends = window_of(ct, (CT_LEVEL_HU - CT_WINDOW_HU / 2, CT_LEVEL_HU + CT_WINDOW_HU / 2))
    hounsfield, in_ct = _linear(ct, points_lps)
    activity, in_pet = _linear(pet, points_lps)
    gray = np.where(in_ct, _steps(hounsfield, ends), 0)[..., None]
    share = opacity * in_pet[..., None]
    colors = pet_colors()[_steps(activity, pet_range)]
    mixed = np.rint(gray * (1 - share) + colors * share)
    return np.concatenate([mixed, np.full_like(gray, 255)], axis=2).astype(np.uint8)


def _linear(volume: Volume, points_lps: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values between voxels, and whether a point lies in the image, whose outer voxels are half a voxel wide more."""
    index = np.moveaxis(volume.grid.to_ijk(points_lps)[..., ::-1], -1, 0)
    values = map_coordinates(volume.values, index, output=float, order=1, mode="nearest")
    size = np.array(volume.grid.shape)[:, None, None]
    inside: NDArray[np.bool_] = np.all((index >= -0.5) & (index <= size - 0.5), axis=0)
    return values, inside


def _steps(values: NDArray[np.float64], ends: tuple[float, float]) -> NDArray[np.uint8]:
    """256 steps of a scale from its first to its last."""
    low, high = ends
    return np.clip(255 * (values - low) / (high - low), 0, 255).astype(np.uint8)


def fused_pictures(
    visits: Sequence[FusedImages | Path],
    regions: Sequence[str],
    plane: str = "axial",
    size_mm: float = 110.0,
    top: float | None = None,
) -> tuple[FusedPicture, ...]:
    """CT and PET mixed as Slicer's views mix them, with outlines: every region at every visit, all at one PET scale.

    visits: what quantification left (``VisitResult.fused``), or the folders that it was written into. regions: names;
    at the other visits the region of the same structure, level and side. plane: one of regions.planes.PLANES. top:
    end of the PET's scale; None takes the highest value in any region to be quantified, rounded up. The scale is in
    SUV where every visit's dose and weight are known, else in kBq/mL. Region by region, in the order of the visits; a
    visit without a region has no picture of it. Raises InputRefused ("region-missing", "fused-missing", …).
    """
    images = [read_fused_images(visit) if isinstance(visit, Path) else visit for visit in visits]
    known = [visit.suv_per_kbq_ml for visit in images]
    factors = [factor for factor in known if factor is not None]
    unit = "SUV" if len(factors) == len(images) else "kBq/mL"
    pets = [visit.pet for visit in images]
    if unit == "SUV":
        pets = [replace(pet, values=pet.values * np.float32(f)) for pet, f in zip(pets, factors, strict=True)]
    drawn = [[region for region in regions_of(visit.regions) if region.mask.any()] for visit in images]
    highest = [
        highest_in(region, pet)
        for pet, here in zip(pets, drawn, strict=True)
        for region in here
        if region.anatomy.structure not in ANATOMY_ONLY
    ]
    end = round_top(max(highest)) if top is None else top
    colors, pictures = pet_colors(), []
    for name in regions:
        places = [_same_region(name, drawn, here) for here in drawn]
        if not any(places):
            raise InputRefused(
                "region-missing", "no visit has a region called '{name}'; see the segment names", name=name
            )
        for visit, pet, here, region in zip(images, pets, drawn, places, strict=True):
            if region is None:
                continue
            axes, center = plane_of(region.anatomy, plane, foramen_centers(here)), center_of(region)
            rgba = fused_slice(visit.ct, pet, plane_points(center, axes, size_mm), (0, end))
            inks = {plain_name(segment.name): segment.color for segment in visit.regions.segments}
            for other in here:
                if other.anatomy.structure not in ANATOMY_ONLY:
                    cut = cut_by_plane(other, plane_points(center, axes, size_mm))
                    rgba = outlined(rgba, cut, inks[other.name] or OUTLINE, 2 if other is region else 1)
            right, up = axes.T
            edges = (edge_letters(-right), edge_letters(right), edge_letters(up), edge_letters(-up))
            shown = rgba, region.name, visit.session, size_mm, edges, end, unit, colors, CT if visit.ct.is_ct else MR
            pictures.append(FusedPicture(*shown))
    return tuple(pictures)


def comparison_pictures(
    comparison: Comparison, visits: Sequence[Path | FusedImages], hidden: Hidden | None = None
) -> tuple[FusedPicture, ...]:
    """Fused slices through the affected foramen, or the first foramen where none is named, at every visit; none where
    a visit has no CT. hidden: what stands for names and sessions, where the comparison does not show them."""
    lesion, first = comparison.lesion, comparison.baseline
    foramina = [region for region in first.regions if region.structure == "foramen"]
    affected = [region for region in foramina if lesion and (region.level, region.side) == (lesion.level, lesion.side)]
    try:
        images = [read_fused_images(visit) if isinstance(visit, Path) else visit for visit in visits]
    except InputRefused as refusal:
        if refusal.code != "fused-missing":
            raise
        return ()
    shown = [hidden.images(image) for image in images] if hidden else images
    return fused_pictures(shown, [region.name for region in (affected or foramina)[:1]])


def _same_region(name: str, visits: Sequence[Sequence[Region]], here: Sequence[Region]) -> Region | None:
    """The region of a visit that has this name, or is the same place as one that has it at another visit."""
    same = next((region for region in here if region.name == name), None)
    known = {region.anatomy for visit in visits for region in visit if region.name == name}
    known = {anatomy for anatomy in known if anatomy.structure != "other"}
    return same or next((region for region in here if region.anatomy in known), None)
