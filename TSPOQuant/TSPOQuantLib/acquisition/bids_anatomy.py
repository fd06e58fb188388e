"""On which image of a BIDS dataset a visit's regions were drawn: the PET itself, or one in anat/."""

from pathlib import Path

import numpy as np

from ..grid import Grid
from ..messages import InputRefused, Notice
from .modality import AUTO, CT, MR
from .tables import parts_of
from .volume_files import is_nifti, is_volume_file, read_grid

OF_MR = ("T1w", "T2w", "PDw", "T2starw", "FLAIR", "UNIT1", "PDT2", "inplaneT1", "inplaneT2", "angio", "T1rho", "VIBE")
"""Suffixes in anat/ whose values are an MR's; a suffix that is not known asks its file what it is."""
NO_IMAGE = ("dseg", "probseg", "mask", "defacemask")
INDEX_TOLERANCE = 0.02
"""How far voxels of one lattice may lie beside each other, in voxels: rounding in headers, a choice."""


def drawn_on(
    dataset: Path, participant: str, session: str | None, pet: Path, segmentation: Path
) -> tuple[Path | None, str, tuple[Notice, ...]]:
    """The CT or MR whose voxels the regions have (a cropped or turned piece of them too), and its modality.

    participant, session: "sub-1", "ses-a". None where there is no image in anat/, the regions have the PET's voxels or
    are no volume file, or no image fits, which is told ("bids-anatomy"). Raises InputRefused "bids-anatomy" where
    several images of one folder fit, "file-pointer", and what reading the headers of regions and PET raises.
    """
    folders = _folders(dataset, participant, session)
    if not folders or not is_volume_file(segmentation):
        return None, AUTO, ()
    voxels = read_grid(segmentation)
    if one_lattice(voxels, read_grid(pet)):
        return None, AUTO, ()
    space = next(
        (part[len("space-") :].split(".")[0] for part in parts_of(segmentation) if part.startswith("space-")), ""
    )
    for images in folders:
        fitting = [image for image in images if _fits(voxels, image)]
        named = [image for image in fitting or images if parts_of(image)[-1] == space]
        fitting = named if len(named) == 1 else fitting
        if len(fitting) > 1:
            raise InputRefused(
                "bids-anatomy",
                "the regions {segmentation} have the voxels of {names}: name the one on which they were drawn as [mr] "
                "path in a study.toml, or in their own name (space-T1w)",
                segmentation=segmentation.name,
                names=", ".join(image.name for image in fitting),
            )
        if fitting:
            return fitting[0], _modality(fitting[0]), ()
    notice = Notice(
        "bids-anatomy",
        "the regions {segmentation} have the voxels of neither the PET nor an image in anat/, and are taken to lie on "
        "the PET as they are; if they were drawn on a CT or an MR, name it in a study.toml",
        segmentation=segmentation.name,
    )
    return None, AUTO, (notice,)


def _fits(voxels: Grid, image: Path) -> bool:
    try:
        return one_lattice(voxels, read_grid(image))
    except InputRefused as reason:
        if reason.code == "file-pointer":  # it may be the very one
            raise
        return False


def one_lattice(part: Grid, whole: Grid) -> bool:
    """Whether every voxel of ``part`` is one of ``whole``: the same, a cropped piece, or with axes turned."""
    between = np.linalg.inv(whole.ijk_to_lps) @ part.ijk_to_lps
    turned = np.rint(between[:3, :3])
    if not (np.abs(turned).sum(axis=0) == 1).all() or not (np.abs(turned).sum(axis=1) == 1).all():
        return False
    far = np.array(part.shape[::-1], float) - 1
    corners = np.array([np.zeros(3), far]) @ between[:3, :3].T + between[:3, 3]
    inside = (corners > -0.5).all() and (corners < np.array(whole.shape[::-1]) - 0.5).all()
    return bool(inside and np.abs(corners - np.rint(corners)).max() <= INDEX_TOLERANCE)


def _folders(dataset: Path, participant: str, session: str | None) -> list[list[Path]]:
    """Images by the folders in which they are looked for: the visit's, the person's, derivatives, other visits'."""
    where = "/".join(part for part in (participant, session) if part)
    patterns = (
        f"{where}/anat",
        f"{participant}/anat",
        f"derivatives/*/{where}/anat",
        f"derivatives/*/{participant}/anat",
    )
    found = []
    for pattern in (*patterns, f"{participant}/ses-*/anat"):
        files = sorted(file for folder in dataset.glob(pattern) for file in folder.iterdir() if is_nifti(file))
        found.append([file for file in files if parts_of(file)[-1] not in NO_IMAGE])
    return [images for images in found if images]


def _modality(image: Path) -> str:
    suffix = parts_of(image)[-1]
    return CT if suffix.upper() == CT else MR if suffix in OF_MR else AUTO
