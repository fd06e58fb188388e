"""Where the neck lay in every frame, and so where each region is to be read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.image import DynamicImage, Volume
from ..acquisition.segmentation import Segmentation
from ..alignment.fused import FusedImages, fused_images
from ..alignment.motion import FrameMotion, estimate_motion, judged_at
from ..alignment.pet_to_ct import PetToCt, align_to_ct
from ..messages import InputRefused, Listed, Notice, Text, quoted
from ..progress import Progress, part, silent
from ..regions.anatomy import ANATOMY_ONLY, REFERENCE_RULES
from ..regions.nearby import surroundings
from ..regions.planes import center_of, corners_of
from ..regions.region import Region, TimeActivityCurve, called, regions_of
from ..regions.sampling import MOST_OUTSIDE, sample
from ..study import StudySettings
from .visit_data import VisitData

Alignment = tuple[FrameMotion | None, PetToCt | None]
"""Where the neck lay in every frame, and the CT in the PET; None where the study does not ask for it."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A visit's regions in their place on the PET: found once, then handed to all that read or draw them.

    image: of a scan that shows more of the body, what lies around the regions. regions: all that are drawn; targets:
    those of them to be quantified. to_frames: for every frame the rigid 4 x 4
    (LPS mm) that carries what was drawn on the CT into it; None for a neck that lay still. motion, to_ct: what
    to_frames was made of.
    """

    image: DynamicImage
    regions: tuple[Region, ...]
    to_frames: Sequence[NDArray[np.float64]] | None = None
    targets: tuple[Region, ...] = ()
    ct: Volume | None = None
    motion: FrameMotion | None = None
    to_ct: PetToCt | None = None

    def read(self, region: Region, minimum_coverage: float, most_outside: float = MOST_OUTSIDE) -> TimeActivityCurve:
        """The region's curve. Raises InputRefused as ``regions.sampling.sample`` does."""
        return sample(self.image, region, self.to_frames, minimum_coverage, most_outside)

    @property
    def hounsfield(self) -> Volume | None:
        """The CT, where there is one: an MR cannot tell tissues apart by its values."""
        return self.ct if self.ct is not None and self.ct.is_ct else None

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What is to be known about the CT and the alignment."""
        return tuple(n for each in (self.ct, self.motion, self.to_ct) if each is not None for n in each.notices)

    @property
    def unsure(self) -> tuple[Notice, ...]:
        """Where the regions' place is assumed: without a CT nobody knows what they were drawn on."""
        if self.motion is None or self.ct is not None or np.allclose(self.motion.reference_to_frame, np.eye(4), 0, 0):
            return ()
        return (
            Notice(
                "regions-on-reference",
                "without a CT or an MR the regions are taken to lie where the reference, frames {frames}, shows the "
                "body",
                frames=", ".join(str(frame + 1) for frame in self.motion.reference),
            ),
        )


def place(
    data: VisitData,
    settings: StudySettings,
    aligned: Alignment | None = None,
    progress: Progress = silent,
    to_quantify: bool = False,
) -> Placed:
    """Align a visit's images as far as the study asks for it, and so find the place of its regions.

    aligned: what ``align_visit`` found, None to do it now. to_quantify: refuse a visit without a region to quantify
    and names of regions that are not there before the work. Raises InputRefused ("regions-missing",
    "reference-region", "unaffected-region", "pvc-region").
    """
    regions = regions_of(data.segmentation)
    targets = _targets(regions)
    if to_quantify:
        if not targets:
            raise no_region()
        reference_region(regions, settings)
        check_unaffected(targets, settings)
        if settings.pvc != "none":
            _check_to_correct(targets, settings)
    if data.ct is not None:
        check_over_ct(data.ct, targets)
    motion, to_ct = aligned or align_visit(data.image, data.ct, settings, progress, regions)
    drawn = [center_of(region) for region in targets if region.mask.any()]
    if motion is not None and drawn:
        motion = judged_at(motion, np.array(drawn))
    image = surroundings(data.image, regions)
    return Placed(image, regions, region_to_frame(motion, to_ct), targets, data.ct, motion, to_ct)


def _targets(regions: Sequence[Region]) -> tuple[Region, ...]:
    return tuple(region for region in regions if region.anatomy.structure not in ANATOMY_ONLY)


def reference_region(regions: Sequence[Region], settings: StudySettings) -> Region | None:
    """What SUVR and DVR divide by, where the study names it. Raises InputRefused ("reference-region")."""
    if not settings.reference:
        return None
    found = called(regions, settings.reference)
    if found is None:
        raise InputRefused(
            "reference-region",
            "[outcome] reference: no segment is called '{reference}'; name one of {names}",
            reference=settings.reference,
            names=quoted(region.name for region in regions),
        )
    return found


def check_unaffected(targets: Sequence[Region], settings: StudySettings) -> None:
    """Refuse ("unaffected-region") the name of unaffected tissue that no region to quantify has."""
    if settings.unaffected not in REFERENCE_RULES and called(targets, settings.unaffected) is None:
        raise InputRefused(
            "unaffected-region",
            "[segmentation] unaffected: no region to quantify is called '{name}'; name one of {names}, or write one "
            "of {rules}",
            name=settings.unaffected,
            names=quoted(region.name for region in targets),
            rules=Listed(REFERENCE_RULES),
        )


def regions_to_correct(targets: Sequence[Region], settings: StudySettings) -> list[Region]:
    """Those of the regions to quantify that are corrected for partial volume."""
    if not settings.pvc_regions:
        return list(targets)
    chosen = [called(targets, name) for name in settings.pvc_regions]
    return [region for region in targets if region in chosen]


def _check_to_correct(targets: Sequence[Region], settings: StudySettings) -> None:
    """Refuse ("pvc-region") the name of a region to correct that none has."""
    for name in settings.pvc_regions:
        if called(targets, name) is None:
            raise InputRefused(
                "pvc-region", "no region to correct is called '{unknown}'; see the segment names", unknown=name
            )


def no_region() -> InputRefused:
    """Where nothing is drawn that V_T could be told of."""
    return InputRefused("regions-missing", "the segmentation holds no region to quantify; draw a foramen or the cord")


def check_over_ct(ct: Volume, regions: Sequence[Region]) -> None:
    """Refuse ("ct-elsewhere") a CT that shows none of the regions, which are drawn on it: it lies somewhere else."""
    centers = [center_of(region) for region in regions if region.mask.any()]
    if not centers:
        return
    ijk = ct.grid.to_ijk(np.array(centers))
    inside = ((ijk >= -0.5) & (ijk <= np.array(ct.grid.shape[::-1]) - 0.5)).all(axis=1)
    if not inside.any():
        raise InputRefused(
            "ct-elsewhere",
            "none of the regions lies within {anatomy}: it shows another place or another frame of reference; give "
            "that of this scan, or leave it out",
            anatomy=ct.called,
        )


def align_visit(
    image: DynamicImage,
    ct: Volume | None,
    settings: StudySettings,
    progress: Progress = silent,
    drawn: Sequence[Region] = (),
) -> Alignment:
    """Where the neck lay in each frame, and the CT in the PET, as far as the study asks for it.

    drawn: of a scan that shows more of the body, what lies around those of these regions that are quantified is the
    neck; where there is none, what lies around the CT.
    """
    if settings.motion_correction == "none":
        return None, None
    image = surroundings(image, _targets(drawn), ct.grid if ct else None)
    chosen = settings.motion_reference
    reference = chosen if isinstance(chosen, str) else [frame - 1 for frame in chosen]
    motion = estimate_motion(image, part(progress, 0, 0.9), reference)
    if settings.motion_correction == "frames" or ct is None:
        return motion, None
    progress(0.9, Text("PET to {anatomy}", anatomy=ct.called))
    return motion, align_to_ct(image, ct, motion, settings.registration_window)


def region_to_frame(motion: FrameMotion | None, to_ct: PetToCt | None) -> list[NDArray[np.float64]] | None:
    """For every frame the rigid 4 x 4 (LPS mm) that carries what was drawn on the CT into it; None without motion."""
    if motion is None:
        return None
    first = to_ct.ct_to_reference if to_ct else np.eye(4)
    return [frame @ first for frame in motion.reference_to_frame]


def visit_fused(placed: Placed, segmentation: Segmentation, settings: StudySettings) -> FusedImages | None:
    """What pictures of a visit are drawn from; None without a CT, or without a region to show."""
    corners = [corners_of(region) for region in placed.targets if region.mask.any()]
    if placed.ct is None or not corners:
        return None
    reach = np.concatenate(corners)
    where = placed.to_frames
    return fused_images(placed.image, placed.ct, segmentation, reach, where, settings.subject, settings.session)
