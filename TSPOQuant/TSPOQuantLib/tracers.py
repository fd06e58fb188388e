"""Tracers by name: what the literature says of each, with its source, so that no room has to guess it.

A tracer that is not here works like any other; what is then not known is said. None stands for what was looked for and
not found in a source that could be read.
"""

import re
from dataclasses import dataclass

from .messages import Text

SIMULATED = "simulated"
"""A tracer's name that holds this word tells simulated data."""


@dataclass(frozen=True)
class Sourced:
    """One statement of the literature, and where it stands."""

    statement: Text
    source: str


@dataclass(frozen=True)
class Code:
    """A coded name as DICOM has it (PS3.16, CID 4021)."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True)
class Tracer:
    """One tracer.

    synonyms: lower case, of letters and digits, as they stand in names behind the radionuclide. radionuclide: "C11",
    "F18". code: None where DICOM has none. models: of this program, the first preferred; preferred: who says so.
    genotype: whether binding depends on rs6971, genotype_source: who says so. repeatability: what is published.
    """

    name: str
    synonyms: tuple[str, ...]
    radionuclide: str
    target: Text
    code: Code | None = None
    models: tuple[str, ...] = ()
    preferred: Sourced | None = None
    genotype: bool | None = None
    genotype_source: Sourced | None = None
    repeatability: Sourced | None = None
    suvr_caution: Sourced | None = None


TSPO = Text("translocator protein (TSPO)")
FOUR_TRACERS = "10.1186/s13550-017-0334-8"
SECOND_GENERATION = Sourced(
    Text("binding depends on rs6971, as that of the second generation of TSPO tracers does"),
    "10.1007/s11307-020-01575-9",
)
NO_TSPO = Text("no tracer of TSPO, whose gene rs6971 is in")

TRACERS = (
    Tracer(
        "[11C]DPA-713",
        ("dpa713",),
        "C11",
        TSPO,
        Code("126765", "DCM", "DPA-713 ^11^C"),
        ("1TCM", "2TCM", "Logan"),
        Sourced(
            Text("1T2k in cervical cord and foramina; two tissue compartments in brain (PMC2883612)"),
            "10.3389/fnume.2025.1569991",
        ),
        True,
        Sourced(Text("brain BP_ND 7.3, 3.4 and 1.8 in high-, mixed- and low-affinity binders"), FOUR_TRACERS),
        Sourced(
            Text(
                "brain V_T by Logan, 5 volunteers: mean bias 30 %, 95 % limits of agreement ±70 %; none for foramina"
            ),
            "10.1186/s40658-021-00381-8",
        ),
    ),
    Tracer(
        "[18F]DPA-714",
        ("dpa714",),
        "F18",
        TSPO,
        Code("126766", "DCM", "DPA-714 ^18^F"),
        ("2TCM",),
        Sourced(Text("two tissue compartments in brain"), "10.1177/0271678X17692599"),
        True,
        SECOND_GENERATION,
    ),
    Tracer(
        "[11C]PBR28",
        ("pbr28",),
        "C11",
        TSPO,
        None,
        ("2TCM", "2TCM1K"),
        Sourced(
            Text("two tissue compartments in brain, or these with trapping in vessel walls (10.1038/jcbfm.2014.55)"),
            "10.1007/s00259-015-3149-8",
        ),
        True,
        SECOND_GENERATION,
        Sourced(
            Text("V_T of gray matter, 12 people: mean absolute variability 18.3 ± 12.7 %"), "10.1007/s00259-015-3149-8"
        ),
    ),
    Tracer(
        "(R)-[11C]PK11195",
        ("pk11195",),
        "C11",
        TSPO,
        Code("C1609883", "UMLS", "PK11195 ^11^C"),
        ("2TCM",),
        Sourced(Text("two tissue compartments in brain"), "10.1186/2191-219X-2-15"),
        False,
        Sourced(
            Text("its affinity is the same where PBR28 does not bind; its uptake differed in heart and lung alone"),
            "10.1038/jcbfm.2010.63, PMID 19948230",
        ),
        Sourced(
            Text("BP_ND, 6 people 6 weeks apart: error 4 % in the whole brain, 25 % and 55 % in small regions"),
            "10.1186/2191-219X-2-15",
        ),
        Sourced(
            Text("in the brain its SUV followed no other outcome, V_T and BP_ND from arterial blood among them"),
            "10.1186/s13550-018-0455-8",
        ),
    ),
    Tracer(
        "[18F]GE-180",
        ("ge180", "flutriciclamide"),
        "F18",
        TSPO,
        None,
        ("2TCM",),
        Sourced(
            Text("two tissue compartments in brain, where V_T was small and known with a low precision"),
            "J Nucl Med 2018;59:1260",
        ),
    ),
    Tracer(
        "[18F]FDG",
        ("fdg", "fluorodeoxyglucose", "fludeoxyglucose"),
        "F18",
        Text("glucose metabolism"),
        Code("35321007", "SCT", "Fluorodeoxyglucose F^18^"),
        ("Patlak", "2TCM3k"),
        Sourced(Text("net influx by the Patlak plot: uptake that hardly leaves the tissue"), "PMC6133657"),
        False,
        Sourced(NO_TSPO, "J Nucl Med 2008;49:1804"),
        Sourced(Text("SUV of tumors: within-subject coefficient of variation about 10 %"), "J Nucl Med 2017;58:523"),
    ),
    Tracer(
        "[18F]FTC-146",
        ("ftc146",),
        "F18",
        Text("sigma-1 receptor"),
        genotype=False,
        genotype_source=Sourced(NO_TSPO, "10.2967/jnumed.117.192641"),
    ),
)

_NUCLIDE_BY_MASS = {"11": "C11", "13": "N13", "15": "O15", "18": "F18"}
_OTHER_NUCLIDE = re.compile(r"iod|(?<!\d)1(?:2[345]|31)(?!\d)")


def nuclide(text: str) -> str | None:
    """The radionuclide that ``text`` names ("^11^Carbon", "C-11", "[18F]", "Fluorine 18"), as "C11"; or None."""
    mass = re.search(r"(?<!\d)(11|13|15|18)(?!\d)", text)
    if mass is None:
        return None
    name = _NUCLIDE_BY_MASS[mass.group(1)]
    return name if name[0] in re.findall(r"(?<![A-Za-z])[A-Za-z]", text.upper()) else None


def tracer_named(text: str | None) -> Tracer | None:
    """The tracer that a header, a sidecar or a person names, whatever hyphens and brackets; None for an unknown one.

    A name with another radionuclide than the tracer's is not that tracer's.
    """
    if not text or _OTHER_NUCLIDE.search(text.lower()):
        return None
    labeled = nuclide(text)
    for tracer in TRACERS:
        if labeled in (None, tracer.radionuclide) and any(_names(synonym, text) for synonym in tracer.synonyms):
            return tracer
    return None


def _names(synonym: str, text: str) -> bool:
    """Whether a text holds a name, with anything that is no letter or digit between its letters and its number."""
    spelled = r"[\W_]*".join(re.findall(r"[a-z]+|\d+", synonym))
    return re.search(rf"(?<![a-z]){spelled}(?![a-z0-9])", text.lower()) is not None


def radionuclide_of(name: str) -> str | None:
    """The radionuclide of what a person calls a tracer: a known tracer's own, else the one that its name says."""
    tracer = tracer_named(name)
    return tracer.radionuclide if tracer else nuclide(name)


def same_tracer(one: str, other: str) -> bool:
    """Whether two names are those of one tracer, both of a person or both simulated."""
    if one == other:
        return True
    known = tracer_named(one)
    alike = (SIMULATED in one.lower()) == (SIMULATED in other.lower())
    return known is not None and known is tracer_named(other) and alike
