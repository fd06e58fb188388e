"""Stand-ins for ``DICOMLib`` and ``slicer.dicomDatabase``, after Slicer's Modules/Scripted/DICOMLib, and stricter.

A database takes what names its study and series, and keeps the last file of an object. It answers from what it
indexed on import; asking for anything else opens the file, which is counted in ``filesOpened``: in Slicer that makes
a plugin slow.
"""

import re
from pathlib import Path
from types import ModuleType

import slicer
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

INSTANCE, STUDY, SERIES = "0008,0018", "0020,000D", "0020,000E"
# What ctkDICOMDatabase indexes anyway: its tables of patients, studies, series and images.
INDEXED = (INSTANCE, STUDY, SERIES, "0008,0016", "0008,0060", "0008,103E", "0020,0011", "0010,0020")


class Database:
    """The part of ctkDICOMDatabase that plugins use."""

    def __init__(self):
        self.tagsToPrecache = ()
        self.clear()

    def clear(self):
        self._values = {}
        self.filesOpened = []

    def addFile(self, path):
        try:
            header = dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, OSError):
            return
        wanted = {tag.upper() for tag in (*INDEXED, *self.tagsToPrecache)}
        values = {tag: self._text(header, tag) for tag in wanted}
        if values[STUDY] and values[SERIES]:
            others = {file: each for file, each in self._values.items() if each[INSTANCE] != values[INSTANCE]}
            self._values = {**others, str(path): values}

    @staticmethod
    def _text(header, tag):
        element = header.get(tuple(int(part, 16) for part in tag.split(",")))
        if element is None or element.value is None or element.VR in ("SQ", "OB", "OW", "UN"):
            return ""
        return "\\".join(map(str, element.value)) if isinstance(element.value, MultiValue) else str(element.value)

    def fileValue(self, file, tag):
        if not isinstance(file, str) or not re.fullmatch("[0-9A-Fa-f]{4},[0-9A-Fa-f]{4}", tag):
            raise ValueError(f"fileValue takes a path as text and a tag like 0008,103E, not {file!r} and {tag!r}")
        values = self._values[file]
        if tag.upper() not in values:
            self.filesOpened.append((file, tag))
            values[tag.upper()] = self._text(dcmread(file, stop_before_pixels=True), tag)
        return values[tag.upper()]

    def seriesForFile(self, file):
        return self._values[file][SERIES] if file in self._values else ""

    def filesForSeries(self, seriesUID, hits=-1):
        files = [file for file in self._values if self.seriesForFile(file) == seriesUID]
        return files[:hits] if hits > 0 else files


class DICOMLoadable:
    """Its fields, of their types; plugins may add no others here."""

    TYPES = {
        "files": list,
        "name": str,
        "tooltip": str,
        "warning": str,
        "selected": bool,
        "confidence": (int, float),
        "loadSuccess": bool,
        "referencedInstanceUIDs": list,
    }

    def __init__(self, qLoadable=None):
        if qLoadable is not None:
            raise NotImplementedError("no stand-in for loadables of C++ plugins")
        self.files = []
        self.name = "Unknown"
        self.tooltip = "No further information available"
        self.warning = ""
        self.selected = False
        self.confidence = 0.5

    def __setattr__(self, name, value):
        if name not in self.TYPES:
            raise AttributeError(f"DICOMLoadable has no {name}")
        texts = value if isinstance(value, list) else []
        if not isinstance(value, self.TYPES[name]) or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"DICOMLoadable.{name} cannot be {value!r}")
        super().__setattr__(name, value)


class DICOMPlugin:
    """The base class of 5.12: what a plugin overrides, and what it inherits."""

    def __init__(self):
        self.loadType = "Generic DICOM"
        self.loadableCache = {}
        self.tags = {
            "seriesDescription": "0008,103E",
            "seriesNumber": "0020,0011",
            "frameOfReferenceUID": "0020,0052",
            "seriesInstanceUID": "0020,000E",
            "modality": "0008,0060",
            "instanceUID": "0008,0018",
            "sopClassUID": "0008,0016",
        }

    def getCachedLoadables(self, files):
        return self.loadableCache.get(tuple(files))

    def cacheLoadables(self, files, loadables):
        self.loadableCache[tuple(files)] = loadables

    def examineForImport(self, fileList):
        found = []
        for files in fileList:
            loadables = self.getCachedLoadables(files)
            if loadables is None:
                loadables = self.examineFiles(files)
                self.cacheLoadables(files, loadables)
            found += loadables
        return found

    def examineFiles(self, files):
        return []

    def examine(self, fileList):
        return self.examineForImport(fileList)

    def load(self, loadable):
        return True

    def addSeriesInSubjectHierarchy(self, loadable, dataNode):
        """Patient, study and series as items; without the attributes that Slicer's own adds to them."""
        names = slicer.vtkMRMLSubjectHierarchyConstants

        def value(tag):
            return slicer.dicomDatabase.fileValue(loadable.files[0], tag)

        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), dataNode)
        seriesUID, studyUID = value(SERIES), value(STUDY)
        hierarchy.SetItemUID(item, names.GetDICOMUIDName(), seriesUID)
        instances = [slicer.dicomDatabase.fileValue(file, INSTANCE) or "Unknown" for file in loadable.files]
        hierarchy.SetItemUID(item, names.GetDICOMInstanceUIDName(), " ".join(instances))
        patient = value("0010,0020") or f"Patient-{studyUID}"
        slicer.vtkSlicerSubjectHierarchyModuleLogic.InsertDicomSeriesInHierarchy(
            hierarchy, patient, studyUID, seriesUID
        )


class TemporaryDICOMDatabase:
    def __init__(self, directory=None):
        self._before = None

    def __enter__(self):
        self._before, slicer.dicomDatabase = slicer.dicomDatabase, Database()
        tags = [tag for plugin in slicer.modules.dicomPlugins.values() for tag in plugin().tags.values()]
        slicer.dicomDatabase.tagsToPrecache = tuple(sorted(set(tags)))
        return slicer.dicomDatabase

    def __exit__(self, kind, value, traceback):
        slicer.dicomDatabase = self._before


def importDicom(dicomDataDir, dicomDatabase=None, copyFiles=False):
    for path in sorted(Path(dicomDataDir).rglob("*")):
        if path.is_file():
            (dicomDatabase or slicer.dicomDatabase).addFile(path)
    return True


def getLoadablesFromFileLists(fileLists, pluginClassNames=None):
    """Loadables by plugin, and whether there are any; what a plugin raises is raised, where Slicer logs it."""
    if (
        not isinstance(fileLists, list)
        or not fileLists
        or not all(isinstance(each, (list, tuple)) for each in fileLists)
    ):
        raise TypeError("file lists are a list of lists, not empty")
    loadables = {}
    for name in pluginClassNames or slicer.modules.dicomPlugins:
        plugin = slicer.modules.dicomPlugins[name]()
        loadables[plugin] = plugin.examineForImport(fileLists) or plugin.examine(fileLists)
    return loadables, any(loadables.values())


def selectHighestConfidenceLoadables(loadablesByPlugin):
    bySeries = {}
    for loadables in loadablesByPlugin.values():
        for loadable in loadables:
            bySeries.setdefault(slicer.dicomDatabase.seriesForFile(loadable.files[0]), []).append(loadable)
    for loadables in bySeries.values():
        highest = max(loadable.confidence for loadable in loadables)
        for loadable in loadables:
            loadable.selected = loadable.confidence == highest


def loadLoadables(loadablesByPlugin, messages=None):
    """Load what is selected and say which nodes that added; what a plugin raises is raised, where Slicer logs it."""
    before = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLNode")}
    for plugin, loadables in loadablesByPlugin.items():
        for loadable in loadables:
            if loadable.selected:
                loadable.loadSuccess = bool(plugin.load(loadable))
                if not loadable.loadSuccess and messages is not None:
                    messages.append(f"Could not load: {loadable.name} as a {plugin.loadType}")
    hidden = (slicer.vtkMRMLStorageNode, slicer.vtkMRMLDisplayNode)
    nodes = [node for node in slicer.util.getNodesByClass("vtkMRMLNode") if not isinstance(node, hidden)]
    return [node.GetID() for node in nodes if node.GetID() not in before]


def modules():
    """``DICOMLib`` and ``DICOMLib.DICOMUtils``, to be put into ``sys.modules``."""
    package, utilities = ModuleType("DICOMLib"), ModuleType("DICOMLib.DICOMUtils")
    package.DICOMLoadable, package.DICOMPlugin, package.DICOMUtils = DICOMLoadable, DICOMPlugin, utilities
    package.__path__ = []
    for thing in (TemporaryDICOMDatabase, importDicom, getLoadablesFromFileLists):
        setattr(utilities, thing.__name__, thing)
    utilities.selectHighestConfidenceLoadables = selectHighestConfidenceLoadables
    utilities.loadLoadables = loadLoadables
    return package, utilities
