"""Section 16: what ``group`` tells of simulated cohorts whose truth is known: coverage, and false positives."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from TSPOQuantLib.groups.association import correlation, ranked
from TSPOQuantLib.groups.comparison import between, gee, paired, person_means
from TSPOQuantLib.groups.estimates import Estimate
from TSPOQuantLib.groups.repeatability import Repeatability, differing_people, repeatability, without

from .document import Goal, Section, paragraphs, table

Array = NDArray[np.float64]
Ends = tuple[float, float]

TITLE = "Groups: simulated cohorts"
PEOPLE = (6, 10, 20, 40)
REPETITIONS, QUICK = 500, 2
REGIONS = 4
PERSON, REGION, VISIT, OWN = 0.30, 0.10, 0.08, 0.10
"""SDs of ln V_T: of people, of regions within one, of a visit, and of one region at one visit."""
SITE, SHARE_MISSING, FAR_OUT = 0.4, 0.25, 0.6
"""A site's difference of ln V_T, how many pairs of a region are missing, and an outlier's change of ln V_T."""
EFFECT, TOGETHER = 0.25, 0.6
"""Of ln V_T between groups and between visits; correlation of change and score."""
MANY = 100_000
"""People from whom a truth without a formula is taken."""
AS_ASSUMED = "as assumed"
WANTED = (93.0, 97.0)
HELD, FALSE, TOLD = "intervals that hold", "false findings", "broken assumptions that are told"
LEVEL = 5.0
ALLOWED = (3.0, 7.0)


@dataclass(frozen=True)
class Row:
    """One line of a table: a percentage for each of PEOPLE."""

    what: str
    how: str
    percent: tuple[float, ...]


def section(quick: bool) -> Section:
    repetitions = QUICK if quick else REPETITIONS
    rows: dict[str, list[Row]] = {HELD: [], FALSE: [], TOLD: []}
    for part in (_retests, _pairs, _groups, _correlations):
        for row, kind in part(repetitions):
            rows[kind].append(row)
    held, false = rows[HELD], rows[FALSE]
    low, high = (100 * binom.ppf(tail, repetitions, 0.95) / repetitions for tail in (0.025, 0.975))
    header = ["what", "cohort", *(f"n = {n}" for n in PEOPLE)]
    return Section(
        TITLE,
        paragraphs(
            f"""**Simulated** {repetitions} times each, through the functions that `group` calls: n people (n in each
            group, where groups are compared), {REGIONS} regions each; ln V_T differs between people by {PERSON:g}
            (SD), between regions of one by {REGION:g}, from visit to visit by {VISIT:g} for all regions of a person
            together and by {OWN:g} for each. Of {repetitions} intervals that hold the truth in 95 of 100, {low:.1f} to
            {high:.1f} % hold it by chance (95 of 100 such figures).""",
            "How often a 95 % interval holds the truth, %:",
            table(header, [[row.what, row.how, *_cells(row, WANTED)] for row in held]),
            f"""Bold is outside {WANTED[0]:g} to {WANTED[1]:g} %. wSD, RC and limits of agreement in the unit suppose
            an error that does not grow with the value; here it does, and their intervals are widened for it; wCV and
            RC in % suppose what is simulated, and their intervals are wider than they must be where errors differ
            between people. A person far out is of no cohort of one kind: intervals with such a person hold less
            often, those of ICC most, and rows without whoever is told come closer. One outlier belongs to no effect,
            so that an interval of the mean holds more often than it should.""",
            "How often `group` says that an assumption is broken (by `outliers`, by `proportional_p` < 0.05), %:",
            table(header, [[row.what, row.how, *(f"{one:.1f}" for one in row.percent)] for row in rows[TOLD]]),
            f"""How often chance is taken for a finding (p < 0.05), %; it should be {LEVEL:g}
            (by chance {100 - high:.1f} to {100 - low:.1f}):""",
            table(header, [[row.what, row.how, *_cells(row, ALLOWED)] for row in false]),
        ),
        (
            _goal("groups, cohorts as assumed: intervals that hold the truth", held, WANTED, "%"),
            _goal("groups, cohorts as assumed: false positives", false, ALLOWED, "%"),
        ),
    )


def _cells(row: Row, limits: Ends) -> list[str]:
    return [f"{one:.1f}" if limits[0] <= one <= limits[1] else f"**{one:.1f}**" for one in row.percent]


def _goal(what: str, rows: Sequence[Row], limits: Ends, unit: str) -> Goal:
    found = [one for row in rows if row.how == AS_ASSUMED for one in row.percent]
    inside = sum(limits[0] <= one <= limits[1] for one in found)
    met = inside == len(found)
    said = f"{min(found):.1f} to {max(found):.1f} {unit}; {inside} of {len(found)} within"
    return Goal(what, said, f"{limits[0]:g} to {limits[1]:g} {unit}", met)


def _share(ends: Sequence[Estimate], truth: float) -> float:
    return 100 * float(np.mean([one.low <= truth <= one.high for one in ends]))


def _below(chances: Sequence[float]) -> float:
    return 100 * float(np.mean(np.array(chances) <= LEVEL / 100))


# --- Test and retest -------------------------------------------------------------------------------------------------

FAR = "one person far out"
RETESTS = (AS_ASSUMED, "errors differ: 3 to 1", "regions missing", "two sites", FAR)


def retests(random: np.random.Generator, people: int, how: str) -> Array:
    """V_T (people, regions, 2)."""
    errors = VISIT * random.standard_normal((people, 1, 2)) + OWN * random.standard_normal((people, REGIONS, 2))
    if how == RETESTS[1]:
        factor = np.where(np.arange(people) % 2, 1.5, 0.5)
        errors = errors * (factor / math.sqrt(1.25))[:, None, None]
    logs = PERSON * random.standard_normal((people, 1, 1)) + REGION * random.standard_normal((people, REGIONS, 1))
    if how == RETESTS[3]:
        logs = logs + SITE * (np.arange(people) % 2)[:, None, None]
    values = 5 * np.exp(logs + errors)
    if how == RETESTS[2]:
        missing = random.random((people, REGIONS, 1)) < SHARE_MISSING
        missing[:, 0] = False  # everybody has one
        values = np.where(missing, np.nan, values)
    if how == FAR and people < MANY:
        values[0, :, 1] *= math.exp(FAR_OUT)
    return values


MEASURES: dict[str, Callable[[Repeatability], Estimate]] = {
    "wCV (log), RC %": lambda one: one.wcv_log,
    "wCV (difference)": lambda one: one.wcv_difference,
    "wSD, RC": lambda one: one.wsd,
    "ICC(2,1)": lambda one: one.icc21,
    "ICC(3,1)": lambda one: one.icc31,
    "shift, %": lambda one: one.percent,
    "lower limit": lambda one: one.agreement.lower,
}


def _retests(repetitions: int) -> Iterator[tuple[Row, str]]:
    for how in RETESTS:
        random = np.random.default_rng(1)
        truth = dict(zip(MEASURES, _of_many(retests(random, MANY, how)), strict=True))
        found, kept, told = [], [], []
        for people in PEOPLE:
            draws = [retests(random, people, how) for _ in range(repetitions)]
            out = [differing_people(one[..., 0], one[..., 1]) for one in draws]
            told.append(100 * float(np.mean([bool(who) for who in out])))
            found.append([repeatability(one[..., 0], one[..., 1]) for one in draws])
            if how == FAR:
                rest = [without(who, one) for who, one in zip(out, draws, strict=True)]
                kept.append([repeatability(one[..., 0], one[..., 1]) for one in rest])
        for name, measure in MEASURES.items():
            yield Row(name, how, tuple(_share([measure(x) for x in one], truth[name]) for one in found)), HELD
        if how == FAR:
            for name, measure in MEASURES.items():
                shares = tuple(_share([measure(x) for x in one], truth[name]) for one in kept)
                yield Row(name, f"{how}, left out where told", shares), HELD
        else:
            yield Row("tilt", how, tuple(_below([x.agreement.tilt_chance for x in one]) for one in found)), FALSE
        growing = tuple(_below([x.agreement.proportional_chance for x in one]) for one in found)
        yield Row("people who stand out", how, tuple(told)), TOLD
        yield Row("error that grows with the value", how, growing), TOLD


def _of_many(values: Array) -> tuple[float, ...]:
    """The truth of each measure, from very many people and its own definition."""
    first, second = values[..., 0], values[..., 1]
    means = np.nanmean(values, axis=1)
    covariance = np.cov(means.T)
    wcv = math.sqrt(math.expm1(float(np.nanmean(np.log(second / first) ** 2)) / 2))
    relative = math.sqrt(float(np.nanmean((2 * (second - first) / (second + first)) ** 2)) / 2)
    wsd = math.sqrt(float(np.nanmean((second - first) ** 2)) / 2)
    icc = float(2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1]))
    limit = -1.959963984540054 * float(np.std(means[:, 1] - means[:, 0]))
    return wcv, relative, wsd, icc, icc, 0.0, limit


# --- Visits, groups, clinic ------------------------------------------------------------------------------------------

PAIRS = (AS_ASSUMED, "one person far out")


def _pairs(repetitions: int) -> Iterator[tuple[Row, str]]:
    for how in PAIRS:
        random = np.random.default_rng(2)
        held, false = [], []
        for people in PEOPLE:
            found = []
            for _ in range(repetitions):
                change = 0.15 * random.standard_normal(people)
                change[0] += FAR_OUT * random.choice((-1, 1)) * (how != AS_ASSUMED)
                found.append((paired(change + EFFECT), paired(change)))
            held.append(_share([one.value for one, _ in found], EFFECT))
            false.append(_below([other.chance for _, other in found]))
        yield Row("change", how, tuple(held)), HELD
        yield Row("change", how, tuple(false)), FALSE


GROUPS = (
    AS_ASSUMED,
    "first group half as large, spreads 2.5 times as far",
    "regions missing",
    "two sites, 70 and 30 % of a group",
    "one person far out",
)
BY_GEE = GROUPS[:3]
"""For which GEE is asked, too: it takes most of the time."""


def groups(random: np.random.Generator, people: int, how: str) -> tuple[Array, Array, Array]:
    """ln V_T (people, regions) without a difference, who belongs to the second group, and the covariates."""
    second = np.repeat([0.0, 1.0], [people, 2 * people if how == GROUPS[1] else people])
    own = PERSON * random.standard_normal(len(second))
    if how == GROUPS[1]:
        own = own * np.where(second, 1.0, 2.5)
    logs = own[:, None] + math.hypot(REGION, OWN) * random.standard_normal((len(second), REGIONS))
    logs = logs + np.linspace(0, 0.5, REGIONS)
    covariates = np.zeros((len(second), 0))
    if how == GROUPS[2]:
        missing = random.random(logs.shape) < SHARE_MISSING
        missing[np.arange(len(second)), random.integers(REGIONS, size=len(second))] = False
        logs = np.where(missing, np.nan, logs)
    if how == GROUPS[3]:
        site = (random.random(len(second)) < np.where(second, 0.7, 0.3)).astype(float)
        site[[0, people]], site[[1, people + 1]] = 0.0, 1.0  # both have people at both
        logs, covariates = logs + SITE * site[:, None], (site - site.mean())[:, None]
    if how == GROUPS[4]:
        logs[random.integers(len(second))] += 3 * FAR_OUT * random.choice((-1, 1))
    return logs, second, covariates


def _groups(repetitions: int) -> Iterator[tuple[Row, str]]:
    for how in GROUPS:
        random = np.random.default_rng(3)
        held: dict[str, list[float]] = {"groups": [], "groups, GEE": []}
        false = []
        for people in PEOPLE:
            found, others = [], []
            for _ in range(repetitions):
                logs, second, covariates = groups(random, people, how)
                found.append(between(person_means(logs), second, covariates))
                others += [gee(logs, second, covariates)] if how in BY_GEE else []
            held["groups"].append(_share([one.value for one in found], 0.0))
            if others:
                held["groups, GEE"].append(_share(others, 0.0))
            false.append(_below([one.chance for one in found]))
        yield from ((Row(name, how, tuple(values)), HELD) for name, values in held.items() if values)
        yield Row("groups", how, tuple(false)), FALSE
    yield Row("Hedges' g", AS_ASSUMED, tuple(_sizes(people, repetitions) for people in PEOPLE)), HELD


def _sizes(people: int, repetitions: int) -> float:
    random, group = np.random.default_rng(4), np.repeat([0.0, 1.0], people)
    truth = 0.8
    draws = random.standard_normal((repetitions, 2 * people)) + truth * group
    sizes = [between(one, group, np.zeros((2 * people, 0))).size for one in draws]
    return _share(sizes, truth)


Drawn = Callable[[np.random.Generator, int, float], tuple[Array, Array]]


def _normal(random: np.random.Generator, people: int, r: float) -> tuple[Array, Array]:
    x = random.standard_normal(people)
    return x, r * x + math.sqrt(1 - r * r) * random.standard_normal(people)


def _tied(random: np.random.Generator, people: int, r: float) -> tuple[Array, Array]:
    """Scores of 0 to 10, so that many are equal."""
    x, y = _normal(random, people, r)
    return x, np.clip(np.round(5 + 2 * y), 0, 10)


def _skewed(random: np.random.Generator, people: int, r: float) -> tuple[Array, Array]:
    x, y = _normal(random, people, r)
    return x, np.exp(y)


CLINIC: dict[str, Drawn] = {AS_ASSUMED: _normal, "scores of 0 to 10, with ties": _tied, "skewed scores": _skewed}


def _correlations(repetitions: int) -> Iterator[tuple[Row, str]]:
    for how, drawn in CLINIC.items():
        random = np.random.default_rng(5)
        x, y = drawn(random, MANY, TOGETHER)
        truth = float(np.corrcoef(ranked(x), ranked(y))[0, 1]), float(np.corrcoef(x, y)[0, 1])
        held: tuple[list[float], list[float]] = ([], [])
        false: tuple[list[float], list[float]] = ([], [])
        for people in PEOPLE:
            found = [correlation(*drawn(random, people, TOGETHER)) for _ in range(repetitions)]
            none = [correlation(*drawn(random, people, 0.0)) for _ in range(repetitions)]
            held[0].append(_share([one.spearman for one in found], truth[0]))
            held[1].append(_share([one.pearson for one in found], truth[1]))
            false[0].append(_below([one.chance for one in none]))
            false[1].append(_below([one.pearson_chance for one in none]))
        for name, own, ours in zip(("Spearman", "Pearson"), held, false, strict=True):
            yield Row(name, how, tuple(own)), HELD
            yield Row(name, how, tuple(ours)), FALSE
