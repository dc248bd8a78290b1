"""``mskseg study cross-validate``: who trains and who judges, stopped and taken up with tiny networks, the report."""

import csv
import json
from dataclasses import replace

import pytest
from study_cases import plausible, write_evaluation
from training_cases import small_recipe, write_case

from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import Cancelled, InputError
from MSKSegmentLib.evaluation.run import Segmenter
from MSKSegmentLib.study.analysis import write_analysis
from MSKSegmentLib.study.cross_plan import CrossStage, named_recipes, plan_folds, stage_split
from MSKSegmentLib.study.cross_report import report_cross_validation
from MSKSegmentLib.study.cross_validation import CROSS_FILE, Reporting, held_out_models, pooled_models, run_cross_validation
from MSKSegmentLib.study.inputs import read_named_evaluation
from MSKSegmentLib.training.folds import patient_of

pytest.importorskip("statsmodels")
CASES = [f"p{number}@{scan}" for number in range(6) for scan in (1, 2)]


def test_folds_leave_out_whole_patients_and_fewer_patients_are_among_more():
    plan = plan_folds(CASES, {"a": small_recipe()}, (4, 2), 3, seed=7)
    assert plan.numbers == (2, 4) and len(plan.stages) == 6
    judged = []
    for fold in (1, 2, 3):
        few, all_of_them = (stage_split(plan, CrossStage("a", number, (fold, 3))) for number in (2, 4))
        assert few.held_out_cases == all_of_them.held_out_cases
        assert set(few.train_cases) < set(all_of_them.train_cases) and len(few.train_cases) == 4
        assert not {patient_of(case) for case in all_of_them.train_cases} & {patient_of(case) for case in few.held_out_cases}
        judged += few.held_out_cases
    assert sorted(judged) == CASES
    assert plan_folds(CASES, {"a": small_recipe()}, (), 3).numbers == (4,)
    assert stage_split(plan, plan.stages[0]) == stage_split(plan_folds(CASES, {}, (2,), 3, seed=7), plan.stages[0])


def test_a_part_that_is_held_out_is_in_no_fold_and_judges_a_last_network(tmp_path):
    cases = [f"p{number:02d}" for number in range(20)]
    plan = plan_folds(cases, {"a": small_recipe()}, (), 3, hold_out=10)
    assert len(plan.held_out) == 2 and sorted((*plan.cases, *plan.held_out)) == cases and len(plan.cases) == 18
    assert [stage.part for stage in plan.stages] == ["fold1", "fold2", "fold3", "held-out"]
    for stage in plan.stages[:3]:
        split = stage_split(plan, stage)
        assert not {*split.train_cases, *split.held_out_cases} & {*plan.held_out}
    last = stage_split(plan, plan.stages[3])
    assert last.train_cases == plan.cases and last.held_out_cases == plan.held_out
    assert "held_out" not in plan_folds(cases, {"a": small_recipe()}, (), 3).to_json(), "as cross-validations of before"
    with pytest.raises(InputError, match="One of 1 parts cannot be held out"):
        plan_folds(cases, {"a": small_recipe()}, (), 3, hold_out=1)
    for stage in plan.stages:
        judged = stage_split(plan, stage).held_out_cases
        place = tmp_path / "a" / str(stage.number) / stage.part
        write_evaluation(place / "evaluation", judged, only=("FEMUR",))
    (last_model,) = held_out_models(plan, tmp_path)
    assert last_model.name == "a, held-out" and [case.name for case in last_model.cases] == list(plan.held_out)
    (pooled,) = pooled_models(plan, tmp_path)
    assert [case.name for case in pooled.cases] == list(plan.cases)


def test_plans_that_cannot_be_are_refused(tmp_path):
    for numbers, folds, told in (
        ((5,), 3, "5 training patients cannot be had: with 3 folds of 6 patients there are 4"),
        ((0,), 3, "0 training patients"),
        ((), 1, "1 folds leave nobody out"),
        ((), 7, "6 patients cannot be split into 7 folds"),
    ):
        with pytest.raises(InputError, match=told):
            plan_folds(CASES, {"a": small_recipe()}, numbers, folds)
    assert {name: recipe.network.levels for name, recipe in named_recipes(["six=paper", "paper-5"]).items()} == {
        "six": 6,
        "paper-5": 5,
    }
    for words, told in (
        (["paper", "paper"], "Two recipes go by the name"),
        (["a,b=paper"], "no name for a folder"),
        (["none"], "no recipe"),
    ):
        with pytest.raises(InputError, match=told):
            named_recipes(words)


def truth_segmenter(bundle, device, passes, seed, checkpoint):
    """Instead of the network's segmentations the truth."""
    key = {"bundle": bundle.digest, "passes": passes, "seed": seed}
    return Segmenter("truth", bundle.table, lambda name: key, lambda case: (case.truth, {}, ()))


class Killed(BaseException):
    """Nothing handles it, as nothing handles the end of a process."""


def test_a_cross_validation_that_was_killed_goes_on_and_does_nothing_twice(tmp_path, monkeypatch):
    # What takes minutes and is tested elsewhere: figures, and taking the speckle of a network that learned nothing apart.
    monkeypatch.setattr("MSKSegmentLib.evaluation.run.write_plots", lambda *arguments: [])
    monkeypatch.setattr("MSKSegmentLib.study.cross_validation.network_segmenter", truth_segmenter)
    data, folder = tmp_path / "cases", tmp_path / "out"
    for number in range(2):
        write_case(data, f"c{number}", seed=number)
    recipe = small_recipe(iterations=4, checkpoint_every=2, device="cpu")
    plan = plan_folds(["c0", "c1"], {"tiny": recipe}, (1,), 2, samples=1, device="cpu")
    first, told = folder / "tiny" / "1" / "fold1" / "training", []

    def attempt(plan, end=None):
        calls = []

        def checkpoint():
            calls.append(None)
            if (end == "training" and len(calls) > 4) or (end == "evaluation" and (first / "trained.json").exists()):
                raise Killed

        return run_cross_validation(plan, data, folder, Reporting(told.append, lambda status: None, checkpoint))

    for end in ("training", "evaluation"):
        with pytest.raises(Killed):
            attempt(plan, end)
        assert (first / "trained.json").exists() is (end == "evaluation") and not list((folder / "stages").glob("*"))
    made = (first / "bundle" / "weights.safetensors").stat().st_mtime_ns
    (pooled,) = attempt(plan)
    assert (first / "bundle" / "weights.safetensors").stat().st_mtime_ns == made, "the training that was whole is not done again"
    assert [case.name for case in pooled.cases] == ["c0", "c1"] and pooled.name == "tiny,1" and pooled.passes == 1
    assert {path.stem for path in (folder / "stages").iterdir()} == {"tiny-1-fold1", "tiny-1-fold2"}
    splits = [json.loads((folder / "tiny" / "1" / f"fold{fold}" / "training" / "split.json").read_text()) for fold in (1, 2)]
    assert sorted(case for split in splits for case in split["held_out_cases"]) == ["c0", "c1"]
    assert all(len(split["train_cases"]) == 1 and split["train_cases"] != split["held_out_cases"] for split in splits)
    assert len(list((folder / "prepared" / "tiny").rglob("*.npy"))) == 2, "each case is brought to the grid once"
    told.clear()
    assert attempt(plan) == [pooled] and told == [f"tiny-1-fold{fold}: there already ({fold} of 2)" for fold in (1, 2)]
    with pytest.raises(InputError, match="in which the recipe tiny and the seed differ"):
        attempt(replace(plan, seed=1, recipes={"tiny": replace(recipe, learning_rate=1.0)}))


def test_cancelling_keeps_the_choices_for_the_next_call(tmp_path):
    (tmp_path / "cases").mkdir()

    def cancel():
        raise Cancelled("enough")

    plan = plan_folds(["a", "b"], {"tiny": small_recipe()}, (), 2)
    with pytest.raises(Cancelled):
        run_cross_validation(plan, tmp_path / "cases", tmp_path / "out", Reporting(print, print, cancel))
    assert json.loads((tmp_path / "out" / CROSS_FILE).read_text())["cases"] == ["a", "b"]


def test_the_report_tests_neighbours_in_number_and_recipes_of_one_number(tmp_path, monkeypatch):
    monkeypatch.setattr("MSKSegmentLib.study.analysis.DOTS_PER_INCH", 40)
    cases = [f"p{number:02d}" for number in range(8)]
    plan = plan_folds(cases, {"five": small_recipe(), "six": small_recipe()}, (2, 4), 4)
    models = []
    for place, name in enumerate(("five,2", "five,4", "six,2", "six,4")):
        folder = write_evaluation(tmp_path / str(place), cases, plausible(place, 1 + 0.3 * place), {"GMED", "RF"})
        models.append(read_named_evaluation(name, folder))
    write_analysis(tmp_path / "out", report_cross_validation(plan, models, "bonferroni"), models)
    with (tmp_path / "out" / "tests.csv").open(newline="", encoding="utf-8") as file:
        tests = [row for row in csv.DictReader(file) if row["measure"] == "dice"]
    pairs = [(row["first"], row["second"]) for row in tests]
    assert pairs == [("five,2", "five,4"), ("five,2", "six,2"), ("five,4", "six,4"), ("six,2", "six,4")]
    assert {row["comparisons"] for row in tests} == {"4"} and {row["n"] for row in tests} == {"8"}
    page = (tmp_path / "out" / "cross-validate.md").read_text(encoding="utf-8")
    assert "six" in page and "judged by the network that had not seen it" in page


def test_the_command_refuses_before_it_trains(tmp_path, capsys):
    for number in range(2):
        write_case(tmp_path / "cases", f"c{number}")
    words = ["study", "cross-validate", str(tmp_path / "cases"), "paper", "-o", str(tmp_path / "out")]
    assert main([*words, "--train-cases", "10,20", "--folds", "2"]) == 2
    assert "20 training patients cannot be had" in capsys.readouterr().err
    assert main([*words, "--minutes", "0"]) == 2 and "no time to train" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
