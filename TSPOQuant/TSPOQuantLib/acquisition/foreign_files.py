"""Images of other formats than DICOM, NIfTI and NRRD: told by name, with the way to what is read here.

Sources: first bytes and suffixes as the formats' own descriptions have them (ECAT 7, MINC 1 and 2, Interfile 3.3,
Analyze 7.5, NIfTI-1, MetaIO, FreeSurfer, TIFF 6, VTK, GIPL, HDF5, MAT 5, NPY).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..messages import InputRefused, Text
from .volume_files import is_nifti

START_BYTES = 512
MOST_FILES = 1000
"""Of a folder, that are looked at."""
ANALYZE_BYTES = 348


@dataclass(frozen=True)
class Format:
    """kind: what it is called. advice: what to do. suffixes: of such files, where the bytes alone do not tell.
    begins: whether a file's first ``START_BYTES`` are such a file's."""

    kind: str
    advice: Text
    suffixes: tuple[str, ...] = ()
    begins: Callable[[bytes], bool] = lambda start: True


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(marks)


AS_NIFTI = Text(
    "save it as one NIfTI file (.nii or .nii.gz) from the program that made it; beside a PET, a PET-BIDS JSON of the "
    "same name says its frames and units"
)
FORMATS = (
    Format("ECAT", Text("convert it with ecatpet2bids of PET2BIDS, to NIfTI and JSON"), (), _starts(b"MATRIX7")),
    Format(
        "MINC",
        Text("convert it with mnc2nii; beside a PET, a PET-BIDS JSON of the same name says its frames and units"),
        (".mnc", ".mnc.gz"),
    ),
    Format(
        Text("NIfTI in two files (.hdr and .img)"),
        Text("save it as one file, such as with nifti_tool, fslchfiletype or nibabel"),
        (".hdr", ".img"),
        lambda start: start[344:347] == b"ni1",
    ),
    Format(
        Text("Analyze 7.5, which does not say which side is left"),
        Text("save it as NIfTI from the program that made it, with its orientation"),
        (".hdr",),
        lambda start: (
            len(start) >= ANALYZE_BYTES
            and ANALYZE_BYTES in (int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big"))
        ),
    ),
    Format("Interfile", AS_NIFTI, (), lambda start: b"interfile" in start[:100].lower()),
    Format(
        "MetaImage",
        Text(
            "a CT or MR is read as one file (.mha), a PET as NIfTI (.nii or .nii.gz) with its PET-BIDS JSON beside "
            "it, which says its frames and units: save it so"
        ),
        (".mhd", ".mha"),
    ),
    Format(
        "NRRD",
        Text(
            "a CT or MR is read as one file (.nrrd), a PET as a sequence of 3D Slicer (.seq.nrrd), or as NIfTI (.nii "
            "or .nii.gz) with its PET-BIDS JSON beside it, which says its frames and units: save it so"
        ),
        (".nrrd", ".nhdr"),
    ),
    Format(Text("FreeSurfer's format"), Text("convert it with mri_convert to .nii.gz"), (".mgz", ".mgh")),
    Format("TIFF", AS_NIFTI, (), _starts(b"II*\0", b"MM\0*")),
    Format("VTK", AS_NIFTI, (), _starts(b"# vtk DataFile")),
    Format("GIPL", AS_NIFTI, (".gipl", ".gipl.gz")),
    Format("HDF5", AS_NIFTI, (), _starts(b"\x89HDF\r\n\x1a\n")),
    Format(Text("MATLAB's format"), AS_NIFTI, (), _starts(b"MATLAB 5.0")),
    Format(Text("NumPy's format"), AS_NIFTI, (), _starts(b"\x93NUMPY")),
    Format(
        Text("an archive"),
        Text("unpack it, and name the folder or file that is in it"),
        (".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".zst"),
    ),
    Format(Text("bare voxels without a header"), AS_NIFTI, (".img", ".raw", ".v", ".i", ".bin")),
)
"""The first that fits is taken."""


def refuse_foreign(path: Path) -> None:
    """Refuse a file, or the first of a folder, that is an image of a format that is not read ("format-foreign"), and
    a folder of NIfTI files ("nifti-folder"); nothing else."""
    files = sorted(file for file in path.rglob("*") if file.is_file())[:MOST_FILES] if path.is_dir() else [path]
    niftis = [file for file in files if is_nifti(file)]
    if niftis:
        raise InputRefused(
            "nifti-folder",
            "{path} is a folder of NIfTI files ({count}, such as {first}): name one file; frames in files of their "
            "own are joined to one image of four dimensions first (fslmerge -t, or nibabel's concat_images)",
            path=path,
            count=len(niftis),
            first=niftis[0].name,
        )
    for file in files:
        found = format_of(file)
        if found is not None:
            raise InputRefused(
                "format-foreign",
                "{file} is {kind}, which is not read here; {advice}",
                file=file,
                kind=found.kind,
                advice=found.advice,
            )


def format_of(file: Path) -> Format | None:
    """Which of ``FORMATS`` a file is, None for none."""
    try:
        with file.open("rb") as stream:
            start = stream.read(START_BYTES)
    except OSError:
        return None
    name = file.name.lower()
    return next(
        (known for known in FORMATS if (not known.suffixes or name.endswith(known.suffixes)) and known.begins(start)),
        None,
    )
