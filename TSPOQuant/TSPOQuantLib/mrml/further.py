"""The settings that have no control of their own in the panel: kept in the scene, checked as those of a study file.

They follow from what the rooms declare (TSPOQuantLib.outcome.settings.SETTINGS): a new one needs nothing here.
"""

import json
from typing import Any

from slicer.i18n import tr as _

from ..outcome.settings import SETTINGS
from ..settings import Setting, typed
from .language import refusal, translated

CONTROLLED = {
    "subject": "subject",
    "session": "currentSession",
    "genotype": "genotype",
    "washout": "washout",
    "blood_pool": "bloodPoolSegmentID",
    "input_source": "inputSource",
    "vb": "bloodVolume",
    "motion_correction": "motion",
    "pvc": "pvc",
}
"""Settings that the panel's own controls set to whatever is allowed, with the field of the parameter nodes."""
SHORTCUTS = {
    "models": (),
    "calibration": ("calibration",),
    "delay_s": ("fitDelay",),
    "fwhm_mm": ("fwhm",),
}
"""Settings of which controls offer what is chosen most often, by the fields that widgets are bound to; what is typed
here counts instead."""


def offered() -> tuple[Setting, ...]:
    """What can be typed, in the order of the study file."""
    return tuple(setting for setting in SETTINGS if setting.name not in CONTROLLED)


def kept(text: str) -> dict[str, Any]:
    """By name, what a scene keeps of them; what it does not know any more, or does not allow, is refused by name.

    Raises InputRefused ("settings-unreadable").
    """
    known = {setting.name: setting for setting in offered()}
    try:
        found = json.loads(text or "{}")
        return {name: known[name].kind.accept(value) for name, value in found.items()}
    except (ValueError, KeyError, AttributeError) as error:
        message = _("The further settings of the scene cannot be read ({error}); type them again.")
        raise refusal("settings-unreadable", message.format(error=error)) from error


def changed(text: str, setting: Setting, entry: str) -> str:
    """What the scene keeps once this was typed for a setting; nothing typed takes it back to its default.

    Raises InputRefused ("settings-value", "settings-unreadable").
    """
    return with_value(text, setting.name, value_of(setting, entry.strip()) if entry.strip() else None)


def with_value(text: str, name: str, value: Any) -> str:
    """What the scene keeps once a setting has a value that is allowed; None takes it back to its default.

    Raises InputRefused ("settings-unreadable").
    """
    values = kept(text) | {name: value}
    if value is None:
        del values[name]
    return json.dumps(values) if values else ""


def value_of(setting: Setting, text: str) -> Any:
    """A typed value: as a study file would have it, with or without quotation marks and brackets.

    Raises InputRefused ("settings-value").
    """
    try:
        return typed(setting.kind, text)
    except ValueError as error:
        sentence = _("{name} must be {wanted}.").format(name=setting.name, wanted=translated(setting.kind.wanted))
        raise refusal("settings-value", sentence) from error


def as_typed(value: object) -> str:
    """A value as it would be typed; "" for one that is not set."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        inside = ", ".join(f"{name} = {json.dumps(item)}" for name, item in value.items())
        return f"{{ {inside} }}" if inside else ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
