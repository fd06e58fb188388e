"""The kinetic models: their names, parameters, units and default bounds.

Names are those of PET-BIDS derivatives; study names are those of the Amsterdam group's six plasma-input models
(10.1186/s40658-017-0197-0). Symbols follow Innis 2007, 10.1038/sj.jcbfm.9600493.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ..messages import InputRefused
from ..quantities import UNITS

# Not published: wide enough for K1 0.02-1 with V_T 0.3-30 (k2 up to 3.3 1/min); V_B up to 0.5 because a small region
# beside a vessel can be half blood.
DEFAULT_BOUNDS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "K1": (0.0, 2.0),
        "k2": (0.0, 5.0),
        "k3": (0.0, 5.0),
        "k4": (0.0, 5.0),
        "VB": (0.0, 0.5),
        "Kb": (0.0, 5.0),
        "delay": (-30.0, 30.0),
    }
)


@dataclass(frozen=True)
class Model:
    """A kinetic model.

    name: as PET-BIDS derivatives write it. study_name: the usual short name in TSPO studies.
    parameters: what is fitted besides V_B and delay. outcome: "VT" or "Ki". compartmental: fitted to the curve itself;
    otherwise a graphical (linear) method. source: where the equations are published.
    """

    name: str
    study_name: str
    parameters: tuple[str, ...]
    outcome: str
    compartmental: bool
    source: str
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=lambda: DEFAULT_BOUNDS)

    @property
    def units(self) -> dict[str, str]:
        """Units of everything the model reports, by parameter name."""
        extra = ("VB", self.outcome) if self.compartmental else (self.outcome,)
        return {name: UNITS[name] for name in dict.fromkeys((*self.parameters, *extra))}


_INNIS = "Innis 2007, 10.1038/sj.jcbfm.9600493"
_ICHISE = "Ichise 2002, 10.1097/01.WCB.0000038000.34930.4E"

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            Model("1TCM", "1T2k", ("K1", "k2"), "VT", True, _INNIS),
            Model("2TCM3k", "2T3k", ("K1", "k2", "k3"), "Ki", True, _INNIS),
            Model("2TCM", "2T4k", ("K1", "k2", "k3", "k4"), "VT", True, _INNIS),
            Model(
                "2TCM1K",
                "2TCM-1K",
                ("K1", "k2", "k3", "k4", "Kb"),
                "VT",
                True,
                "Rizzo 2014, 10.1038/jcbfm.2014.55",
            ),
            Model("Logan", "Logan", ("VT", "intercept"), "VT", False, "Logan 1990, 10.1038/jcbfm.1990.127"),
            Model("MA1", "MA1", ("VT",), "VT", False, _ICHISE),
            Model("MA2", "MA2", ("VT", "VS"), "VT", False, _ICHISE),
            Model("Patlak", "Patlak", ("Ki", "V0"), "Ki", False, "Patlak 1983, 10.1038/jcbfm.1983.1"),
        )
    }
)

SPELLINGS: Mapping[str, str] = MappingProxyType(
    {spelling.lower(): model.name for model in MODELS.values() for spelling in (model.study_name, model.name)}
)
"""Names of the models by how files and people may write them, in small letters."""


def model_named(name: str) -> Model:
    """The model of that name; raises InputRefused ("model-unknown")."""
    if name not in MODELS:
        raise InputRefused(
            "model-unknown",
            "there is no kinetic model {name!r}; choose from {models}",
            name=name,
            models=", ".join(MODELS),
        )
    return MODELS[name]


def first_of_volume(models: Sequence[str]) -> str:
    """The first of these models that gives V_T, which is the primary one; "" where none does."""
    return next((model for model in models if MODELS[model].outcome == "VT"), "")
