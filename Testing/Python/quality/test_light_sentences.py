"""Every sentence that a light may give: all rules, calibrations, guards and review states are walked through and read."""

import re

import pytest
from light_cases import all_reports

from MSKSegmentLib.case_result import SUSPECT_WORD, Light
from MSKSegmentLib.review.rows import make_rows
from MSKSegmentLib.wording.reasons import FORMS, ReasonKind, reason_kind, told_reason

WRONG = {
    "a doubled word": r"\b([a-z]+) \1\b",
    "a light rated twice": r"rated (is |was )?not rated|not rated \w*rated",
    "one of many": r"\b1 (dropout passes|patients|segments|pieces|slices|structures|deviations)\b|\bonly 0\b",
    "nothing as a number": r"None|\bnan\b|\binf\b|<|>",
    "code": r"_|\{|\}|Light\.|\bTrue\b|\bFalse\b",
    "loose stops": r"\s[,;.:]|  |[,;:]$|\.\.|;;|^\s|\s$|\(\)",
    "a share of nothing": r"\b0\.0 % of",
}
NUMBER = r"([\d.]+(?:e[-+]\d+)?)"


@pytest.fixture(scope="module")
def said():
    """All reasons, and all lines that a reviewer reads, each once with a light that it was said of."""
    reasons, lines, verdicts = {}, {}, {}
    for report in all_reports():
        reasons.update((reason, report.light) for reason in report.reasons)
        verdicts[(report.light, report.suspect)] = report.verdict
        if report.reasons and (key := (report.reasons, report.state)) not in lines:
            (row,) = make_rows([report])
            lines[key] = (*row.lines, *row.evidence, *row.tooltip.split("\n"))
    return reasons, {line for found in lines.values() for line in found}, verdicts


def test_all_lights_and_rules_were_walked_through(said):
    reasons, lines, verdicts = said
    assert set(verdicts) == {*((light, False) for light in Light), (Light.GREY, True)}
    assert verdicts[Light.GREY, True] == f"not rated, {SUSPECT_WORD}" and len(reasons) > 80 and len(lines) > 150


@pytest.mark.parametrize("what", WRONG)
def test_no_sentence_comes_out_wrong(said, what):
    reasons, lines, _ = said
    assert [text for text in (*reasons, *lines) if re.search(WRONG[what], text)] == []


def test_reasons_make_whole_sentences(said):
    reasons, lines, _ = said
    assert [text for text in reasons if text.endswith(".") or not text[0].islower()] == []
    # Reasons are joined by semicolons.
    assert [text for text in reasons if "; " in text and " by hand; the automatic version " not in text] == []
    assert [text for text in lines if not text[0].isupper() and not text[0].isdigit()] == []


def test_no_reason_contradicts_its_own_numbers(said):
    compared = 0
    for text in said[0]:
        for words, holds in (("is below", lambda a, b: a < b), ("reaches", lambda a, b: a >= b), ("is above", lambda a, b: a > b)):
            found = re.search(rf"{NUMBER},?(?: \([^)]*\))? {words} (-?[\d.]+(?:e[-+]\d+)?)", text)
            if found:
                compared += 1
                assert holds(*map(float, found.groups())), text
    assert compared > 30


def test_what_is_said_of_an_edit(said):
    after = {text for text in said[0] if "by hand" in text}
    assert {text.split("; ")[-1] for text in after} >= {
        "the automatic version was not rated",
        "the automatic version was not rated, but likely wrong",
        "the automatic version was rated failed",
        "the automatic version was rated good",
        "the automatic version had not found it",
    }


def test_reports_know_every_reason_and_all_of_its_words(said):
    """A form that is missing would leave English words in a report of another language."""
    for reason in said[0]:
        assert reason_kind(reason) is not ReasonKind.OTHER, reason
        assert not re.findall(r"[A-Za-z]{3,}", untranslated(reason)), f"{reason}: {untranslated(reason)}"


def untranslated(reason):
    """What stays of a reason when all that is translated is taken away: numbers and units."""

    class Gone:
        def gettext(self, text):
            return " ".join(re.findall(r"\{\w+\}", text))

    return told_reason(Gone(), reason)


def test_no_form_of_a_reason_hides_another():
    for form in FORMS:
        sentence = re.sub(r"\{\w+\}", "1", form.text)
        assert reason_kind(sentence) is form.kind, sentence
