"""TSPOQuant for notebooks: what the commands do, as functions.

    import tspoquant
    study = tspoquant.read_study("study.toml")
    result = tspoquant.quantify_study(study)
    for row in result.record.rows:
        print(row.region, row.model, row.VT)

Everything else is in TSPOQuantLib, one package a room. For research use only; not a medical device.
"""

from importlib import import_module
from typing import Any

from TSPOQuantLib import DISCLAIMER, __version__

_HOMES = {
    "acquisition.dicom": ("read_ct", "read_dynamic_pet"),
    "acquisition.frames": ("FrameTiming",),
    "acquisition.inspect": ("inspect",),
    "acquisition.segmentation_files": ("read_segmentation",),
    "input_function": ("InputFunction",),
    "kinetics": ("FitOptions", "fit"),
    "messages": ("InputRefused", "Notice"),
    "outcome.clinical_file": ("read_clinical",),
    "outcome.compare": ("compare",),
    "outcome.record": ("read_record",),
    "pipeline.curves": ("fit_tacs",),
    "pipeline.mapping": ("study_maps",),
    "pipeline.quantification": ("quantify", "quantify_study"),
    "pipeline.visit_data": ("read_visit",),
    "reporting.report": ("write_report",),
    "reporting.visit_files": ("write_visit",),
    "study": ("read_study", "study_of_bids"),
}
"""Where each name lives; it is loaded when it is asked for."""

__all__ = ["DISCLAIMER", "__version__", *(name for names in _HOMES.values() for name in names)]


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"TSPOQuantLib.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
