"""The language of the panel: Slicer's own where there is a catalogue for it, or the one that the user chose for this module."""

import qt
import slicer

from MSKSegmentLib import RESEARCH_USE_ONLY
from MSKSegmentLib.language.catalogue import ENGLISH, OWN_NAMES, languages, nearest_language, speak
from MSKSegmentLib.language.catalogue import noted as N_
from MSKSegmentLib.language.catalogue import tr as _

from .widgets import signalsBlocked

_SETTING = "MSKSegment/Language"
_LIKE_SLICER = N_("As Slicer")
_PROPERTIES = ("text", "toolTip", "title", "placeholderText", "specialValueText", "suffix", "noneDisplay")


def slicerLanguage():
    """The language that Slicer was set to, as the code of a catalogue; English where there is none for it."""
    enabled = slicer.util.settingsValue("Internationalization/Enabled", False, converter=slicer.util.toBool)
    return nearest_language(str(slicer.util.settingsValue("language", "") or "")) if enabled else ENGLISH


class PanelLanguage:
    """The choice of a language, and the texts of the form in it. `onChange` is called after another one was chosen."""

    def __init__(self, form, ui, onChange):
        self._notice = ui.noticeLabel
        self._selector = selector = ui.languageSelector
        self._onChange = onChange
        self._choices = ("", *languages())
        self._english = tuple(_texts(form))
        for code in self._choices:
            selector.addItem(OWN_NAMES.get(code, code))
        chosen = slicer.util.settingsValue(_SETTING, "")
        selector.setCurrentIndex(self._choices.index(chosen) if chosen in self._choices else 0)
        selector.connect("currentIndexChanged(int)", self._chosen)
        self._show()

    def _chosen(self, index):
        slicer.app.settings().setValue(_SETTING, self._choices[index])
        self._show()
        self._onChange()

    def _show(self):
        speak(self._choices[self._selector.currentIndex] or slicerLanguage())
        with signalsBlocked(self._selector):
            self._selector.setItemText(0, _(_LIKE_SLICER))
        self._notice.setText(_(RESEARCH_USE_ONLY))
        for setText, text in self._english:
            setText(_(text))


def _texts(form):
    """How each text of the form is set, and what it is in English."""
    for widget in form.findChildren(qt.QWidget):
        for name in _PROPERTIES:
            text = widget.property(name)
            if isinstance(text, str) and text:
                yield lambda told, widget=widget, name=name: widget.setProperty(name, told), text
        if widget.inherits("QComboBox"):
            for place in range(widget.count):
                yield lambda told, widget=widget, place=place: widget.setItemText(place, told), widget.itemText(place)
