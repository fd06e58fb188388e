"""What a scan of more than the neck shows around the regions."""

from collections.abc import Sequence

import numpy as np

from ..acquisition.image import DynamicImage
from ..grid import Grid
from .planes import corners_of
from .region import Region

NECK_MM = 120.0
"""So far around the regions a scan is read, registered and searched: what lies and moves beyond is not this neck (a
choice). Along the body it cuts no scan of a neck alone, at its sides it cuts air and shoulders: what is registered
before regions are drawn, around the CT, may differ from what is registered after (by 0.2 mm, and V_T by 0.3 %, on a
simulated neck in a field of 0.4 m)."""


def surroundings(image: DynamicImage, regions: Sequence[Region], otherwise: Grid | None = None) -> DynamicImage:
    """What a scan shows within ``NECK_MM`` of the regions, or else of the field of the CT; all where there is neither.

    Vertebrae do not count: those of the whole spine may be labeled.
    """
    drawn = [region for region in regions if region.mask.any() and region.anatomy.structure != "vertebra"]
    places = [corners_of(region) for region in drawn] or ([otherwise.corners] if otherwise is not None else [])
    return image.around(np.concatenate(places), NECK_MM) if places else image
