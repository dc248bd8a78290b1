"""What a report says of changes since an earlier result, and what it must not say."""

from dataclasses import replace
from datetime import date
from string import Formatter

import pytest
from comparison_cases import examination, phantom_case, with_report

from MSKSegmentLib.case_result import Light
from MSKSegmentLib.comparison.doubt_sentences import DOUBT_FORMS, doubt
from MSKSegmentLib.comparison.follow_up import compare_examinations
from MSKSegmentLib.errors import InputError
from MSKSegmentLib.language.catalogue import catalogue_of
from MSKSegmentLib.report.before_after import change_section, read_change_pair
from MSKSegmentLib.results.result_folder import write_result
from MSKSegmentLib.wording.names import segment_name


@pytest.fixture(scope="module")
def cases():
    """The right gluteus maximus halved; of the left gluteus medius, halved too, the light is red; other passes."""
    later = phantom_case(("GMAX_right", "GMED_left"), digest="b", passes=5)
    later = with_report(later, "GMED_left", light=Light.RED)
    cut = next(report for report in later.reports if report.segment.key == "GMIN_left").measurements
    return phantom_case(), with_report(later, "GMIN_left", measurements=replace(cut, truncated_by=("inferior",)))


@pytest.fixture(scope="module")
def pair(cases):
    return compare_examinations(examination("one", cases[0], when=date(2024, 2, 1)), examination("two", cases[1]))


def test_a_real_change_is_told_with_its_interval_and_no_number_that_may_not_be_compared(pair):
    section = change_section(pair, catalogue_of("en"))
    lines = {line.name: line for line in section.lines}
    volume, density, fat = lines["Gluteus maximus, right"].cells
    change = next(c for c in pair.changes if c.segment.key == "GMAX_right")
    assert volume.arrow == "▼" and volume.text == change.text.replace("-", "−") and volume.text.startswith("−")
    assert not density.arrow and density.text and fat.text and not lines["Femur, left"].cells[2].text
    unchanged = lines["Gluteus maximus, left"].cells
    assert not any(cell.arrow for cell in unchanged) and unchanged[0].text.startswith("0 (−")
    assert not {"Gluteus medius, left", "Gluteus minimus, left"} & set(lines)
    left_out = dict(section.left_out)
    assert "Gluteus medius, left" in left_out["failed (red light) after"]
    assert "Gluteus minimus, left" in left_out["cut by the scan after"]
    assert section.counts[0] == sum(cell.arrow != "" for line in section.lines for cell in line.cells) == 1
    assert section.dates == ("scanned 2024-02-01", "date not known") and any(
        "passes (10 and 5)" in told for told in section.warnings
    )


def test_the_section_speaks_japanese(pair):
    section = change_section(pair, catalogue_of("ja"))
    reasons = [reason for reason, _ in section.left_out]
    assert "今回：失敗（赤）" in reasons and all(not reason.isascii() for reason in reasons)
    assert any("～" in cell.text for line in section.lines for cell in line.cells)
    assert len(section.warnings) == len(pair.findings) > 0
    assert any("10、5" in told for told in section.warnings) and not any("passes" in told for told in section.warnings)


def test_every_warning_has_its_sentence_in_japanese_with_the_same_places(pair):
    words, bones = catalogue_of("ja"), pair.before.result.table.segments[:2]
    for name, form in DOUBT_FORMS.items():
        places = {place for _, place, _, _ in Formatter().parse(form) if place}
        told = doubt(name, **{place: bones if place == "bones" else f"<{place}>" for place in places})
        said = told.said(words.gettext, lambda segments: "・".join(segment_name(words, one) for one in segments))
        assert said != told.sentence and all(f"<{place}>" in said for place in places - {"bones"}), name


def test_results_are_read_from_their_folders_and_not_called_by_these(cases, tmp_path):
    folders = [tmp_path / name for name in ("Doe_John", "Doe_John_2")]
    for folder, case in zip(folders, cases, strict=True):
        write_result(folder, case)
    found = read_change_pair(*folders)
    assert change_section(found, catalogue_of("en")).counts == (1, change_section(found, catalogue_of("en")).counts[1])
    assert "Doe" not in found.before.name + found.after.name + "".join(finding.sentence for finding in found.findings)
    with pytest.raises(InputError, match="are results of the same scan"):
        read_change_pair(folders[0], folders[0])
