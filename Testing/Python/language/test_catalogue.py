"""The catalogues of all words: up to date with the program, whole, compiled, and with the same placeholders."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("babel")
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "Tools"))

import words  # noqa: E402
from babel.messages.mofile import read_mo  # noqa: E402
from review_cases import make_case  # noqa: E402

from MSKSegmentLib.comparison import change_words  # noqa: E402
from MSKSegmentLib.engine.progress import STAGES  # noqa: E402
from MSKSegmentLib.findings import warning  # noqa: E402
from MSKSegmentLib.language.catalogue import SENTENCE, catalogue_of, languages  # noqa: E402
from MSKSegmentLib.language.forms import told  # noqa: E402
from MSKSegmentLib.quality.guards import SCAN_CAUTIONS  # noqa: E402
from MSKSegmentLib.report.case import case_of_session  # noqa: E402
from MSKSegmentLib.report.page import html_of  # noqa: E402
from MSKSegmentLib.report.slices import SlicePicture  # noqa: E402
from MSKSegmentLib.review import ReviewSession  # noqa: E402
from MSKSegmentLib.wording.findings import MEANINGS, ToldFinding, told_finding  # noqa: E402

LIBRARY = Path(__file__).resolve().parents[3] / "MSKSegmentLib"
PLACEHOLDER = re.compile(r"\{\w*\}|%\(\w+\)[sd]|%%")


@pytest.fixture(scope="module", params=languages())
def language(request):
    return request.param


def test_there_are_english_and_japanese():
    assert {"en", "ja"} <= set(languages())


def test_the_catalogue_is_that_of_the_program(language):
    """After a change of words: python Tools/words.py."""
    now, stored = words.updated(language), words.read(language)
    assert [(m.id, m.context) for m in now] == [(m.id, m.context) for m in stored]
    assert words.text_of(now) == words.path_of(language).read_bytes()
    mo = [read_mo(io.BytesIO(words.compiled(now))), read_mo(words.path_of(language).with_suffix(".mo").open("rb"))]
    # Without the header, which names the version of Babel.
    assert [(m.id, m.string) for m in mo[0] if m.id] == [(m.id, m.string) for m in mo[1] if m.id]


def test_translations_are_whole_and_keep_the_placeholders(language):
    for message in words.read(language):
        texts = [message.string] if isinstance(message.string, str) else list(message.string)
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        # English is its own translation; a sentence without one is told in English.
        if not message.id or ((language == "en" or message.context == SENTENCE) and not any(texts)):
            continue
        assert all(texts), f"{message.id} has no translation"
        if message.context == SENTENCE:
            # A placeholder may hold an ending of the English plural, which has no place in another language.
            assert set(PLACEHOLDER.findall(texts[0])) <= set(PLACEHOLDER.findall(ids[0])), f"{message.id}: {texts[0]}"
            continue
        for text in texts:
            wanted = {tuple(sorted(PLACEHOLDER.findall(one))) for one in ids}
            assert tuple(sorted(PLACEHOLDER.findall(text))) in wanted, f"{message.id}: {text}"


def test_what_a_catalogue_lacks_stays_english():
    assert catalogue_of("en").gettext("no such words") == "no such words"


def test_a_sentence_of_no_known_form_stays_whole():
    """A form of little more than placeholders, such as "{file} {problem}.", would match any."""
    sentence = "The scan holds something that nobody has met."
    assert told(sentence, "ja") == sentence
    missing = "The file a.nii is empty; copy or export it again."
    assert told(missing, "ja") == "ファイルa.niiは空です。コピーまたは書き出し直してください。"


def test_the_words_on_two_dates_are_translated():
    tables = *change_words.CHANGE_TABLE, *change_words.NARROW_CHANGE_TABLE
    shown = *tables, *change_words.VERDICTS.values(), *change_words.CHANGED_QUANTITIES.values()
    japanese = catalogue_of("ja")
    assert all(
        not japanese.gettext(one).isascii() for one in (*shown, change_words.PATIENT_NOT_KNOWN, change_words.NO_COMMON_LEVEL)
    )
    assert change_words.told_exclusion("failed (red light) after", japanese) == "今回：失敗（赤）"


def test_every_warning_about_a_scan_has_its_meaning():
    """In another language a finding would otherwise be told in English alone."""
    # What a comparison of two results warns of is told by its own sentence, in English.
    others = ("wording", "comparison")
    sources = "".join(path.read_text(encoding="utf-8") for path in LIBRARY.rglob("*.py") if path.parent.name not in others)
    codes = set(re.findall(r"\bwarning\(\s*\"(\w+)\"", sources))
    assert len(codes) > 30 and codes - set(SCAN_CAUTIONS) == set(MEANINGS) & codes
    assert set(MEANINGS) <= codes, "a meaning of no code"


def test_a_finding_keeps_its_sentence_with_the_numbers():
    finding = warning("metal", "Metal (11.6 cc above 2500 HU) lies on the left.")
    japanese = told_finding(catalogue_of("ja"), finding)
    assert japanese.original == finding.sentence and japanese.text == "画像に金属があります。"
    assert told_finding(catalogue_of("en"), finding) == ToldFinding(finding.sentence)
    assert told_finding(catalogue_of("ja"), warning("of_a_later_version", "Odd.")) == ToldFinding("Odd.")


def test_a_report_in_japanese_is_japanese(monkeypatch):
    """Of the words of the page itself nothing stays English; names of files, units and the citation do."""
    result, volume = make_case()
    case = case_of_session(ReviewSession(result, volume, "Sato"), "7")
    monkeypatch.setattr("MSKSegmentLib.report.structures.segment_slice", lambda *_: SlicePicture(b"", 0.0, 0.0))
    monkeypatch.setattr("MSKSegmentLib.report.page.overview", lambda *_: None)
    html = html_of(case, "ja", with_3d=False)
    assert '<html lang="ja">' in html and "大殿筋" in html and "研究用途専用" in html
    body = re.sub(
        r"<style>.*?</style>|<[^>]*>|Soufi M.*?doi:\S+|Only a part of the thigh was scanned.|only 3 calibration patients show it",
        " ",
        html,
        flags=re.DOTALL,
    )
    allowed = {"Dice", "UTC", "HU", "MSKSegment", "Soufi", "et", "al", "CT", "mm", "cm", "cc", "lt", "gt", "amp", "SD"}
    assert not set(re.findall(r"[A-Za-z]{2,}", body)) - allowed


@pytest.mark.parametrize("form", ["{}: slice 3 of 40", "{}: 40 % of its present step"])
def test_the_progress_of_every_stage_is_told_as_a_whole(form):
    for stage in STAGES.values():
        told_line = told(form.format(stage), "ja")
        assert not re.findall("[a-z]{3,}", told_line), told_line


def test_the_names_that_users_gave_are_not_translated():
    """A folder may be called like a word of the program."""
    assert catalogue_of("ja").gettext("Measuring") != "Measuring"
    sentence = "The file Measuring is empty; copy or export it again."
    assert told(sentence, "ja") == "ファイルMeasuringは空です。コピーまたは書き出し直してください。"
