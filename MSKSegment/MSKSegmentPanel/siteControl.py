"""The section that places numbers among the reference curves of the site: the file, which is kept, the age and the sex."""

import os
from pathlib import Path

import slicer

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.site_reference.applying import Placing
from MSKSegmentLib.site_reference.curves import read_site_reference

from .sections import keepFolding
from .widgets import askFileToOpen, signalsBlocked

_SETTING = "MSKSegment/SiteReference"
_SEXES = ("", "F", "M")


class SiteControl:
    """`onPlaced` is called with a `Placing`, or None where file, age or sex are missing."""

    def __init__(self, ui, messages, onPlaced):
        self._ui = ui
        self._messages = messages
        self._onPlaced = onPlaced
        self._reference = None
        for _code in _SEXES:
            ui.sexSelector.addItem("")
        ui.siteSection.connect("contentsCollapsed(bool)", keepFolding(ui.siteSection))
        ui.siteButton.connect("clicked(bool)", self._choose)
        ui.ageSpinBox.connect("valueChanged(int)", self._place)
        ui.sexSelector.connect("currentIndexChanged(int)", self._place)
        kept = slicer.util.settingsValue(_SETTING, "")
        if kept and os.path.isfile(kept):
            try:
                self._reference = read_site_reference(Path(kept))
            except InputError:
                # The file was replaced by something else since; the panel is there without it.
                slicer.app.settings().setValue(_SETTING, "")
        self._nameSexes()
        self.showCase(None)

    def showTexts(self):
        """The panel speaks another language."""
        self._nameSexes()
        self._place()

    def showCase(self, case):
        """Another case is shown, or with None none: the age and sex of the patient before must not stay."""
        ui = self._ui
        with signalsBlocked(ui.ageSpinBox, ui.sexSelector):
            ui.ageSpinBox.setValue(ui.ageSpinBox.minimum)
            ui.sexSelector.setCurrentIndex(0)
        ui.siteSection.setVisible(case is not None)
        self._place()

    def _nameSexes(self):
        for place, name in enumerate((_("Sex"), _("Female"), _("Male"))):
            self._ui.sexSelector.setItemText(place, name)

    def _choose(self, *args):
        path = askFileToOpen(self._ui.siteSection, _("Reference file of the site"), "JSON (*.json)")
        if not path:
            return
        with self._messages.reported():
            self._reference = read_site_reference(Path(path))
            slicer.app.settings().setValue(_SETTING, path)
        self._place()

    def _place(self, *args):
        ui, reference = self._ui, self._reference
        sex = _SEXES[ui.sexSelector.currentIndex]
        placing = None
        if reference is not None and sex and ui.ageSpinBox.value > ui.ageSpinBox.minimum:
            placing = Placing(reference, float(ui.ageSpinBox.value), sex)
        for widget in (ui.ageSpinBox, ui.sexSelector):
            widget.setEnabled(reference is not None)
        if reference is None:
            text = _("Choose the reference file that mskseg reference make wrote of your own cohort.")
        elif placing is None:
            text = _("Enter age at the scan and sex to see percentiles among {source}.").format(source=reference.source)
        else:
            text = _("Percentiles among {source}: the site's own cohort, no norm.").format(source=reference.source)
        ui.siteLabel.setText(text)
        self._onPlaced(placing)
