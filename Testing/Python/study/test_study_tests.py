"""Tests of paired differences, and patients' values: against scipy and by hand."""

import numpy as np
import pytest
from scipy import stats
from study_cases import write_evaluation

from MSKSegmentLib.errors import InputError
from MSKSegmentLib.study.inputs import named_folder, on_same_cases, read_evaluations
from MSKSegmentLib.study.paired_tests import T_TEST, WILCOXON, paired_test, with_corrected_p
from MSKSegmentLib.study.values import ASD, DICE, group_scopes, paired_values, patient_values

pytest.importorskip("statsmodels")


def test_normal_differences_get_the_t_test():
    random = np.random.default_rng(0)
    first = random.normal(10, 2, 30)
    second = first + random.normal(1, 0.5, 30)
    found = paired_test(first, second)
    expected = stats.ttest_rel(second, first)
    assert (
        found.test == T_TEST and found.p == pytest.approx(expected.pvalue) and found.statistic == pytest.approx(expected.statistic)
    )
    assert found.shapiro_p == pytest.approx(stats.shapiro(second - first).pvalue)
    difference = second - first
    assert found.effect == pytest.approx(difference.mean() / difference.std(ddof=1))
    reach = stats.t.ppf(0.975, 29) * difference.std(ddof=1) / np.sqrt(30)
    assert (found.low, found.high) == pytest.approx((difference.mean() - reach, difference.mean() + reach))
    turned = paired_test(second, first)
    assert turned.p == pytest.approx(found.p) and turned.effect == pytest.approx(-found.effect)


def test_skewed_differences_get_wilcoxon_with_the_rank_biserial_correlation():
    # Ranks 1 to 8; the negative ones have 1 and 2: r = (33 - 3) / 36, W = 3.
    differences = np.array([-0.1, -0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 40.0])
    found = paired_test(np.zeros(8), differences)
    assert found.test == WILCOXON and found.statistic == 3 and found.effect == pytest.approx(30 / 36)
    assert found.p == pytest.approx(stats.wilcoxon(differences).pvalue)


def test_what_cannot_be_tested_says_why():
    same = np.array([0.9, 0.8, 0.7, 0.9, 0.95])
    assert paired_test(same, same.copy()).reason == "no pair differs"
    assert paired_test(same, same + 0.01).reason == "all pairs differ by the same"
    few = paired_test(same[:4], same[:4] + 0.1)
    assert few.reason == "only 4 pairs, 5 are needed" and few.p is None and few.significant is None and few.mark == "-"
    assert paired_test(same[:0], same[:0]).difference is None


def test_corrections_count_the_tests_that_there_are():
    random = np.random.default_rng(1)
    tests = [paired_test(np.zeros(12), random.normal(shift, 1, 12)) for shift in (0.0, 0.8, 2.0)] + [
        paired_test(np.zeros(3), np.ones(3))
    ]
    for correction, factors in (("bonferroni", (3, 3, 3)), ("holm", (1, 2, 3))):
        done = with_corrected_p(tests, correction)
        ranked = sorted(range(3), key=lambda k: -tests[k].p)
        for k, factor in zip(ranked, factors, strict=True):
            assert done[k].p_corrected == pytest.approx(min(1, factor * tests[k].p)) and done[k].comparisons == 3
        assert done[3].p_corrected is None
    assert with_corrected_p(tests[3:]) == tests[3:]


def test_a_patients_value_is_the_mean_of_structures_and_each_the_mean_of_its_sides(tmp_path):
    numbers = {("GMAX", "right"): 0.9, ("GMAX", "left"): 0.7, ("SACRUM", "midline"): 0.6}

    def change(case, segment):
        dice = numbers[segment.structure.abbreviation, segment.side.value]
        return {"dice": dice + (0.1 if case == "b@2" else 0)}

    write_evaluation(tmp_path / "e", ["a", "b@1", "b@2"], change, only={"GMAX", "SACRUM"})
    (found,) = read_evaluations([str(tmp_path / "e")])
    values = patient_values(found, group_scopes(found.table)[-1], DICE)
    # Two scans of patient b, the second better by 0.1.
    assert values == {"a": pytest.approx(0.7), "b": pytest.approx(0.75)}


def test_a_segment_that_one_evaluation_lacks_a_number_of_is_left_out_of_all(tmp_path):
    def missed(case, segment):
        return {"missed": case == "a" and segment.side.value == "right"}

    for name, change in (("one", lambda case, segment: {"asd_mm": 2.0}), ("two", missed)):
        write_evaluation(tmp_path / name, ["a", "b"], change, only={"GMAX"})
    both = on_same_cases(read_evaluations([f"{name}={tmp_path / name}" for name in ("one", "two")], 2))
    scope = group_scopes(both[0].table)[-1]
    distances = paired_values(both, scope, ASD)
    assert distances.missing == 1 and distances.values.tolist() == [[2, 1], [2, 1]]
    dice = paired_values(both, scope, DICE)
    assert dice.missing == 0 and dice.values[0].tolist() == pytest.approx([0.95, 0.475])


def test_evaluations_that_cannot_be_compared_are_refused(tmp_path):
    write_evaluation(tmp_path / "a", ["x", "y"], only={"GMAX"})
    write_evaluation(tmp_path / "b", ["x", "z"], only={"GMAX"})
    write_evaluation(tmp_path / "c", ["x", "y"], lambda case, segment: {"voxels_true": 900}, only={"GMAX"})
    write_evaluation(tmp_path / "d", ["w"], only={"GMAX"})
    named = {name: f"{name}={tmp_path / name}" for name in "abcd"}
    for words, told in (
        (["a", "b"], "'a' lacks z;"),
        (["a", "c"], "case 'x' was compared with other labels in 'c' than in 'a'"),
    ):
        with pytest.raises(InputError, match=told):
            on_same_cases(read_evaluations([named[name] for name in words]))
    shared = on_same_cases(read_evaluations([named["a"], named["b"]]), common=True)
    assert [[case.name for case in one.cases] for one in shared] == [["x"], ["x"]]
    with pytest.raises(InputError, match="no case in common"):
        on_same_cases(read_evaluations([named["a"], named["d"]]), common=True)
    with pytest.raises(InputError, match="Two evaluations go by the name 'a'"):
        read_evaluations([named["a"], f"a={tmp_path / 'b'}"])
    with pytest.raises(InputError, match="2 evaluations are needed"):
        read_evaluations([named["a"]], 2)
    with pytest.raises(InputError, match="is no evaluation"):
        read_evaluations([str(tmp_path)])
    path = next((tmp_path / "a" / "cases").glob("y.json"))
    path.write_text(path.read_text().replace('"passes": 10', '"passes": 5'))
    with pytest.raises(InputError, match="mixes cases of several runs"):
        read_evaluations([named["a"]])
    assert named_folder("x=y")[0] == "x" and named_folder(str(tmp_path / "b")) == ("b", tmp_path / "b")
