"""A PROTOCOL.toml: the scan, the tissue and the errors that a plan supposes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..acquisition.decay import HALF_LIFE_S
from ..messages import InputRefused, Listed, Text
from ..toml_file import TomlFile, read_toml
from ..tracers import radionuclide_of
from .budget import LIMITS, BudgetSettings
from .plan import FEWEST_FRAMES, MODELS, Protocol
from .repeatability import LEAST_WCV, Coefficient, coefficient_for

HALF_LIFE_TOLERANCE = 0.01
"""How far a stated half-life may be from that of the radionuclide that is named: a choice."""
KEYS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "scan": {
        "injected_mbq": (1, 5000),
        "half_life_s": (30, 1e6),
        "minutes": (10, 180),
        "fwhm_mm": (1, 10),
        "voxel_mm": (0.5, 8),
        "noise_percent": (1, 500),
        "noise_mbq": (1, 5000),
        "noise_fwhm_mm": (0, 30),
    },
    "tissue": {"vb": (0, 0.5), "surroundings_k1": (0.001, 2), "surroundings_vt": (0.01, 100)},
    "region": {"volume_mm3": (8, 1e5), "recovery": (0.05, 1)},
    "plan": {"wcv_percent": (0, 100), "power": (0.5, 0.99)},
    "budget": LIMITS,
}
"""Tables and numbers of a PROTOCOL.toml with their limits; beside them ``OTHER_KEYS``."""
OTHER_KEYS = {"scan": ("frames_s", "tracer"), "tissue": ("K1", "VT"), "plan": ("model",)}


def read_protocol(path: Path, tracer: str | None = None, half_life_s: float | None = None) -> Protocol:
    """Read a PROTOCOL.toml; tracer and half_life_s take the place of what it says of them.

    Raises InputRefused: "protocol-unreadable", "protocol-key", "protocol-value".
    """
    file = read_toml(path, "protocol")
    file.check_tables(KEYS)
    known: dict[str, Any] = {}
    if tracer is not None or half_life_s is not None:
        scan = {key: value for key, value in file.data.get("scan", {}).items() if key != "half_life_s"}
        given = {"tracer": tracer, "half_life_s": half_life_s}
        file.data["scan"] = scan | {key: value for key, value in given.items() if value is not None}
    for table, limits in KEYS.items():
        content = file.data.get(table, {})
        file.check_keys(table, content, (*limits, *OTHER_KEYS.get(table, ())))
        numbers = {
            key: file.number(f"[{table}] {key}", content[key], *limits[key]) for key in limits if key in content
        }
        known |= {"budget": BudgetSettings(**numbers)} if table == "budget" else numbers
    if "wcv_percent" in known:
        known["wcv"] = known.pop("wcv_percent") / 100
        if 0 < known["wcv"] < LEAST_WCV:
            problem = Text(
                "[plan] wcv_percent is in %, and {percent:g} % is better than any V_T repeats; if it is a fraction, "
                "write {fraction:g}",
                percent=100 * known["wcv"],
                fraction=1e4 * known["wcv"],
            )
            raise file.refuse("value", problem)
    tissue, scan = file.data.get("tissue", {}), file.data.get("scan", {})
    if "K1" in tissue:
        known["k1"] = _pair(file, "[tissue] K1", tissue["K1"], (0.01, 2))
        if known["k1"][0] > known["k1"][1]:
            raise file.refuse("value", Text("[tissue] K1 must be the lower and the upper end of a range"))
    if "VT" in tissue:
        known["vt"] = _pair(file, "[tissue] VT", tissue["VT"], (0.1, 100))
    if "tracer" in scan:
        known |= _tracer(file, scan["tracer"], known.get("half_life_s"))
    if "frames_s" in scan:
        given = scan["frames_s"]
        if not isinstance(given, list) or not given:
            raise file.refuse("value", Text("[scan] frames_s must be a list of durations in seconds"))
        known["frames_s"] = tuple(file.number("[scan] frames_s", value, 0.5, 3600) for value in given)
    model = file.data.get("plan", {}).get("model", Protocol.model)
    if model not in MODELS:
        raise file.refuse("value", Text("[plan] model must be one of {models}", models=Listed(MODELS)))
    protocol = Protocol(**known, model=model)
    if len(protocol.timing) < FEWEST_FRAMES or protocol.timing.ends_s[-1] < 0.99 * protocol.minutes * 60:
        raise file.refuse(
            "value",
            Text(
                "[scan] frames_s must fill the minutes of the scan with at least {frames} frames", frames=FEWEST_FRAMES
            ),
        )
    return protocol


def with_coefficient(protocol: Protocol, known: Sequence[Coefficient]) -> Protocol:
    """The protocol with the coefficient for its model: of foramina, else of any structure, else the one there is.

    Raises InputRefused: "protocol-repeatability" (none for the model, several to choose from, or wcv_percent too).
    """
    if protocol.wcv:
        raise InputRefused(
            "protocol-repeatability",
            "[plan] wcv_percent and --repeatability both say how V_T varies from day to day; leave one out",
        )
    own = [coefficient for coefficient in known if (coefficient.model, coefficient.pvc) == (protocol.model, "none")]
    coefficient = coefficient_for(tuple(own), protocol.model, "foramen", "none") or (own[0] if len(own) == 1 else None)
    if coefficient is None:
        raise InputRefused(
            "protocol-repeatability",
            "no coefficient tells how V_T by {model} repeats in a foramen; those given are for {known}: add one, or "
            "choose another [plan] model",
            model=protocol.model,
            known=Listed([f"{coefficient.model} {coefficient.structure}" for coefficient in known], "; "),
        )
    return replace(protocol, wcv=coefficient.wcv, wcv_source=f"{coefficient.structure}: {coefficient.source}")


def _tracer(file: TomlFile, name: object, half_life_s: float | None) -> dict[str, Any]:
    """Name and half-life; the half-life of what the name tells, where none is given."""
    if not isinstance(name, str) or not name:
        raise file.refuse("value", Text('[scan] tracer must be a name, such as "[18F]DPA-714"'))
    known = HALF_LIFE_S.get(radionuclide_of(name) or "")
    if half_life_s is None and known is None:
        problem = Text(
            "the radionuclide of [scan] tracer '{name}' is not known; add [scan] half_life_s, or --half-life",
            name=name,
        )
        raise file.refuse("value", problem)
    if half_life_s and known and abs(half_life_s / known - 1) > HALF_LIFE_TOLERANCE:
        problem = Text(
            "[scan] half_life_s is {stated:g}, but '{name}' has {known:g} s; correct one of them",
            stated=half_life_s,
            name=name,
            known=known,
        )
        raise file.refuse("value", problem)
    return {"tracer": name, "half_life_s": half_life_s or known}


def _pair(file: TomlFile, where: str, value: object, limits: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise file.refuse("value", Text("{where} must be a list of two numbers", where=where))
    first, second = (file.number(where, number, *limits) for number in value)
    return first, second
