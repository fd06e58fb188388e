"""A MRML scene with the logics that Slicer's core modules bring, on the slicer-core wheel."""

import tempfile

import slicer
import vtk

# Module name -> logic class, as in Slicer's Modules/Loadable.
MODULE_LOGICS = {
    "Volumes": slicer.vtkSlicerVolumesLogic,
    "Segmentations": slicer.vtkSlicerSegmentationsModuleLogic,
    "Markups": slicer.vtkSlicerMarkupsLogic,
    "Sequences": slicer.vtkSlicerSequencesLogic,
    "Transforms": slicer.vtkSlicerTransformLogic,
    "Tables": slicer.vtkSlicerTablesLogic,
    "Plots": slicer.vtkSlicerPlotsLogic,
    "Models": slicer.vtkSlicerModelsLogic,
    "SubjectHierarchy": slicer.vtkSlicerSubjectHierarchyModuleLogic,
    "CropVolume": slicer.vtkSlicerCropVolumeLogic,
}


class Boot:
    """The scene and everything that must outlive it; created once in a process."""

    def __init__(self) -> None:
        self.scene = slicer.vtkMRMLScene()
        self.scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())  # the Colors module does
        self.application_logic = slicer.vtkSlicerApplicationLogic()
        self.application_logic.SetMRMLScene(self.scene)
        self.application_logic.SetSliceLogics(vtk.vtkCollection())
        self.application_logic.SetViewLogics(vtk.vtkCollection())

        color_logic = slicer.vtkMRMLColorLogic()
        color_logic.SetMRMLScene(self.scene)
        color_logic.AddDefaultColorNodes()
        self.application_logic.SetModuleLogic("Colors", color_logic)
        self.application_logic.SetColorLogic(color_logic)

        # Reading a bundle (.mrb) needs both.
        cache_manager = slicer.vtkCacheManager()
        data_io_manager = slicer.vtkDataIOManager()
        self.cache_folder = tempfile.TemporaryDirectory()
        cache_manager.SetRemoteCacheDirectory(self.cache_folder.name)
        data_io_manager.SetCacheManager(cache_manager)
        self.scene.SetCacheManager(cache_manager)
        self.scene.SetDataIOManager(data_io_manager)
        self.keep_alive = [cache_manager, data_io_manager]

        # The module's own logic wants color files that the wheel lacks; without a scene it still makes legends.
        self.logics = {"Colors": slicer.vtkSlicerColorLogic()}
        for name, logic_class in MODULE_LOGICS.items():
            logic = logic_class()
            logic.SetMRMLApplicationLogic(self.application_logic)
            self.application_logic.SetModuleLogic(name, logic)
            logic.SetMRMLScene(self.scene)
            self.logics[name] = logic
