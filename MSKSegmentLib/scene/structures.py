"""The table of structures that a segmentation node is about, kept in the node itself, so that it comes with a saved scene."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..anatomy import StructureTable
from ..anatomy.built_in import stored_table, table_of_stored
from ..errors import InputError

if TYPE_CHECKING:
    import slicer

TABLE_ATTRIBUTE = "MSKSegment.Structures"


def set_table(node: slicer.vtkMRMLSegmentationNode, table: StructureTable) -> None:
    """Note the table of a node; that of hip and thigh needs no note."""
    content = stored_table(table)
    if content is not None:
        node.SetAttribute(TABLE_ATTRIBUTE, json.dumps(content))


def table_of_node(node: slicer.vtkMRMLSegmentationNode) -> StructureTable:
    """The table of a node; that of hip and thigh where nothing is noted.

    Raises:
        InputError: the note is damaged.
    """
    text = node.GetAttribute(TABLE_ATTRIBUTE)
    try:
        return table_of_stored(json.loads(text) if text else None)
    except ValueError as error:
        raise InputError(f"The structures noted in {node.GetName()} are damaged ({error}); run the segmentation again.") from error
