"""The uncertainty of a structure as people read it: in thousandths, with a word and a place on a bar."""

from dataclasses import replace

import pytest
from review_cases import make_case

from MSKSegmentLib.language.catalogue import catalogue_of
from MSKSegmentLib.wording.reasons import told_reason
from MSKSegmentLib.wording.uncertainty import told_uncertainty, uncertainty_text

ENGLISH = catalogue_of("en")
SPACE = "\N{NO-BREAK SPACE}"


def told(value, usual=None, language="en"):
    report = make_case()[0].reports[0]
    return told_uncertainty(catalogue_of(language), replace(report, uncertainty=value, usual_uncertainty=usual))


@pytest.mark.parametrize(
    ("value", "text"),
    [(9.32e-4, "0.93"), (1.19e-3, "1.2"), (1.11e-4, "0.11"), (4.2e-6, "0.0042"), (0.25, "250"), (0.0, "0")],
)
def test_two_digits_of_a_thousandth_and_no_power_of_ten(value, text):
    assert uncertainty_text(value) == f"{text}{SPACE}‰"


def test_it_compares_with_what_is_usual_and_tells_the_number_of_the_files():
    usual = told(9.32e-4, (7.1e-4, 1.1e-3))
    assert usual.sentence(ENGLISH) == f"0.93{SPACE}‰, usual for this structure (usual: 0.71 to 1.1{SPACE}‰)"
    assert usual.place == pytest.approx(1 / 3 + (9.32 - 7.1) / (3 * 3.9), abs=1e-9)
    assert "9.32e-04" in usual.explanation(ENGLISH)
    assert (told(1e-9, (7.1e-4, 1.1e-3)).word, told(1.0, (7.1e-4, 1.1e-3)).word) == ("low", "high")
    assert (told(0.0, (7.1e-4, 1.1e-3)).place, told(1.0, (7.1e-4, 1.1e-3)).place) == (0.0, 1.0)
    assert told(9.32e-4, (7.1e-4, 1.1e-3), "ja").word == "通常"


def test_without_a_calibration_the_number_stands_alone():
    bare = told(9.32e-4)
    assert (bare.sentence(ENGLISH), bare.word, bare.place) == (f"0.93{SPACE}‰", "", None)
    assert told(None) is None and told(float("nan")).text == "–"


def test_reasons_of_files_are_told_so_too_and_stay_apart_from_their_limit():
    reason = "uncertainty 4.004e-04 is above 4.000e-04, where segments were inaccurate"
    assert told_reason(ENGLISH, reason) == (f"uncertainty 0.4004{SPACE}‰ is above 0.4000{SPACE}‰, where segments were inaccurate")
