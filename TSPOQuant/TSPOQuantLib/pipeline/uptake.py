"""What a visit's outcomes that need no fit take from its images."""

import numpy as np

from ..alignment.resample import mean_image
from ..kinetics.ratios import window_seconds
from ..messages import InputRefused, Listed
from ..outcome.record import Reference
from ..outcome.uptake import window_s
from ..regions.peak import Hottest, hottest
from ..regions.region import plain_name
from ..study import StudySettings
from .placement import Placed


def reference_of(placed: Placed, settings: StudySettings) -> Reference | None:
    """The curve that SUVR divides by. Raises InputRefused ("reference-region") where no segment is called so."""
    if not settings.reference:
        return None
    wanted = plain_name(settings.reference)
    region = next((region for region in placed.regions if region.name == wanted), None)
    if region is None:
        raise InputRefused(
            "reference-region",
            "[outcome] reference: no segment is called '{reference}'; name one of {names}",
            reference=settings.reference,
            names=Listed(f"'{region.name}'" for region in placed.regions),
        )
    curve = placed.read(region, settings.minimum_coverage)
    return Reference(region.name, tuple(curve.mean.tolist()))


def hottest_of(placed: Placed, settings: StudySettings) -> list[Hottest]:
    """Largest voxel, peak and scatter of every region, in the mean over the window at the regions' place."""
    image = placed.image
    seconds = window_seconds(image.timing, window_s(image.timing, settings.window_min))
    late = mean_image(image, np.flatnonzero(seconds).tolist(), placed.to_frames, seconds)
    return [hottest(late, region, settings.minimum_coverage) for region in placed.targets]
