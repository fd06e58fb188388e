"""Whether the places that two images state can be compared: FrameOfReferenceUID (0020,0052), and NIfTI's codes."""

from collections.abc import Sequence
from pathlib import Path

from ..grid import Grid
from ..messages import InputRefused, Notice
from .image import DynamicImage, Scan, Volume
from .segmentation import Segmentation
from .volume_files import UNPLACED


def check_placed(images: Sequence[tuple[Path, DynamicImage | Volume | Segmentation]]) -> None:
    """Refuse ("nifti-unplaced") a file that does not say where it lies beside one that has other voxels.

    An NRRD file beside it is taken to have been drawn on it, in a program that showed it as we take it.
    """
    grids: list[tuple[str, Grid]] = [(path.name, image.grid) for path, image in images if path.suffix != ".nrrd"]
    for path, image in images:
        other = next((name for name, grid in grids if not grid.same_as(image.grid)), None)
        if other and UNPLACED in (notice.code for notice in image.notices):
            raise InputRefused(
                UNPLACED,
                "{file} says neither by qform nor by sform where it lies in the patient (both codes are 0), so that a "
                "place in {other}, which has other voxels, is not known in it; export {file} again with its "
                "orientation",
                file=path.name,
                other=other,
            )


def check_frames_of_reference(
    pet: Scan, ct: Scan | None, segmentation: Segmentation | None, registered: bool
) -> tuple[Notice, ...]:
    """Hold the frames of reference of PET, CT and segmentation against each other, as far as they are stated.

    registered: whether PET and CT are brought together by their content; if not, coordinates of different frames
    would be taken for one. Raises InputRefused: "frame-of-reference".
    """
    mine, its = pet.frame_of_reference_key, ct.frame_of_reference_key if ct else None
    notices: tuple[Notice, ...] = ()
    if mine and its and mine != its:
        if not registered:
            raise InputRefused(
                "frame-of-reference",
                "PET and CT (or MR) state different frames of reference (FrameOfReferenceUID), so that a place in one "
                "says nothing about the other; give the image of the same session, or register them: "
                '[pet] motion_correction = "rigid"',
            )
        notices = (
            Notice(
                "frame-of-reference",
                "PET and CT (or MR) state different frames of reference (FrameOfReferenceUID): the scanner did not "
                "place them together, and only the registration does; look at the fused pictures",
            ),
        )
    drawn = segmentation.frame_of_reference_key if segmentation else None
    known = {key for key in (mine, its) if key}
    if drawn and known and drawn not in known:
        raise InputRefused(
            "frame-of-reference",
            "the segmentation was drawn in another frame of reference (FrameOfReferenceUID) than those of PET and CT "
            "(or MR); give the segmentation of this visit",
        )
    return notices
