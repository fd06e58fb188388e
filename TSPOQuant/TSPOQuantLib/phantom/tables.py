"""The phantom's blood: arterial samples as a site measures them, and the true input beside them (PET-BIDS)."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .tracer import ARRIVAL_MIN, Blood

Doubles = NDArray[np.float64]

SAMPLES_MIN = np.array([0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0])
# Assumed errors of a gamma counter and of a metabolite assay.
ACTIVITY_ERROR, FRACTION_ERROR = 0.01, 0.01
_SECONDS = {"Description": "Time since injection, which is the start of the scan", "Units": "s"}
_SIMULATED = "Simulated; decay-corrected to injection. "


def write_blood(stem: Path, blood: Blood, rng: np.random.Generator | None) -> None:
    """``stem``.tsv and .json: manual arterial samples; rng None writes them without error."""
    whole, plasma = blood.whole_blood(SAMPLES_MIN), blood.total_plasma(SAMPLES_MIN)
    fraction = blood.parent_fraction(SAMPLES_MIN)
    if rng is not None:
        whole, plasma = (a * (1 + ACTIVITY_ERROR * rng.standard_normal(a.size)) for a in (whole, plasma))
        fraction = np.clip(fraction + FRACTION_ERROR * rng.standard_normal(fraction.size), 0.01, 1.0)
    columns = {
        "time": SAMPLES_MIN * 60,
        "whole_blood_radioactivity": whole,
        "plasma_radioactivity": plasma,
        "metabolite_parent_fraction": fraction,
    }
    describe = {
        "PlasmaAvail": True,
        "MetaboliteAvail": True,
        "WholeBloodAvail": True,
        "DispersionCorrected": False,
        "MetaboliteMethod": "simulated",
        "MetaboliteRecoveryCorrectionApplied": True,
        "time": _SECONDS,
        "whole_blood_radioactivity": {"Description": _SIMULATED + "Arterial whole blood", "Units": "kBq/mL"},
        "plasma_radioactivity": {"Description": _SIMULATED + "Total arterial plasma", "Units": "kBq/mL"},
        "metabolite_parent_fraction": {"Description": "Simulated parent fraction of plasma", "Units": "unitless"},
    }
    _write(stem, columns, describe)


def true_input_times_min() -> Doubles:
    """A grid so fine that straight lines between its points change no V_T by 0.05 %: 0.25 s at the peak, 5 s late."""
    seconds = [
        np.array([0.0]),
        np.arange(ARRIVAL_MIN * 60, 120, 0.25),
        np.arange(120, 600, 1.0),
        np.arange(600, 3600.1, 5.0),
    ]
    return np.concatenate(seconds) / 60


def write_true_input(stem: Path, blood: Blood) -> None:
    """``stem``.tsv and .json: the true whole blood and parent plasma (AIF), without error."""
    minutes = true_input_times_min()
    columns = {
        "time": minutes * 60,
        "whole_blood_radioactivity": blood.whole_blood(minutes),
        "AIF": blood.parent_plasma(minutes),
    }
    describe = {
        "time": _SECONDS,
        "whole_blood_radioactivity": {"Description": _SIMULATED + "True whole blood", "Units": "kBq/mL"},
        "AIF": {"Description": _SIMULATED + "True parent plasma, metabolite-corrected", "Units": "kBq/mL"},
    }
    _write(stem, columns, describe)


def _write(stem: Path, columns: Mapping[str, Doubles], describe: Mapping[str, object]) -> None:
    rows = ["\t".join(columns)]
    rows += ["\t".join(f"{value:.10g}" for value in row) for row in np.stack(list(columns.values()), axis=1)]
    stem.with_name(stem.name + ".tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    stem.with_name(stem.name + ".json").write_text(json.dumps(describe, indent=2) + "\n", encoding="utf-8")
