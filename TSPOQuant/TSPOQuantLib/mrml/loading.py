"""Images from files as study files name them, for who has no DICOM browser at hand, or PET-BIDS."""

from pathlib import Path

from ..acquisition.image import DynamicImage, Volume
from ..progress import Progress, silent

SEQUENCE = ".seq.nrrd"
"""What the names of Slicer's own files of sequences end in."""


def read_pet(path: Path, progress: Progress = silent, tracer: str = "") -> DynamicImage:
    """The dynamic PET of a file: a NIfTI with its PET-BIDS JSON, a sequence that Slicer wrote, or any file of a folder
    of DICOM, or such a folder. tracer: by the user, see ``tracer_told``. Raises InputRefused as ``read_dynamic_pet``
    and ``read_sequence`` do.
    """
    from ..acquisition.dicom import read_dynamic_pet
    from ..acquisition.image import tracer_told
    from ..acquisition.sequence_files import read_sequence

    if path.name.endswith(SEQUENCE):
        return tracer_told(read_sequence(path), tracer)
    return read_dynamic_pet(_place(path), progress=progress, tracer=tracer)


def read_anatomical(path: Path, modality: str, progress: Progress = silent) -> Volume:
    """The CT or MR of a volume file, or of any file of a folder of DICOM, or of such a folder.

    modality: "CT" or "MR" where the user states it, else "auto". Raises InputRefused as ``dicom.read_anatomical``.
    """
    from ..acquisition import dicom

    return dicom.read_anatomical(_place(path), modality, progress)


def _place(path: Path) -> Path:
    """A volume file or a folder as it is; of any other file, which is of DICOM, the folder."""
    from ..acquisition.volume_files import is_volume_file

    return path if path.is_dir() or is_volume_file(path) or not path.exists() else path.parent
