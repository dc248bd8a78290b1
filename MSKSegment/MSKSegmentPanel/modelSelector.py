"""The selector of models: bundles, the models of other programs that are installed, and another folder of either."""

import os
from contextlib import suppress
from pathlib import Path

import slicer

from MSKSegmentLib.bundle import read_manifest
from MSKSegmentLib.errors import BundleError
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.other_models.finding import ListedModel, is_trained_model, list_models
from MSKSegmentLib.settings import OtherModel

from .widgets import askFolder, signalsBlocked

# Folders of models that the user has chosen or made; they are offered again.
_SETTING = "MSKSegment/ModelFolders"


class ModelSelector:
    """`widget` is the combo box; `onChosen` is called when the user has chosen."""

    def __init__(self, widget, messages, onChosen):
        self._widget = widget
        self._messages = messages
        self._onChosen = onChosen
        # A bundle that cannot be read is shown, so that its user sees it; what is not installed is not.
        self._models = [model for model in list_models() if model.is_ready or model.is_bundle]
        for model in self._models:
            widget.addItem(_title(model))
        widget.addItem(_("Other folder..."))
        self._chosen = 0
        for folder in filter(os.path.isdir, slicer.util.settingsValue(_SETTING, "").split(os.pathsep)):
            # What lies there now may be no model any more.
            with suppress(BundleError):
                self._insert(folder)
        widget.connect("activated(int)", self._activated)

    def showTexts(self):
        """The panel speaks another language."""
        for place, model in enumerate(self._models):
            self._widget.setItemText(place, _title(model))
        self._widget.setItemText(len(self._models), _("Other folder..."))

    @property
    def settings(self):
        """The fields of `Settings` that say which model: its bundle, or another program's model."""
        if not self._models:
            return {}
        chosen = self._models[self._chosen]
        if chosen.is_bundle:
            return {"bundle": str(chosen.folder)}
        return {"model": OtherModel(chosen.name if chosen.folder is None else str(chosen.folder))}

    @property
    def isBundle(self):
        """Whether a bundle of this software is chosen, to which passes, seed, lights and preview mean something."""
        return not self._models or self._models[self._chosen].is_bundle

    @property
    def name(self):
        """What a scene calls the model, which is not its place on this computer; None without any."""
        return _name(self._models[self._chosen]) if self._models else None

    def bundles(self, task):
        """The `ListedModel` of each bundle of a task that can be read."""
        ready = (model for model in self._models if model.is_bundle and model.is_ready)
        return tuple(model for model in ready if read_manifest(model.folder).task == task)

    def select(self, name):
        """Show the model that a scene calls so; the first one where there is none."""
        names = [_name(model) for model in self._models]
        self._show(names.index(name) if name in names else 0)

    def addFolder(self, folder):
        """Offer the model in a folder, now and in later sessions; which one is chosen does not change.

        Raises:
            BundleError: there is none.
        """
        self._insert(folder)
        kept = [one for one in slicer.util.settingsValue(_SETTING, "").split(os.pathsep) if one and one != folder]
        slicer.app.settings().setValue(_SETTING, os.pathsep.join((*kept, folder)))

    def _activated(self, index):
        if index == len(self._models):
            index = self._added(askFolder(self._widget, _("Folder of a model"), ""))
        self._show(index)
        self._onChosen()

    def _added(self, folder):
        """The place in the list of the model in that folder; that of the last choice where there is none."""
        if not folder:
            return self._chosen
        try:
            self.addFolder(folder)
        except BundleError as error:
            self._messages.showError(str(error))
            return self._chosen
        return self._places[folder]

    @property
    def _places(self):
        return {str(model.folder): place for place, model in enumerate(self._models)}

    def _insert(self, folder):
        if folder not in self._places:
            self._models.append(_modelIn(Path(folder)))
            self._widget.insertItem(len(self._models) - 1, _title(self._models[-1]))

    def _show(self, index):
        self._chosen = index
        with signalsBlocked(self._widget):
            self._widget.setCurrentIndex(index)


def _modelIn(folder):
    """The model in a folder: one that was trained with another program, else a bundle.

    Raises:
        BundleError: it is neither.
    """
    if is_trained_model(folder):
        return ListedModel(folder.name, "", "", "", folder)
    manifest = read_manifest(folder)
    return ListedModel(manifest.name, "", manifest.version, "", folder, is_bundle=True)


def _name(model):
    return model.name if model.folder is None else model.folder.name


def _title(model):
    if model.is_bundle:
        return f"{model.name} {model.version}" if model.is_ready else _("{name} (not readable)").format(name=model.folder.name)
    return model.title if model.folder is None else _("{name} (another program's)").format(name=model.name)
