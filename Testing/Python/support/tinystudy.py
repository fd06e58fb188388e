"""Small visits on disk with known V_T: regions that follow one tissue compartment exactly, as DICOM or as PET-BIDS."""

import contextlib
import io
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import write_segmentation
from TSPOQuantLib.cli import main
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.outcome.record import read_record

from support import dicommaker
from support.exacttissue import EDGES_S, centers, frame_means, write_blood

TRUE_VT = {"baseline": {"left": 4.0, "right": 2.0}, "followup": {"left": 3.0, "right": 2.0}}
LEFT, RIGHT, CORD = "foramen C6/C7 left (root C7)", "foramen C6/C7 right (root C7)", "cord C7"
INJECTION = {"baseline": datetime(2021, 3, 4, 10, 30), "followup": datetime(2021, 4, 15, 11, 0)}
FRAME_OF_REFERENCE = {"baseline": "1.2.826.0.1.3680043.10.1.1", "followup": "1.2.826.0.1.3680043.10.1.2"}
PET_SHAPE, PET_MM = (6, 10, 12), (4.0, 4.0, 4.0)
CT_SHAPE, CT_MM = (12, 20, 24), (2.0, 2.0, 2.0)
MIDDLE_LPS_MM = np.array([-8.0, -22.0, 60.0])


def grid_of(shape, spacing_mm):
    """Where dicommaker puts an image of that shape."""
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = dicommaker.PetPlan(shape=shape, spacing_mm=spacing_mm).position(0)
    return Grid(shape, matrix)


def activity(session):
    """kBq/mL (frames, k, j, i): the two halves of the neck have their own V_T."""
    left = centers(grid_of(PET_SHAPE, PET_MM))[..., 0] > MIDDLE_LPS_MM[0]
    halves = [frame_means(vt).reshape(-1, 1, 1, 1) for vt in TRUE_VT[session].values()]
    return np.where(left, *halves)


def segmentation(names=(LEFT, RIGHT, CORD)):
    """Two balls and, overlapping the left one, a third; on the CT's grid."""
    on = grid_of(CT_SHAPE, CT_MM)
    where = centers(on)
    places = [(12, 0, 0), (-12, 0, 0), (8, 2, 0)]
    masks = [np.linalg.norm(where - (MIDDLE_LPS_MM + place), axis=-1) < 5 for place in places]
    colors = [(0.95, 0.45, 0.15), None, (0.45, 0.75, 0.95)]
    segments = [
        Segment(f"s{number}", name, mask, color)
        for number, (name, mask, color) in enumerate(
            zip(names, masks[: len(names)], colors[: len(names)], strict=True)
        )
    ]
    return Segmentation(on, tuple(segments))


def quiet(*arguments):
    """Run the command line in this process; returns its exit code and what it said."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        code = main([str(argument) for argument in arguments])
    return code, told.getvalue()


def quantified(study: Path, out: Path):
    """The record of a visit that quantify wrote to ``out``."""
    code, told = quiet("quantify", study, "--out", out)
    assert code == 0, told
    return read_record(out)


@dataclass(frozen=True)
class DicomVisit:
    """One visit in DICOM. edit(header): changes every header of PET and CT last."""

    session: str = "baseline"
    subject: str = "p1"
    names: tuple[str, ...] = (LEFT, RIGHT, CORD)
    with_ct: bool = True
    edit: object = None

    def write(self, folder: Path) -> Path:
        """Write the visit; returns its study.toml."""
        folder.mkdir(parents=True)
        values = np.rint(activity(self.session) * 1000 / 5.0).clip(0, 32767).astype("<i2")

        def edit(header, frame, k):
            header.FrameOfReferenceUID = FRAME_OF_REFERENCE[self.session]
            header.StudyInstanceUID = f"{FRAME_OF_REFERENCE[self.session]}.9"
            header.StudyDate, header.StudyTime = f"{INJECTION[self.session]:%Y%m%d}", "100000"
            header.StudyID, header.AccessionNumber, header.PatientBirthDate = "S1", "A1", "19610203"
            header.ReferringPhysicianName = "Ref^Physician"
            for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):  # dicommaker gives both visits the same ones
                setattr(header, keyword, getattr(header, keyword)[:48] + ("1" if self.session == "baseline" else "2"))
            header.SOPInstanceUID += f".{frame + 1}.{k}"
            if frame >= 0:
                header.RescaleSlope, header.PixelData = "5", values[frame, k].tobytes()
            if self.edit:
                self.edit(header)

        def plan(shape, spacing_mm):
            at = INJECTION[self.session]
            timing = {"starts_s": EDGES_S[:-1], "durations_s": np.diff(EDGES_S)}
            return dicommaker.PetPlan(shape=shape, spacing_mm=spacing_mm, injection=at, edit=edit, **timing)

        dicommaker.write_pet(folder / "pet", plan(PET_SHAPE, PET_MM))
        if self.with_ct:
            dicommaker.write_ct(folder / "ct", plan(CT_SHAPE, CT_MM))
        write_segmentation(folder / "regions.seg.nrrd", segmentation(self.names))
        write_blood(folder / "blood_bloodproc.tsv", draw_of(self.session))
        study = folder / "study.toml"
        study.write_text(
            f'[subject]\nid = "{self.subject}"\nsession = "{self.session}"\ngenotype = "HAB"\n'
            '[pet]\npath = "pet"\nmotion_correction = "none"\n'
            + ('[ct]\npath = "ct"\n' if self.with_ct else "")
            + '[segmentation]\npath = "regions.seg.nrrd"\n'
            '[input]\nsource = "given"\npath = "blood_bloodproc.tsv"\n'
            '[model]\nnames = ["1TCM", "Logan"]\n',
            encoding="utf-8",
        )
        return study


def draw_of(session: str) -> int:
    """A draw of blood for every visit."""
    return 0 if session == "baseline" else 1 + sum(map(ord, session)) % 97


def write_bids_visit(dataset: Path, participant: str, session: str, true_session: str | None = None) -> Path:
    """One visit of a PET-BIDS dataset: NIfTI with sidecar, ready input, regions in derivatives. Returns its folder."""
    true_session = true_session or session
    folder = dataset / f"sub-{participant}" / f"ses-{session}" / "pet"
    folder.mkdir(parents=True)
    if not (dataset / "dataset_description.json").exists():
        description = {"Name": "Tiny", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
        (dataset / "dataset_description.json").write_text(json.dumps(description), encoding="utf-8")
    stem = f"sub-{participant}_ses-{session}"
    image = sitk.GetImageFromArray(np.moveaxis(activity(true_session), 0, -1).astype(np.float32), isVector=True)
    on = grid_of(PET_SHAPE, PET_MM)
    frames = []
    for frame in range(len(EDGES_S) - 1):
        one = sitk.VectorIndexSelectionCast(image, frame)
        one.SetSpacing(PET_MM)
        one.SetOrigin(on.ijk_to_lps[:3, 3].tolist())
        frames.append(one)
    joined = sitk.JoinSeries(frames)
    sitk.WriteImage(joined, str(folder / f"{stem}_pet.nii.gz"))
    sidecar = {
        "FrameTimesStart": EDGES_S[:-1].tolist(),
        "FrameDuration": np.diff(EDGES_S).tolist(),
        "Units": "kBq/mL",
        "TimeZero": f"{INJECTION[true_session] + timedelta(0):%H:%M:%S}",
        "ScanStart": 0,
        "InjectionStart": 0,
        "TracerName": "[11C]DPA-713 (simulated)",
        "TracerRadionuclide": "C11",
        "InjectedRadioactivity": 400,
        "InjectedRadioactivityUnits": "MBq",
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "ReconMethodName": "OSEM",
        "Manufacturer": "Nobody",
    }
    (folder / f"{stem}_pet.json").write_text(json.dumps(sidecar), encoding="utf-8")
    write_blood(folder / f"{stem}_bloodproc.tsv", draw_of(session))
    derived = dataset / "derivatives" / "manual" / f"sub-{participant}" / f"ses-{session}" / "pet"
    derived.mkdir(parents=True)
    write_segmentation(derived / f"{stem}_regions.seg.nrrd", segmentation())
    return folder
