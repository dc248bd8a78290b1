"""A result with its CT as one Slicer scene bundle (``.mrb``), made without the Slicer application."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..case_result import CaseResult
from ..ct.volume import CTVolume
from ..output.files import whole_file
from .application import HeadlessApplication
from .case_nodes import add_case
from .uncertainty import add_ct

if TYPE_CHECKING:
    import slicer

_LOG = logging.getLogger(__name__)

# The slice views that every layout of Slicer has.
_SLICE_VIEWS = ("Red", "Yellow", "Green")


def save_scene(result: CaseResult, volume: CTVolume, path_mrb: str | os.PathLike[str]) -> None:
    """Write CT, segmentation and, where the result has it, uncertainty as a scene bundle that Slicer opens.

    The bundle also holds the table, so that a review can begin from it (`find_case_nodes`, `restore_session`). The slice
    views open with the CT under the segments; the uncertainty lies in the foreground layer, faded out.

    Raises:
        InputError: the file cannot be written there.
    """
    with whole_file(path_mrb, ".mrb") as temporary, HeadlessApplication() as application:
        scene = application.scene
        ct = add_ct(scene, volume)
        case = add_case(scene, result, ct)
        _show_in_slice_views(scene, ct, case.uncertainty)
        _write_bundle(scene, temporary)


def _show_in_slice_views(
    scene: slicer.vtkMRMLScene,
    ct: slicer.vtkMRMLScalarVolumeNode,
    uncertainty: slicer.vtkMRMLScalarVolumeNode | None,
) -> None:
    import slicer

    for view in _SLICE_VIEWS:
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetSingletonTag(view)
        composite.SetLayoutName(view)
        composite.SetBackgroundVolumeID(ct.GetID())
        if uncertainty is not None:
            composite.SetForegroundVolumeID(uncertainty.GetID())
            composite.SetForegroundOpacity(0.0)
        scene.AddNode(composite)


def _write_bundle(scene: slicer.vtkMRMLScene, path: Path) -> None:
    # The bundle's inner folder takes the file's name and the archive writer knows only the system's own character set:
    # a plain name in the system's temporary folder suits both.
    with tempfile.TemporaryDirectory(prefix="msk-") as folder, _vtk_messages_logged():
        bundle = Path(folder) / "MSKSegment.mrb"
        if not scene.WriteToMRB(str(bundle)):
            raise OSError("the scene reported a failure")
        shutil.copyfile(bundle, path)


@contextmanager
def _vtk_messages_logged() -> Iterator[None]:
    """Send VTK's messages to the log, because the archive writer prints to stdout, where a caller's output may go."""
    import vtk

    previous, messages = vtk.vtkOutputWindow.GetInstance(), vtk.vtkStringOutputWindow()
    vtk.vtkOutputWindow.SetInstance(messages)
    try:
        yield
    finally:
        vtk.vtkOutputWindow.SetInstance(previous)
        _LOG.debug("%s", messages.GetOutput())
