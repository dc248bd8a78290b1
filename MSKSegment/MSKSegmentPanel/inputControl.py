"""The inputs of a run: what the panel shows and what the scene's parameter node keeps are the same."""

import slicer

from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.settings import DEVICES, RULES

from .dicomHeight import heightOfVolume
from .modelSelector import ModelSelector
from .segmentationRun import settingsOf
from .widgets import signalsBlocked

_FOR_ANY_MODEL = ("device", "heightCm")
_FROM_DICOM, _ENTERED = "dicom", "entered"


class InputControl:
    """`onCt` is called when another CT is chosen, `onChanged` when anything that a run depends on is, `onHeight` for the height."""

    def __init__(self, ui, messages, onCt, onChanged, onHeight):
        self._ui = ui
        self._onCt = onCt
        self._onChanged = onChanged
        self._onHeight = onHeight
        self._state = None
        self._model = ModelSelector(ui.bundleSelector, messages, self._changed)
        ui.ctSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._ctChosen)
        ui.roiSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._roiChosen)
        ui.roiSelector.connect("nodeAddedByUser(vtkMRMLNode*)", self._placeRoi)
        self._showPlaceButtons()
        ui.heightSpinBox.connect("valueChanged(double)", self._heightEntered)
        ui.samplesSpinBox.connect("valueChanged(int)", self._changed)
        ui.seedSpinBox.connect("valueChanged(int)", self._changed)
        ui.deviceSelector.connect("currentIndexChanged(int)", self._changed)
        ui.lightsSelector.connect("currentIndexChanged(int)", self._changed)
        ui.autoPassesCheckBox.connect("toggled(bool)", self._changed)
        ui.int8CheckBox.connect("toggled(bool)", self._changed)
        ui.previewCheckBox.connect("toggled(bool)", self._changed)

    @property
    def ctNode(self):
        """The chosen CT, or None."""
        return self._ui.ctSelector.currentNode()

    @property
    def heightCm(self):
        """The height in cm, None where it is not known."""
        return self._ui.heightSpinBox.value or None

    @property
    def roiNode(self):
        """The chosen region of interest, or None for the whole scan."""
        return self._ui.roiSelector.currentNode()

    @property
    def settings(self):
        """The `Settings` that the panel shows."""
        # What another program's model does not know is left out.
        known = self._values if self._model.isBundle else {name: self._values[name] for name in _FOR_ANY_MODEL}
        return settingsOf(**self._model.settings, **known)

    @property
    def _values(self):
        """What is chosen, by the names of the settings and of `panelState`."""
        ui = self._ui
        return {
            "samples": ui.samplesSpinBox.value or None,
            "auto_passes": ui.autoPassesCheckBox.checked,
            "int8": ui.int8CheckBox.checked,
            "device": DEVICES[ui.deviceSelector.currentIndex],
            "heightCm": self.heightCm,
            "seed": ui.seedSpinBox.value if ui.seedSpinBox.value >= 0 else None,
            "lights": RULES[ui.lightsSelector.currentIndex],
            "preview": ui.previewCheckBox.checked,
        }

    def setState(self, state):
        """Show what the scene keeps (`panelState`), and keep changes in it; None forgets it."""
        self._state = state
        if state is None:
            return
        ui = self._ui
        with signalsBlocked(
            ui.ctSelector,
            ui.roiSelector,
            ui.heightSpinBox,
            ui.samplesSpinBox,
            ui.seedSpinBox,
            ui.deviceSelector,
            ui.bundleSelector,
            ui.lightsSelector,
            ui.autoPassesCheckBox,
            ui.int8CheckBox,
            ui.previewCheckBox,
        ):
            ui.ctSelector.setCurrentNode(state.ct)
            ui.roiSelector.setCurrentNode(state.roi)
            ui.roiPlaceWidget.setCurrentNode(state.roi)
            ui.heightSpinBox.setValue(state.heightCm)
            ui.samplesSpinBox.setValue(state.samples)
            ui.seedSpinBox.setValue(state.seed)
            ui.deviceSelector.setCurrentIndex(DEVICES.index(state.device) if state.device in DEVICES else 0)
            ui.lightsSelector.setCurrentIndex(RULES.index(state.lights) if state.lights in RULES else 0)
            ui.autoPassesCheckBox.setChecked(state.auto_passes)
            ui.int8CheckBox.setChecked(state.int8)
            ui.previewCheckBox.setChecked(state.preview)
            self._model.select(state.bundle)
        self._showHeightSource()
        self._onCt(self.ctNode)
        self._onChanged()

    def showTexts(self):
        """The panel speaks another language."""
        self._model.showTexts()
        self._showHeightSource()

    def bundles(self, task):
        """The bundles of a task that can be chosen."""
        return self._model.bundles(task)

    def addModel(self, folder):
        """Offer the model in a folder among the others."""
        self._model.addFolder(folder)

    def chooseCt(self, node):
        """Choose a CT as the user would."""
        self._ui.ctSelector.setCurrentNode(node)

    def chooseFirstCt(self, results):
        """Choose the first volume that could be a CT, to save a click; label maps and what this module made are none."""
        from MSKSegmentLib.scene.roles import ROLE_ATTRIBUTE

        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
            if not (node.IsA("vtkMRMLLabelMapVolumeNode") or node.GetAttribute(ROLE_ATTRIBUTE) or node in results):
                self.chooseCt(node)
                return

    def showHeight(self, heightCm):
        """Show the height that a result was measured with."""
        if self._state is not None and heightCm != self.heightCm:
            self._state.heightSource = _ENTERED if heightCm else ""
        with signalsBlocked(self._ui.heightSpinBox):
            self._ui.heightSpinBox.setValue(heightCm or 0)
        self._showHeightSource()
        self._store()

    def _ctChosen(self, node):
        height = heightOfVolume(node)
        if self._state is not None:
            self._state.heightSource = _FROM_DICOM if height else ""
        # A height belongs to one patient: it must not stay when the next one's CT is chosen.
        with signalsBlocked(self._ui.heightSpinBox):
            self._ui.heightSpinBox.setValue(height or 0)
        self._showHeightSource()
        self._changed()
        self._onCt(node)

    def _roiChosen(self, node):
        self._ui.roiPlaceWidget.setCurrentNode(node)
        self._changed()

    def _placeRoi(self, node):
        """A new region is empty: the next click into a view places it."""
        self._ui.roiPlaceWidget.setCurrentNode(node)
        self._ui.roiPlaceWidget.setPlaceModeEnabled(True)

    def _showPlaceButtons(self):
        """Of the buttons for markups those to place a region and to begin again."""
        widget = self._ui.roiPlaceWidget
        widget.setButtonsVisible(False)
        for button in (widget.placeButton(), widget.deleteButton()):
            button.setVisible(True)

    def _heightEntered(self, *args):
        if self._state is not None:
            self._state.heightSource = _ENTERED if self.heightCm else ""
        self._showHeightSource()
        self._changed()
        self._onHeight(self.heightCm)

    def _changed(self, *args):
        self._store()
        self._onChanged()

    def _store(self):
        state, ui = self._state, self._ui
        if state is None:
            return
        modified = state.StartModify()
        state.ct, state.roi = ui.ctSelector.currentNode(), ui.roiSelector.currentNode()
        state.bundle = self._model.name or ""
        state.heightCm = float(ui.heightSpinBox.value)
        state.samples = int(ui.samplesSpinBox.value)
        state.seed = int(ui.seedSpinBox.value)
        for name in ("auto_passes", "int8", "device", "lights", "preview"):
            setattr(state, name, self._values[name])
        state.EndModify(modified)

    def _showHeightSource(self):
        source = self._state.heightSource if self._state is not None else ""
        texts = {_FROM_DICOM: _("from the DICOM header"), _ENTERED: ""}
        self._ui.heightSourceLabel.setText(texts.get(source, _("needed for volumes in cc/m²")))
