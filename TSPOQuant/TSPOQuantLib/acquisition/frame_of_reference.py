"""Whether the places that two images state can be compared: FrameOfReferenceUID (0020,0052)."""

from ..messages import InputRefused, Notice
from .image import Scan
from .segmentation import Segmentation


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
                "PET and CT state different frames of reference (FrameOfReferenceUID), so that a place in one says "
                "nothing about the other; give the CT of the same session, or register them: [pet] motion_correction "
                '= "rigid"',
            )
        notices = (
            Notice(
                "frame-of-reference",
                "PET and CT state different frames of reference (FrameOfReferenceUID): the scanner did not place them "
                "together, and only the registration does; look at the fused pictures",
            ),
        )
    drawn = segmentation.frame_of_reference_key if segmentation else None
    known = {key for key in (mine, its) if key}
    if drawn and known and drawn not in known:
        raise InputRefused(
            "frame-of-reference",
            "the segmentation was drawn in another frame of reference (FrameOfReferenceUID) than those of PET and CT; "
            "give the segmentation of this visit",
        )
    return notices
