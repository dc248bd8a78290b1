"""The page of a report: what stands on it, that nothing of a header becomes markup, that it needs no other file."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest
from review_cases import LABEL, Clock, grown, make_case, mask_of

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.comparison.doubt_sentences import doubt
from MSKSegmentLib.comparison.examination import Examination
from MSKSegmentLib.comparison.follow_up import compare_examinations
from MSKSegmentLib.findings import warning
from MSKSegmentLib.language.catalogue import Words
from MSKSegmentLib.report.case import case_of_session
from MSKSegmentLib.report.density import density_pictures
from MSKSegmentLib.report.facts import run_lines
from MSKSegmentLib.report.page import html_of
from MSKSegmentLib.report.slices import SlicePicture, segment_slice
from MSKSegmentLib.report.summary import doubts, is_usable, table
from MSKSegmentLib.review import ReviewSession

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=timezone.utc)
NASTY = '<script>alert("x")</script> & {{ 7 * 7 }} {% raw %} <img src=x onerror=alert(1)>'


class Reader(HTMLParser):
    """Collects the elements of a page, their addresses and their text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.addresses, self.text, self.handlers = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def session():
    """A reviewed case: one segment corrected, one accepted, by somebody with a name that is markup."""
    result, volume = make_case()
    result = replace(result, findings=(*result.findings, warning("part", f"The series {NASTY} is odd.")))
    session = ReviewSession(result, volume, f"Dr. {NASTY}", clock=Clock())
    session.edit({"GMAX_right": mask_of(grown(result.labels, "GMAX_right"))})
    session.accept("GMED_left")
    return session


@pytest.fixture(scope="module")
def html(session):
    case = case_of_session(session, f"Patient {NASTY}")
    facts = replace(case.result.facts, input_digest="another")
    finding = doubt("kernel", one=NASTY, two="B70f")
    pair = compare_examinations(Examination("before", replace(case.result, facts=facts)), Examination("after", case.result))
    return html_of(replace(case, changes=replace(pair, findings=(finding,))), with_3d=False, now=NOW)


@pytest.fixture(scope="module")
def page(html):
    return Reader(html)


def test_every_structure_and_side_is_told(session, page):
    text = " ".join(page.text)
    for report in session.result.reports:
        assert report.segment.structure.name in text
        # Of what was found there is a part with the slice to look at; the rest is listed.
        assert report.segment.name in text
    assert "Research use only, not a medical device." in text and "no norm" in text


def test_pictures_are_those_of_the_segments_found(session, page):
    found = sum(report.measurements is not None for report in session.result.reports)
    assert page.tags.count("img") == found + 4
    assert page.tags.count("polygon") >= found


def test_texts_from_outside_are_no_markup(html, page):
    assert "script" not in page.tags and not page.handlers
    assert "<img src=x" not in html and "{{ 7 * 7 }}" in " ".join(page.text) and "49 " not in page.text
    assert html.count("&lt;script&gt;") >= 4, "title, heading, reviewer and finding"


def test_the_page_needs_no_other_file(html, page):
    assert page.addresses and all(address.startswith("data:image/") for address in page.addresses)
    assert not re.search(r"url\(|@import|https?://", re.sub(r"base64,[\w+/=]+", "", html))


def test_only_the_date_makes_two_reports_of_one_case_differ(session, monkeypatch):
    case = case_of_session(session, "x")
    assert segment_slice(case, "GMAX_right") == segment_slice(case, "GMAX_right")
    monkeypatch.setattr("MSKSegmentLib.report.structures.segment_slice", lambda *_: SlicePicture(b"", 0.0, 0.0))
    first, later = (html_of(case, with_3d=False, now=NOW.replace(hour=hour)) for hour in (9, 11))
    assert "09:30 UTC" in first and later.replace("11:30 UTC", "09:30 UTC") == first


def test_review_names_who_did_what_when(page):
    text = " ".join(page.text)
    assert "2026-03-01 12:00 UTC" in text and "Gluteus medius, left: accepted" in text and "Gluteus maximus, right: edited" in text


def test_numbers_not_to_be_used_stand_in_brackets(session):
    case = case_of_session(session, "x")
    lines = {line.name: line for line in table(case, Words())}
    red = [row for row in case.rows if row.light is Light.RED]
    assert red and not any(map(is_usable, red))
    for row in case.rows:
        line = lines[row.structure]
        side = line.left if row.side.value == "left" else line.right
        assert side.in_brackets == (row.found and not is_usable(row))
    cut = [row for row in case.rows if row.truncated]
    assert cut and not any(map(is_usable, cut))


def test_every_segment_without_a_green_light_is_among_the_doubts(session):
    case = case_of_session(session, "x")
    listed = "; ".join(group.segments for group in doubts(case, Words()))
    for row in case.rows:
        green = row.found and row.light is Light.GREEN
        named = re.search(rf"{row.structure}[^;]*\b{row.side.value[0].upper()}\b", listed)
        assert bool(named) != green or row.side.value == "midline", row.key
    assert doubts(case, Words())[0].mark.name == "red"


def test_without_the_ct_segments_are_drawn_over_their_uncertainty(session, monkeypatch):
    case = replace(case_of_session(session, "x"), volume=None)
    assert segment_slice(case, "GMAX_right").jpeg.startswith(b"\xff\xd8")
    monkeypatch.setattr("MSKSegmentLib.report.structures.segment_slice", lambda *_: SlicePicture(b"", 0.0, 0.0))
    html = html_of(case, with_3d=True, now=NOW)
    assert "drawn over their uncertainty" in html and "so the density is not shown" in html


def test_a_computer_that_cannot_render_is_told_of(session, monkeypatch):
    from MSKSegmentLib.report import density

    case = case_of_session(session, "x")
    monkeypatch.setattr(density, "is_installed", lambda module: False)
    assert "slicer-core is not installed" in density_pictures(case, Words()).missing
    monkeypatch.setattr(density, "is_installed", lambda module: True)
    monkeypatch.setattr(density.sys, "executable", "/no/such/python")
    found = density_pictures(case, Words())
    assert "could not render" in found.missing and not found.pngs


def test_labels_for_the_child_are_those_of_the_built_in_table(session):
    from MSKSegmentLib.report import density

    lookup = density._known_labels(case_of_session(session, "x"))
    assert all(lookup[label] == label for label in LABEL.values()) and lookup[0] == 0 and lookup[250] == 0


def test_the_run_names_the_model_of_another_program(session):
    case = case_of_session(session, "P")
    model = {"title": "TotalSegmentator", "version": "2.18.0", "model": "total", "model_version": None}
    facts = replace(case.result.facts, record={**case.result.facts.record, "other_model": model})
    lines = dict(run_lines(replace(case, result=replace(case.result, facts=facts)), Words("en")))
    assert lines["Model of another program"] == "TotalSegmentator 2.18.0, total"
    assert "Model of another program" not in dict(run_lines(case, Words("en")))
