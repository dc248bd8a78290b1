"""``mskseg study groups``: overlap and agreement of volumes by group, on evaluations whose numbers are known."""

import csv

import pytest
from study_cases import write_evaluation

from MSKSegmentLib.commands.main import main

pytest.importorskip("statsmodels")
CASES = [f"case{number}" for number in range(6)]
# Women are found as they are, of men 10 cc too much.
TRUE_CC = {name: 80.0 + 10.0 * number for number, name in enumerate(CASES)}


def _sex(name):
    return "female" if int(name[-1]) % 2 == 0 else "male"


def _change(name, segment):
    extra = 10.0 if _sex(name) == "male" else 0.0
    return {
        "dice": 0.98 if extra == 0 else 0.9,
        "sensitivity": 1.0 - extra / 100,
        "specificity": 0.999,
        "volume_true_cc": TRUE_CC[name],
        "volume_predicted_cc": TRUE_CC[name] + extra,
    }


def _list(path, column="group"):
    path.write_text("\n".join([f"case,{column}", *(f"{name},{_sex(name)}" for name in CASES)]) + "\n", encoding="utf-8")
    return path


def test_groups_stand_beside_all(tmp_path):
    evaluation = write_evaluation(tmp_path / "evaluation", CASES, _change, only=("FEMUR",))
    words = ["--cases", str(_list(tmp_path / "list.csv")), "-o", str(tmp_path / "out")]
    assert main(["study", "groups", f"net={evaluation}", *words]) == 0
    lines = {line["group"]: line for line in csv.DictReader((tmp_path / "out" / "groups.csv").open(encoding="utf-8"))}
    assert list(lines) == ["all", "female", "male"]
    assert [int(lines[group]["patients"]) for group in lines] == [6, 3, 3] and int(lines["all"]["n"]) == 12
    assert float(lines["female"]["dice_mean"]) == pytest.approx(0.98)
    assert float(lines["male"]["sensitivity_mean"]) == pytest.approx(0.9)
    assert float(lines["female"]["volume_r_squared"]) == pytest.approx(1.0)
    # 3 men of 90, 110, 130 cc, each 10 cc too large: 1 - 3 * 100 / 800; a shift does not lower r2.
    assert float(lines["male"]["volume_r_squared"]) == pytest.approx(1 - 300 / 800)
    assert float(lines["male"]["volume_pearson_squared"]) == pytest.approx(1.0)
    page = (tmp_path / "out" / "groups.md").read_text(encoding="utf-8")
    assert "sensitivity" in page and "0.9000" in page


def test_a_list_without_groups_is_refused(tmp_path, capsys):
    evaluation = write_evaluation(tmp_path / "evaluation", CASES, _change, only=("FEMUR",))
    words = ["--cases", str(_list(tmp_path / "list.csv", "patient")), "-o", str(tmp_path / "out")]
    assert main(["study", "groups", str(evaluation), *words]) == 2
    assert "says no group of any case" in capsys.readouterr().err and not (tmp_path / "out").exists()
