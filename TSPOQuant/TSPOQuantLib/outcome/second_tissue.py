"""Where two tissue compartments take the place of one: in the cord, where its curves ask for them at every visit.

A region is read by one model at all visits: a change by two would measure the difference of the models.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import median

from ..kinetics import KineticFit
from ..kinetics.options import AS_NAMED
from ..messages import Listed, Notice, Notices
from .record import VisitRecord
from .repeatability import Coefficient, coefficient_for

ONE_TISSUE, TWO_TISSUES = "1TCM", "2TCM"
STRUCTURES = ("cord",)
"""Whose regions are judged, together. Not the foramina: what a scanner's blur mixes into so small a region asks for a
second compartment, too (simulated foramina of one tissue did), and the published method reads them by one."""
LEAST_AICC = 10.0
"""By so much AICc, summed over a structure's regions, has to be lower: then hardly anything speaks for the smaller
model (Burnham & Anderson 2002, chapter 2)."""
LARGEST_ERROR = 0.2
"""Standard error of V_T by the larger model, of V_T: above it the data do not determine V_T. A choice."""
LEAST_CHANGE = 0.01
"""Of a log ratio: a second tissue that changes V_T by less than a percent is no matter. A choice."""


def determined(fit: KineticFit) -> bool:
    return 0 <= fit.outcome_error <= LARGEST_ERROR * fit.outcome_value


def asks(smaller: Sequence[KineticFit], larger: Sequence[KineticFit]) -> bool:
    """Whether one structure's curves, as measured, ask for the second tissue, over all and in most regions; whether
    they determine V_T with it, in most of them, and whether it is another V_T."""
    pairs = list(zip(smaller, larger, strict=True))
    sure = [(one, two) for one, two in pairs if determined(two) and one.outcome_value > 0]
    if 2 * len(sure) <= len(pairs):
        return False
    gains = [one.aicc - two.aicc for one, two in pairs]
    apart = median(abs(math.log(two.outcome_value / one.outcome_value)) for one, two in sure)
    return sum(gains) >= LEAST_AICC and median(gains) > 0 and apart >= LEAST_CHANGE


def asking_structures(
    structures: Sequence[str], smaller: Sequence[KineticFit], larger: Sequence[KineticFit]
) -> tuple[str, ...]:
    """Which structures ask for it; structures: of every curve, in the order of its fits."""

    def own(fits: Sequence[KineticFit], structure: str) -> list[KineticFit]:
        return [fit for fit, of in zip(fits, structures, strict=True) if of == structure]

    return tuple(structure for structure in STRUCTURES if asks(own(smaller, structure), own(larger, structure)))


def asking_at(visit: VisitRecord) -> tuple[str, ...]:
    """The structures that ask for it at a visit whose study leaves the choice to them."""
    as_named = visit.settings.get("second_tissue", AS_NAMED) == AS_NAMED  # and in records of before there was a choice
    if as_named or not {ONE_TISSUE, TWO_TISSUES} <= set(visit.models):
        return ()
    smaller, larger = (
        [visit.fit(region.name, model) for region in visit.regions] for model in (ONE_TISSUE, TWO_TISSUES)
    )
    return asking_structures([region.structure for region in visit.regions], smaller, larger)


def leading(visits: Sequence[VisitRecord], primary: str) -> dict[str, str]:
    """The model of every region, by its names, that is not told by the primary one: where its structure asks for the
    larger model, and that determines its V_T, at every visit."""
    if primary != ONE_TISSUE:
        return {}
    shared = set.intersection(*(set(asking_at(visit)) for visit in visits))
    by_name: dict[str, str] = {}
    for region in visits[0].regions:
        there = [visit.same_place(region) for visit in visits]
        fits = [
            visit.fit(found.name, TWO_TISSUES) for visit, found in zip(visits, there, strict=True) if found and shared
        ]
        if region.structure in shared and len(fits) == len(visits) and all(map(determined, fits)):
            by_name |= {found.name: TWO_TISSUES for found in there if found is not None}
    return by_name


def second_tissue_notices(visits: Sequence[VisitRecord], primary: str) -> list[Notice]:
    """Which regions a comparison tells by the larger model, and which it does not though a visit asks for it."""
    led = leading(visits, primary)
    asked = {structure for visit in visits for structure in asking_at(visit)} if primary == ONE_TISSUE else set()
    others = [region.name for region in visits[0].regions if region.structure in asked and region.name not in led]
    notices = Notices()
    if led:
        notices.add(
            "two-tissues-lead",
            "V_T of {regions} is told by 2TCM: at every visit two tissue compartments fit such regions better "
            "than one (AICc)",
            regions=Listed(led),
        )
    if others:
        notices.add(
            "two-tissues-apart",
            "two tissue compartments fit regions such as {regions} better than one, but not at every visit, or "
            "2TCM does not determine V_T there at every visit: V_T is told by 1TCM at all visits",
            regions=Listed(others),
        )
    return notices


def repeatability_notices(
    visit: VisitRecord, led: Mapping[str, str], known: tuple[Coefficient, ...]
) -> tuple[Notice, ...]:
    """Of regions that the larger model tells where a coefficient is stated for the smaller one alone.

    It is not taken over: V_T by two compartments varies more from scan to scan than by one, and by how much no
    coefficient of another model says.
    """
    untold = [
        region.name
        for region in visit.regions
        if region.name in led
        and coefficient_for(known, led[region.name], region.structure, "none") is None
        and coefficient_for(known, ONE_TISSUE, region.structure, "none") is not None
    ]
    if not untold:
        return ()
    return (
        Notice(
            "repeatability-two-tissues",
            "the repeatability that was given is of {smaller}, and V_T of {regions} is told by {larger}: whether it "
            "changed beyond measurement error is not judged there; give a coefficient of {larger}, or tell all by "
            '{smaller} ([model] second_tissue = "as named")',
            smaller=ONE_TISSUE,
            larger=TWO_TISSUES,
            regions=Listed(untold),
        ),
    )
