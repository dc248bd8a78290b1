"""What changed since an earlier scan of the patient: offered, compared, shown at the same level, and never mixed up with another
result of the same CT."""

from dataclasses import replace

import pytest
from comparison_cases import phantom_case, phantom_scan, with_report, write_visit
from review_cases import mask_of
from web_looks import assert_dialog_is_whole, sizes
from web_page import opened

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.comparison.change_words import NO_COMMON_LEVEL, PATIENT_NOT_KNOWN
from MSKSegmentLib.comparison.intervals import FollowedQuantity
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.review.folder import open_folder
from MSKSegmentLib.two_results.beside import snapshot_of
from MSKSegmentLib.web.case import earlier
from MSKSegmentLib.web.case.comparing import others_of
from MSKSegmentLib.web.case.opening import open_result
from MSKSegmentLib.web.case.options import Target, choose

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)

LOST, FAILED = "PSOAS_left", "GMED_left"


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    """A patient scanned twice: one muscle has lost half of itself, the light of another one is red; and a copy without its CT."""
    folder = tmp_path_factory.mktemp("visits") / "results"
    before = phantom_case(digest="a", date="2023-05-01T10:00:00+00:00")
    after = with_report(phantom_case((LOST,), digest="b", date="2024-05-01T10:00:00+00:00"), FAILED, light=Light.RED)
    write_visit(folder / "visit 2023", before, noise=60.0)
    write_visit(folder / "visit 2024", after)
    write_visit(folder / "visit 2024 again", after)
    write_visit(folder / "without CT", replace(before, facts=replace(before.facts, input_digest="c")), keep_ct=False)
    return folder


@pytest.fixture
def case(visits):
    found = open_result(visits / "visit 2024")
    yield found
    found.release()


def held(case, visits, name="visit 2023"):
    session, options = case.session, choose(visits, None, visits)
    choice = earlier.earlier_results(case, options)[name]
    return earlier.hold_earlier(snapshot_of(session).result, session.volume, case, options, name, choice.folder)


def test_results_of_other_scans_are_offered_and_never_those_of_the_same_ct(case, visits):
    options = choose(visits, None, visits)
    found = earlier.earlier_results(case, options)
    assert {name: one.date for name, one in found.items()} == {"visit 2023": "2023-05-01", "without CT": "2023-05-01"}
    assert not set(found) & set(others_of(case, options))


def test_a_single_result_has_the_earlier_one_that_is_named(case, visits):
    options = choose(visits / "visit 2024", None, visits, previous=visits / "visit 2023")
    assert options.kind is Target.RESULT and list(earlier.earlier_results(case, options)) == ["visit 2023"]
    with pytest.raises(InputError, match="results of the same scan"):
        choose(visits / "visit 2024", None, visits, previous=visits / "visit 2024 again")
    with pytest.raises(InputError, match="holds no result"):
        choose(visits / "visit 2024", None, visits, previous=visits)
    with pytest.raises(InputError, match="of the later one before it"):
        choose(visits, None, visits, previous=visits / "visit 2023")


def test_levels_of_both_and_numbers_alone_without_the_earlier_scan(case, visits):
    found = held(case, visits)
    assert [one.name for one in found.levels_of(LOST)] == ["S1"] and found.levels_of("VM_left") == ()
    assert held(case, visits, "without CT").slices is None
    assert held(case, visits, "without CT").pair.changes


def test_a_correction_of_the_open_result_is_compared_once_it_is_accepted(case, visits, tmp_path):
    write_visit(tmp_path / "copy", phantom_case((LOST,), digest="b"))
    session = open_folder(tmp_path / "copy", phantom_scan(case.session.result.labels, case.session.geometry))
    before = held(case, visits)
    inside = session.result.labels == session.table.segment("GMAX_left").label
    inside[110:] = False
    session.edit({"GMAX_left": mask_of(inside)})

    def reason():
        again = earlier.hold_again(snapshot_of(session).result, session.volume, before)
        of_muscle = (one for one in again.pair.changes if one.segment.key == "GMAX_left")
        return next(one.reason for one in of_muscle if one.quantity is FollowedQuantity.VOLUME)

    assert reason() == "corrected, but not accepted after"
    session.accept("GMAX_left")
    assert reason() == "by hand at one date only: review and accept it at the other one too"


def test_the_page_shows_what_changed_and_both_slices(start, visit, visits):
    page = visit(start(visits / "visit 2024", "--previous", visits / "visit 2023").address)
    opened(page)
    assert page.locator("#show-compare").inner_text() != page.locator("#show-earlier").inner_text()
    page.keyboard.press("t")
    page.locator(".earlier-choice").click()
    first = page.locator("#earlier-table tbody tr").first
    first.wait_for()
    assert page.locator("#dialog-title").inner_text() == "Before and after: two scans of this patient"
    assert page.locator("#earlier-cautions li").first.inner_text() == PATIENT_NOT_KNOWN
    assert "visit 2023 (segmented 2023-05-01) → visit 2024 (segmented 2024-05-01)" in page.locator("#earlier-dates").inner_text()
    assert first.get_attribute("data-earlier") == LOST and "a real change" in first.inner_text()
    failed = page.locator(f"tr[data-earlier='{FAILED}']").inner_text()
    assert "not compared: failed (red light) after" in failed and "%" not in failed
    assert page.locator("#earlier-summary").inner_text() == "1 real change, 41 within the error, 1 not compared"
    page.wait_for_selector("#earlier-picture-1 img")
    sources = [page.locator(f"#earlier-picture-{number} img").get_attribute("src") for number in (0, 1)]
    assert sources[0] != sources[1] and page.locator(".earlier-level").inner_text() == "S1"
    for _ in sizes(page):
        assert_dialog_is_whole(page)
    page.locator("tr[data-earlier='VM_left'] button").click()
    page.wait_for_function("text => document.querySelector('#earlier-note').innerText === text", arg=NO_COMMON_LEVEL)
    assert page.locator("#earlier-picture-0").count() == 0
    page.locator("#earlier-fat_percent").click()
    page.wait_for_function("document.querySelector('#earlier-summary').innerText.startsWith('0 real change')")
    # Structures without composition have no share of fat.
    assert page.locator("tr[data-earlier='FEMUR_left']").count() == 0
    page.locator("#earlier-end").click()
    page.locator(".earlier-choice").wait_for()
