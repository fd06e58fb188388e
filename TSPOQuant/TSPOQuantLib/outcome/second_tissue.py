"""Where two tissue compartments take the place of one: structures whose curves ask for them at every visit.

All regions of a structure, and all visits, are read by one model: a contrast or a change by two would measure the
difference of the models.
"""

import math
from collections.abc import Sequence
from statistics import median

from ..kinetics import KineticFit
from ..kinetics.options import AS_NAMED
from ..messages import Listed, Notice
from .record import VisitRecord

ONE_TISSUE, TWO_TISSUES = "1TCM", "2TCM"
STRUCTURES = ("cord", "foramen")
"""Of which V_T is told; what else is drawn is of no one kind."""
LEAST_AICC = 10.0
"""By so much AICc, summed over a structure's regions, has to be lower: then hardly anything speaks for the smaller
model (Burnham & Anderson 2002, chapter 2)."""
LARGEST_ERROR = 0.2
"""Standard error of every region's V_T by the larger model, of V_T: above it the data do not tell V_T. A choice."""
LEAST_CHANGE = 0.01
"""Of a log ratio: a second tissue that changes V_T by less than a percent is no matter. A choice."""


def asks(ones: Sequence[KineticFit], twos: Sequence[KineticFit]) -> bool:
    """Whether one structure's curves, as measured, ask for the second tissue, over all and in most regions; whether
    they determine V_T with it, in each region, and whether it is another V_T."""
    if not all(0 <= two.outcome_error <= LARGEST_ERROR * two.outcome_value for two in twos):
        return False
    pairs = [(one, two) for one, two in zip(ones, twos, strict=True) if one.outcome_value > 0]
    if not pairs or len(pairs) < len(twos):
        return False
    gains = [one.aicc - two.aicc for one, two in pairs]
    apart = median(abs(math.log(two.outcome_value / one.outcome_value)) for one, two in pairs)
    return sum(gains) >= LEAST_AICC and median(gains) > 0 and apart >= LEAST_CHANGE


def asking(structures: Sequence[str], ones: Sequence[KineticFit], twos: Sequence[KineticFit]) -> tuple[str, ...]:
    """Which structures ask for it; structures: of every curve, in the order of its fits."""

    def own(fits: Sequence[KineticFit], structure: str) -> list[KineticFit]:
        return [fit for fit, of in zip(fits, structures, strict=True) if of == structure]

    return tuple(one for one in STRUCTURES if asks(own(ones, one), own(twos, one)))


def asked_at(visit: VisitRecord) -> tuple[str, ...]:
    """The structures that ask for it at a visit whose study leaves the choice to them."""
    as_named = visit.settings.get("second_tissue", AS_NAMED) == AS_NAMED  # and in records of before there was a choice
    if as_named or not {ONE_TISSUE, TWO_TISSUES} <= set(visit.models):
        return ()
    ones, twos = ([visit.fit(one.name, model) for one in visit.regions] for model in (ONE_TISSUE, TWO_TISSUES))
    return asking([one.structure for one in visit.regions], ones, twos)


def leading(visits: Sequence[VisitRecord], primary: str) -> dict[str, str]:
    """The model of every structure that is not told by the primary one."""
    if primary != ONE_TISSUE:
        return {}
    shared = set.intersection(*(set(asked_at(visit)) for visit in visits))
    return {structure: TWO_TISSUES for structure in STRUCTURES if structure in shared}


def second_tissue_notices(visits: Sequence[VisitRecord], primary: str) -> list[Notice]:
    """Which structures a comparison tells by the second model, and which it does not because one visit does not ask
    for it."""
    led = leading(visits, primary)
    found = []
    if led:
        found.append(
            Notice(
                "two-tissues-lead",
                "V_T of {structures} is told by 2TCM: at every visit two tissue compartments fit it better than one "
                "(AICc); all else is told by 1TCM",
                structures=Listed(led),
            )
        )
    at_some = {one for visit in visits for one in asked_at(visit)} if primary == ONE_TISSUE else set()
    apart = [one for one in STRUCTURES if one in at_some and one not in led]
    if apart:
        found.append(
            Notice(
                "two-tissues-apart",
                "two tissue compartments fit {structures} better than one at some visits and not at all of them: V_T "
                "is told by 1TCM throughout, and what 2TCM gives instead is in the error budget",
                structures=Listed(apart),
            )
        )
    return found
