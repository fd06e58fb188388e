"""Parametric maps as BIDS derivatives: NIfTI with a JSON beside each."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .. import DISCLAIMER
from ..alignment.rigid import to_sitk
from ..outcome.visit import VisitMaps
from ..quantities import BY_KEY
from .tables import write_json
from .visit_files import KINPAR_UNITS


def write_maps(folder: Path, result: VisitMaps) -> None:
    """``…_model-<M>_meas-<P>_mimap.nii.gz`` for every parameter, V_T's standard error ("VTse"), and the flags as bits.

    Voxels outside the mask, and voxels that could not be fitted, are NaN (0 among the flags).
    """
    maps = result.maps
    stem = f"sub-{result.subject}_ses-{result.session}_model-{maps.model}"
    images = {name: (values, KINPAR_UNITS.get(name, "1")) for name, values in maps.parameters.items()}
    images |= {f"{name}se": (values, KINPAR_UNITS.get(name, "1")) for name, values in maps.standard_errors.items()}
    about = {"About": DISCLAIMER, "Model": maps.model, "tstar_s": maps.tstar_s, **result.provenance}
    for name, (values, unit) in images.items():
        path = folder / f"{stem}_meas-{name}_mimap.nii.gz"
        sitk.WriteImage(to_sitk(values, result.grid), str(path))
        write_json(folder / f"{stem}_meas-{name}_mimap.json", {"Units": unit, **about})
    bits = np.zeros(result.grid.shape, dtype=np.float32)
    for bit, raised in enumerate(maps.flags.values()):
        bits += np.float32(2**bit) * raised
    sitk.WriteImage(to_sitk(bits, result.grid), str(folder / f"{stem}_meas-flags_mimap.nii.gz"))
    meaning = {str(2**bit): code for bit, code in enumerate(maps.flags)}
    write_json(folder / f"{stem}_meas-flags_mimap.json", {"Bits": meaning, **about})


def maps_text(result: VisitMaps) -> str:
    """How many voxels, and how V_T is spread over them, for a terminal."""
    quantity = BY_KEY[result.maps.outcome]
    values = result.maps.parameters[quantity.key]
    fitted = values[np.isfinite(values)]
    limits = np.percentile(fitted, (5, 50, 95)) if fitted.size else (np.nan,) * 3
    shown = [f"{value:.{quantity.decimals}f}" for value in limits]
    return (
        f"{result.subject}, {result.session}: {result.maps.model} {quantity.symbol} in {fitted.size} voxels, "
        f"median {shown[1]} (5 to 95 %: {shown[0]} to {shown[2]}) {quantity.shown_unit}\n{DISCLAIMER}"
    )
