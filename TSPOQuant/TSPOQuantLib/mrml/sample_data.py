"""The simulated neck in the scene: made on this machine, never downloaded."""

import json
from dataclasses import dataclass
from pathlib import Path

import slicer

from .. import __version__
from ..phantom import PhantomSettings, write_phantom
from ..phantom.settings import VISITS
from ..progress import Progress, part, silent
from .sequence_io import node_from_dynamic
from .volumes import node_from_volume

FOLDER = "TSPOQuant-digital-neck"
"""In Slicer's folder for downloaded data, which users know how to empty."""


@dataclass(frozen=True)
class NeckVisit:
    """One visit of the digital neck in the scene, and its blood file."""

    session: str
    sequence_node: object
    ct_node: object
    segmentation_node: object
    blood: Path


def write_neck(progress: Progress = silent, settings: PhantomSettings | None = None) -> Path:
    """The folder with the digital neck, which is written unless it is there already."""
    chosen = settings or PhantomSettings(fast=True)
    folder = Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()) / f"{FOLDER}-{_name(chosen)}"
    try:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        truth = {}
    if truth.get("software") != f"TSPOQuant {__version__}":
        write_phantom(folder, chosen, progress, force=True)
    return folder


def _name(settings: PhantomSettings) -> str:
    scanner = f"{settings.vendor}-{settings.fwhm_mm:g}mm-{settings.noise_percent:g}%-{settings.motion_mm:g}mm"
    return f"{settings.seed}-{scanner}{'-fast' if settings.fast else ''}".replace("%", "pc")


def load_neck(progress: Progress = silent, settings: PhantomSettings | None = None) -> tuple[NeckVisit, ...]:
    """Both visits in the scene, read from their files as a site's would be; nothing where that is stopped."""
    from ..pipeline.visit_data import read_visit
    from ..study import read_study

    folder = write_neck(part(progress, 0, 0.6), settings)
    read = []
    for number, session in enumerate(VISITS):
        study = read_study(folder / f"ses-{session}" / "study.toml")
        stretch = part(progress, 0.6 + 0.2 * number, 0.8 + 0.2 * number)
        read.append((session, study, read_visit(study, stretch)))
    visits = []
    for session, study, data in read:
        sequence = node_from_dynamic(data.image, f"{session} PET, simulated")
        if data.ct is None:  # it has one as it is written
            raise RuntimeError("the simulated neck lost its CT")
        ct = node_from_volume(data.ct, f"{session} CT, simulated")
        visits.append(NeckVisit(session, sequence, ct, _segmentation(study.segmentation, session), study.blood[0]))
    return tuple(visits)


def _segmentation(path: Path, session: str):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{session} regions, simulated")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    storage.ReadData(node)
    node.CreateDefaultDisplayNodes()
    return node
