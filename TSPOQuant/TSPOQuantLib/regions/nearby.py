"""What a scan of more than the neck shows around the regions."""

from collections.abc import Sequence

import numpy as np

from ..acquisition.image import DynamicImage
from ..grid import Grid
from .planes import corners_of
from .region import Region

NECK_MM = 120.0
"""So far around the regions a scan is read, registered and searched: what lies and moves beyond is not this neck (a
choice; it cuts no scan of a neck alone)."""


def surroundings(image: DynamicImage, regions: Sequence[Region], otherwise: Grid | None = None) -> DynamicImage:
    """What a scan shows within ``NECK_MM`` of the regions, or else of the field of the CT; all where there is neither.

    Vertebrae do not count: those of the whole spine may be labeled.
    """
    drawn = [region for region in regions if region.mask.any() and region.anatomy.structure != "vertebra"]
    places = [corners_of(region) for region in drawn] or ([otherwise.corners] if otherwise is not None else [])
    return image.around(np.concatenate(places), NECK_MM) if places else image
