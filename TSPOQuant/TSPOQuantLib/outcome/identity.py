"""Are these different visits of one person? Two patients, one scan given twice and one draw of blood are told."""

import itertools
from collections.abc import Sequence

import numpy as np

from ..acquisition.blood import SampledCurve
from ..messages import Listed, Text
from .finding import Finding
from .record import VisitRecord

# None of these is published: choices.
SAME_SCAN, FEWEST_VALUES = 1e-3, 6
"""Curves of which every frame agrees this closely, as a part of the curve's highest, are one scan's: rounding on its
way through another format changes them by less, while two scans of one person differ by several percent in every
frame. So many values have to agree, as one or two do by chance."""
SAME_DOSE = 1e-3
"""Injected activities that differ by more, as a part of the larger one, are two: rounding changes one by less."""
SAME_SAMPLE, SAME_SAMPLES, FEWEST_SAMPLES = 1e-3, 0.8, 3
"""Samples that agree this closely, in such a part of them and at least so many, are one draw of blood: 1e-3 is what
rounding to three digits changes, while two counts of one sample differ by about a percent."""
BLOOD = {
    "whole_blood": Text("whole blood"),
    "plasma": Text("plasma"),
    "autosampler": Text("the automatic sampler's blood"),
    "parent_plasma": Text("parent plasma"),
    "parent_fraction": Text("parent fraction"),
}
"""What may have been measured in blood, in words."""
NEVER = ("visits-patient", "visits-subject", "visits-same", "visits-session", "visits-simulated")
"""Codes of what nobody may accept."""


def identities(visits: Sequence[VisitRecord]) -> list[Finding]:
    """Visits of several people, of simulation and scanner, or one visit given twice."""
    sessions = tuple(visit.session for visit in visits)
    keys = [visit.acquisition.patient_key for visit in visits]
    known = {key for key in keys if key is not None}
    subjects = tuple(visit.subject for visit in visits)
    findings = []
    if len(known) > 1:
        message = Text(
            "the images of the visits name different patients; where they are one person's that were made anonymous "
            'apart, quantify them again with [subject] patient_ids = "ignore"'
        )
        findings.append(_never("visits-patient", "patient", sessions, message))
    if len(set(subjects)) > 1:
        message = Text("the visits name different subjects; if they are of one person, give both one [subject] id")
        findings.append(_never("visits-subject", "subject", subjects, message))
    if len({visit.acquisition.simulated for visit in visits}) > 1:
        kinds = tuple("simulated" if visit.acquisition.simulated else "measured" for visit in visits)
        message = Text("simulated and measured visits do not compare")
        findings.append(_never("visits-simulated", "simulated", kinds, message))
    if any(_one_start(*pair) or _one_scan(*pair) for pair in itertools.combinations(visits, 2)):
        message = Text(
            "one scan was given twice: the same start, or curves that agree in every frame, which those of two scans "
            "never do; give two different visits"
        )
        findings.append(_never("visits-same", "scan", sessions, message))
    if len(set(sessions)) < len(sessions):
        message = Text("visits have the same session label; give each its own under [subject] session")
        findings.append(_never("visits-session", "session", sessions, message))
    return findings


def _one_start(one: VisitRecord, other: VisitRecord) -> bool:
    """Whether two visits began at one moment, with one dose: headers that were made anonymous share their dates."""
    scans = one.acquisition, other.acquisition
    doses = [scan.injected_mbq for scan in scans if scan.injected_mbq is not None]
    apart = len(doses) == len(scans) and abs(doses[0] - doses[1]) > SAME_DOSE * max(doses)
    return scans[0].time_zero_at is not None and scans[0].time_zero_at == scans[1].time_zero_at and not apart


def _one_scan(one: VisitRecord, other: VisitRecord) -> bool:
    """Whether the curves of all regions that two visits share are one scan's, maybe rounded on the way."""
    pairs = [(region.mean, same.mean) for region in one.regions if (same := other.same_place(region)) is not None]
    if [region.mean for region in one.regions] == [region.mean for region in other.regions]:
        return True
    if sum(len(mean) for mean, _ in pairs) < FEWEST_VALUES or any(len(a) != len(b) for a, b in pairs):
        return False
    return all(
        bool((np.abs(np.subtract(a, b)) <= SAME_SCAN * max(np.abs(a).max(), np.abs(b).max())).all()) for a, b in pairs
    )


def same_blood(visits: Sequence[VisitRecord]) -> list[Finding]:
    """Blood of one draw under two visits; of the parent fraction alone it may be a population's."""
    pairs = list(itertools.combinations((visit.input.samples for visit in visits), 2))
    kinds = [kind for kind in BLOOD if any(kind in a and kind in b and _one_draw(a[kind], b[kind]) for a, b in pairs)]
    if not kinds:
        return []
    samples = tuple(_samples_in_words(visit, kinds) for visit in visits)
    if kinds == ["parent_fraction"]:
        message = Text(
            "visits have one parent fraction in all samples: a population's, or that of another visit by mistake; a "
            "change of metabolism does not show in V_T"
        )
        return [Finding("visits-blood-same", "warn", "blood", samples, message)]
    message = Text(
        "visits have the same blood: {kinds} agree in every sample, which two draws never do; give each visit its own",
        kinds=Listed(BLOOD[kind] for kind in kinds),
    )
    return [Finding("visits-blood-same", "refuse", "blood", samples, message)]


def _one_draw(one: SampledCurve, other: SampledCurve) -> bool:
    """Samples by their number where there are as many, else by their times."""
    if len(one.values) == len(other.values):
        a, b = one.values, other.values
    else:
        _, here, there = np.intersect1d(one.times_s, other.times_s, return_indices=True)
        a, b = one.values[here], other.values[there]
    seen = (a != 0) | (b != 0)
    alike = np.isclose(a[seen], b[seen], rtol=SAME_SAMPLE, atol=0.0)
    return bool(alike.sum() >= FEWEST_SAMPLES and alike.mean() >= SAME_SAMPLES)


def _samples_in_words(visit: VisitRecord, kinds: Sequence[str]) -> str:
    """How many samples a visit has of each kind."""
    here = [(kind, visit.input.samples[kind]) for kind in kinds if kind in visit.input.samples]
    counts = (Text("{kind}: {count} samples", kind=BLOOD[kind], count=len(samples.values)) for kind, samples in here)
    return Listed(counts) if here else Text("not told")


def _never(code: str, item: str, values: tuple[str, ...], message: Text) -> Finding:
    return Finding(code, "refuse", item, values, message, acceptable=False)
