"""The section that makes a new bundle from corrections: what there is, the learning, and what became of it."""

import os
from pathlib import Path

import slicer

from MSKSegmentLib.engine import LearnRequest
from MSKSegmentLib.engine.progress import SAID
from MSKSegmentLib.language.catalogue import noted as N_
from MSKSegmentLib.language.catalogue import tr as _
from MSKSegmentLib.language.forms import told
from MSKSegmentLib.learning.places import learning_place
from MSKSegmentLib.tasks import HIP_THIGH_CT
from MSKSegmentLib.virtual.atlas import ATLAS_VARIABLE

from .dependencies import ensureLearningRequirements
from .knownTable import KnownTable
from .learnRun import LearnRun
from .runControl import POLL_MS, timeLeft
from .sections import keepFolding
from .widgets import askFileToSave, askFolder, repeating, signalsBlocked

_SETTING = "MSKSegment/Learning/"
_REVIEWS, _OUTPUT, _KIND, _HOURS, _BASE = "Reviews", "Output", "Kind", "Hours", "Base"
# What is rehearsed; the first two come from a folder, the first one also from where the environment says.
_ATLAS, _CASES, _NOTHING = "Atlas", "Cases", "Nothing"
_KINDS = {
    _ATLAS: N_("virtual patients, made of an atlas"),
    _CASES: N_("cases with true labels"),
    _NOTHING: N_("nobody: forgetting is not measured"),
}
_TRAINING = "training"
_WHOLE = 1000
_STOPPED = N_("Stopped. What was learned so far is kept; Go on takes it up from there.")
_LISTED = N_("It is in the list of models now.")
# What the engine says of a stage ends so.
_UNDER_WAY = " ..."


class LearnControl:
    """One learning at a time, beside all else; `inputs` has the bundles to go on from, and is told of the new one."""

    def __init__(self, ui, messages, inputs):
        self._ui = ui
        self._messages = messages
        self._inputs = inputs
        self._run = None
        self._isListing = False
        self._answer = {}
        self._end = ()
        self._bases = ()
        self._table = KnownTable(ui.learnTable)
        self._timer = repeating(POLL_MS, self._poll)
        for _kind in _KINDS:
            ui.learnKindSelector.addItem("")
        self._restore()
        ui.learnSection.connect("contentsCollapsed(bool)", keepFolding(ui.learnSection))
        ui.learnReviewsButton.connect("clicked(bool)", self._chooseReviews)
        ui.learnRehearsalButton.connect("clicked(bool)", self._chooseRehearsal)
        ui.learnOutputButton.connect("clicked(bool)", self._chooseOutput)
        ui.learnBaseSelector.connect("currentIndexChanged(int)", self._keep)
        ui.learnKindSelector.connect("currentIndexChanged(int)", self._keep)
        ui.learnHoursSpinBox.connect("valueChanged(double)", self._keep)
        ui.learnListButton.connect("clicked(bool)", self._list)
        ui.learnStartButton.connect("clicked(bool)", self._start)
        ui.learnStopButton.connect("clicked(bool)", self._stop)
        ui.learnLogButton.connect("toggled(bool)", ui.learnLogText.setVisible)
        ui.learnLogText.setVisible(False)
        self.showTexts()

    @property
    def running(self):
        """Whether the engine is at work for this section."""
        return self._run is not None

    def showTexts(self):
        """The panel speaks another language."""
        with signalsBlocked(self._ui.learnKindSelector):
            for place, words in enumerate(_KINDS.values()):
                self._ui.learnKindSelector.setItemText(place, _(words))
        self._showAnswer()
        self._refresh()

    def close(self):
        """The panel goes away; what was learned is kept."""
        self._timer.stop()
        self._table.close()
        if self._run is not None:
            self._run.cancel()
            self._run = None

    # Choices

    @property
    def _kind(self):
        return tuple(_KINDS)[self._ui.learnKindSelector.currentIndex]

    def _restore(self):
        ui = self._ui
        kind = _kept(_KIND)
        ui.learnKindSelector.setCurrentIndex(tuple(_KINDS).index(kind) if kind in _KINDS else 0)
        self._offerBases(_kept(_BASE))
        ui.learnHoursSpinBox.setValue(float(_kept(_HOURS) or ui.learnHoursSpinBox.value))

    def _offerBases(self, chosen):
        """Offer the bundles there are; the one in a folder of that name is chosen, or else the first."""
        self._bases, selector = self._inputs.bundles(HIP_THIGH_CT.name), self._ui.learnBaseSelector
        with signalsBlocked(selector):
            selector.clear()
            for bundle in self._bases:
                selector.addItem(f"{bundle.name} {bundle.version}")
            names = [bundle.folder.name for bundle in self._bases]
            selector.setCurrentIndex(names.index(chosen) if chosen in names else 0)

    def _keep(self, *args):
        _store(_KIND, self._kind)
        _store(_HOURS, self._ui.learnHoursSpinBox.value)
        if self._bases:
            _store(_BASE, self._bases[self._ui.learnBaseSelector.currentIndex].folder.name)
        self._refresh()

    def _chooseReviews(self, *args):
        folder = askFolder(self._ui.learnSection, _("Folder of reviewed results"), _kept(_REVIEWS))
        if folder:
            _store(_REVIEWS, folder)
            self._answer = {}
            self._showAnswer()
            self._refresh()

    def _chooseRehearsal(self, *args):
        title = _("Atlas of bodies") if self._kind == _ATLAS else _("Folder of cases with true labels")
        folder = askFolder(self._ui.learnSection, title, _kept(self._kind))
        if folder:
            _store(self._kind, folder)
            self._refresh()

    def _chooseOutput(self, *args):
        path = askFileToSave(self._ui.learnSection, _("New bundle"), _kept(_OUTPUT), "")
        if path:
            _store(_OUTPUT, path)
            self._refresh()

    # Running

    def _list(self, *args):
        self._isListing = True
        self._begin(LearnRequest(Path(_kept(_REVIEWS))))

    def _start(self, *args):
        self._isListing = False
        ui, folder = self._ui, _kept(self._kind)
        self._begin(
            LearnRequest(
                Path(_kept(_REVIEWS)),
                Path(_kept(_OUTPUT)),
                str(self._bases[ui.learnBaseSelector.currentIndex].folder) if self._bases else None,
                rehearsal=Path(folder) if self._kind == _CASES else None,
                atlas=Path(folder) if self._kind == _ATLAS and folder else None,
                rehearses=self._kind != _NOTHING,
                hours=ui.learnHoursSpinBox.value,
            )
        )

    def _begin(self, request):
        self._messages.clear()
        self._end = ()
        self._ui.learnLogText.setPlainText("")
        with self._messages.reported():
            ensureLearningRequirements()
            self._run = LearnRun(request)
            self._showStage(_("Starting"))
            self._ui.learnProgressBar.setMaximum(0)
            self._timer.start()
        self._refresh()

    def _stop(self, *args):
        run, self._run = self._run, None
        self._timer.stop()
        run.cancel()
        self._end = () if self._isListing else (_STOPPED,)
        self._refresh()

    def _poll(self):
        run = self._run
        for event in run.poll():
            self._follow(event)
        if run.ended:
            self._run = None
            self._timer.stop()
            with self._messages.reported():
                self._ended(run)
            self._refresh()

    def _follow(self, event):
        self._ui.learnLogText.appendPlainText(event.message)
        bar = self._ui.learnProgressBar
        if event.stage == SAID:
            if event.message.endswith(_UNDER_WAY):
                bar.setMaximum(0)
                self._showStage(_(event.message.removesuffix(_UNDER_WAY)))
        elif event.stage == _TRAINING:
            # A training that ends by the clock does not know how many iterations it will make.
            bar.setMaximum(_WHOLE if event.total else 0)
            bar.setValue(round(_WHOLE * event.done / event.total) if event.total else 0)
            self._showStage(
                ", ".join(filter(None, (_("Training: {count} iterations").format(count=event.done), timeLeft(event.eta_s))))
            )

    def _ended(self, run):
        try:
            if self._isListing and run.wentWell:
                self._answer = run.answer
                self._showAnswer()
                return
            self._end = (run.sentence,)
            if run.wentWell:
                self._inputs.addModel(_kept(_OUTPUT))
                self._offerBases(_kept(_BASE))
                self._end = (run.sentence, _LISTED)
            elif self._isListing or not learning_place(Path(_kept(_OUTPUT))).is_dir():
                # Nothing was begun: this is what is wrong with what was asked for.
                self._messages.showError(run.sentence, run.log)
                self._end = ()
            self._ui.learnLogText.appendPlainText(run.log)
        finally:
            run.close()

    # Showing

    def _showStage(self, text):
        self._ui.learnStageLabel.setText(text)

    def _showAnswer(self):
        ui, answer = self._ui, self._answer
        sentences = [*answer.get("sentences", ()), *filter(None, (answer.get("hindrance"),))]
        ui.learnFoundLabel.setText("\n".join(map(told, sentences)))
        ui.learnFoundLabel.setVisible(bool(sentences))
        ui.learnTable.setVisible(bool(sentences))
        self._table.setRows(answer.get("rows", ()))

    def _refresh(self):
        ui, output = self._ui, _kept(_OUTPUT)
        isIdle, goesOn = self._run is None, bool(output) and learning_place(Path(output)).is_dir()
        for button, path in (
            (ui.learnReviewsButton, _kept(_REVIEWS)),
            (ui.learnRehearsalButton, _kept(self._kind) if self._kind != _NOTHING else ""),
            (ui.learnOutputButton, output),
        ):
            button.setText(Path(path).name if path else _("Choose..."))
            button.setToolTip(path)
        for widget in (
            ui.learnReviewsButton,
            ui.learnBaseSelector,
            ui.learnKindSelector,
            ui.learnOutputButton,
            ui.learnHoursSpinBox,
        ):
            widget.setEnabled(isIdle)
        for widget in (ui.learnRehearsalLabel, ui.learnRehearsalButton):
            widget.setVisible(self._kind != _NOTHING)
        ui.learnListButton.setEnabled(isIdle and bool(_kept(_REVIEWS)))
        hindrance = self._hindrance()
        ui.learnStartButton.setEnabled(isIdle and not hindrance)
        ui.learnStartButton.setText(_("Go on") if goesOn else _("Start"))
        ui.learnStartButton.setToolTip(hindrance)
        ui.learnStopButton.setEnabled(not isIdle)
        for widget in (ui.learnProgressBar, ui.learnStageLabel):
            widget.setVisible(not isIdle)
        ui.learnEndLabel.setText(" ".join(map(told, self._end)))
        ui.learnEndLabel.setVisible(bool(self._end))

    def _hindrance(self):
        """Why nothing can be started yet; empty when it can."""
        if not _kept(_REVIEWS):
            return _("Choose the folder of reviewed results first")
        elsewhere = {_ATLAS: os.environ.get(ATLAS_VARIABLE), _NOTHING: _NOTHING}
        if not (_kept(self._kind) or elsewhere.get(self._kind)):
            return _("Choose the folder of what is rehearsed first")
        if not _kept(_OUTPUT):
            return _("Choose the folder of the new bundle first")
        if Path(_kept(_OUTPUT)).exists():
            return _("The folder of the new bundle is there already; choose another one")
        return ""


def _kept(name):
    return slicer.util.settingsValue(_SETTING + name, "") or ""


def _store(name, value):
    slicer.app.settings().setValue(_SETTING + name, str(value))
