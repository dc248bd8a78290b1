"""Another result of the same CT beside the open one: offered, compared, shown over the slices, a structure taken from it."""

import signal

import pytest
from review_cases import mask_of
from web_cases import make_case
from web_looks import assert_dialog_is_whole, sizes
from web_page import MUSCLE, cell, opened, picture, wait_for_other_picture, wait_for_state

from MSKSegmentLib.ct.volume import CTVolume
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.review.folder import open_folder, save
from MSKSegmentLib.two_results.beside import hold_beside_again, snapshot_of
from MSKSegmentLib.web.case import comparing
from MSKSegmentLib.web.case.opening import open_result
from MSKSegmentLib.web.case.options import Target, choose

pytest.importorskip("trame_slicer")
pytest_plugins = ("web_fixtures",)


@pytest.fixture
def results(tmp_path, phantom):
    """Two results of the phantom, of which the second lacks the upper half of a muscle, and one of another CT."""
    folder = tmp_path / "results"
    for name in ("mine", "theirs"):
        make_case(folder / name, phantom, ("red", "yellow"))
    make_case(folder / "somebody else", CTVolume(phantom.hu + 1, phantom.geometry))
    session = open_folder(folder / "theirs", phantom, "A. Reader")
    inside = session.result.labels == session.table.segment(MUSCLE).label
    inside[len(inside) // 2 :] = False
    session.edit({MUSCLE: mask_of(inside)})
    save(session, folder / "theirs")
    return folder


def test_results_of_the_same_ct_are_offered_and_compared(results):
    opened_case = open_result(results / "mine")
    try:
        others = comparing.others_of(opened_case, choose(results, None, results))
        assert list(others) == ["theirs"]
        first = snapshot_of(opened_case.session)
        found = comparing.compare_with(first, opened_case.session, "theirs", others["theirs"])
        assert found.rows[0].segment.key == MUSCLE and found.rows[0].dice < 0.8 and found.rows[1].dice == 1
        mask = found.mask_of_other(MUSCLE)
        opened_case.session.edit({MUSCLE: mask}, found.source)
        report = opened_case.session.report(MUSCLE)
        assert report.reasons[0].startswith("taken from another result (") and report.light.value == "grey"
        assert opened_case.session.history[-1].details["taken_from"] == found.source
        # What was held beside it is as it was; compared again, nothing differs any more.
        assert found.kinds.any()
        again = hold_beside_again(snapshot_of(opened_case.session), found)
        assert not again.kinds.any() and all(row.dice == 1 for row in again.rows)
    finally:
        opened_case.release()


def test_a_single_result_is_compared_with_the_one_that_is_named(results):
    options = choose(results / "mine", None, results, other=results / "theirs")
    assert options.kind is Target.RESULT
    with pytest.raises(InputError, match="results of different CT"):
        choose(results / "mine", None, results, other=results / "somebody else")
    with pytest.raises(InputError, match="holds no result"):
        choose(results / "mine", None, results, other=results)
    with pytest.raises(InputError, match="give that folder before it"):
        choose(results, None, results, other=results / "theirs")
    opened_case = open_result(results / "mine")
    try:
        assert list(comparing.others_of(opened_case, options)) == ["theirs"]
    finally:
        opened_case.release()


def test_the_page_shows_both_and_takes_a_structure(start, visit, results):
    server = start(results / "mine", "--other", results / "theirs")
    page = visit(server.address)
    opened(page)
    page.locator("#show-compare").click()
    page.locator(".compare-other").click()
    first = page.locator("#compare-table tbody tr").first
    first.wait_for()
    assert first.get_attribute("data-compare") == MUSCLE and float(first.locator("td").first.inner_text()) < 0.8
    page.wait_for_selector("#compare-picture-1 img")
    assert page.locator("#compare-picture-0 img").get_attribute("src") != page.locator("#compare-picture-1 img").get_attribute(
        "src"
    )
    theirs = first.locator("td").nth(2).inner_text()
    first.locator(".compare-slice").first.click()
    page.locator("#close-dialog").click()
    before = picture(page, "axial")
    page.locator("#disagreement-toggle").click()
    shown = wait_for_other_picture(page, "axial", before)
    red, green, blue = (shown[..., n] for n in range(3))
    # Magenta, which no segment has: only the first result has it.
    assert page.locator("#differences-key span").all_inner_texts()[0] == "only in the first"
    assert ((red > 0.55) & (blue > 0.45) & (green < 0.45)).sum() > 50
    page.locator("#show-compare").click()
    first.locator(".compare-take").click()
    wait_for_state(page, MUSCLE, "edited")
    assert cell(page, MUSCLE, "volume_cc") == theirs
    page.wait_for_function("document.querySelector('#compare-table tbody td').innerText === '1.000'")
    for _ in sizes(page):
        assert_dialog_is_whole(page)
    page.locator("#close-dialog").click()
    page.locator("#show-history").click()
    page.wait_for_selector("#history tbody tr")
    assert "taken from" in page.locator("#history tbody tr").first.inner_text()
    page.context.close()
    assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.text and "Error" not in server.text
