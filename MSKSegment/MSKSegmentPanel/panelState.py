"""What the panel keeps in the scene: typed attributes of the module's parameter node, saved and opened with the scene.

Slicer has `parameterNodeWrapper` for that. Where it is missing, as in slicer-core, a class with the same attributes takes its
place. Both write the same texts, so that a scene opens either way; scenes of earlier versions of this module open, too.
"""

import typing

import slicer

_EMPTY = ""


def _fields():
    """The attributes with their types and, where that is not the type's own, what they are at first."""

    class PanelState:
        ct: slicer.vtkMRMLScalarVolumeNode
        roi: slicer.vtkMRMLMarkupsROINode
        judgedSegmentation: slicer.vtkMRMLSegmentationNode
        bundle: str
        # 0 where it is not known; where it came from is "dicom", "entered" or "".
        heightCm: float
        heightSource: str
        # 0: as many as the model asks for.
        samples: int
        auto_passes: bool
        int8: bool
        device: str
        seed: int = -1
        lights: str
        preview: bool

    return PanelState


def panelState(node):
    """The state that a parameter node keeps."""
    fields = _fields()
    _bringUpToDate(node, typing.get_type_hints(fields))
    try:
        from slicer.parameterNodeWrapper import parameterNodeWrapper
    except ImportError:
        return _plain(fields)(node)
    return parameterNodeWrapper(fields)(node)


def _bringUpToDate(node, kinds):
    """Scenes of earlier versions have an empty text for a number that is not chosen, and references alone for nodes."""
    for name, kind in kinds.items():
        if _isNode(kind):
            if node.GetNodeReferenceID(name):
                node.SetParameter(name, _EMPTY)
        elif kind in (int, float) and not _isNumber(node.GetParameter(name), kind):
            node.UnsetParameter(name)


def _plain(fields):
    """The class with an attribute for each field that reads and writes the node at once."""
    for name, kind in typing.get_type_hints(fields).items():
        setattr(fields, name, _attribute(name, kind, getattr(fields, name, None if _isNode(kind) else kind())))

    def init(self, node):
        self.parameterNode = node

    fields.__init__ = init
    fields.StartModify = lambda self: self.parameterNode.StartModify()
    fields.EndModify = lambda self, modified: self.parameterNode.EndModify(modified)
    return fields


def _attribute(name, kind, default):
    def read(self):
        node = self.parameterNode
        if _isNode(kind):
            return node.GetNodeReference(name)
        text = node.GetParameter(name)
        if kind is bool:
            return text == "True"
        return kind(text) if text and (kind is str or _isNumber(text, kind)) else default

    def write(self, value):
        if _isNode(kind):
            self.parameterNode.SetParameter(name, _EMPTY)
            self.parameterNode.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        else:
            self.parameterNode.SetParameter(name, str(value))

    return property(read, write)


def _isNode(kind):
    return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)


def _isNumber(text, kind):
    try:
        kind(text)
    except ValueError:
        return False
    return True
