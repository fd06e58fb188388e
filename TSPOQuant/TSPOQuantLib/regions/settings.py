"""What can be chosen about reading regions off the PET. No default is published: each is a choice."""

from dataclasses import dataclass

from ..messages import Text
from ..settings import Kind, Line, Number, Several, Shared, setting
from .anatomy import REFERENCE_RULES
from .partial_volume import LARGEST_FWHM_MM, METHODS
from .sampling import MINIMUM_COVERAGE

CORRECTED = Text("corrected values are compared only where both visits have them alike")
WHERE_CORRECTED = ("pvc", tuple(METHODS))
TISSUE_VB = 0.05
"""As much blood as fits often take for granted. On simulated necks what the fits find beyond it is that of vessels
beside the regions."""


@dataclass(frozen=True)
class RegionSettings:
    """How regions are read, and corrected for partial volume beside the uncorrected result."""

    minimum_coverage: float = setting(
        MINIMUM_COVERAGE,
        "segmentation",
        Number(low=0, high=1, above=True),
        "a PET voxel counts where at least this fraction of it lies in the region",
        shared=Shared("coverage", Text("regions were read off the PET by another rule")),
    )
    pvc: str = setting(
        "none",
        "segmentation",
        Kind(("none", *METHODS)),
        "partial-volume correction beside the uncorrected result; it needs fwhm_mm",
        shared=Shared("pvc", CORRECTED, "warn"),
    )
    pvc_regions: tuple[str, ...] = setting(
        (),
        "segmentation",
        Several(),
        "names of the regions to correct; empty: all",
        shared=Shared("pvc", CORRECTED, "warn"),
        applies=WHERE_CORRECTED,
    )
    pvc_tissue_vb: float = setting(
        TISSUE_VB,
        "segmentation",
        Number(low=0, high=1),
        "of the V_B that is fitted to corrected curves, so much at most takes the place of tissue, and the rest is of "
        "vessels beside the region; 1: all does, as in curves that are not corrected",
        shared=Shared("corrected-blood", Text("corrected V_T depends on how much blood takes the place of tissue")),
        applies=WHERE_CORRECTED,
        before=1.0,
    )
    unaffected: str = setting(
        REFERENCE_RULES[0],
        "segmentation",
        Line(words=REFERENCE_RULES, like=Text("the name of a region")),
        "what stands for unaffected tissue: three levels above on the same side, one level above, the other side, or "
        "a region by its name",
        exempt="it names a region and changes no number; the first visit's holds",
    )
    fwhm_mm: str | float | None = setting(
        None,
        "pet",
        Number(words=("estimate",), optional=True, low=0, above=True, high=LARGEST_FWHM_MM),
        "the scanner's resolution, or estimate it from PET and CT; only partial-volume correction needs it",
        unit="mm",
        exempt="visits are compared in the resolution that was used, stated or estimated",
    )
    smooth_to_mm: float | None = setting(
        None,
        "pet",
        Number(optional=True, low=0, above=True, high=LARGEST_FWHM_MM),
        "resolution to which the images are smoothed before anything is read off them; needs fwhm_mm, which is finer",
        unit="mm",
        shared=Shared("smoothing", Text("smoothed images see small regions in another way")),
    )
