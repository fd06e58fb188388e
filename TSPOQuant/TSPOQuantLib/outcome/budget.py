"""The error budget of V_T and of its change: every component's standard deviation of ln V_T.

A nuisance z, standard normal, moves ln V_T by l z + q z². Then the variance is l² + 2 q², the mean q, and for two
visits whose z have the correlation r the covariance is r l₁ l₂ + 2 r² q₁ q₂ (textbook: moments of the normal
distribution). What remains of the means after the difference counts as an error, too. V_T a step below and above tells
the slope and q where V_T was read, which is off by z already: a slope of l + 2 q z, whose mean square is l² + 4 q². So
4 q² is taken off the square of what is seen: a region that is drawn beside a hot spot has a slope because it is.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from scipy.special import stdtrit

from ..kinetics import KineticFit
from ..messages import Text
from ..toml_file import read_toml
from .record import Sensitivity, VisitRecord

KINETIC_MODEL = "kinetic-model"
COMPONENTS = (
    "noise",
    "input-calibration",
    "input-scale",
    "population-input",
    "plasma-ratio",
    "parent-fraction",
    "delay",
    "placement",
    "registration",
    "resolution",
    "correction-model",
    KINETIC_MODEL,
)
OWN = ("noise", "placement")
"""Each region has its own; all else moves the regions of one visit together."""
AXES = 3
AT_REGIONS = 0.5
"""So much of the correction's own share counts where the images told the resolution at the regions: the share is what
V_T was off by where that was told or estimated elsewhere, and the error of a width from the regions is in the budget
by itself."""


@dataclass(frozen=True)
class BudgetSettings:
    """Assumed sizes of what no scan tells: standard deviations. None is published: each is a choice of ours.

    input_scale: of scanner against blood counter, as a fraction. delay_s: of the input against the tissue.
    placement_mm, registration_mm: root mean square distance in space (1/sqrt(3) of it along each axis) of the drawn
    region and of the CT or MR against the PET. fwhm_mm: of a stated resolution; an estimated one has its standard
    error, which holds what it is off by at the regions. resolution_correlation: between visits on one scanner: the
    same wrong FWHM is used at both, so that its error cancels in part; what is left is by how much a scanner's
    resolution may change between visits. All other errors count as independent between visits, which is the cautious
    choice.
    correction_share: of ln(corrected / measured), by which the correction itself is off, alike at both visits: about
    what V_T of foramina showed on the simulated scanner that reconstructs; half of it (``AT_REGIONS``) where the
    images told the resolution at the regions. correction_share_cord: the same of the
    cord, which lies deep in a ring of cold bone, where images are less sharp than at the skin and recover late.
    """

    input_scale: float = 0.05
    delay_s: float = 2.0
    placement_mm: float = 1.0
    registration_mm: float = 0.5
    fwhm_mm: float = 0.5
    resolution_correlation: float = 0.9
    correction_share: float = 0.3
    correction_share_cord: float = 0.55

    def size(self, sensitivity: Sensitivity) -> float:
        """Standard deviation of a nuisance, in its sensitivity's unit."""
        if sensitivity.sd is not None:
            return sensitivity.sd
        return {
            "resolution": self.fwhm_mm,
            "input-scale": self.input_scale,
            "delay": self.delay_s,
            "placement": self.placement_mm / math.sqrt(AXES),
            "registration": self.registration_mm / math.sqrt(AXES),
        }[sensitivity.component]

    def correlation(self, *terms: "Term") -> float:
        """Of one nuisance between two visits. What each visit's data told of itself errs independently, but for the
        models of correction and tissue, which are the same at both, the resolution (see ``between``), and the noise of
        curves that were fitted together."""
        if len(terms) > 1 and all(term.component == "noise" for term in terms):
            return terms[-1].with_first
        if any(term.component in ("correction-model", KINETIC_MODEL) for term in terms):
            return 1.0
        assumed = all(term.component == "resolution" and not term.known for term in terms)
        return self.resolution_correlation if assumed else 0.0

    @property
    def sizes(self) -> dict[str, str]:
        """The assumed size of each component, in words; components that data determine are left out."""
        return {
            "input-scale": Text("{input_scale:g} %", input_scale=100 * self.input_scale),
            "delay": Text("{delay_s:g} s", delay_s=self.delay_s),
            "placement": Text("{placement_mm:g} mm", placement_mm=self.placement_mm),
            "registration": Text("{registration_mm:g} mm", registration_mm=self.registration_mm),
            "resolution": Text(
                "{fwhm_mm:g} mm FWHM, correlation {resolution_correlation:g}",
                fwhm_mm=self.fwhm_mm,
                resolution_correlation=self.resolution_correlation,
            ),
            "correction-model": Text(
                "{share:g} % of the correction, {cord:g} % in the cord; half of it where the images told the "
                "resolution",
                share=100 * self.correction_share,
                cord=100 * self.correction_share_cord,
            ),
        }

    @property
    def of_correction(self) -> Text:
        """What is assumed of the correction itself."""
        return Text(
            "The correction itself: SD {share:g} % of what it adds ({cord:g} % in the cord), on a log scale, half of "
            "it where the images told the resolution, alike at both visits.",
            share=100 * self.correction_share,
            cord=100 * self.correction_share_cord,
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """Every assumption as a sentence."""
        return (
            Text(
                "Scale of the input (scanner against blood counter): SD {input_scale:g} %, independent between "
                "visits.",
                input_scale=100 * self.input_scale,
            ),
            Text("Delay of the input: SD {delay_s:g} s, independent between visits.", delay_s=self.delay_s),
            Text(
                "Place of the drawn region: {placement_mm:g} mm root mean square, independent between visits "
                "and regions.",
                placement_mm=self.placement_mm,
            ),
            Text(
                "Registration of the PET and the image of the anatomy: {registration_mm:g} mm root mean square, "
                "independent between visits.",
                registration_mm=self.registration_mm,
            ),
            Text(
                "Resolution, for corrected curves: SD {fwhm_mm:g} mm FWHM, its standard error where it was estimated; "
                "correlation between visits {resolution_correlation:g}.",
                fwhm_mm=self.fwhm_mm,
                resolution_correlation=self.resolution_correlation,
            ),
            self.of_correction,
            "These sizes are choices of this program or its user; none is published.",
        )


LIMITS = {
    "input_scale": (0.0, 0.5),
    "delay_s": (0.0, 60.0),
    "placement_mm": (0.0, 10.0),
    "registration_mm": (0.0, 10.0),
    "fwhm_mm": (0.0, 3.0),
    "resolution_correlation": (0.0, 1.0),
    "correction_share": (0.0, 1.0),
    "correction_share_cord": (0.0, 1.0),
}


def read_budget(path: Path) -> BudgetSettings:
    """Read a TOML file with a ``[budget]`` table: the fields of BudgetSettings. Raises InputRefused ("budget-…")."""
    file = read_toml(path, "budget")
    file.check_tables(("budget",))
    table = file.data.get("budget", {})
    file.check_keys("budget", table, [field.name for field in fields(BudgetSettings)])
    return BudgetSettings(**{key: file.number(key, value, *LIMITS[key]) for key, value in table.items()})


@dataclass(frozen=True)
class BudgetPart:
    """One component of the error of a change, as standard deviations of ln V_T.

    component: one of ``COMPONENTS``. baseline, followup: of each visit's V_T. change: of the log ratio, with the
    correlation between the visits. assumed: the size that was assumed, in words ("5 %"); "" where both visits' data
    told all of it.
    """

    component: str
    baseline: float
    followup: float
    correlation: float
    change: float
    assumed: str


@dataclass(frozen=True)
class VisitPart:
    """One component of one visit's error. size: standard deviation of ln V_T. assumed: as in a change's part."""

    component: str
    size: float
    assumed: str


@dataclass(frozen=True)
class Term:
    """What one standard normal nuisance does to ln V_T: linear z + quadratic z².

    known: whether its size was told by the visit's own data, and not assumed. df: degrees of freedom of its size, 0
    where it counts as known. with_first: correlation with the same nuisance at the first visit, where the curves of
    both were fitted together.
    """

    component: str
    linear: float
    quadratic: float
    known: bool = False
    df: int = 0
    with_first: float = 0.0


@dataclass(frozen=True)
class Errors:
    """All nuisances of one ln V_T, or of the difference of two of one visit, by factor.

    resolution_mm: FWHM, its standard error, and the part of it that another visit on the scanner does not share
    (infinite where it is not known), where the visit's images told them. told_by: what made these images,
    by maker, model, reconstruction and filter, and whether the skin alone told the resolution.
    """

    terms: Mapping[str, Term]
    resolution_mm: tuple[float, float, float] | None = None
    told_by: tuple[object, ...] = ()

    def minus(self, other: "Errors") -> "Errors":
        """The errors of the difference: what both share cancels as far as it moves both alike."""
        terms = dict(self.terms)
        for factor, term in other.terms.items():
            own = terms.get(factor, Term(term.component, 0.0, 0.0))
            terms[factor] = replace(term, linear=own.linear - term.linear, quadratic=own.quadratic - term.quadratic)
        return Errors(terms, self.resolution_mm, self.told_by)

    @staticmethod
    def mean_of(several: "Sequence[Errors]") -> "Errors":
        """The errors of the mean of several ln V_T of one visit."""
        terms: dict[str, Term] = {}
        for errors in several:
            for factor, term in errors.terms.items():
                sum_of = terms.get(factor, replace(term, linear=0.0, quadratic=0.0))
                linear = sum_of.linear + term.linear / len(several)
                terms[factor] = replace(
                    sum_of, linear=linear, quadratic=sum_of.quadratic + term.quadratic / len(several)
                )
        return Errors(terms, several[0].resolution_mm, several[0].told_by)

    def variance(self, component: str | None = None) -> float:
        """Mean square of the error of one component, or of all."""
        chosen = [t for t in self.terms.values() if component in (None, t.component)]
        by_component: dict[str, float] = {}
        for term in chosen:
            by_component[term.component] = by_component.get(term.component, 0.0) + term.quadratic
        spread = sum(term.linear**2 + 2 * term.quadratic**2 for term in chosen)
        return float(spread + sum(mean**2 for mean in by_component.values()))


def errors_of(record: VisitRecord, region: str, model: str, pvc: str, settings: BudgetSettings) -> Errors:
    """The errors of one region's ln V_T at one visit."""
    fit, scan = record.fit(region, model, pvc), record.acquisition
    own = [one for one in record.sensitivities if (one.region, one.model, one.pvc) == (region, model, pvc)]
    relative = relative_error(fit.outcome_value, fit.outcome_error)
    errors = errors_from(region, relative, fit.degrees_of_freedom, own, settings, with_first_of(fit))
    if pvc != "none":
        seen = record.fit(region, model).outcome_value
        known = seen > 0 and fit.outcome_value > 0
        cord = any(one.structure == "cord" for one in record.regions if one.name == region)
        share = settings.correction_share_cord if cord else settings.correction_share
        share *= 1.0 if scan.fwhm_own_se_mm is None or scan.fwhm_skin_alone else AT_REGIONS
        size = share * math.log(fit.outcome_value / seen) if known else math.inf
        errors = replace(errors, terms={**errors.terms, "correction": Term("correction-model", size, 0.0)})
    if scan.fwhm_mm is None or not scan.fwhm_se_mm:
        return errors
    unshared = math.inf if scan.fwhm_own_se_mm is None else scan.fwhm_own_se_mm
    told_by = (*scan.made_by, scan.fwhm_skin_alone)
    return replace(errors, resolution_mm=(scan.fwhm_mm, scan.fwhm_se_mm, unshared), told_by=told_by)


def with_first_of(fit: KineticFit) -> float:
    """Correlation of the outcome's noise with the first visit's, 0 for a fit of its own."""
    coupled = fit.settings.get("coupled")
    return float(coupled["noise_with_first"]) if isinstance(coupled, dict) else 0.0


def relative_error(value: float, error: float) -> float:
    """Standard error of ln V_T; infinite where V_T has no finite standard error."""
    return error / value if value > 0 and math.isfinite(error) else math.inf


def errors_from(
    region: str,
    noise: float,
    noise_df: int,
    sensitivities: Iterable[Sensitivity],
    settings: BudgetSettings,
    with_first: float = 0.0,
) -> Errors:
    """The errors of one ln V_T. noise: its standard error by the fit, with ``noise_df`` degrees of freedom and the
    correlation ``with_first`` with the first visit's."""
    own = f"noise@{region}"
    terms = {own: Term("noise", noise, 0.0, df=noise_df, with_first=with_first)}
    for one in sensitivities:
        factor = f"{one.factor}@{region}" if one.component in OWN else one.factor
        terms[factor] = _term(one, settings.size(one))
    return Errors(terms)


def _term(one: Sensitivity, size: float) -> Term:
    """Where only one side gave a V_T, the other is taken to mirror it; where none did, the error is unknown."""
    lower, upper, known = one.lower, one.upper, one.sd is not None
    lower, upper = (-upper if math.isnan(lower) else lower), (-lower if math.isnan(upper) else upper)
    if size == 0:
        return Term(one.component, 0.0, 0.0, known)
    if math.isnan(lower):
        return Term(one.component, math.inf, 0.0, known)
    reach = size / one.step
    slope, quadratic = (upper - lower) / 2 * reach, (upper + lower) / 2 * reach**2
    linear = math.copysign(math.sqrt(max(slope**2 - 4 * quadratic**2, 0.0)), slope)
    return Term(one.component, linear, quadratic, known, one.df or 0)


def between(before: Errors, after: Errors, settings: BudgetSettings, *terms: Term) -> float:
    """The correlation of one nuisance between two visits.

    A scanner has one resolution, which changed by c² between the visits (mean square: ``fwhm_mm`` and
    ``resolution_correlation`` of the settings), and two estimates of it differ by x with an error of e² in their
    difference. Then that error is normal with the mean w x and the variance w c², w = e² / (e² + c²) (textbook: what
    is left of a normal error when a sum is known), and its mean square D² = w² x² + w c². Of errors with the SD s and
    t whose difference has the mean square D² the correlation is (s² + t² - D²) / (2 s t).
    """
    first, second = before.resolution_mm, after.resolution_mm
    if first is None or second is None or any(term.component != "resolution" or not term.known for term in terms):
        return settings.correlation(*terms)
    if before.told_by != after.told_by:
        return 0.0  # two resolutions, whose estimates agree by chance
    (one, s, _), (other, t, _) = first, second
    changed = 2 * (1 - settings.resolution_correlation) * settings.fwhm_mm**2
    error = first[2] ** 2 + second[2] ** 2
    weight = 1.0 if math.isinf(error) or changed == 0 else error / (error + changed)
    apart = (weight * (one - other)) ** 2 + weight * changed
    return min(max((s**2 + t**2 - apart) / (2 * s * t), 0.0), 1.0)


def change_variance(before: Errors, after: Errors, settings: BudgetSettings, component: str) -> float:
    """Mean square of one component's error of after - before, with the correlation between the visits.

    Infinite where it is unknown at either visit.
    """
    total, mean = 0.0, 0.0
    for factor in {**before.terms, **after.terms}:
        pair = [errors.terms.get(factor) for errors in (before, after)]
        if all(term is None or term.component != component for term in pair):
            continue
        rho = between(before, after, settings, *(term for term in pair if term is not None))
        first, second = (term or Term(component, 0.0, 0.0) for term in pair)
        if math.isinf(first.linear) or math.isinf(second.linear):
            return math.inf
        total += sum(term.linear**2 + 2 * term.quadratic**2 for term in (first, second))
        if rho:
            total -= 2 * rho * first.linear * second.linear + 4 * rho**2 * first.quadratic * second.quadratic
        mean += second.quadratic - first.quadratic
    return total + mean**2


def budget_of(before: Errors, after: Errors, settings: BudgetSettings) -> tuple[BudgetPart, ...]:
    """Every component that either visit has, in the order of ``COMPONENTS``."""
    return tuple(
        BudgetPart(
            component=component,
            baseline=math.sqrt(before.variance(component)),
            followup=math.sqrt(after.variance(component)),
            correlation=between(before, after, settings, *terms),
            change=math.sqrt(max(change_variance(before, after, settings, component), 0.0)),
            assumed=settings.sizes["resolution"] if component == "resolution" else _assumed(terms, settings.sizes),
        )
        for component, terms in _by_component(before, after).items()
    )


def budget_of_one(errors: Errors, settings: BudgetSettings) -> tuple[VisitPart, ...]:
    """Every component of one visit's error, in the order of ``COMPONENTS``."""
    resolution = Text("{fwhm_mm:g} mm FWHM", fwhm_mm=settings.fwhm_mm)
    sizes = {**settings.sizes, "resolution": resolution}  # what two visits share is no part of one
    return tuple(
        VisitPart(component, math.sqrt(errors.variance(component)), _assumed(terms, sizes))
        for component, terms in _by_component(errors).items()
    )


def _by_component(*visits: Errors) -> dict[str, list[Term]]:
    """The terms of all visits by their component, in the order of ``COMPONENTS``."""
    terms = [term for errors in visits for term in errors.terms.values()]
    by_name = {name: [term for term in terms if term.component == name] for name in COMPONENTS}
    return {name: of_it for name, of_it in by_name.items() if of_it}


def _assumed(terms: Sequence[Term], sizes: Mapping[str, str]) -> str:
    """The size that was assumed of one component, "" where data told all of it."""
    return "" if all(term.known for term in terms) else sizes.get(terms[0].component, "")


def degrees_of_freedom(total_variance: float, *visits: Errors) -> float:
    """Welch and Satterthwaite: noise has the fits' degrees of freedom, a template's people have theirs together, all
    else counts as known."""
    weighted = 0.0
    for errors in visits:
        known: dict[tuple[str, int], float] = {}
        for factor, term in errors.terms.items():
            if term.df > 0:
                key = (factor if term.component == "noise" else term.component, term.df)
                known[key] = known.get(key, 0.0) + term.linear**2
        weighted += sum(variance**2 / df for (_, df), variance in known.items())
    return total_variance**2 / weighted if weighted > 0 and math.isfinite(weighted) else math.inf


def reach(variance: float, df: float) -> float:
    """Half the 95 % interval: Student's t times the standard deviation."""
    if not math.isfinite(variance):
        return math.inf
    factor = 1.959963984540054 if math.isinf(df) else float(stdtrit(df, 0.975))
    return factor * math.sqrt(variance)
