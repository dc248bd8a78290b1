"""A host for MRML without the Slicer application: what slicer-core needs before nodes, files and views work.

Desktop Slicer is such a host itself and never uses this module: the other modules of this package take a scene or nodes
as arguments.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import slicer

_SLICE_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLColorLegendDisplayableManager")
_THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)


class HeadlessApplication:
    """A scene with the logics around it; `close` it when done, or use it in a ``with`` statement.

    `scene` is the vtkMRMLScene and `logic` the vtkSlicerApplicationLogic, which knows the logics of Colors, Volumes,
    Segmentations, VolumeRendering, Terminologies, Plots and Tables by these names (``logic.GetModuleLogic``). With
    `views` it can also draw: it then claims the process-wide factories of displayable managers, so that only one
    application with views may be open in a process at a time, and never inside desktop Slicer.
    """

    def __init__(self, views: bool = False) -> None:
        """Set up the scene; `views` prepares offscreen slice and 3D views."""
        import slicer
        import vtk

        self._factories: list[slicer.vtkMRMLDisplayableManagerFactory] = []
        self._folder = tempfile.TemporaryDirectory(prefix="msk-")
        self.scene = slicer.vtkMRMLScene()
        self.scene.AddNode(slicer.vtkMRMLCrosshairNode())
        self.logic = slicer.vtkSlicerApplicationLogic()
        self.logic.SetMRMLScene(self.scene)
        self.logic.SetSliceLogics(vtk.vtkCollection())
        self.logic.SetViewLogics(vtk.vtkCollection())
        self._add_logics()
        self._connect_files()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        if views:
            self._enable_views()

    def __enter__(self) -> HeadlessApplication:
        """Return the application itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the application."""
        self.close()

    def close(self) -> None:
        """Free the scene and its logics; the nodes become useless. Closing twice does no harm."""
        for factory in self._factories:
            factory.SetMRMLApplicationLogic(None)
        self._factories.clear()
        self.scene.Clear(True)
        # Taking the scene away from the Segmentations logic would make it look for a subject hierarchy and warn.
        for name in self._module_logics:
            self.logic.SetModuleLogic(name, None)
        self._module_logics.clear()
        self.logic.SetMRMLScene(None)
        self._folder.cleanup()

    def _add_logics(self) -> None:
        import slicer

        # What the Colors module of the Slicer application registers.
        self.scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
        colors = self.logic.GetColorLogic()
        colors.SetMRMLScene(self.scene)
        colors.AddDefaultColorNodes()
        self._module_logics = {
            "Volumes": slicer.vtkSlicerVolumesLogic(),
            "Segmentations": slicer.vtkSlicerSegmentationsModuleLogic(),
            "VolumeRendering": slicer.vtkSlicerVolumeRenderingLogic(),
            "Terminologies": slicer.vtkSlicerTerminologiesModuleLogic(),
            "Plots": slicer.vtkSlicerPlotsLogic(),
            "Tables": slicer.vtkSlicerTablesLogic(),
        }
        # Volume nodes ask for the logic of this name when they choose their colours.
        self.logic.SetModuleLogic("Colors", colors)
        for name, module_logic in self._module_logics.items():
            module_logic.SetMRMLApplicationLogic(self.logic)
            # With a scene the Terminologies logic would look for the tables that come with the Slicer application.
            if name != "Terminologies":
                module_logic.SetMRMLScene(self.scene)
            self.logic.SetModuleLogic(name, module_logic)

    def _connect_files(self) -> None:
        # A scene bundle is unpacked into the cache of these two even when every file is local.
        import slicer

        self.logic.SetTemporaryPath(self._folder.name)
        remote_io = slicer.vtkMRMLRemoteIOLogic()
        remote_io.SetMRMLScene(self.scene)
        remote_io.GetCacheManager().SetRemoteCacheDirectory(self._folder.name)
        remote_io.AddDataIOToScene()
        data_io = slicer.vtkDataIOManagerLogic()
        data_io.SetMRMLApplicationLogic(self.logic)
        data_io.SetAndObserveDataIOManager(remote_io.GetDataIOManager())
        self._module_logics.update(RemoteIO=remote_io, DataIOManager=data_io)

    def _enable_views(self) -> None:
        import slicer

        if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
            # VTK would try X first and warn before it falls back to this class.
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        for factory, managers in (
            (slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), _SLICE_MANAGERS),
            (slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), _THREE_D_MANAGERS),
        ):
            factory.SetMRMLApplicationLogic(self.logic)
            for manager in managers:
                if not factory.IsDisplayableManagerRegistered(manager):
                    factory.RegisterDisplayableManager(manager)
            self._factories.append(factory)
