import contextlib
import logging
import os
import shutil
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median

import slicer
import slicer.util
import vtk
from DICOMLib import DICOMLoadable, DICOMPlugin
from slicer.i18n import tr as _

# TSPOQuantLib is imported inside methods: all module folders share sys.path, but only once all modules are registered.

CLASSIC_PET = "1.2.840.10008.5.1.4.1.1.128"
ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"

# The highest value of those who also offer to load dynamic PET is 1.0, of MultiVolumeImporter, which Slicer brings
# with it; DICOMImageSequencePlugin outranks it by the same value.
CONFIDENCE = 1.05

#
# DICOMDynamicPETPluginClass
#


class DICOMDynamicPETPluginClass(DICOMPlugin):
    """Offers to load a dynamic PET series as a sequence with the frame times, durations and units of its headers."""

    def __init__(self):
        super().__init__()
        self.loadType = _("Dynamic PET")
        # What is listed here is in the database once a series is imported, so that asking for it opens no file.
        self.tags["position"] = "0020,0032"

    def examineFiles(self, files):
        """Returns a list with one DICOMLoadable if the files are a dynamic PET series, an empty list if not."""
        pet = self._understand(self._columnOfFiles(files)) if files else None
        if pet is None:
            return []
        loadable = DICOMLoadable()
        loadable.files = list(files)
        loadable.name = self._name(pet)
        loadable.tooltip = _("{count} files of series {number}: {description}").format(
            count=len(files),
            number=self._firstValue(files, "seriesNumber") or "?",
            description=self._firstValue(files, "seriesDescription") or "?",
        )
        refusals = [_("This series cannot be measured: {reason}").format(reason=reason) for reason in pet.refusals]
        loadable.warning = "\n".join([*refusals, *(notice.message for notice in pet.notices)])
        loadable.selected = True
        loadable.confidence = CONFIDENCE
        return [loadable]

    def _firstValue(self, files, tag):
        return slicer.dicomDatabase.fileValue(files[0], self.tags[tag])

    def _columnOfFiles(self, files):
        """The files of one place in the body, which are as many as there are frames; none if that is only one.

        Beds of a whole-body PET that overlap repeat some slices; frames repeat them all, hence the median.
        """
        sopClass = self._firstValue(files, "sopClassUID")
        if sopClass == ENHANCED_PET:
            return list(files)
        if sopClass != CLASSIC_PET:
            return []
        places = defaultdict(list)
        for file in files:
            position = slicer.dicomDatabase.fileValue(file, self.tags["position"])
            with contextlib.suppress(ValueError):  # no numbers: nothing is known of this file
                places[tuple(round(float(coordinate), 2) for coordinate in position.split("\\"))].append(file)
        columns = list(places.values())
        return max(columns, key=len) if columns and median(map(len, columns)) > 1 else []

    def _understand(self, files):
        """What the library makes of these files' headers; None if they are no dynamic PET, or gone.

        Of a classic series the files are those of one slice: what they cannot tell (the other slices, and the
        spacing between them) is checked when the series is loaded.
        """
        from TSPOQuantLib.acquisition.dicom import is_pet
        from TSPOQuantLib.acquisition.dicom_files import Series, find_series
        from TSPOQuantLib.acquisition.dicom_pet import understand_pet
        from TSPOQuantLib.messages import InputRefused

        slices = []
        with contextlib.suppress(InputRefused):  # a file that is gone; loading says so
            for file in files:
                for series in find_series(Path(file)).series:
                    slices += series.slices if is_pet(series) else ()
        if not slices:
            return None
        if len(files) > 1:
            slices = [replace(piece, slices_stated=None) for piece in slices]
        pet = understand_pet(Series(tuple(slices)))
        refusals = tuple(reason for reason in pet.refusals if len(files) == 1 or reason.code != "dicom-geometry")
        stated = "DYNAMIC" in pet.series.facts.series_type
        if pet.kind != "dynamic-pet" or not (stated or pet.timing):
            return None
        return replace(pet, refusals=refusals)

    def _name(self, pet):
        """Name exposed to the user."""
        if pet.timing is None:
            return _("dynamic PET")
        minutes = (pet.timing.ends_s[-1] - pet.timing.starts_s[0]) / 60
        return _("dynamic PET, {frames} frames, {minutes} min").format(
            frames=len(pet.timing), minutes=f"{minutes:.3g}"
        )

    def load(self, loadable):
        """Load the series as a sequence and show it. Returns the sequence node, None if the series is refused."""
        from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
        from TSPOQuantLib.messages import InputRefused
        from TSPOQuantLib.mrml import fusion, sequence_io

        try:
            with folderOf(loadable.files) as folder:
                image = read_dynamic_pet(folder)
        except InputRefused as reason:
            # Slicer only logs what a plugin raises; the user has to know what is wrong with the series.
            loadable.warning = str(reason)
            slicer.util.errorDisplay(_("{name} was not loaded. {reason}").format(name=loadable.name, reason=reason))
            return None
        for notice in image.notices:
            logging.warning(f"{loadable.name}: {notice.message}")
        loadable.warning = "\n".join(notice.message for notice in image.notices)

        sequenceNode = sequence_io.node_from_dynamic(image, slicer.mrmlScene.GenerateUniqueName(loadable.name))
        proxyNode = fusion.show_sequence(sequenceNode)
        sequence_io.restore_units(sequenceNode)
        self._show(proxyNode)
        self.addSeriesInSubjectHierarchy(loadable, proxyNode)
        browserNode = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(sequenceNode)
        slicer.modules.sequences.showSequenceBrowser(browserNode)
        return sequenceNode

    def _show(self, proxyNode):
        """Show the sequence in the slice views, in the colors that Slicer gives to PET."""
        from TSPOQuantLib.mrml import fusion

        if proxyNode.GetDisplayNode() is None:
            proxyNode.CreateDefaultDisplayNodes()
        displayNode = proxyNode.GetDisplayNode()
        colorNodeID = slicer.vtkMRMLColorLogic.GetPETColorNodeID(slicer.vtkMRMLPETProceduralColorNode.PETheat)
        displayNode.SetAndObserveColorNodeID(colorNodeID)
        displayNode.SetAutoWindowLevel(False)
        displayNode.SetWindowLevelMinMax(*fusion.pet_range_of(slicer.util.arrayFromVolume(proxyNode)))
        slicer.util.setSliceViewerLayers(background=proxyNode, fit=True)


@contextlib.contextmanager
def folderOf(files):
    """A temporary folder that leads to these files and to no others, which may lie beside them."""
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(files):
            linkOrCopy(file, str(Path(folder) / f"{number:06d}.dcm"))
        yield Path(folder)


def linkOrCopy(source, target):
    """Windows does not let everybody make symbolic links, nor hard links to another drive."""
    for make in (os.symlink, os.link):
        with contextlib.suppress(OSError):
            make(source, target)
            return
    shutil.copyfile(source, target)


#
# What a .seq.nrrd file does not keep
#


@vtk.calldata_type(vtk.VTK_OBJECT)
def onNodeAdded(scene, event, node):
    """A sequence comes into the scene before its file is read."""
    if node.IsA("vtkMRMLSequenceNode"):
        node.AddObserver(vtk.vtkCommand.ModifiedEvent, onSequenceModified)


def onSequenceModified(node, event):
    """Called for each frame that is read, after the attributes."""
    from TSPOQuantLib.mrml import sequence_io

    sequence_io.restore_units(node)


def observeScene():
    slicer.mrmlScene.AddObserver(slicer.mrmlScene.NodeAddedEvent, onNodeAdded)


#
# DICOMDynamicPETPlugin
#


class DICOMDynamicPETPlugin:
    """
    This class is the 'hook' for slicer to detect and recognize the plugin
    as a loadable scripted module
    """

    def __init__(self, parent):
        # no tr (these strings are not translated because they are only visible for developers)
        parent.title = "DICOM Dynamic PET Plugin"
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.dependencies = ["Sequences", "TSPOQuant"]
        parent.contributors = ["TSPOQuant contributors"]
        parent.helpText = """
    Plugin to the DICOM Module to load dynamic PET as a sequence with frame times and units.
    No module interface here, only in the DICOM module.
    """
        parent.acknowledgementText = """
    The reading is TSPOQuant's.
    """

        # don't show this module - it only appears in the DICOM module
        parent.hidden = True

        # Add this extension to the DICOM module's list for discovery when the module
        # is created.  Since this module may be discovered before DICOM itself,
        # create the list if it doesn't already exist.
        if not hasattr(slicer.modules, "dicomPlugins"):
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins["DICOMDynamicPETPlugin"] = DICOMDynamicPETPluginClass

        slicer.app.connect("startupCompleted()", observeScene)
