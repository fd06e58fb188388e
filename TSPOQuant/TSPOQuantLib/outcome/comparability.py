"""Were the visits measured alike? What differs, and whether it can fake a change.

A reconstruction that goes from 4 to 6 mm FWHM fakes -35 % in a foramen (simulated), V_T drifts with the length of the
scan by 13 to 25 % (Endres 2009, PMC2883612), and corrected, scaled or otherwise modeled values are different
quantities: such differences refuse the comparison. What changes the noise, or SUV alone, is warned of.
"""

from collections.abc import Sequence
from dataclasses import replace

from ..messages import InputRefused, Listed, Text
from .compared_items import ITEMS
from .finding import Finding, Severity
from .identity import NEVER, identities, same_blood
from .record import VisitRecord
from .sessions import dated, in_order, labels_tell

# None of these is published: choices.
WEIGHT_RATIO, DOSE_RATIO = 1.1, 2.0
"""Weights and doses of one person that differ by more are more likely wrong entries than changes."""
VOLUME_WARNS, VOLUME_REFUSES = 1.25, 1.5
"""Volumes of one region that differ by such a factor change its recovery."""
MOTION_MM = 3.0
OTHERS = (
    "visits-blood-same",
    "visits-volume",
    "visits-regions",
    "visits-dose",
    "visits-weight",
    "visits-not-told",
    "visits-moved",
    "visits-order",
)
CURES = {
    "visits-window": "--common-window",
    **dict.fromkeys(("visits-resolution", "visits-filter", "visits-reconstruction"), "--common-resolution MM"),
}
"""The option that may take a difference away, by its code."""
CODES = tuple(item.code for item in ITEMS) + OTHERS


def findings_of(visits: Sequence[VisitRecord]) -> tuple[Finding, ...]:
    """Everything in which visits differ, those that refuse first."""
    findings = [*identities(visits)]
    unknown = []
    for item in ITEMS:
        if item.acquired and all(item.wording(visit) is None for visit in visits):
            unknown.append(item.item)
        elif finding := item.finding(visits):
            findings.append(finding)
    if unknown:
        names = Listed(unknown)
        message = Text("no visit tells its {names}: whether they are equal could not be checked", names=names)
        findings.append(Finding("visits-not-told", "warn", names, (Text("not told"),) * len(visits), message))
    findings += [*same_blood(visits), *_volumes(visits), *_entries(visits), *_moved(visits), *_order(visits)]
    return tuple(sorted(findings, key=lambda finding: (finding.acceptable, finding.severity == "warn")))


def checked(visits: Sequence[VisitRecord], accept: Sequence[str] = ()) -> tuple[Finding, ...]:
    """The findings, those marked that the user accepts.

    Raises InputRefused: "accept-unknown" for a code that is none; "accept-never" for one that nothing overrides; else
    the code of the first difference that can fake a change and was not accepted. The message names all of them.
    """
    for code in accept:
        if code in NEVER:
            raise InputRefused(
                "accept-never",
                "{finding} cannot be accepted: only different visits of one person compare; put right what is wrong, "
                "and leave this code out",
                finding=code,
            )
        if code not in CODES:
            raise InputRefused(
                "accept-unknown",
                "no finding is called '{finding}'; known are {codes}",
                finding=code,
                codes=Listed(CODES),
            )
    findings = tuple(replace(f, accepted=f.acceptable and f.code in accept) for f in findings_of(visits))
    barring = [f for f in findings if f.severity == "refuse" and not f.accepted]
    if barring:
        raise _refusal(barring[0], Listed(f.code for f in barring[1:]))
    return findings


def _refusal(first: Finding, others: Listed) -> InputRefused:
    """others: the codes of what bars the comparison besides."""
    what = Text("check the folders")
    if first.acceptable:
        what = Text(
            "to compare all the same, accept it (its check box in the panel, --accept {finding} of compare)",
            finding=first.code,
        )
    if first.code in CURES:
        what = Text(
            "quantify the visits again on what all of them have ({option} of compare), or compare all the same (its "
            "check box in the panel, --accept {finding} of compare)",
            option=CURES[first.code],
            finding=first.code,
        )
    values = Listed(first.values, " | ")
    if others:
        return InputRefused(
            first.code,
            "{message} ({values}); also {others}; {what}",
            message=first.message,
            values=values,
            others=others,
            what=what,
        )
    return InputRefused(first.code, "{message} ({values}); {what}", message=first.message, values=values, what=what)


def _volumes(visits: Sequence[VisitRecord]) -> list[Finding]:
    """Regions that a visit lacks, and those whose volumes differ from the first visit's."""
    first, findings = visits[0], []
    places = [[region, *(visit.same_place(region) for visit in visits[1:])] for region in first.regions]
    alone = {region.name: region for region, here in zip(first.regions, places, strict=True) if None in here}
    for number, visit in enumerate(visits[1:], start=1):
        matched = {region.name for here in places if (region := here[number]) is not None}
        if not matched:
            raise InputRefused("visits-regions", "the visits share no region; name regions alike")
        alone |= {region.name: region for region in visit.regions if region.name not in matched}
    if alone:
        names = Listed(sorted(alone))
        message = Text("not every visit has {names}: not compared with those that lack it", names=names)
        lacking = [Listed(name for name in sorted(alone) if visit.same_place(alone[name]) is None) for visit in visits]
        held = tuple(Text("without {names}", names=lacks) if lacks else Text("with each of them") for lacks in lacking)
        findings.append(Finding("visits-regions", "warn", "regions", held, message))
    for drawn, here in zip(first.regions, places, strict=True):
        own, sizes = drawn.volume_mm3, [region.volume_mm3 for region in here if region is not None]
        ratio = max(max(size, own) / min(size, own) for size in sizes)
        if ratio > VOLUME_WARNS:
            severity: Severity = "refuse" if ratio > VOLUME_REFUSES else "warn"
            volumes = tuple("none" if region is None else f"{region.volume_mm3:.3g} mm³" for region in here)
            message = Text(
                "'{name}' was drawn in another size: its recovery, and so its V_T, differs", name=drawn.name
            )
            findings.append(Finding("visits-volume", severity, "volume", volumes, message))
    return findings


def _entries(visits: Sequence[VisitRecord]) -> list[Finding]:
    findings = []
    for item, unit, limit in (("weight", "kg", WEIGHT_RATIO), ("dose", "MBq", DOSE_RATIO)):
        field = {"weight": "weight_kg", "dose": "injected_mbq"}[item]
        values: list[float | None] = [getattr(visit.acquisition, field) for visit in visits]
        shown: tuple[str, ...] = tuple(Text("not told") if value is None else f"{value:g} {unit}" for value in values)
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            message = Text(
                "the {item} is not told for every visit: SUV cannot be compared (V_T does not need it)", item=item
            )
            findings.append(Finding(f"visits-{item}", "warn", item, shown, message))
        elif max(known) > limit * min(known):
            message = Text(
                "the {item} differs by more than a factor of {limit:g}: check the entries (V_T does not need it)",
                item=item,
                limit=limit,
            )
            findings.append(Finding(f"visits-{item}", "warn", item, shown, message))
    return findings


def _moved(visits: Sequence[VisitRecord]) -> list[Finding]:
    most = [max(visit.motion.displacement_mm, default=0.0) if visit.motion else 0.0 for visit in visits]
    if max(most) <= MOTION_MM:
        return []
    sizes = tuple(Text("up to {size:.1f} mm", size=value) for value in most)
    message = Text(
        "the body moved by more than {limit:g} mm: what moved so far between frames also moved within them",
        limit=MOTION_MM,
    )
    return [Finding("visits-moved", "warn", "moved", sizes, message)]


def _order(visits: Sequence[VisitRecord]) -> list[Finding]:
    """Visits that run against their dates or, where these do not tell, against their labels."""
    starts = dated([visit.acquisition.started for visit in visits])
    known = [start for start in starts if start is not None]
    first, *others = sessions = tuple(visit.session for visit in visits)
    if known != sorted(known):
        message = Text("a later visit was scanned before an earlier one: name the baseline first")
    elif len(known) < len(visits) and any(labels_tell(first, s) and in_order([first, s])[0] == s for s in others):
        message = Text("by its label another visit than the first comes first: name the baseline first")
    else:
        return []
    return [Finding("visits-order", "warn", "order", sessions, message)]
