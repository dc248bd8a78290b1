"""What rendering a slice and rendering in 3D have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .roles import nodes_of_class

if TYPE_CHECKING:
    import slicer
    import vtk


@contextmanager
def nodes_removed_afterwards(scene: slicer.vtkMRMLScene) -> Iterator[None]:
    """Remove the nodes that the block added to the scene."""
    before = {node.GetID() for node in nodes_of_class(scene, "vtkMRMLNode")}
    try:
        yield
    finally:
        for node in nodes_of_class(scene, "vtkMRMLNode"):
            if node.GetID() not in before:
                scene.RemoveNode(node)


def png_of(window: vtk.vtkRenderWindow) -> bytes:
    """The PNG of a window that was rendered."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    # Written to memory, so that the file's name never passes through VTK.
    writer = vtk.vtkPNGWriter()
    writer.WriteToMemoryOn()
    writer.SetInputConnection(grab.GetOutputPort())
    writer.Write()
    return vtk_to_numpy(writer.GetResult()).tobytes()
