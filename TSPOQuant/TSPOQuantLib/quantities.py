"""What the program measures and fits, each said once: its name, unit, codes, and how people write it.

Keys are those of PET-BIDS derivatives; symbols follow Innis 2007, 10.1038/sj.jcbfm.9600493. A quantity with ``column``
has a column, with its standard error beside it, in every table of regions (CSV, the panel, DICOM reports): such a one
is added here and as a field of outcome.record.RegionOutcome, and nowhere else.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .messages import Text

ERROR_DIGITS = 2
"""Significant digits of a standard error that people read; the value ends where its error does."""
MORE_DECIMALS = 2
"""A small error shows no more than so many decimals beyond the usual ones."""


@dataclass(frozen=True)
class Quantity:
    """One kind of number.

    key: stable, in files. symbol: as people write it. name: what it is, to be told in any language. unit: as files
    have it, "1" for none. decimals: shown where no standard error says how far the number is known. heading: over a
    column for people, where the symbol alone would not do. column: see above. uptake: it needs no fit, and has a
    column in every table of what does not (outcome.uptake).
    """

    key: str
    symbol: str
    name: Text
    unit: str
    decimals: int
    heading: str = ""
    column: bool = False
    uptake: bool = False

    @property
    def ucum(self) -> str:
        """The unit as the Unified Code for Units of Measure writes it, "1" for none."""
        return self.unit.removeprefix("1") or "1"

    @property
    def shown_unit(self) -> str:
        """The unit for people."""
        return self.unit.replace("cm3", "cm³")

    @property
    def title(self) -> str:
        return self.heading or self.symbol

    @property
    def meaning(self) -> str:
        """What it is, in English, for a code that stands for it."""
        return f"{self.name[0].upper()}{self.name[1:]} ({self.symbol})"

    @property
    def error_key(self) -> str:
        """Of the standard error's field and column."""
        return f"{self.key}_se"


QUANTITIES = (
    Quantity("VT", "V_T", Text("total volume of distribution"), "mL/cm3", 2, "Vr (V_T)", column=True),
    Quantity("K1", "K1", Text("rate constant from plasma to tissue"), "mL/cm3/min", 4, column=True),
    Quantity("k2", "k2", Text("rate constant from tissue to plasma"), "1/min", 4, column=True),
    Quantity("k3", "k3", Text("rate constant from the first to the second compartment"), "1/min", 4, column=True),
    Quantity("k4", "k4", Text("rate constant from the second to the first compartment"), "1/min", 4, column=True),
    Quantity("VB", "V_B", Text("blood volume fraction of the tissue"), "mL/cm3", 3, column=True),
    Quantity("Ki", "K_i", Text("net influx rate constant"), "mL/cm3/min", 4, column=True),
    Quantity("DVR", "DVR", Text("V_T over that of the reference region"), "1", 2, column=True),
    Quantity("Kb", "K_b", Text("rate constant from blood to the vessel wall"), "1/min", 4),
    Quantity("VT/fP", "V_T/f_P", Text("volume of distribution over the free fraction in plasma"), "mL/cm3", 2),
    Quantity("VS", "V_S", Text("volume of distribution of the second compartment"), "mL/cm3", 2),
    Quantity("V0", "V_0", Text("intercept of the Patlak line"), "mL/cm3", 2),
    Quantity("intercept", "b", Text("intercept of the Logan line"), "min", 2),
    Quantity("delay", "delay", Text("delay of the input"), "s", 1),
    Quantity("SUV", "SUV", Text("standardized uptake value by body weight, mean"), "g/mL", 2, uptake=True),
    Quantity("SUVmax", "SUVmax", Text("SUV of the highest voxel"), "g/mL", 2, uptake=True),
    Quantity("SUVpeak", "SUVpeak", Text("SUV of the hottest sphere of 1 cm³ round a voxel"), "g/mL", 2, uptake=True),
    Quantity("SUVsd", "SUV SD", Text("standard deviation of SUV over the voxels"), "g/mL", 2, uptake=True),
    Quantity("SUVR", "SUVR", Text("SUV over that of the reference region"), "1", 2, uptake=True),
    Quantity("TBR-PP", "TBR-PP", Text("tissue over unchanged tracer in plasma"), "1", 2, uptake=True),
    Quantity("TBR-WB", "TBR-WB", Text("tissue over whole blood"), "1", 2, uptake=True),
)
BY_KEY: Mapping[str, Quantity] = MappingProxyType({quantity.key: quantity for quantity in QUANTITIES})
UNITS: Mapping[str, str] = MappingProxyType({quantity.key: quantity.unit for quantity in QUANTITIES})
COLUMNS = tuple(quantity for quantity in QUANTITIES if quantity.column)
"""Those with a column in every table of regions, in this order."""
UPTAKE = tuple(quantity for quantity in QUANTITIES if quantity.uptake)
"""Those that need no fit."""
COLUMN_KEYS = tuple(key for quantity in COLUMNS for key in (quantity.key, quantity.error_key))
"""Of the columns: every quantity with its standard error."""


def decimals_for(error: float | None, usual: int) -> int:
    """Decimals with which a value and its standard error are shown; ``usual`` where the error is not known."""
    if error is None or not math.isfinite(error) or error <= 0:
        return usual
    shown = float(f"{error:.{ERROR_DIGITS - 1}e}")  # 0.0996 is shown as 0.10
    return min(max(ERROR_DIGITS - 1 - math.floor(math.log10(shown)), 0), usual + MORE_DECIMALS)
