"""What a paper needs beside the numbers: how they were made, of whom, and who is missing; in English."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import __version__
from ..kinetics.models import MODELS
from ..outcome.record import VisitRecord
from .association import Association
from .cohort import MACRO, NO_PVC, Cohort, Visit
from .comparison import PERMUTED_BELOW, Effect
from .estimates import FEWEST
from .test_retest import TestRetest

DESCRIBED = ("age", "sex", "genotype", "scanner", "injected_mbq", "motion_mm")
"""Columns of Table 1 beside V_T."""


@dataclass(frozen=True)
class Source:
    """A work that a method comes from. key: of its BibTeX entry."""

    key: str
    authors: str
    year: int
    title: str
    journal: str
    doi: str

    @property
    def bibtex(self) -> str:
        kind = "article" if self.journal else "misc"
        fields = {"author": self.authors, "year": str(self.year), "title": f"{{{self.title}}}"}
        fields |= {"journal": self.journal, "doi": self.doi}
        body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items() if value)
        return f"@{kind}{{{self.key},\n{body}\n}}"


SOURCES: Mapping[str, Source] = {
    source.key: source
    for source in (
        Source("tspoquant", "{The TSPOQuant contributors}", 2026, f"TSPOQuant {__version__}", "", ""),
        Source(
            "lutkeschipholt2025",
            "Lutke Schipholt, I. J. and others",
            2025,
            "Quantification of neuroinflammation in spinal cord and neuroforamina of patients with painful cervical "
            "radiculopathy using [11C]DPA713 PET/CT",
            "Frontiers in Nuclear Medicine",
            "10.3389/fnume.2025.1569991",
        ),
        Source(
            "innis2007",
            "Innis, R. B. and others",
            2007,
            "Consensus nomenclature for in vivo imaging of reversibly binding radioligands",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1038/sj.jcbfm.9600493",
        ),
        Source(
            "logan1990",
            "Logan, J. and others",
            1990,
            "Graphical analysis of reversible radioligand binding from time-activity measurements applied to "
            "[N-11C-methyl]-(-)-cocaine PET studies in human subjects",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1038/jcbfm.1990.127",
        ),
        Source(
            "ichise2002",
            "Ichise, M. and others",
            2002,
            "Strategies to improve neuroreceptor parameter estimation by linear regression analysis",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1097/01.WCB.0000038000.34930.4E",
        ),
        Source(
            "patlak1983",
            "Patlak, C. S. and others",
            1983,
            "Graphical evaluation of blood-to-brain transfer constants from multiple-time uptake data",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1038/jcbfm.1983.1",
        ),
        Source(
            "rizzo2014",
            "Rizzo, G. and others",
            2014,
            "Kinetic modeling without accounting for the vascular component impairs the quantification of [11C]PBR28 "
            "brain PET data",
            "Journal of Cerebral Blood Flow and Metabolism",
            "10.1038/jcbfm.2014.55",
        ),
        Source(
            "qiba2015",
            "Raunig, D. L. and others",
            2015,
            "Quantitative imaging biomarkers: a review of statistical methods for technical performance assessment",
            "Statistical Methods in Medical Research",
            "10.1177/0962280214537344",
        ),
        Source(
            "shrout1979",
            "Shrout, P. E. and Fleiss, J. L.",
            1979,
            "Intraclass correlations: uses in assessing rater reliability",
            "Psychological Bulletin",
            "10.1037/0033-2909.86.2.420",
        ),
        Source(
            "carkeet2015",
            "Carkeet, A.",
            2015,
            "Exact parametric confidence intervals for Bland-Altman limits of agreement",
            "Optometry and Vision Science",
            "10.1097/OPX.0000000000000513",
        ),
        Source(
            "mancl2001",
            "Mancl, L. A. and DeRouen, T. A.",
            2001,
            "A covariance estimator for GEE with improved small-sample properties",
            "Biometrics",
            "10.1111/j.0006-341X.2001.00126.x",
        ),
        Source(
            "welch1947",
            "Welch, B. L.",
            1947,
            "The generalization of 'Student's' problem when several different population variances are involved",
            "Biometrika",
            "10.1093/biomet/34.1-2.28",
        ),
        Source(
            "bonett2000",
            "Bonett, D. G. and Wright, T. A.",
            2000,
            "Sample size requirements for estimating Pearson, Kendall and Spearman correlations",
            "Psychometrika",
            "10.1007/BF02294183",
        ),
    )
}


@dataclass(frozen=True)
class Exclusion:
    """Who is missing where, and why. what: "visit", "comparison" or a number of a region."""

    participant: str
    session: str
    what: str
    code: str
    message: str


@dataclass(frozen=True)
class Flow:
    """One line of the flow of people: how many people and visits are left, and of what."""

    step: str
    people: int
    visits: int


@dataclass(frozen=True)
class Methods:
    """paragraph: with keys of ``sources`` in brackets. table1: rows of (what, one cell a group), the header first."""

    paragraph: str
    sources: tuple[Source, ...]
    table1: tuple[tuple[str, ...], ...]
    exclusions: tuple[Exclusion, ...]
    flow: tuple[Flow, ...]


def methods(
    cohort: Cohort,
    repeats: TestRetest | None,
    effects: Sequence[Effect],
    associations: Sequence[Association],
    by: str = "group",
) -> Methods:
    """Told from what was done. by: the column whose groups are the columns of Table 1."""
    records = [visit.record for visit in cohort.visits if visit.record is not None]
    models = tuple(dict.fromkeys(one.model for one in cohort.values if one.model in MODELS))
    sentences = [_of_people(cohort)]
    cited = ["tspoquant", "lutkeschipholt2025", "innis2007"]
    if records:
        sentences += _of_scans(records)
    sentences.append(_of_models(models))
    cited += [key for key in map(_source_of, models) if key]
    left = len(cohort.left_out)
    if left:
        sentences.append(
            f"{left} of {left + len(cohort.values)} estimates were left out because the data did not determine them "
            "(standard error above the program's limit, not identifiable, not positive, or slower than the scan)."
        )
    if repeats is not None:
        sentences.append(
            f"Repeatability was assessed in {len(repeats.pairs)} people with two visits: within-subject standard "
            "deviation and coefficient of variation (log-normal), repeatability coefficient 1.96 √2 wSD [qiba2015], "
            "ICC(2,1) and ICC(3,1) [shrout1979], limits of agreement with exact intervals [carkeet2015]; differences "
            "of several regions of one person were counted by how far they go together, and intervals were widened "
            "where the spread was uneven between people."
        )
        cited += ["qiba2015", "shrout1979", "carkeet2015"]
    if effects:
        sentences.append(_of_effects(effects))
        cited += ["welch1947", "mancl2001"]
    if associations:
        sentences.append(
            "Changes of imaging and of clinical scores were correlated across people (Spearman and Pearson, intervals "
            "by Fisher's z [bonett2000])."
        )
        cited.append("bonett2000")
    if effects or associations:
        sentences.append("Chances were adjusted for how many were looked at by Holm's method.")
    sentences.append(f"Nothing was tested with fewer than {FEWEST} people in a group. Intervals are of 95 %.")
    sentences.append(f"All was computed with TSPOQuant {__version__}{_versions(records)} [tspoquant].")
    if cohort.simulated:
        sentences.insert(0, "SIMULATED DATA.")
    return Methods(
        " ".join(sentences),
        tuple(SOURCES[key] for key in dict.fromkeys(cited)),
        table1(cohort, by),
        exclusions(cohort),
        flow(cohort, repeats),
    )


def _of_people(cohort: Cohort) -> str:
    counts = Counter(len(cohort.sessions(who)) for who in cohort.participants)
    people_by_visits = ", ".join(
        f"{people} with {visits} visit{'s' * (visits > 1)}" for visits, people in sorted(counts.items())
    )
    analyzed = f"{len(cohort.participants)} people were analyzed ({people_by_visits})"
    lost = {(one.participant, one.session): one.code for one in cohort.lost if " " not in one.session}
    for visit in cohort.visits:
        lost.pop((visit.participant, visit.session), None)
    if not lost:
        return f"{analyzed}."
    reasons = ", ".join(f"{code} {count}" for code, count in sorted(Counter(lost.values()).items()))
    return f"{analyzed}; {len(lost)} of {len(lost) + len(cohort.visits)} visits could not be quantified ({reasons})."


def _of_scans(records: Sequence[VisitRecord]) -> list[str]:
    scans = [record.acquisition for record in records]
    tracers = _listed(scan.tracer or "the tracer" for scan in scans)
    scanners = _listed(" ".join(filter(None, (scan.manufacturer, scan.scanner_model))) for scan in scans)
    doses = [scan.injected_mbq for scan in scans if scan.injected_mbq is not None]
    minutes = [scan.timing.ends_s[-1] / 60 for scan in scans]
    frames = sorted({len(scan.frame_starts_s) for scan in scans})
    dose = f" after injection of {_spread(doses)} MBq" if doses else ""
    sentences = [
        f"Dynamic PET with {tracers} was acquired{f' on {scanners}' if scanners else ''}{dose}, over "
        f"{_spread(minutes)} min in {' or '.join(map(str, frames))} frames."
    ]

    def chosen(name: str) -> str:
        return _listed(str(record.settings.get(name)) for record in records)

    sources = {"image-derived": "derived from the image", "blood": "sampled from blood", "given": "a ready curve"}
    routes = _listed(sources.get(record.input.source, record.input.source) for record in records)
    sentences.append(
        f"Motion correction was {chosen('motion_correction')}; the input function was {routes}; frames were weighted "
        f"by {chosen('weights')}; the blood volume fraction was {chosen('vb')}; partial-volume correction: "
        f"{_listed(record.pvc for record in records)} [lutkeschipholt2025]."
    )
    return sentences


def _source_of(model: str) -> str:
    """Key of the work that a model's equations come from; "" for one that is not among ``SOURCES``."""
    doi = MODELS[model].source.split(", ")[-1]
    return next((key for key, source in SOURCES.items() if source.doi == doi), "")


def _of_models(models: Sequence[str]) -> str:
    cites = {model: f"[{key}]" if (key := _source_of(model)) else f"({MODELS[model].source})" for model in models}
    named = ", ".join(f"{MODELS[model].study_name} {cites[model]}" for model in models)
    return f"Regional curves were fitted by {named}; V_T is the total volume of distribution [innis2007]."


def _of_effects(effects: Sequence[Effect]) -> str:
    covariates = _listed(name for one in effects for name in one.covariates)
    return (
        "Logarithms of each person's values, averaged over regions, were compared: pairs by Student's t, groups by a "
        f"linear model{f' with {covariates}' if covariates else ''} in which each group has its own variance "
        "[welch1947], beside GEE with persons as clusters [mancl2001]; "
        f"with fewer than {PERMUTED_BELOW} people, chances come from permutations of signs or residuals (of groups: "
        "the larger of these and Welch's). Effect sizes are Hedges' g."
    )


def _versions(records: Sequence[VisitRecord]) -> str:
    known: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.provenance.get("versions", {}).items():
            known.setdefault(name, set()).add(str(version))
    listed = [f"{name} {' and '.join(sorted(several))}" for name, several in known.items()]
    return f" (visits: {', '.join(listed)})" if listed else ""


def _listed(items: object) -> str:
    return " or ".join(dict.fromkeys(item for item in items if item))  # type: ignore[attr-defined]


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "n/a"
    sd = f" ± {np.std(values, ddof=1):.3g}" if len(values) > 1 and np.ptp(values) > 0 else ""
    return f"{np.mean(values):.4g}{sd}"


# --- Table 1 and who is missing --------------------------------------------------------------------------------------


def table1(cohort: Cohort, by: str) -> tuple[tuple[str, ...], ...]:
    """People at their first visit by group: number, what is known of them, and V_T of each structure and model."""
    visits = list(cohort.first_visits())
    groups: dict[str, list[Visit]] = {"all": visits}
    for visit in visits:
        if visit.covariates.get(by):
            groups.setdefault(visit.covariates[by], []).append(visit)
    if len(groups) == 2:  # all of one group
        groups = {"all": visits}
    rows = [("", *groups), ("n", *(str(len(group)) for group in groups.values()))]
    known = {name for visit in visits for name in visit.covariates}
    rows += [(name, *(_cells(group, name) for group in groups.values())) for name in DESCRIBED if name in known]
    for outcome, model, pvc in cohort.kinds():
        if outcome in MACRO[:2] and MODELS[model].outcome == outcome:
            values = cohort.of_kind(outcome, model, pvc)
            for structure in dict.fromkeys(one.structure for one in values):
                spreads = []
                for group in groups.values():
                    first = {(visit.participant, visit.session) for visit in group}
                    own: dict[str, list[float]] = {}
                    for one in values:
                        if one.structure == structure and (one.participant, one.session) in first:
                            own.setdefault(one.participant, []).append(one.value)
                    spreads.append(_spread([float(np.mean(each)) for each in own.values()]))
                corrected = "" if pvc == "none" else f", {pvc}"
                rows.append((f"{outcome}, {model}{corrected}, {structure} (mean ± SD of people)", *spreads))
    return tuple(rows)


def _cells(group: Sequence[Visit], name: str) -> str:
    cells = [visit.covariates[name] for visit in group if name in visit.covariates]
    missing = f"; {len(group) - len(cells)} unknown" if len(cells) < len(group) else ""
    try:
        return _spread([float(cell) for cell in cells]) + missing
    except ValueError:
        counts = Counter(cells)
        return ", ".join(f"{cell} {count}" for cell, count in sorted(counts.items())) + missing


def exclusions(cohort: Cohort) -> tuple[Exclusion, ...]:
    """Visits and comparisons that could not be made, then every number that the data do not tell."""
    excluded = [
        Exclusion(one.participant, one.session, "comparison" if " " in one.session else "visit", one.code, one.message)
        for one in cohort.lost
    ]
    excluded += [
        Exclusion(one.participant, one.session, ", ".join(part for part in named if part != NO_PVC), reason, "")
        for one in cohort.left_out
        for named in [(one.outcome, one.model, one.pvc, one.place)]
        for reason in one.reasons[:1]
    ]
    return tuple(excluded)


def flow(cohort: Cohort, repeats: TestRetest | None) -> tuple[Flow, ...]:
    """How many people and visits there were, were quantified, and are compared."""
    lost = {(one.participant, one.session) for one in cohort.lost if " " not in one.session}
    done = {(visit.participant, visit.session) for visit in cohort.visits}
    both = [who for who in cohort.participants if len(cohort.sessions(who)) > 1]
    measured = {(one.participant, one.session) for one in cohort.values}
    steps = [
        Flow("visits in the dataset", len({who for who, _ in done | lost}), len(done | lost)),
        Flow("not quantified", len({who for who, _ in lost - done}), len(lost - done)),
        Flow("quantified", len(cohort.participants), len(done)),
        Flow("with a number that the data tell", len({who for who, _ in measured}), len(measured)),
        Flow("with two visits or more", len(both), sum(len(cohort.sessions(who)) for who in both)),
    ]
    if repeats is not None:
        steps.append(Flow("test and retest", len(repeats.pairs), 2 * len(repeats.pairs)))
    return tuple(steps)
