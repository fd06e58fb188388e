"""Visits as a BIDS derivative dataset, named as the draft for PET derivatives (BEP023) names curves and parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from .. import DISCLAIMER, __version__
from ..messages import InputRefused
from ..outcome.record import VisitRecord
from ..outcome.visit import VisitMaps
from .maps import write_maps
from .tables import write_json, write_tsv
from .visit_files import stem_of, write_curves, write_for_petfit, write_input, write_kinpar, write_uptake

BIDS_VERSION = "1.11.0"
IGNORED = (
    *("*_tacs.*", "*_kinpar.*", "*_mimap.*", "*_bloodproc.*", "*_uptake.*"),
    *("*_inputfunction.*", "*_morph.*"),
)
"""What the draft names and the standard does not know yet: .bidsignore keeps validators from calling it wrong."""
README = f"""# Time-activity curves and kinetic parameters of PET in the spine

Written by TSPOQuant {__version__}. {DISCLAIMER}

One folder a visit, `sub-<label>/ses-<label>/pet/`, with names of the draft BEP023:

| file | what |
|---|---|
| `…_seg-regions_tacs.tsv` | mean activity by region and frame, kBq/mL; `pvc-<method>`: partial volume corrected |
| `…_desc-preproc_seg-regions_tacs.tsv`, `…_morph.tsv` | the same in Bq/mL, and the volumes, as petfit reads them |
| `…_model-<model>_kinpar.tsv` | parameters, standard errors, criteria and flags of every region |
| `…_seg-regions_uptake.tsv` | SUV (mean, max, peak, SD), SUVR and target-to-blood ratios; its JSON says how |
| `…_model-<model>_meas-VT_mimap.nii.gz` | a map of V_T, mL/cm3, where one was asked for |
| `…_bloodproc.tsv` | the input function: parent plasma (`AIF`) and whole blood, kBq/mL |
| `…_inputfunction.tsv` | the same in Bq/mL, with total plasma and parent fraction, as kinfitr and petfit read it |

The JSON beside each holds units, settings, versions and the hashes of what it was made from.
"""


def write_derivatives(folder: Path, records: Sequence[VisitRecord], maps: Sequence[VisitMaps] = ()) -> None:
    """A derivative dataset of the visits into an empty folder: curves, input functions, parameters, and given maps.

    Raises InputRefused ("bids-twice") where two visits have one subject and session.
    """
    names = [(record.subject, record.session) for record in records]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputRefused(
            "bids-twice",
            "two visits are sub-{twice}, ses-{second_twice}; give each a label of its own",
            twice=twice[0],
            second_twice=twice[1],
        )
    write_json(folder / "dataset_description.json", _description(records))
    (folder / "README.md").write_text(README, encoding="utf-8")
    (folder / ".bidsignore").write_text("\n".join([*IGNORED, ""]), encoding="utf-8")
    subjects = {record.subject: record.genotype for record in records}
    table = [[f"sub-{subject}", genotype] for subject, genotype in subjects.items()]
    write_tsv(folder / "participants.tsv", ["participant_id", "rs6971"], table)
    genotype = {"Description": "TSPO genotype: high-, mixed- or low-affinity binder"}
    write_json(folder / "participants.json", {"rs6971": genotype})
    for record in records:
        _write_visit(folder, record)
    for visit_maps in maps:
        pet = _pet_folder(folder, visit_maps.subject, visit_maps.session)
        write_maps(pet, visit_maps)


def _description(records: Sequence[VisitRecord]) -> dict[str, object]:
    """dataset_description.json: this program and every library that computed, with their versions."""
    versions: dict[str, str] = {}
    for record in records:
        versions |= record.provenance.get("versions", {})
    others = [{"Name": name, "Version": version} for name, version in versions.items() if name != "TSPOQuant"]
    simulated = any(record.acquisition.simulated for record in records)
    return {
        "Name": "PET of the spine: curves and kinetic parameters" + (" (simulated data)" if simulated else ""),
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "License": "n/a",
        "GeneratedBy": [
            {"Name": "TSPOQuant", "Version": versions.get("TSPOQuant", __version__), "Description": DISCLAIMER},
            *others,
        ],
    }


def _pet_folder(folder: Path, subject: str, session: str) -> Path:
    pet = folder / f"sub-{subject}" / f"ses-{session}" / "pet"
    pet.mkdir(parents=True, exist_ok=True)
    return pet


def _write_visit(folder: Path, record: VisitRecord) -> None:
    pet, stem = _pet_folder(folder, record.subject, record.session), stem_of(record)
    write_curves(pet, stem, record)
    write_for_petfit(pet, stem, record)
    write_input(pet, stem, record.input)
    write_uptake(pet, stem, record)
    about: Mapping[str, object] = {"About": DISCLAIMER, **record.provenance}
    for pvc in dict.fromkeys(fit.pvc for fit in record.fits):
        for model in record.models:
            fits = [fit for fit in record.fits if (fit.model, fit.pvc) == (model, pvc)]
            if fits:
                write_kinpar(pet, fits, about, stem)
