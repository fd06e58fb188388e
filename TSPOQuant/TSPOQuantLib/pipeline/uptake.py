"""What a visit's outcomes that need no fit take from its images."""

import numpy as np

from ..alignment.resample import mean_image
from ..kinetics.ratios import window_seconds
from ..outcome.record import Reference
from ..outcome.uptake import window_s
from ..regions.peak import Hottest, hottest
from ..study import StudySettings
from .placement import Placed, reference_region


def reference_of(placed: Placed, settings: StudySettings) -> Reference | None:
    """The curve that SUVR divides by. Raises InputRefused ("reference-region") where no segment is called so."""
    region = reference_region(placed.regions, settings)
    if region is None:
        return None
    curve = placed.read(region, settings.minimum_coverage)
    return Reference(region.name, tuple(curve.mean.tolist()))


def hottest_of(placed: Placed, settings: StudySettings) -> list[Hottest]:
    """Largest voxel, peak and scatter of every region, in the mean over the window at the regions' place."""
    image = placed.image
    seconds = window_seconds(image.timing, window_s(image.timing, settings.window_min))
    late = mean_image(image, np.flatnonzero(seconds).tolist(), placed.to_frames, seconds)
    return [hottest(late, region, settings.minimum_coverage) for region in placed.targets]
