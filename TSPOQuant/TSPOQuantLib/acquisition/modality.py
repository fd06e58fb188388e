"""Whether a volume file is a CT or an MR: what is no CT must never be read as HU.

The JSON beside a file says it; where none does, values that can only be HU make it a CT, and all else is asked for.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Notice, Text
from .image import HU, MR_SIGNAL, Volume
from .tables import sidecar

AUTO, CT, MR = "auto", "CT", "MR"
MODALITIES = (AUTO, CT, MR)
SPELLED = {"CT": CT, "MR": MR, "MRI": MR}
ONLY_MR = ("MagneticFieldStrength", "EchoTime", "RepetitionTime", "MRAcquisitionType", "ScanningSequence")
"""Keys of BIDS and of dcm2niix that only an MR has."""
# Choices; they hold for the real CTs at hand (head and neck, chest, a neck cut out of a body), and for no MR: its
# magnitude is never negative, and its phase is spread evenly.
AIR_BELOW_HU, BODY_ABOVE_HU, BONE_ABOVE_HU = -900.0, -300.0, 150.0
SOFT_TISSUE_HU = (-200.0, 200.0)
LEAST_SOFT_TISSUE = 0.3
"""Share of what is no air that soft tissue makes up."""
USUAL_OFFSET, UNSIGNED_SPAN = 1024.0, 65536.0
"""What scanners store CT numbers above, and what negative ones are too large by where 16 bits are read as unsigned."""
MOST_BETWEEN = 0.5
"""Of what is no air, as much as a CT may hold between air and fat at most: an MR has most of its values there."""


def plainly_hu(values: NDArray[np.floating]) -> bool:
    """Whether values can only be HU: air near -1000, bone, and mostly soft tissue between."""
    body = values[values > BODY_ABOVE_HU]
    if values.size == 0 or values.min() > AIR_BELOW_HU or body.size == 0 or body.max() < BONE_ABOVE_HU:
        return False
    soft = np.count_nonzero((body > SOFT_TISSUE_HU[0]) & (body < SOFT_TISSUE_HU[1]))
    return bool(soft >= LEAST_SOFT_TISSUE * body.size)


def check_hu(name: str, values: NDArray[np.floating]) -> None:
    """Refuse ("ct-units") a CT's values that were stored above 0 and not brought back: no threshold holds for them."""
    if values.size == 0 or values.min() < 0:
        return
    hu = values - USUAL_OFFSET
    between = np.count_nonzero((hu > AIR_BELOW_HU) & (hu <= BODY_ABOVE_HU))
    if plainly_hu(hu) and between <= MOST_BETWEEN * np.count_nonzero(hu > BODY_ABOVE_HU):
        raise InputRefused(
            "ct-units",
            "{file} holds a CT's values without their offset: none is below 0, and soft tissue lies near 1060 where "
            "HU have it near 40 (RescaleIntercept, most often -1024, was lost); export it again, in HU",
            file=name,
        )
    if values.max() > UNSIGNED_SPAN / 2 and plainly_hu(
        np.where(values > UNSIGNED_SPAN / 2, values - UNSIGNED_SPAN, values)
    ):
        raise InputRefused(
            "ct-units",
            "{file} holds a CT's negative values as numbers near {span:g}: it was written as unsigned; export it "
            "again, with its sign",
            file=name,
            span=UNSIGNED_SPAN,
        )


def stated_modality(metadata: Mapping[str, Any]) -> str | None:
    """ "CT" or "MR" as a sidecar says, any other modality as it is written there, None where it says nothing."""
    stated = str(metadata.get("Modality") or "").strip().upper()
    if stated:
        return SPELLED.get(stated, stated)
    return MR if any(key in metadata for key in ONLY_MR) else None


def as_what_it_is(path: Path, volume: Volume, asked: str = AUTO) -> Volume:
    """A volume file's values in HU or as MR signal, by what it says of itself, by ``asked``, or by its values.

    asked: "auto", or the "CT" or "MR" that the study states. Raises InputRefused: "anatomy-modality" (the file says
    otherwise, or is neither), "anatomy-unlabeled" (nothing says it), "ct-units".
    """
    stated = stated_modality(sidecar(path))
    if stated not in (None, CT, MR):
        raise InputRefused(
            "anatomy-modality",
            "{file} is neither a CT nor an MR: the JSON beside it says Modality {stated}; check the path",
            file=path.name,
            stated=stated,
        )
    known = stated or (CT if plainly_hu(volume.values) else None)
    if known:
        by = Text("the JSON beside it says so") if stated else Text("its values are HU, with air near -1000")
        hold_to(path, asked, known, by)
    found = known or (None if asked == AUTO else asked)
    if found is None:
        raise InputRefused(
            "anatomy-unlabeled",
            "nothing says whether {file} is a CT or an MR, and its values are not plainly HU; say it with "
            '[ct] modality = "CT" or "MR" in the study file, or with "Modality" in {json} beside it',
            file=path.name,
            json=path.name.split(".")[0] + ".json",
        )
    if found == MR:
        return as_mr(volume, path)
    check_hu(path.name, volume.values)
    return replace(volume, units=HU)


def hold_to(path: Path, asked: str, known: str, by: Text) -> None:
    """Refuse ("anatomy-modality") an image that was given as what it is not; by: what tells that."""
    if asked not in (AUTO, known):
        raise InputRefused(
            "anatomy-modality",
            "{file} was given as {asked}, but is {known}: {by}; correct the path, the JSON or [ct] modality",
            file=path.name,
            asked=asked,
            known=known,
            by=by,
        )


def as_mr(volume: Volume, path: Path) -> Volume:
    """A volume as the MR that it is, and what that means for the rest."""
    notice = Notice(
        "anatomy-mr",
        "{file} is an MR: its values are no HU, so nothing that rests on CT numbers is done with it",
        file=path.name,
    )
    return replace(volume, units=MR_SIGNAL, notices=(*volume.notices, notice))
