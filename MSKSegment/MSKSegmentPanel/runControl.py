"""Watches a run: progress bar, stage and time left, until it ends or is cancelled."""

from MSKSegmentLib.engine.progress import FIRST_STAGE, INFERENCE, JUDGING, OTHER_MODEL
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.language.forms import told

from .widgets import repeating

POLL_MS = 100
# The end of the bar.
_WHOLE = 1000

# Where each stage begins on the bar and what share of it it takes. Nearly all the time goes to one of three: our network labels,
# it judges the labels of others, or another program labels.
_LONG = (0.06, 0.84)
_STAGES = {
    "reading": (0.00, 0.03),
    "checks": (0.03, 0.03),
    # Few runs have a first stage: its words move, and not the bar.
    FIRST_STAGE: (0.06, 0.00),
    INFERENCE: _LONG,
    JUDGING: _LONG,
    OTHER_MODEL: _LONG,
    "segmentation": (0.90, 0.05),
    "measurement": (0.95, 0.03),
    "writing": (0.98, 0.02),
}


class RunControl:
    """One run at a time."""

    def __init__(self, ui):
        self._ui = ui
        self._onEnd = None
        self._run = None
        self._task = ""
        self._timer = repeating(POLL_MS, self._poll)
        self._show(False)

    @property
    def running(self):
        """Whether a run is under way."""
        return self._run is not None

    @property
    def ctNode(self):
        """The CT of the run under way, or None."""
        return self._run.ctNode if self._run else None

    def watch(self, run, onEnd, task=""):
        """Show the progress of an `EngineChild` that was just started; `task` names one that tells no progress.

        `onEnd` is called with a run that ended by itself, not with one that was cancelled.
        """
        self._run, self._onEnd, self._task = run, onEnd, task
        # Without an end the bar says that something is going on, and not how far it is.
        self._ui.progressBar.setMaximum(0 if task else _WHOLE)
        self._ui.progressBar.setValue(0)
        self._ui.stageLabel.setText(task or _("Starting"))
        self._ui.etaLabel.setText("")
        self._show(True)
        self._timer.start()

    def cancel(self):
        """Stop the run under way and everything it started; without one nothing happens."""
        run, self._run = self._run, None
        if run is not None:
            self._timer.stop()
            run.cancel()
            self._show(False)

    def _poll(self):
        run = self._run
        for event in () if self._task else run.poll():
            begin, share = _STAGES.get(event.stage, (0.0, 0.0))
            self._ui.progressBar.setValue(round(_WHOLE * (begin + share * event.done / max(event.total, 1))))
            self._ui.stageLabel.setText(told(event.message))
            timed = event.stage in (INFERENCE, JUDGING, FIRST_STAGE)
            self._ui.etaLabel.setText(timeLeft(event.eta_s) if timed else "")
        if run.ended:
            self._run = None
            self._timer.stop()
            self._show(False)
            self._onEnd(run)

    def _show(self, running):
        self._ui.progressFrame.setVisible(running)
        self._ui.cancelButton.setEnabled(running)


def timeLeft(seconds):
    """The time left in words that do not pretend to be exact; empty when nothing can be said."""
    if seconds is None:
        return ""
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 90:
        return _("about {count} s left").format(count=10 * round(seconds / 10))
    return _("about {count} min left").format(count=round(seconds / 60))
