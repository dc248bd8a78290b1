"""The panel's place for messages: one sentence, with the log of a run behind Details."""

import logging
import traceback
from contextlib import contextmanager

import slicer

from MSKSegmentLib.errors import MSKSegmentError
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.language.forms import told

from .icons import icon, pixmap
from .widgets import scrollTo

_LOG = logging.getLogger(__name__)


class MessageArea:
    """Shows one message at a time; empty, it takes no room."""

    def __init__(self, ui):
        self._ui = ui
        self._icons = {name: pixmap(icon(name)) for name in ("LightRed", "LightYellow", "MessageInfo")}
        ui.detailsButton.connect("toggled(bool)", ui.detailsText.setVisible)
        ui.copyButton.connect("clicked(bool)", self._copy)
        ui.messageCloseButton.connect("clicked(bool)", self.clear)
        self.clear()

    @contextmanager
    def reported(self):
        """Show what is raised inside the block instead of raising it."""
        try:
            yield
        except MSKSegmentError as error:
            self.showError(str(error), getattr(error, "log", ""))
        except Exception as error:
            _LOG.exception("The panel failed")
            sentence = _("MSKSegment failed unexpectedly ({kind}); please report it with the details.")
            self.showError(sentence.format(kind=type(error).__name__), traceback.format_exc())

    def showError(self, sentence, log=""):
        """Say what is wrong and what to do; `log` is for whoever looks into it."""
        self._show("LightRed", sentence, log)
        scrollTo(self._ui.messageFrame)

    def showWarning(self, sentence, log=""):
        """Say what to keep in mind."""
        self._show("LightYellow", sentence, log)

    def showInfo(self, sentence):
        """Say what was done."""
        self._show("MessageInfo", sentence, "")
        scrollTo(self._ui.messageFrame)

    def clear(self, *args):
        """Take the message away."""
        self._ui.messageFrame.setVisible(False)
        self._ui.messageLabel.setText("")
        self._ui.detailsText.setPlainText("")

    def _show(self, name, sentence, log):
        self._ui.messageIconLabel.setPixmap(self._icons[name])
        self._ui.messageLabel.setText(told(sentence))
        self._ui.detailsText.setPlainText(log.strip())
        self._ui.detailsButton.setChecked(False)
        self._ui.detailsText.setVisible(False)
        for button in (self._ui.detailsButton, self._ui.copyButton):
            button.setVisible(bool(log.strip()))
        self._ui.messageFrame.setVisible(True)

    def _copy(self, *args):
        """Put message and log on the clipboard, fit to be sent to somebody else."""
        from MSKSegmentLib.review.redaction import redacted

        text = f"{self._ui.messageLabel.text}\n\n{self._ui.detailsText.plainText}"
        slicer.app.clipboard().setText(redacted(text))
