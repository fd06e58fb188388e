"""What fused pictures are drawn from, in a visit's folder: NIfTI and a segmentation, with BIDS-like names."""

import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .. import DISCLAIMER
from ..acquisition.image import HU, MR_SIGNAL, Volume
from ..acquisition.modality import CT, MR
from ..acquisition.nifti import read_volume_file
from ..acquisition.segmentation_files import read_segmentation, write_segmentation
from ..alignment.fused import FusedImages
from ..alignment.rigid import to_sitk
from ..messages import InputRefused

ANATOMY = {CT: "desc-neck_ct.nii.gz", MR: "desc-neck_mr.nii.gz"}
PET = "space-{kind}_desc-mean_pet.nii.gz"
ABOUT = "space-{kind}_desc-mean_pet.json"
REGIONS = "space-{kind}_desc-regions_dseg.seg.nrrd"


def write_fused_images(folder: Path, stem: str, images: FusedImages) -> None:
    """``<stem>desc-neck_ct.nii.gz`` in whole HU, ``<stem>space-CT_desc-mean_pet.nii.gz`` with its JSON, and the
    regions, which 3D Slicer can open and correct; of an MR ``…_mr.nii.gz``, as it is, and space-MR.

    stem: ``sub-…_ses-…_``.
    """
    kind, image = CT if images.ct.is_ct else MR, to_sitk(images.ct.values, images.ct.grid)
    if images.ct.is_ct:
        image = sitk.Cast(sitk.Round(image), sitk.sitkInt16)
    sitk.WriteImage(image, str(folder / f"{stem}{ANATOMY[kind]}"))
    sitk.WriteImage(to_sitk(images.pet.values, images.pet.grid), str(folder / f"{stem}{PET.format(kind=kind)}"))
    write_segmentation(folder / f"{stem}{REGIONS.format(kind=kind)}", images.regions)
    about = {
        "About": DISCLAIMER,
        "Description": f"Mean PET of the long frames in the {kind}'s position, cut to the spine around the regions",
        "Units": images.pet.units,
        "Frames": [frame + 1 for frame in images.frames],
        "SUVPerKBqPerML": images.suv_per_kbq_ml,
        "Subject": images.subject,
        "Session": images.session,
    }
    (folder / f"{stem}{ABOUT.format(kind=kind)}").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def read_fused_images(folder: Path) -> FusedImages:
    """What ``write_fused_images`` wrote into a visit's folder.

    Raises InputRefused: "fused-missing" where the folder holds none (a visit without a CT has none) or several,
    "fused-unreadable", and what the readers of its files raise.
    """
    kinds = {file: kind for kind in ANATOMY for file in folder.glob(f"*_{ABOUT.format(kind=kind)}")}
    files = list(kinds)
    if len(files) != 1:
        raise InputRefused(
            "fused-missing",
            "{folder} holds {n_found} fused images of a visit, not one; quantify the visit again, with its CT or MR",
            folder=folder,
            n_found=len(files),
        )
    kind = kinds[files[0]]
    stem = files[0].name.removesuffix(ABOUT.format(kind=kind))
    try:
        about = json.loads(files[0].read_text(encoding="utf-8"))
        frames = tuple(int(frame) - 1 for frame in about["Frames"])
        factor, subject, session = about["SUVPerKBqPerML"], str(about["Subject"]), str(about["Session"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputRefused(
            "fused-unreadable", "{found} is not as it was written; quantify it again", found=files[0]
        ) from error
    pet = read_volume_file(folder / f"{stem}{PET.format(kind=kind)}", "kBq/mL")
    return FusedImages(
        subject,
        session,
        read_volume_file(folder / f"{stem}{ANATOMY[kind]}", HU if kind == CT else MR_SIGNAL),
        Volume(np.maximum(pet.values, 0), pet.grid, "kBq/mL"),
        read_segmentation(folder / f"{stem}{REGIONS.format(kind=kind)}"),
        frames,
        None if factor is None else float(factor),
    )
