"""Reference curves of a site: recovered from a made-up cohort, in order, refused where the table is wrong, silent where few."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from comparison_cases import phantom_case, phantom_scan, with_report

from MSKSegmentLib.anatomy.built_in import HIP_AND_THIGH
from MSKSegmentLib.case_result import Light
from MSKSegmentLib.commands.main import main
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.language.catalogue import catalogue_of
from MSKSegmentLib.report.case import read_report_case
from MSKSegmentLib.report.facts import site_lines
from MSKSegmentLib.report.structures import card_numbers
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.review import ReviewSession, make_rows
from MSKSegmentLib.review.columns import NO_VALUE, SITE_COLUMNS
from MSKSegmentLib.site_reference.applying import Placing, placed_values, told_missing_percentile
from MSKSegmentLib.site_reference.cohort_table import CohortRow, read_cohort
from MSKSegmentLib.site_reference.curves import FEWEST_PERSONS, PERCENTILES, read_site_reference, write_site_reference
from MSKSegmentLib.site_reference.fitting import make_site_reference

pytest.importorskip("statsmodels")
PERSONS = 400


def people(n=PERSONS, structure="GMAX", side="left", quantity="volume_cc", sex="F", seed=0):
    """A volume that falls by 2 cc a year from 800 at 50, with a standard deviation of 40."""
    rng = np.random.default_rng(seed)
    ages = rng.uniform(40, 80, n)
    return [CohortRow(age, sex, structure, side, quantity, 800 - 2 * (age - 50) + rng.normal(0, 40)) for age in ages]


@pytest.fixture(scope="module")
def reference():
    return make_site_reference(people(), "made up")


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "sex", "structure", "side", "quantity", "value"])
        writer.writerows((r.age, r.sex, r.structure, r.side, r.quantity, r.value) for r in rows)
    return path


def test_percentiles_of_a_known_cohort_are_found_again(reference):
    (curve,) = reference.curves
    for age in (50, 60, 70):
        for z in (-1, 0, 1):
            at = curve.standing(800 - 2 * (age - 50) + 40 * z, age)
            assert at.z == pytest.approx(z, abs=0.3)
            assert at.n == PERSONS and 100 < at.near < PERSONS


def test_curves_do_not_cross_and_beyond_them_only_the_limit_is_said(reference):
    crossing = make_site_reference(people(FEWEST_PERSONS, seed=3), "few").curves[0]
    for curve in (*reference.curves, crossing):
        assert (np.diff(np.array(curve.values), axis=1) >= 0).all()
    (curve,) = reference.curves
    low, high = curve.standing(100, 60), curve.standing(2000, 60)
    assert (low.beyond, low.percentile) == ("below", PERCENTILES[0]) and (high.beyond, high.percentile) == (
        "above",
        PERCENTILES[-1],
    )
    assert low.text.startswith("<3 (z <-1.9, n 400") and high.text.startswith(">97 (z >+1.9")


def test_nothing_is_shown_below_the_stated_numbers(reference):
    (curve,) = reference.curves
    assert curve.standing(780, 30) is None and curve.standing(780, 95) is None
    with pytest.raises(InputError, match="largest group has 49"):
        make_site_reference(people(FEWEST_PERSONS - 1), "few")
    some = make_site_reference([*people(), *people(20, sex="M")], "some")
    assert some.too_few == {"volume_cc GMAX left M": 20} and some.curve("volume_cc", "GMAX", "left", "M") is None
    old = [row for row in people() if row.age > 60] + people(3, seed=5)
    assert make_site_reference(old, "old").curves[0].standing(780, 42) is None


FAULTS = {
    "lacks the column side": "age,sex,structure,value\n60,F,GMAX,700\n",
    "Line 2 of 'table.csv' has the sex 'x'": "age,sex,structure,side,value\n60,x,GMAX,left,700\n",
    "Line 3 of 'table.csv' has no number in the column v": "age,sex,structure,side,value\n60,F,GMAX,left,7\n6,F,GMAX,left,many\n",
    "an age of 300": "age,sex,structure,side,value\n300,F,GMAX,left,700\n",
    "names the structure 'ARM'": "age,sex,structure,side,value\n60,F,ARM,left,700\n",
    "of SACRUM give midline": "age,sex,structure,side,value\n60,F,SACRUM,left,90\n",
    "a volume of -3": "age,sex,structure,side,value\n60,F,GMAX,left,-3\n",
    "140 % fat": "age,sex,structure,side,quantity,value\n60,F,GMAX,left,fat_percent,140\n",
    "same number of a case": "case,age,sex,structure,side,value\na,60,F,GMAX,left,7\na,60,F,GMAX,left,8\n",
    "has no rows": "age,sex,structure,side,value\n",
    "cannot be read": None,
}


@pytest.mark.parametrize("sentence", FAULTS)
def test_faulty_tables_are_refused_in_one_sentence(sentence, tmp_path):
    path = tmp_path / "table.csv"
    if FAULTS[sentence] is not None:
        path.write_text(FAULTS[sentence], encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_cohort(path, HIP_AND_THIGH)
    assert sentence in str(error.value)


def test_a_red_light_gets_no_percentile():
    case = phantom_case()
    volume = next(r for r in case.reports if r.segment.key == "GMAX_left").measurements.volume_cc
    rows = [CohortRow(r.age, r.sex, r.structure, r.side, r.quantity, r.value / 760 * volume) for r in people()]
    site = make_site_reference(rows, "made up")
    (one,) = placed_values(case, site, 60, "F")
    assert one.standing is not None and abs(one.standing.z) < 1.5
    (red,) = placed_values(with_report(case, "GMAX_left", light=Light.RED), site, 60, "F")
    assert red.standing is None and "red light" in red.reason
    assert not list(placed_values(case, site, 60, "M"))


def test_make_and_read_on_the_command_line(tmp_path, capsys):
    table = write(tmp_path / "cohort.csv", [*people(60), *people(10, sex="M")])
    assert main(["reference", "make", str(table), "-o", str(tmp_path / "site.json")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("1 curves are in") and "volume_cc GMAX left M (10)" in err
    site = read_site_reference(tmp_path / "site.json")
    assert site.source == "cohort" and site.curves[0].n == 60
    assert site.curves == make_site_reference(read_cohort(table, HIP_AND_THIGH), "").curves
    assert main(["reference", "apply", str(table), str(tmp_path), "--age", "60", "--sex", "F"]) == 2
    assert "is no reference file" in capsys.readouterr().err


def test_ages_that_lie_close_give_constant_curves_and_the_command_tells_it(tmp_path, capsys):
    close = [replace(row, age=20.0 + number % 4) for number, row in enumerate(people(60))]
    table = write(tmp_path / "cohort.csv", [*close, *people(60, side="right")])
    assert main(["reference", "make", str(table), "-o", str(tmp_path / "site.json")]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("2 curves are in") and "the same at every age" in err and "(20 to 23) span less than 5 years: 1;" in err
    constant, sloped = read_site_reference(tmp_path / "site.json").curves
    assert constant.is_constant and not sloped.is_constant
    assert constant.standing(700.0, 20.5) == replace(constant.standing(700.0, 23), near=60)
    assert constant.standing(700.0, 19) is None is constant.standing(700.0, 24)


PLACED, COLUMN = "GMAX_left", SITE_COLUMNS["volume_cc"].name


def with_volume(case, key, cc):
    found = next(report for report in case.reports if report.segment.key == key).measurements
    return with_report(case, key, measurements=replace(found, volume_cc=cc))


def test_rows_show_percentile_z_and_n_where_the_reference_has_a_curve(reference):
    case, placing = with_volume(phantom_case(), PLACED, 790.0), Placing(reference, 60, "F")
    rows = {row.key: row for row in make_rows(case.reports, None, placing)}
    standing = reference.curves[0].standing(790.0, 60)
    assert standing.text == f"{standing.percentile:.0f} (z {standing.z:+.1f}, n {PERSONS})" == rows[PLACED].texts[COLUMN]
    assert rows[PLACED].values[COLUMN] == standing.percentile
    told = rows[PLACED].lines[-1]
    assert standing.text in told and "made up" in told and "no norm" in told
    # Of other structures, and without a reference, nothing is said of a percentile.
    assert COLUMN not in rows["GMAX_right"].texts and COLUMN not in make_rows(case.reports)[0].texts
    red = with_report(case, PLACED, light=Light.RED)
    failed = next(row for row in make_rows(red.reports, None, placing) if row.key == PLACED)
    assert failed.texts[COLUMN] == NO_VALUE and "no percentile: failed (red light)" in failed.lines[-1]
    alone = next(row for row in make_rows(case.reports, None, Placing(reference, 119, "F")) if row.key == PLACED)
    assert alone.texts[COLUMN] == NO_VALUE and f"(ages 40 to 80, n {PERSONS})" in alone.lines[-1]


def test_why_there_is_no_percentile_is_told_in_the_front_ends_language(reference):
    placing = Placing(reference, 119, "F")
    (one,) = placing.placed(next(report for report in phantom_case().reports if report.segment.key == PLACED))
    assert one.reason == told_missing_percentile(one.reason, catalogue_of("en"))
    told = told_missing_percentile(one.reason, catalogue_of("ja"))
    assert str(PERSONS) in told and not told.isascii() and "person" not in told
    assert told_missing_percentile("failed (red light)", catalogue_of("ja")) == "失敗（赤）"


def test_a_session_has_the_columns_of_the_reference_and_stores_nothing_of_it(reference):
    case, changed = phantom_case(), []
    session = ReviewSession(case, phantom_scan(case.labels, case.geometry))
    session.subscribe(changed.append)
    before, names = session.to_json(), {column.name for column in session.columns}
    session.place(Placing(reference, 60, "F"))
    assert {column.name for column in session.columns} - names == {COLUMN}
    assert COLUMN in session.row(PLACED).texts and not changed and session.to_json() == before
    session.place(Placing(reference, 60, "M"))
    assert {column.name for column in session.columns} == names


def test_ages_and_sexes_that_nobody_has_are_refused(reference):
    for age, sex in ((-1, "F"), (130, "M"), (50, "X")):
        with pytest.raises(InputError, match="no patient of age"):
            Placing(reference, age, sex)


def test_the_report_shows_percentiles_and_whose_they_are(reference, tmp_path, capsys):
    pytest.importorskip("jinja2")
    write_result(tmp_path / "case", with_volume(phantom_case(), PLACED, 790.0))
    write_site_reference(tmp_path / "site.json", reference)
    case = read_report_case(tmp_path / "case", placing=Placing(reference, 60, "F"))
    standing = reference.curves[0].standing(790.0, 60)
    row = next(row for row in case.rows if row.key == PLACED)
    assert ("Volume, percentile", standing.text) in card_numbers(catalogue_of("en"), row, case.reports[PLACED])
    assert "made up" in site_lines(case, catalogue_of("en"))[0] and "women" in site_lines(case, catalogue_of("en"))[0]
    assert not site_lines(read_report_case(tmp_path / "case"), catalogue_of("en"))
    assert main(["report", str(tmp_path / "case"), "--reference", str(tmp_path / "site.json")]) == 2
    assert "need all three" in capsys.readouterr().err
