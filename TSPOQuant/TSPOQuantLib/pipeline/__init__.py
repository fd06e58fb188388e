"""The corridor: a study from its files to its outputs, in the order of the rooms, one file a stage.

visit_data reads, placement aligns, plasma makes the input, quantification and mapping compute, curves does so for
ready curves. Its names can be had from here; what they need is loaded with the first of a file's.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "curves": ("fit_tacs",),
    "mapping": ("make_visit_maps", "study_maps"),
    "placement": ("Alignment", "Placed", "align_visit", "place", "region_to_frame", "visit_fused"),
    "plasma": ("input_of", "visit_input"),
    "quantification": ("quantify", "quantify_study", "quantify_visit"),
    "visit_data": ("VisitData", "carry_regions", "on_one_clock", "read_visit"),
}


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)
