"""``mskseg study`` on sides, databases, dropout samples and entropy: known answers, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from study_cases import plausible, write_evaluation

from MSKSegmentLib.case_result import Scores
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.evaluation.agreement import pearson
from MSKSegmentLib.study.inputs import read_evaluations
from MSKSegmentLib.study.running import evaluate_samples, given_or_made

pytest.importorskip("statsmodels")
CASES = [f"p{number:02d}" for number in range(8)]


@pytest.fixture(autouse=True)
def _small_figures(monkeypatch):
    """Drawing takes most of the time."""
    monkeypatch.setattr("MSKSegmentLib.study.analysis.DOTS_PER_INCH", 40)


def run(*words):
    return main(["study", *map(str, words)])


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def list_of(path, sides):
    path.write_text("\n".join(["case,side_affected", *(f"{case},{side}" for case, side in zip(CASES, sides, strict=True))]))
    return path


def test_worse_affected_sides_are_found_and_equal_ones_are_not(tmp_path, capsys):
    sides = ["right", "left"] * 3 + ["both", "none"]
    losses = dict(zip(CASES, (0.02, 0.05, 0.03, 0.06, 0.04, 0.045, 0.5, 0.5), strict=True))

    def change(case, segment):
        worse = sides[CASES.index(case)] == segment.side.value and segment.structure.abbreviation == "GMED"
        return {"dice": 0.9 - losses[case] * worse}

    cases = list_of(tmp_path / "list.csv", sides)
    write_evaluation(tmp_path / "e", CASES, change, {"GMED", "FEMUR", "SACRUM"})
    assert run("disease", tmp_path / "e", "--cases", cases, "-o", tmp_path / "out") == 0
    rows = {(row["measure"], row["scope"]): row for row in rows_of(tmp_path / "out" / "disease.csv")}
    # PatientOf with both sides affected, or none, have no pair.
    hip, bones = rows["dice", "hip"], rows["dice", "bone"]
    expected = stats.ttest_1samp([-losses[case] for case in CASES[:6]], 0)
    assert (hip["n"], hip["test"]) == ("6", "paired t") and float(hip["difference"]) == pytest.approx(-0.245 / 6, rel=1e-5)
    # Bones and thigh muscles have no test: hip muscles and all structures are corrected for each other.
    assert float(hip["p_corrected"]) == pytest.approx(2 * expected.pvalue, rel=1e-4) and hip["comparisons"] == "2"
    assert bones["reason"] == "no pair differs" and rows["dice", "thigh"]["n"] == "0"
    assert float(rows["dice", "ALL"]["difference"]) == pytest.approx(-0.245 / 12, rel=1e-5)
    assert (tmp_path / "out" / "disease.png").stat().st_size > 1000
    assert run("disease", tmp_path / "e", "-o", tmp_path / "none") == 2
    assert "give a list of the cases with --cases" in capsys.readouterr().err
    few = list_of(tmp_path / "few.csv", ["right"] * 4 + ["none"] * 4)
    assert run("disease", tmp_path / "e", "--cases", few, "-o", tmp_path / "none") == 2
    assert "at least 5 patients with one affected and one unaffected side; these are 4" in capsys.readouterr().err


def test_sides_of_a_cohort_are_compared_by_their_uncertainty(tmp_path, capsys):
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    head = "case,patient,group,side_affected,date,affected,abbreviation,side,uncertainty"
    lines = []
    for number in range(6):
        for side, affected, value in (("right", "yes", 4e-4 + number * 1e-5), ("left", "no", 3e-4)):
            lines.append(f"c{number},,{'a' if number < 3 else 'b'},right,,{affected},GMAX,{side},{value}")
        lines.append(f"c{number},,,right,,,SACRUM,midline,1")
        lines.append(f"c{number},,,right,,no,RF,left,")
    (cohort / "measurements.csv").write_text("\n".join([head, *lines]))
    assert run("disease", f"DB#5={cohort}", "-o", tmp_path / "out") == 0
    rows = {(row["group"], row["scope"]): row for row in rows_of(tmp_path / "out" / "disease.csv")}
    assert {key[0] for key in rows} == {"all", "a", "b"} and rows["all", "hip"]["measure"] == "uncertainty"
    assert float(rows["all", "hip"]["difference"]) == pytest.approx(1.25e-4, rel=1e-4) and rows["a", "hip"]["n"] == "3"
    assert rows["all", "thigh"]["missing"] == "6"
    (cohort / "measurements.csv").write_text("case,affected\nc1,yes\n")
    assert run("disease", cohort, "-o", tmp_path / "none") == 2
    assert "lacks the column 'patient'" in capsys.readouterr().err


def test_databases_stand_beside_what_was_published_of_them(tmp_path, capsys):
    words = []
    for database, number in (("DB#2", 8), ("ours", 6)):
        for model, seed in (("5layers,20", 1), ("6layers,50", 2)):
            folder = tmp_path / f"{database}{seed}"
            write_evaluation(folder, CASES[:number], plausible(seed, seed), {"GMED", "RF"})
            words.append(f"{database}:{model}={folder}")
    assert run("databases", *words, "-o", tmp_path / "out") == 0
    rows = {(row["database"], row["model"]): row for row in rows_of(tmp_path / "out" / "databases.csv")}
    row = rows["DB#2", "6layers,50"]
    assert (row["published_dice_mean"], row["published_uncertainty_mean"], row["published_pearson"]) == (
        "0.924",
        "0.0003367",
        "-0.88",
    )
    assert rows["ours", "6layers,50"]["published_dice_mean"] == "" and rows["ours", "5layers,20"]["n"] == "6"
    (found,) = read_evaluations([str(tmp_path / "DB#22")])
    gmed = [[one for one in case.rows if one.segment.structure.abbreviation == "GMED"] for case in found.cases]
    dice, uncertainty = (
        np.array([np.mean([getattr(one, name) for one in pair]) for pair in gmed]) for name in ("dice", "uncertainty")
    )
    assert float(row["dice_mean"]) == pytest.approx(dice.mean(), rel=1e-5)
    assert float(row["pearson"]) == pytest.approx(pearson(dice, uncertainty), rel=1e-5)
    tests = [row for row in rows_of(tmp_path / "out" / "tests.csv") if row["measure"] == "dice"]
    assert [(row["database"], row["n"], row["comparisons"]) for row in tests] == [("DB#2", "8", "2"), ("ours", "6", "2")]
    assert run("databases", *words, "--structure", "HEART", "-o", tmp_path / "none") == 2
    assert "There is no structure 'HEART'" in capsys.readouterr().err
    assert run("databases", *words, "--structure", "PI", "-o", tmp_path / "none") == 2
    assert "No case of the evaluations shows PI" in capsys.readouterr().err


def test_samples_are_compared_with_the_largest_number(tmp_path, capsys):
    gains = {1: 0.0, 5: 0.01, 10: 0.01}

    def change(passes):
        return lambda case, segment: {"dice": 0.8 + gains[passes] + 0.001 * CASES.index(case) * (passes == 1)}

    folders = [write_evaluation(tmp_path / str(passes), CASES, change(passes), {"GMED"}, passes) for passes in gains]
    assert run("samples", *folders[::-1], "-o", tmp_path / "out") == 0
    rows = {(row["measure"], row["samples"]): row for row in rows_of(tmp_path / "out" / "samples.csv")}
    assert float(rows["dice", "1"]["difference"]) == pytest.approx(0.01 - 0.0035) and rows["dice", "1"]["published_mean"] == "0.941"
    assert rows["dice", "5"]["reason"] == "no pair differs" and rows["dice", "10"]["reason"] == "the largest number"
    for other, told in (
        (write_evaluation(tmp_path / "other", CASES, passes=20, only={"GMED"}, bundle="b" * 64), "of different networks"),
        (write_evaluation(tmp_path / "again", CASES, passes=5, only={"GMED"}), "the same number of samples"),
        (write_evaluation(tmp_path / "given", CASES, passes=None, only={"GMED"}, bundle=None), "given segmentations"),
    ):
        assert run("samples", *folders, other, "-o", tmp_path / "none") == 2
        assert told in capsys.readouterr().err and not (tmp_path / "none").exists()
    assert run("samples", tmp_path / "cases", "--samples", "1;5", "-o", tmp_path / "none") == 2
    assert "no list of numbers" in capsys.readouterr().err


def test_entropy_of_one_pass_is_held_against_its_own_dice(tmp_path, capsys):
    random = np.random.default_rng(3)
    numbers = {passes: random.uniform(0.7, 1, (8, 3)) for passes in (1, 10)}

    def change(passes):
        def one(case, segment):
            dice, entropy, variance = numbers[passes][CASES.index(case)]
            return {"dice": dice, "uncertainty": variance, "scores": Scores(mean_variance=variance, mean_entropy=entropy)}

        return one

    folders = [write_evaluation(tmp_path / str(passes), CASES, change(passes), {"GMED", "OE"}, passes) for passes in (10, 1)]
    assert run("entropy", *folders, "-o", tmp_path / "out") == 0
    rows = {row["structure"]: row for row in rows_of(tmp_path / "out" / "entropy.csv")}
    single, several = numbers[1].T, numbers[10].T
    row = rows["OE"]
    assert float(row["entropy"]) == pytest.approx(pearson(single[0], single[1]), rel=1e-4)
    assert float(row["variance"]) == pytest.approx(pearson(several[0], several[2]), rel=1e-4)
    assert float(row["entropy_of_mean"]) == pytest.approx(pearson(several[0], several[1]), rel=1e-4)
    interval = stats.pearsonr(several[0], several[2]).confidence_interval(0.95)
    assert (float(row["variance_low"]), float(row["variance_high"])) == pytest.approx(tuple(interval), rel=1e-4)
    assert (row["published_entropy"], row["published_variance"], row["n"]) == ("-0.33", "0.07", "8")
    assert float(rows["MEAN"]["variance"]) == pytest.approx(float(row["variance"])) and rows["MEAN"]["published_entropy"] == "-0.71"
    assert run("entropy", folders[0], f"again={folders[0]}", "-o", tmp_path / "none") == 2
    assert "one with --samples 1 and one with more" in capsys.readouterr().err


def test_labelled_cases_are_evaluated_in_the_folder_of_the_study(tmp_path):
    (tmp_path / "cases").mkdir()
    made = write_evaluation(tmp_path / "made", CASES, only={"GMED"})
    asked = []

    def make(data: Path, folder: Path):
        asked.append((data, folder))
        return read_evaluations([str(made)])

    (found,) = given_or_made([str(tmp_path / "cases")], tmp_path / "out", make)
    assert asked == [(tmp_path / "cases", tmp_path / "out" / "evaluations")] and len(found.cases) == 8
    with pytest.raises(InputError, match="at least two different numbers"):
        evaluate_samples(tmp_path / "cases", tmp_path / "out", None, (5, 5), "cpu", 0, lambda: None)
