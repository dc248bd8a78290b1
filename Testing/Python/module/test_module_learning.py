"""Learning from corrections by a button: what there is, start, stop and go on, and what became of it."""

import pytest

pytest.importorskip("slicer")
pytest.importorskip("PySide6")
pytest.importorskip("monai")

import slicer
from Host import host
from learning_cases import correct, opened, write_corrected, write_reviewed
from module_cases import PANEL_WIDTH, click, open_module, wait

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.commands.learn import command
from MSKSegmentLib.engine import EngineEvent, LearnRequest
from MSKSegmentLib.learning.places import learning_place

pytest_plugins = ("warm_children",)

NOTHING = 2


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """Corrected results of three patients: the fewest that can be learned from."""
    folder = tmp_path_factory.mktemp("site") / "reviews"
    for seed in range(3):
        write_corrected(folder / f"r{seed}", seed)
    return folder


@pytest.fixture
def panel(tiny_bundle, monkeypatch):
    monkeypatch.setenv("MSKSEG_BUNDLES", str(tiny_bundle))
    monkeypatch.delenv("MSKSEG_ATLAS", raising=False)
    with open_module() as panel:
        panel.device.stop()
        panel.ui.learnSection.setCollapsed(False)
        yield panel


def choose(panel, button, path):
    host.answer(str(path))
    click(button)


def prepare(panel, reviews, output):
    """Everything chosen but what is rehearsed: nothing is."""
    ui = panel.ui
    choose(panel, ui.learnReviewsButton, reviews)
    ui.learnKindSelector.setCurrentIndex(NOTHING)
    choose(panel, ui.learnOutputButton, output)
    names = [ui.learnBaseSelector.itemText(place) for place in range(ui.learnBaseSelector.count)]
    ui.learnBaseSelector.setCurrentIndex(names.index("tiny 1"))


class Scripted:
    """An engine whose lines and end are given."""

    script = ()
    asked = ()
    answer = {}

    def __init__(self, words, *options):
        type(self).asked = words
        *self._events, self._end = self.script
        self.details = "a line of a library\n"

    def poll(self):
        events, self._events = self._events, []
        return events

    @property
    def exit_code(self):
        return None if self._events else self._end[0]

    @property
    def message(self):
        return self._end[1]

    def cancel(self):
        """Nothing runs."""


def said(words):
    return EngineEvent("said", 0, 0, None, words)


def run_scripted(panel, monkeypatch, *script, button=None):
    from MSKSegmentPanel import learnRun

    monkeypatch.setattr(Scripted, "script", script)
    monkeypatch.setattr(learnRun, "EngineRun", Scripted)
    click(button or panel.ui.learnStartButton)


def known(table):
    """The rows of the table, by the structure's name."""
    rows = [[table.item(place, column).text() for column in range(table.columnCount)] for place in range(table.rowCount)]
    return {name: counts for name, *counts in rows}


def test_what_there_is_and_what_is_missing_is_told(panel, reviews, tmp_path):
    ui = panel.ui
    assert not ui.learnListButton.enabled and not ui.learnStartButton.enabled and "reviewed results" in ui.learnStartButton.toolTip
    choose(panel, ui.learnReviewsButton, reviews)
    assert ui.learnReviewsButton.text == "reviews" and "rehearsed" in ui.learnStartButton.toolTip
    click(ui.learnListButton)
    assert ui.learnStopButton.enabled and not ui.learnListButton.enabled
    wait(lambda: not panel.learning.running, 120)
    assert ui.learnFoundLabel.text == "3 reviewed results of 3 patients, 3 of them corrected.", ui.messageLabel.text
    names = known(ui.learnTable)
    assert names["Adductors"] == ["3", "", "", "3"] and names["Femur"] == names["Sacrum"] == ["", "", "3", "3"]
    # Other folders are other results. Nothing is accepted in this one.
    session, truth = opened(7)
    correct(session, truth, slice(4, 6))
    write_reviewed(tmp_path / "one", session)
    choose(panel, ui.learnReviewsButton, tmp_path / "one")
    assert not ui.learnFoundLabel.text and not ui.learnTable.visible
    click(ui.learnListButton)
    wait(lambda: not panel.learning.running, 120)
    lines = ui.learnFoundLabel.text.splitlines()
    assert lines[0] == "1 reviewed results of 1 patients, 1 of them corrected." and lines[1].startswith("Known in nobody: PELVIS")
    assert "only 1 of 1 patients anything was corrected, and 3 are needed" in lines[2]
    assert known(ui.learnTable)["Adductors"] == ["", "1", "", "1"] and known(ui.learnTable)["Femur"][-1] == "nobody"


def test_a_learning_is_stopped_and_goes_on(panel, reviews, tmp_path):
    ui, output = panel.ui, tmp_path / "new"
    prepare(panel, reviews, output)
    assert ui.learnStartButton.text == "Start" and ui.learnOutputButton.text == "new"
    click(ui.learnStartButton)
    assert ui.learnProgressBar.visible and not ui.learnHoursSpinBox.enabled and not ui.learnStartButton.enabled
    # Slicer can be used meanwhile: a run of the panel is another matter.
    assert not panel.run.running
    wait(lambda: "Judging the bundle as it is" in ui.learnStageLabel.text, 180)
    pid = panel.learning._run._engine.pid
    click(ui.learnStopButton)
    assert "What was learned so far is kept" in ui.learnEndLabel.text and ui.learnStartButton.text == "Go on"
    assert (learning_place(output) / "stages" / "cases.json").is_file() and not output.exists() and pid
    click(ui.learnStartButton)
    wait(lambda: "Writing the cases: done before." in ui.learnLogText.plainText, 180)
    click(ui.learnStopButton)


def test_a_published_bundle_is_in_the_list_of_models(panel, reviews, tiny_bundle, tmp_path, monkeypatch):
    import shutil

    ui, output = panel.ui, tmp_path / "learned"
    prepare(panel, reviews, output)
    models = [ui.bundleSelector.itemText(place) for place in range(ui.bundleSelector.count)]
    training = [EngineEvent("training", done, 200, 90.0, f"{done}/200 loss 0.1") for done in (50, 100)]
    run_scripted(panel, monkeypatch, said("Training ..."), *training, (None, ""))
    assert Scripted.asked[:2] == ["learn", str(reviews)] and str(tiny_bundle) in Scripted.asked
    wait(lambda: ui.learnProgressBar.value == 500)
    assert ui.learnStageLabel.text == "Training: 100 iterations, about 2 min left"
    shutil.copytree(tiny_bundle, output)
    panel.learning._run._engine._end = (0, f"The bundle tiny 1+learned is in {output}.")
    wait(lambda: not panel.learning.running)
    assert ui.learnEndLabel.text == f"The bundle tiny 1+learned is in {output}. It is in the list of models now."
    assert "100/200 loss" in ui.learnLogText.plainText and not ui.learnLogText.visible
    now = [ui.bundleSelector.itemText(place) for place in range(ui.bundleSelector.count)]
    assert now == [*models[:-1], "tiny 1", models[-1]] and ui.learnBaseSelector.itemText(ui.learnBaseSelector.count - 1) == "tiny 1"
    assert not ui.learnStartButton.enabled and "there already" in ui.learnStartButton.toolTip
    # It is offered in later sessions, too.
    from MSKSegmentPanel.modelSelector import ModelSelector

    selector = slicer.util.mainWindow().findChild(type(ui.bundleSelector), "bundleSelector")
    selector.clear()
    assert str(output) in [str(one.folder) for one in ModelSelector(selector, None, None).bundles("hip-thigh-ct")]


def test_a_refused_bundle_is_told_why(panel, reviews, tmp_path, monkeypatch):
    ui, output = panel.ui, tmp_path / "worse"
    prepare(panel, reviews, output)
    learning_place(output).mkdir()
    reason = "on rehearsed patients it fell from 0.900 to 0.800, by more than 0.01"
    advice = "the comparison is in worse-learning, and more corrections or iterations may help."
    sentence = f"The new bundle is not published: {reason}; {advice}"
    run_scripted(panel, monkeypatch, said("Judging the new bundle ..."), (2, sentence))
    wait(lambda: not panel.learning.running)
    assert ui.learnEndLabel.text == sentence and "a line of a library" in ui.learnLogText.plainText
    # What is wrong with the question stands where errors stand.
    learning_place(output).rmdir()
    run_scripted(panel, monkeypatch, (2, "There is no folder 'x'; name result folders, or folders that hold them."))
    wait(lambda: not panel.learning.running)
    assert "There is no folder" in ui.messageLabel.text and not ui.learnEndLabel.text
    from MSKSegmentLib.language.catalogue import ENGLISH, speak

    speak("ja")
    try:
        panel.learning.showTexts()
        panel.learning._end = (sentence,)
        panel.learning._refresh()
        assert "公開されません：復習した患者では" in ui.learnEndLabel.text
    finally:
        speak(ENGLISH)


def test_choices_are_kept_for_the_next_time(panel, reviews, tmp_path):
    prepare(panel, reviews, tmp_path / "new")
    panel.ui.learnHoursSpinBox.setValue(3.5)
    from MSKSegmentPanel.learnControl import LearnControl

    # As in a new panel.
    panel.ui.learnKindSelector.blockSignals(True)
    panel.ui.learnKindSelector.clear()
    panel.ui.learnHoursSpinBox.blockSignals(True)
    panel.ui.learnHoursSpinBox.setValue(10)
    again = LearnControl(panel.ui, panel.messages, panel.inputs)
    assert again._kind == "Nothing" and panel.ui.learnHoursSpinBox.value == 3.5 and panel.ui.learnStartButton.enabled
    again.close()


def test_the_words_for_the_engine_are_those_of_the_command(tmp_path):
    request = LearnRequest(tmp_path / "r", tmp_path / "new", "net", tmp_path / "cases", tmp_path / "atlas", False, 2.5, "cpu")
    said_options = command.make_context("learn", request.arguments()[1:]).params
    wanted = {"bundle": "net", "output": tmp_path / "new", "rehearsal": tmp_path / "cases", "atlas": tmp_path / "atlas"}
    wanted |= {"rehearsal_share": 0.0, "hours": 2.5, "device": "cpu", "progress": "json", "reviews": (tmp_path / "r",)}
    assert wanted.items() <= said_options.items() and not said_options["only_list"]
    listing = command.make_context("learn", LearnRequest(tmp_path / "r").arguments()[1:]).params
    assert listing["only_list"] and listing["progress"] == "json" and listing["output"] is None
    usual = command.make_context("learn", LearnRequest(tmp_path / "r", tmp_path / "n").arguments()[1:]).params
    assert usual["rehearsal_share"] == 0.5 and usual["hours"] is None


def test_the_section_can_be_looked_at(panel, reviews, tmp_path, monkeypatch):
    ui = panel.ui
    prepare(panel, reviews, tmp_path / "bundle 2026")
    rows = [[structure.abbreviation, 1, 0, 2, 3] for structure in HIP_AND_THIGH.structures]
    answer = {"rows": rows, "sentences": ["3 reviewed results of 3 patients, 3 of them corrected."], "hindrance": ""}
    monkeypatch.setattr(Scripted, "answer", answer)
    run_scripted(panel, monkeypatch, (0, ""), button=ui.learnListButton)
    wait(lambda: not panel.learning.running)
    host.grab(slicer.util.mainWindow(), tmp_path / "window.png", PANEL_WIDTH, 1000)
    assert known(ui.learnTable)["Femur"] == ["1", "", "2", "3"]
    assert host.grab(ui.learnSection, tmp_path / "learning.png").stat().st_size > 10_000
