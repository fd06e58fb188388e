"""What may be chosen about the phantom, and the choices that are fixed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..messages import InputRefused
from .shape import Shape, shape_of

VENDORS = ("ge", "siemens", "philips")
VISITS = ("baseline", "followup")
REFERENCE_SEED = 1

# The largest values that still make sense for a neck; not from a published source.
LARGEST = {"fwhm_mm": 30.0, "noise_percent": 1000.0, "motion_mm": 20.0, "foramen_k1": 10.0}
GAUSSIAN, OSEM = "gaussian", "osem"
CT, MR = "ct", "mr"
ANATOMIES = (CT, MR)
CERVICAL, LUMBAR = "cervical", "lumbar"
SPINES = (CERVICAL, LUMBAR)
MOST_ITERATIONS, MOST_SUBSETS = 100, 48


@dataclass(frozen=True)
class OsemOptions:
    """How the scanner that projects reconstructs; psf models the detectors' blur, tof uses times of flight.

    The updates of an image are iterations x subsets. Defaults are choices; scanners differ.
    """

    iterations: int = 6
    subsets: int = 16
    psf: bool = False
    tof: bool = False


@dataclass(frozen=True)
class PhantomSettings:
    """How to simulate; every default is an assumption, none is from a published source.

    seed: all that is random comes from it. ``REFERENCE_SEED`` gives the reference neck, any other a neck of its own.
    vendor: whose DICOM timing conventions to write ("ge", "siemens", "philips").
    fwhm_mm: full width at half maximum of the scanner's Gaussian resolution; 0 is an ideal scanner without any
        partial volume, where a PET voxel has the activity of the structure that fills the largest share of it.
    noise_percent: coefficient of variation of one voxel of muscle in the first 600-s frame; 0 is no noise at all.
    motion_mm: standard deviation over the frames of each translation in mm and of each rotation in degrees.
    fast: coarser CT and a smaller field; the PET voxels stay the same.
    scanner: "gaussian" blurs with one Gaussian and draws each voxel's counts for itself. "osem" projects, counts and
        reconstructs; "osem:ITERATIONS,SUBSETS,psf,tof" says how, psf and tof only where wanted. Its fwhm_mm is that
        of a converged image, and its noise_percent sets the counts, so that the default reconstruction has it.
    hot_neighbors: marrow apart from cortex, glands and epidural veins; None is with the scanner "osem" alone.
    two_tissue: cord, marrow, thyroid and glands have a second compartment.
    foramen_k1: of all foramina, mL/cm3/min.
    tracer: what is written of it: name, code and half-life; the kinetics stay those of this phantom.
    shape: what is unlike the textbook's neck, as ``shape.shape_of`` reads it, such as "foramina=0.75,fused=C5/C6".
    anatomy: "ct", or "mr" for a PET/MR: an MR in place of the CT, whose attenuation is corrected without error.
    spine: "cervical", the neck; or "lumbar", T12 to S1 in a field that cuts the trunk, with the scanner "gaussian".
    truth: other V_T (mL/cm3) than the phantom's own: region name -> visit ("baseline", "followup") -> V_T. The name
        of a foramen may leave out its root. Unknown regions are refused where the regions are known, in ``tracer``.

    Raises InputRefused ("phantom-setting") for a value that is out of range.
    """

    seed: int = REFERENCE_SEED
    vendor: str = "siemens"
    fwhm_mm: float = 5.0
    noise_percent: float = 20.0
    motion_mm: float = 1.0
    fast: bool = False
    scanner: str = GAUSSIAN
    hot_neighbors: bool | None = None
    two_tissue: bool = False
    foramen_k1: float = 0.5
    tracer: str = "[11C]DPA-713"
    shape: str = ""
    anatomy: str = CT
    spine: str = CERVICAL
    truth: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputRefused(
                "phantom-setting", "the phantom's seed is {seed!r}; give a whole number from 0 up", seed=self.seed
            )
        for name, choices in (("vendor", VENDORS), ("anatomy", ANATOMIES), ("spine", SPINES)):
            if getattr(self, name) not in choices:
                raise InputRefused(
                    "phantom-setting",
                    "the phantom's {name} is {value!r}; choose one of {choices}",
                    name=name,
                    value=getattr(self, name),
                    choices=", ".join(choices),
                )
        if self.spine == LUMBAR and (self.scanner != GAUSSIAN or self.hot_neighbors or self.shape):
            raise InputRefused(
                "phantom-setting",
                "the lumbar phantom has no projecting scanner, hot neighbors or ailments; leave out --scanner, "
                "--neighbors and --shape",
            )
        for name, largest in LARGEST.items():
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= largest):
                raise InputRefused(
                    "phantom-setting",
                    "the phantom's {name} is {value!r}; give 0 to {largest:g}",
                    name=name,
                    value=value,
                    largest=largest,
                )
        if self.scanner != GAUSSIAN:
            osem_options(self.scanner)
        shape_of(self.shape)
        for region, by_visit in self.truth.items():
            _refuse_bad_truth(region, by_visit)

    @property
    def osem(self) -> OsemOptions | None:
        """How the scanner that projects reconstructs; None for the Gaussian one."""
        return None if self.scanner == GAUSSIAN else osem_options(self.scanner)

    @property
    def neck_shape(self) -> Shape:
        return shape_of(self.shape)

    @property
    def hot(self) -> bool:
        return self.scanner != GAUSSIAN if self.hot_neighbors is None else self.hot_neighbors


def osem_options(options: str) -> OsemOptions:
    """What "osem:6,16,psf,tof" says. Raises InputRefused ("phantom-scanner")."""
    kind, _, listed = options.partition(":")
    words = [word.strip() for word in listed.split(",") if word.strip()]
    flags = {word for word in words if word in ("psf", "tof")}
    numbers = [int(word) for word in words if word.isdecimal()]
    updates = numbers or [OsemOptions.iterations, OsemOptions.subsets]
    in_range = len(updates) == 2 and all(
        1 <= n <= most for n, most in zip(updates, (MOST_ITERATIONS, MOST_SUBSETS), strict=True)
    )
    if kind != OSEM or len(flags) + len(numbers) != len(words) or not in_range:
        raise InputRefused(
            "phantom-scanner",
            "the phantom's scanner is {options!r}; give gaussian, osem, or osem:ITERATIONS,SUBSETS with 1 to "
            "{iterations} iterations and 1 to {subsets} subsets, and ,psf or ,tof behind them where wanted",
            options=options,
            iterations=MOST_ITERATIONS,
            subsets=MOST_SUBSETS,
        )
    return OsemOptions(updates[0], updates[1], "psf" in flags, "tof" in flags)


def _refuse_bad_truth(region: str, by_visit: Mapping[str, float]) -> None:
    if not isinstance(by_visit, Mapping):
        raise InputRefused(
            "phantom-setting", "the truth of {region!r} is no table; give one V_T for each visit", region=region
        )
    for visit, vt in by_visit.items():
        if visit not in VISITS:
            raise InputRefused(
                "phantom-setting",
                "the truth of {region!r} names visit {visit!r}; the visits are {visits}",
                region=region,
                visit=visit,
                visits=", ".join(VISITS),
            )
        if not (isinstance(vt, int | float) and math.isfinite(vt) and 0 < vt <= 1000):
            raise InputRefused(
                "phantom-setting",
                "the V_T of {region!r} at {visit} is {vt!r}; give a number above 0, in mL/cm3",
                region=region,
                visit=visit,
                vt=vt,
            )
