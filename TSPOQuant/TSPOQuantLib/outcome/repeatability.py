"""Repeatability coefficients that the user knows, with their source: the only measure of "beyond measurement error".

For V_T of [11C]DPA-713 in foramina none has been published. RC = 1.96 sqrt(2) wSD; proportional errors are
treated on the log scale (QIBA, 10.1177/0962280214537344).
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..kinetics import MODELS
from ..messages import Listed, Text
from ..regions.anatomy import STRUCTURES
from ..regions.partial_volume import METHODS
from ..toml_file import TomlFile, read_toml

TWO_SIDED = 1.96 * math.sqrt(2)
"""RC over the within-subject standard deviation."""
ANY = "any"
KINDS = ("wCV", "RC%")
KEYS = ("kind", "value", "model", "structure", "pvc", "source")
# Not published: choices, to tell a slip of unit from a coefficient.
LEAST_WCV = 0.01
"""No V_T is known to repeat by less; a fraction that is taken for a percentage lies below."""
MOST_PERCENT = 100.0
"""Beyond it no fall could ever be more than error."""
NONE_KNOWN = Text(
    "No repeatability coefficient of V_T in neuroforamina or cord is known, so that nothing can be called "
    "beyond measurement error. What is published: in brain, Logan V_T of five volunteers had a mean bias of 30 % and "
    "95 % limits of agreement of ±70 % (10.1186/s40658-021-00381-8)."
)


@dataclass(frozen=True)
class Coefficient:
    """How well V_T repeats where nothing changed. wcv: within-subject coefficient of variation, a fraction.

    kind, value: as stated ("wCV" or "RC%", in %). model, structure ("foramen", "cord", "any"), pvc: what it is for.
    """

    kind: Literal["wCV", "RC%"]
    value: float
    wcv: float
    model: str
    structure: str
    pvc: str
    source: str


@dataclass(frozen=True)
class Verdict:
    """Whether a change is beyond measurement error, which only a repeatability coefficient can tell.

    code: "beyond" (both rules, and the scans' own interval), "rules-differ" (one rule, and the scans' own interval),
    "own-interval" (a rule or both, but the scans' own interval holds no change), "within" (neither rule), "unknown"
    (no coefficient for this model and structure), "not-estimated" (no V_T at one visit). wcv: within-subject
    coefficient of variation, a fraction. limit_percent: the difference rule's limit, % of the baseline. limit_log:
    the log rule's limit of the size of ln(followup / baseline).
    source: of the coefficient. text: one to three sentences. misfit: where the error budget of these scans is larger
    than the coefficient allows, its SD of the change and the coefficient's, both in %.
    """

    code: Literal["beyond", "own-interval", "within", "rules-differ", "unknown", "not-estimated"]
    wcv: float | None
    limit_percent: float | None
    limit_log: float | None
    beyond_by_difference: bool | None
    beyond_by_log: bool | None
    source: str
    text: str
    misfit: tuple[float, float] | None = None


def coefficient_for(known: tuple[Coefficient, ...], model: str, structure: str, pvc: str) -> Coefficient | None:
    """The coefficient stated for this model, structure and correction; one for "any" structure where there is none."""
    fitting = [c for c in known if (c.model, c.pvc) == (model, pvc) and c.structure in (structure, ANY)]
    return min(fitting, key=lambda c: c.structure == ANY, default=None)


def judge(
    baseline: float,
    followup: float,
    coefficient: Coefficient | None,
    log_ratio_se: float = 0.0,
    half: float = 0.0,
) -> Verdict:
    """Both rules: the difference against 1.96 sqrt(2) wCV of the baseline, and ln of the ratio against
    1.96 sqrt(2) sigma with sigma^2 = ln(1 + wCV^2), as a log-normal error has it.

    The rules differ for large falls, which the log scale sees as larger than a percentage does.
    log_ratio_se, half: standard error of ln(followup / baseline) by the scans' own error budget, and half the width of
    its 95 % interval. A change that this interval does not tell from none is never called beyond measurement error.
    """
    if not (baseline > 0 and followup > 0 and math.isfinite(baseline) and math.isfinite(followup)):
        text = Text("At one of the two visits, or at both, there is no V_T above 0: no change can be told.")
        return Verdict("not-estimated", None, None, None, None, None, "", text)
    if coefficient is None:
        return Verdict("unknown", None, None, None, None, None, "", NONE_KNOWN)
    wcv = coefficient.wcv
    sigma = math.sqrt(math.log1p(wcv**2))
    limit_percent, limit_log = 100 * TWO_SIDED * wcv, TWO_SIDED * sigma
    percent = 100 * (followup / baseline - 1)
    log_ratio = math.log(followup / baseline)
    by_difference, by_log = abs(percent) > limit_percent, abs(log_ratio) > limit_log
    code: Literal["beyond", "own-interval", "within", "rules-differ"]
    if not (by_difference or by_log):
        code = "within"
    elif abs(log_ratio) <= half:
        code = "own-interval"
    else:
        code = "beyond" if by_difference and by_log else "rules-differ"
    rule = Text("log") if by_log else Text("difference")
    statement = {
        "beyond": Text("is beyond measurement error by both rules"),
        "own-interval": Text(
            "exceeds what the coefficient allows, but not the error of these scans, whose own interval holds no change"
        ),
        "within": Text("is within measurement error by both rules"),
        "rules-differ": Text("is beyond measurement error by the {rule} rule alone", rule=rule),
    }[code]
    text = Text(
        "The change of {percent:+.1f} % {told}: 95 of 100 repeated measurements without any change stay "
        "within ±{limit_percent:.1f} % (difference rule) or {low:+.1f} to {high:+.1f} % (log rule), for a "
        "within-subject coefficient of variation of {wcv:.1f} % ({source}).",
        percent=percent,
        told=statement,
        limit_percent=limit_percent,
        low=100 * math.expm1(-limit_log),
        high=100 * math.expm1(limit_log),
        wcv=100 * wcv,
        source=coefficient.source,
    )
    allowed = math.sqrt(2) * sigma
    known = math.isfinite(log_ratio_se)  # an error of unknown size contradicts no coefficient
    misfit = (100 * log_ratio_se, 100 * allowed) if known and log_ratio_se > allowed else None
    if misfit:
        text = Text(
            "{verdict} The coefficient does not fit these scans: their own error budget gives a change a standard "
            "deviation of {own:.0f} %, the coefficient one of {allowed:.0f} %.",
            verdict=text,
            own=misfit[0],
            allowed=misfit[1],
        )
    return Verdict(code, wcv, limit_percent, limit_log, by_difference, by_log, coefficient.source, text, misfit)


def read_repeatability(path: Path) -> tuple[Coefficient, ...]:
    """Read an RC.toml: a ``[[coefficient]]`` for every model and structure.

    kind "wCV" (within-subject coefficient of variation) or "RC%" (1.96 sqrt(2) wCV), value in %, model, structure
    ("foramen", "cord", … or "any"), source (required: where the value comes from), and pvc ("none" when left out).
    Raises InputRefused: "repeatability-unreadable", "repeatability-key", "repeatability-value",
    "repeatability-source", "repeatability-twice", "repeatability-empty".
    """
    file = read_toml(path, "repeatability")
    file.check_tables((), ("coefficient",))
    tables = file.data.get("coefficient", [])
    if not tables:
        raise file.refuse("empty", Text("there is no [[coefficient]]; add one, or leave the file out"))
    coefficients = tuple(_coefficient(file, index, table) for index, table in enumerate(tables))
    places = [(c.model, c.structure, c.pvc) for c in coefficients]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice:
        problem = Text(
            "the coefficient of {model}, {structure}, pvc {pvc} is stated more than once; keep one",
            model=twice[0],
            structure=twice[1],
            pvc=twice[2],
        )
        raise file.refuse("twice", problem)
    return coefficients


def _coefficient(file: TomlFile, index: int, table: dict[str, object]) -> Coefficient:
    file.check_keys("coefficient", table, KEYS, index)
    number = index + 1
    if not isinstance(table.get("source"), str) or not str(table["source"]).strip():
        problem = Text("coefficient {number} has no source, and so is not used; add one", number=number)
        raise file.refuse("source", problem, file.line("coefficient", index))
    models = [name for name, model in MODELS.items() if model.outcome == "VT"]
    choices = {"kind": KINDS, "model": models, "structure": (*STRUCTURES, ANY), "pvc": ("none", *METHODS)}
    chosen = {}
    for key, allowed in choices.items():
        value = table.get(key, "none" if key == "pvc" else None)
        if value not in allowed:
            problem = Text(
                "coefficient {number}: {key} must be one of {allowed}", number=number, key=key, allowed=Listed(allowed)
            )
            raise file.refuse("value", problem, file.line("coefficient", index, key))
        chosen[key] = str(value)
    where = Text("coefficient {number}: {key}", number=number, key="value")
    value = file.number(where, table.get("value"), 0, MOST_PERCENT)
    wcv = value / 100 / (1 if chosen["kind"] == "wCV" else TWO_SIDED)
    if wcv < LEAST_WCV:
        problem = Text(
            "coefficient {number}: value is in %, and {kind} {value:g} % would be a coefficient of variation of "
            "{wcv:.2g} %, better than any V_T repeats; if it is a fraction, write {percent:g}",
            number=number,
            kind=chosen["kind"],
            value=value,
            wcv=100 * wcv,
            percent=100 * value,
        )
        raise file.refuse("value", problem, file.line("coefficient", index, "value"))
    return Coefficient(
        kind=chosen["kind"],  # type: ignore[arg-type]  # one of KINDS, checked above
        value=value,
        wcv=wcv,
        model=chosen["model"],
        structure=chosen["structure"],
        pvc=chosen["pvc"],
        source=" ".join(str(table["source"]).split()),
    )
